"""
Messages that would repeat for ever: each kind is printed once in a while, with a count of the rest.

A flood of bad datagrams must neither fill the disk nor hide behind silence.
"""

from collections.abc import Callable
from typing import Final

REPEAT_INTERVAL_NS: Final = 60 * 1_000_000_000

Report = Callable[[str], None]


class Troubles:
    """
    Rate limit by kind of trouble.

    :param report: prints one warning.
    :param now_ns: monotonic clock, nanoseconds.
    """

    def __init__(
        self, report: Report, now_ns: Callable[[], int], interval_ns: int = REPEAT_INTERVAL_NS
    ) -> None:
        self._report = report
        self._now_ns = now_ns
        self._interval_ns = interval_ns
        self._printed_ns: dict[str, int] = {}
        self._silent: dict[str, int] = {}

    def add(self, kind: str, text: str, count: int = 1) -> None:
        """Report ``count`` occurrences of a kind; an interval's first text is printed."""
        now_ns = self._now_ns()
        last_ns = self._printed_ns.get(kind)
        if last_ns is not None and now_ns - last_ns < self._interval_ns:
            self._silent[kind] = self._silent.get(kind, 0) + count
            return
        self._printed_ns[kind] = now_ns
        more = self._silent.pop(kind, 0) + count - 1
        self._report(f"{text} ({more} more like it)" if more else text)
