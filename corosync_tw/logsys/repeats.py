"""
Lines that come again and again: after a few of one kind, the rest of an interval is counted.

A kind is a text, or what the caller says that differing texts have in common, such as the lists of
messages that a ring asks for again. The count comes with the last text, which can be found by it.
"""

import threading
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.logsys.format import Record

LINES_PER_INTERVAL_MAX: Final = 10
INTERVAL_NS: Final = 10_000_000_000
KINDS_MAX: Final = 256

_Kind = tuple[str, int, str]


@dataclass(slots=True)
class _Interval:
    """
    One kind's lines since the first.

    :ivar untold_lines: not printed, and no line told of them.
    """

    begin_ns: int
    lines: int = 0
    untold_lines: int = 0
    last: Record | None = None


class Repeats:
    """
    Says which lines are printed; for any thread.

    :param now_ns: monotonic clock, nanoseconds.
    :ivar suppressed_lines: since the start.
    """

    def __init__(self, now_ns: Callable[[], int]) -> None:
        self.suppressed_lines = 0
        self._now_ns = now_ns
        self._intervals: OrderedDict[_Kind, _Interval] = OrderedDict()
        self._lock = threading.Lock()

    def admit(self, record: Record, kind: str = "") -> list[Record]:
        """
        Give the lines to be printed now: none, or this one, and before it what became of others.

        :param kind: what the line's text has in common with others; the text itself by default.
        """
        key = (record.subsys, int(record.level), kind or record.text)
        now_ns = self._now_ns()
        with self._lock:
            printed = []
            interval = self._intervals.get(key)
            if interval is not None and now_ns - interval.begin_ns >= INTERVAL_NS:
                printed += self._told(interval)
                interval = None
            if interval is None:
                printed += self._make_room()
                interval = self._intervals[key] = _Interval(now_ns)
            self._intervals.move_to_end(key)
            interval.lines += 1
            if interval.lines > LINES_PER_INTERVAL_MAX:
                interval.untold_lines += 1
                interval.last = record
                self.suppressed_lines += 1
                return printed
            return [*printed, record]

    def due(self) -> list[Record]:
        """Give lines that tell of what was held back in intervals that are over."""
        now_ns = self._now_ns()
        with self._lock:
            over = [
                key
                for key, interval in self._intervals.items()
                if now_ns - interval.begin_ns >= INTERVAL_NS
            ]
            return [line for key in over for line in self._told(self._intervals.pop(key))]

    def all(self) -> list[Record]:
        """Give lines that tell of all that no line told of."""
        with self._lock:
            intervals = list(self._intervals.values())
            self._intervals.clear()
            return [line for interval in intervals for line in self._told(interval)]

    def _make_room(self) -> list[Record]:
        if len(self._intervals) < KINDS_MAX:
            return []
        _, oldest = self._intervals.popitem(last=False)
        return self._told(oldest)

    @staticmethod
    def _told(interval: _Interval) -> list[Record]:
        last = interval.last
        if last is None:
            return []
        count = interval.untold_lines
        text = f"{last.text.rstrip()} ({count} more like it within {INTERVAL_NS // NS_PER_S} s)"
        return [last._replace(text=text)]
