"""
A recording as messages of a blackbox, so that stock's qb-blackbox shows them.

The name of an event stands where stock has a function; visits of the token are traces, the rest is
debug. Log lines that were recorded are left out: a blackbox has them from elsewhere.
"""

import heapq
import time
from collections.abc import Iterable, Iterator
from typing import Final

from corosync_tw.logsys.flight.layout import Lane, RecordingError
from corosync_tw.logsys.flight.reading import Recording
from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.qb_blackbox import BlackboxEntry
from corosync_tw.logsys.settings import SUBSYSTEMS

_LOG_LINE: Final = "log"
_TAGS: Final = {subsys: number for number, subsys in enumerate(SUBSYSTEMS)}
# A thread that makes entries lets others run as often.
BREATH_ENTRIES: Final = 100


def flight_entries(data: bytes) -> Iterator[BlackboxEntry]:
    """Give the records of a recording by time; none when the bytes are none."""
    if not data:
        return
    try:
        recording = Recording(data, "recording")
    except RecordingError:
        return
    for record in recording.records():
        if record.name == _LOG_LINE:
            continue
        level = Level.TRACE if record.lane == Lane.VISITS else Level.DEBUG
        tag = _TAGS.get(record.subsys, len(SUBSYSTEMS))
        yield BlackboxEntry(record.time_ns, level, tag, record.name, 0, record.text)


def by_time(*runs: Iterable[BlackboxEntry]) -> Iterator[BlackboxEntry]:
    """Merge runs of entries, each in order, with pauses for the other threads."""
    for number, entry in enumerate(heapq.merge(*runs, key=lambda entry: entry.time_ns)):
        if number % BREATH_ENTRIES == BREATH_ENTRIES - 1:
            time.sleep(0)
        yield entry
