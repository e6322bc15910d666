"""One record in words, and the ring that its node was in."""

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Final

from corosync_tw.corotypes import NS_PER_S, RingId
from corosync_tw.logsys.flight.events import Event
from corosync_tw.logsys.flight.layout import Mark
from corosync_tw.logsys.flight.slots import Raw
from corosync_tw.logsys.flight.values import unpack
from corosync_tw.logsys.flight.words import Table, Value
from corosync_tw.logsys.traces import ring_id_text
from corosync_tw.totem.const import MembState
from corosync_tw.totem.seqno import seq_diff

# Times that a calendar has: years 1970 to 9999.
_WALL_NS_MAX: Final = 253_402_300_799 * NS_PER_S


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

    def at(self, aligned_ns: int) -> "FlightRecord":
        """Give the same record, placed on the clock of several nodes."""
        return FlightRecord(
            *(self.time_ns, self.monotonic_ns, self.nodeid, self.lane, self.seq, self.event),
            *(self.values, self.ring, self.whole, self.table, aligned_ns),
        )

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
        return f"{time_ns / NS_PER_S:.6f} s"
    seconds, rest_ns = divmod(time_ns, NS_PER_S)
    date = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(seconds))
    return f"{date}.{rest_ns // 1000:06d}Z"


class Wording:
    """
    Makes records of one node of what its slots hold, in their order.

    The visits of the token before a ring is installed are of that ring: its name becomes known at
    the installation, or never. A node writes visits down at once and changes of its state a moment
    later, so that the first visits may come before the state in which tokens are taken; but the
    numbers of one ring's visits only grow, and who seeks a ring takes no token of the old one.

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
        # What waits, each with whether it is of the ring to come.
        self._waiting: list[tuple[Raw, bool]] = []
        # Of the first records only a sample tells the ring.
        self._beginning = look_ahead
        self._seeks = self._recovers = self._ahead = False
        self._last_seq: int | None = None

    def feed(self, raw: Raw) -> Iterator[FlightRecord]:
        """Take the next one in time; give those whose ring is known by now."""
        name = self._table.event(raw.code).name
        if name == "state_entered":
            yield from self._state_entered(raw.ints[1])
        elif name in {"ring_installed", "sample"}:
            # No node has the id 0: before its first ring a node has none.
            ring = RingId(*raw.ints[:2]) if raw.ints[0] else None
            yield from self._named(ring, installed=name == "ring_installed")
        visits_ahead = name == "token_received" and self._visits_ahead(raw.ints[2])
        to_come = self._beginning or self._recovers or visits_ahead
        if self._look_ahead and (to_come or self._waiting):
            self._waiting.append((raw, to_come))
        else:
            yield self._worded(raw, None if visits_ahead else self._ring)

    def _state_entered(self, state: int) -> Iterator[FlightRecord]:
        if self._beginning or state == MembState.GATHER:
            yield from self.flush()
        self._seeks = state in {MembState.GATHER, MembState.COMMIT}
        self._recovers = self._look_ahead and state == MembState.RECOVERY
        if state == MembState.RECOVERY and not self._waiting:
            self._last_seq = None

    def _visits_ahead(self, seq: int) -> bool:
        """Tell whether a visit is of the ring to come, though the node did not say so yet."""
        last_seq, self._last_seq = self._last_seq, seq
        again = last_seq is not None and seq_diff(seq, last_seq) <= 0
        self._ahead = self._ahead or self._seeks or again
        return self._ahead

    def _named(self, ring: RingId | None, *, installed: bool) -> Iterator[FlightRecord]:
        """Take the name of a ring; in a recovery a sample still tells the old one."""
        if installed or not (self._seeks or self._recovers):
            yield from self.flush(None if self._beginning and installed else ring)
            self._recovers = False
        self._ring = ring

    def flush(self, ring_to_come: RingId | None = None) -> Iterator[FlightRecord]:
        """Give what waits; the ring to come has this name, or its name will never be known."""
        waiting, self._waiting = self._waiting, []
        self._beginning = self._ahead = False
        for raw, to_come in waiting:
            yield self._worded(raw, ring_to_come if to_come else self._ring)

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
