"""Log lines about clients: each kind at most once a second, with a count of those left out."""

from collections.abc import Callable
from typing import Final

INTERVAL_S: Final = 1.0

# Called with a level's name and a text.
Log = Callable[[str, str], None]


class Complaints:
    """Passes lines to the log, not faster than an administrator can read."""

    def __init__(self, log: Log, now_s: Callable[[], float]) -> None:
        self._log = log
        self._now_s = now_s
        # kind: (not again before, how many were left out)
        self._quiet: dict[str, tuple[float, int]] = {}

    def say(self, kind: str, level: str, text: str) -> None:
        """
        Log a line, unless one of its kind has just been.

        :param kind: of a fixed few; the same for lines that differ in a number only.
        """
        now_s = self._now_s()
        until_s, left_out = self._quiet.get(kind, (0.0, 0))
        if now_s < until_s:
            self._quiet[kind] = (until_s, left_out + 1)
            return
        self._quiet[kind] = (now_s + INTERVAL_S, 0)
        self._log(level, f"{text} ({left_out} more like this)" if left_out else text)
