"""Which records are wanted: by subsystem, node, time, event and words."""

import re
from dataclasses import dataclass

from corosync_tw.logsys.flight.record import FlightRecord


@dataclass(frozen=True, slots=True)
class Selection:
    """
    What is left open wants everything.

    :ivar subsystems: upper case.
    :ivar since_ns: on the wall clock, inclusive; ``until_ns`` is not.
    :ivar message: found anywhere in the text.
    """

    subsystems: frozenset[str] = frozenset()
    nodeids: frozenset[int] = frozenset()
    events: frozenset[str] = frozenset()
    since_ns: int | None = None
    until_ns: int | None = None
    message: re.Pattern[str] | None = None

    def matches(self, record: FlightRecord) -> bool:
        """Tell whether a record is wanted."""
        return (
            (not self.subsystems or record.subsys in self.subsystems)
            and (not self.nodeids or record.nodeid in self.nodeids)
            and (not self.events or record.name in self.events)
            and (self.since_ns is None or record.time_ns >= self.since_ns)
            and (self.until_ns is None or record.time_ns < self.until_ns)
            and (self.message is None or self.message.search(record.text) is not None)
        )
