"""What this node has to complain of its neighbours, for who asks later what is wrong."""

import re
import time
from collections.abc import Callable, Sequence
from typing import Final

COMPLAINTS_MAX: Final = 8
_COUNT: Final = re.compile(r" \(\d+ (?:so far|more like it)\)$")


class Complaints:
    """
    The latest warnings of their kind, each once.

    :param now_ms: since 1970, by the wall clock: other nodes compare it with theirs.
    """

    def __init__(self, now_ms: Callable[[], int] = lambda: time.time_ns() // 1_000_000) -> None:
        self._now_ms = now_ms
        self._said_ms: dict[str, int] = {}

    def add(self, text: str) -> None:
        """Note a warning; how often it was is left out."""
        text = _COUNT.sub("", text)
        self._said_ms.pop(text, None)
        self._said_ms[text] = self._now_ms()
        if len(self._said_ms) > COMPLAINTS_MAX:
            del self._said_ms[next(iter(self._said_ms))]

    def latest(self) -> Sequence[tuple[int, str]]:
        """Give when each was said last, and its text."""
        return tuple((said_ms, text) for text, said_ms in self._said_ms.items())
