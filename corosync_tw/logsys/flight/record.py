"""One record in words, and the ring that its node was in."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from corosync_tw.corotypes import RingId
from corosync_tw.logsys.flight.events import Event
from corosync_tw.logsys.flight.layout import Mark
from corosync_tw.logsys.flight.slots import Raw
from corosync_tw.logsys.flight.values import unpack
from corosync_tw.logsys.flight.words import Table, Value
from corosync_tw.logsys.traces import ring_id_text
from corosync_tw.totem.const import MembState

_NS_PER_S: Final = 1_000_000_000
# Times that a calendar has: years 1970 to 9999.
_WALL_NS_MAX: Final = 253_402_300_799 * _NS_PER_S


@dataclass(frozen=True, slots=True)
class FlightRecord:
    """
    What happened once on one node.

    :ivar time_ns: on the node's wall clock, since 1970; ``monotonic_ns`` since its boot.
    :ivar seq: number in its lane.
    :ivar values: by name of the field.
    :ivar ring: that the node was in, or whose recovery it took part in; None when unknown.
    :ivar whole: False when a part of its list or text was overwritten.
    :ivar aligned_ns: on the clock that several nodes are compared by; of one file, ``time_ns``.
    """

    time_ns: int
    monotonic_ns: int
    nodeid: int
    lane: int
    seq: int
    event: Event
    values: dict[str, Value]
    ring: RingId | None
    whole: bool
    table: Table
    aligned_ns: int

    @property
    def name(self) -> str:
        """Name of the event."""
        return self.event.name

    @property
    def subsys(self) -> str:
        """The subsystem that it is about."""
        value = self.values.get("subsys")
        return self.event.subsys if value is None else self.table.word("subsys", value)

    @property
    def text(self) -> str:
        """The event in words."""
        said = self.table.say(self.event, self.values)
        return said if self.whole else f"{said} (cut short)"

    def as_dict(self) -> dict[str, Any]:
        """Give all of it in types that JSON has."""
        return {
            "time": stamp(self.time_ns),
            "time_ns": self.time_ns,
            "monotonic_ns": self.monotonic_ns,
            "nodeid": self.nodeid,
            "ring": None if self.ring is None else ring_id_text(self.ring),
            "subsys": self.subsys,
            "event": self.name,
            "values": self.values,
            "text": self.text,
        }


def stamp(time_ns: int) -> str:
    """Write a wall time in UTC, to the microsecond; what no calendar has as seconds."""
    if not 0 <= time_ns <= _WALL_NS_MAX:
        return f"{time_ns / _NS_PER_S:.6f} s"
    seconds, rest_ns = divmod(time_ns, _NS_PER_S)
    date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{date}.{rest_ns // 1000:06d}Z"


class Wording:
    """
    Makes records of one node of what its slots hold, in their order.

    The visits of the token before a ring is installed are of that ring: its name becomes known at
    the installation, or never.

    :param look_ahead: hold records of a recovery back until the name of its ring is known.
    """

    def __init__(
        self, nodeid: int, table: Table, marks: list[Mark], *, look_ahead: bool = True
    ) -> None:
        self._nodeid = nodeid
        self._table = table
        self.marks = marks
        self._look_ahead = look_ahead
        self._ring: RingId | None = None
        self._waiting: list[Raw] = []
        # Whether records wait; of the first ones only a sample tells the ring.
        self._unsettled = self._beginning = look_ahead

    def feed(self, raw: Raw) -> Iterator[FlightRecord]:
        """Take the next one in time; give those whose ring is known by now."""
        event = self._table.event(raw.code)
        if event.name == "state_entered":
            yield from self._state_entered(raw)
        elif event.name in {"ring_installed", "sample"} and len(raw.ints) > 1:
            # No node has the id 0: before its first ring a node has none.
            unknown = self._beginning and event.name != "sample"
            self._ring = RingId(*raw.ints[:2]) if raw.ints[0] else None
            yield from self.flush(unknown=unknown)
        if self._unsettled:
            self._waiting.append(raw)
        else:
            yield self._worded(raw, self._ring)

    def _state_entered(self, raw: Raw) -> Iterator[FlightRecord]:
        state = raw.ints[1] if len(raw.ints) > 1 else None
        if state == MembState.OPERATIONAL:
            return
        if self._unsettled:
            yield from self.flush(unknown=True)
        self._unsettled = self._look_ahead and state == MembState.RECOVERY

    def flush(self, *, unknown: bool = False) -> Iterator[FlightRecord]:
        """Give what waits; of no known ring, or of that which is known by now."""
        waiting, self._waiting = self._waiting, []
        self._unsettled = self._beginning = False
        for raw in waiting:
            yield self._worded(raw, None if unknown else self._ring)

    def _worded(self, raw: Raw, ring: RingId | None) -> FlightRecord:
        event = self._table.event(raw.code)
        values = unpack(event, raw.ints, raw.data)
        time_ns = raw.monotonic_ns + self._offset_ns(raw.monotonic_ns)
        return FlightRecord(
            time_ns,
            raw.monotonic_ns,
            self._nodeid,
            raw.lane,
            raw.number,
            event,
            values,
            ring,
            raw.whole,
            self._table,
            time_ns,
        )

    def _offset_ns(self, monotonic_ns: int) -> int:
        offset_ns = self.marks[0].offset_ns if self.marks else 0
        for mark in self.marks:
            if mark.monotonic_ns > monotonic_ns:
                break
            offset_ns = mark.offset_ns
        return offset_ns
