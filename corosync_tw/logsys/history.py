"""
The last log lines, kept in memory for a blackbox file.

They are what was logged at the levels that somebody prints; the flight recorder keeps the rest.
"""

from collections import deque
from collections.abc import Iterator
from typing import Final

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.logsys.format import Record
from corosync_tw.logsys.qb_blackbox import BlackboxEntry
from corosync_tw.logsys.settings import SUBSYSTEMS

HISTORY_LINES_MAX: Final = 4096
_TAGS: Final = {subsys: number for number, subsys in enumerate(SUBSYSTEMS)}
_UNLISTED_TAG: Final = len(SUBSYSTEMS)


class History:
    """
    A bounded list of lines.

    :ivar keeping: what ``logging.blackbox`` says; nothing is added while it is off.
    """

    def __init__(self, lines_max: int = HISTORY_LINES_MAX) -> None:
        self.keeping = True
        self._records: deque[Record] = deque(maxlen=lines_max)

    def add(self, record: Record) -> None:
        """Keep a line, instead of the oldest one when there is no room."""
        if self.keeping:
            self._records.append(record)

    def entries(self) -> Iterator[BlackboxEntry]:
        """Give the lines as they are now, oldest first."""
        return (_entry(record) for record in tuple(self._records))


def _entry(record: Record) -> BlackboxEntry:
    """Name the subsystem where stock has a function, unless the function is known."""
    _, _, line_no = record.place.rpartition(":")
    return BlackboxEntry(
        int(record.time_s * NS_PER_S),
        record.level,
        _TAGS.get(record.subsys, _UNLISTED_TAG),
        record.function or record.subsys,
        int(line_no) if line_no.isdecimal() else 0,
        record.text,
    )
