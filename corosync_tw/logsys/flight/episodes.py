"""Find the episodes of a timeline: from the moment a node seeks a new ring until all have one."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from corosync_tw.corotypes import RingId
from corosync_tw.logsys.flight.record import FlightRecord
from corosync_tw.totem.const import MembState

# What happened so shortly before an episode may have caused it.
PRELUDE_NS: Final = 2_000_000_000
# Of the token, and what comes every second.
FREQUENT: Final = frozenset({"token_received", "sample"})
# What tells who is in a ring, and the field that does.
_MEMBERS: Final = {
    "ring_installed": "members",
    "members_left": "nodes",
    "members_joined": "nodes",
}


@dataclass(slots=True)
class Episode:
    """
    One change of membership.

    :ivar records: of all nodes, without the visits of the token; what came shortly before, too.
    :ivar rings: that were installed in it.
    :ivar began_ns: on the aligned clock, as is ``ended_ns``.
    :ivar settled: all nodes that took part were in a ring at the end.
    """

    began_ns: int
    ended_ns: int
    records: list[FlightRecord] = field(default_factory=list)
    rings: list[RingId] = field(default_factory=list)
    settled: bool = True

    @property
    def main_ring(self) -> RingId | None:
        """The ring of the part that most nodes stayed in; None when none was installed."""
        return self._main[0]

    @property
    def left(self) -> tuple[int, ...]:
        """Node ids that the main ring lost."""
        return self._main[1]

    @property
    def joined(self) -> tuple[int, ...]:
        """Node ids that the main ring won."""
        return self._main[2]

    @property
    def _main(self) -> tuple[RingId | None, tuple[int, ...], tuple[int, ...]]:
        """Of all nodes' points of view take that from which most stayed: ring, left, joined."""
        views: dict[tuple[int, RingId | None], dict[str, tuple[int, ...]]] = {}
        for record in self.records:
            if record.name in _MEMBERS:
                nodes = record.values.get(_MEMBERS[record.name])
                if isinstance(nodes, tuple):
                    view = views.setdefault((record.nodeid, _ring_of(record)), {})
                    view[record.name] = tuple(sorted(set(nodes)))

        def stayed(key: tuple[int, RingId | None]) -> tuple[int, int]:
            view = views[key]
            came = view.get("members_joined", ())
            return len({*view.get("ring_installed", ())}.difference(came)), -key[0]

        if not views:
            return None, (), ()
        best = max(views, key=stayed)
        return best[1], views[best].get("members_left", ()), views[best].get("members_joined", ())


def _ring_of(record: FlightRecord) -> RingId | None:
    """Give the ring that a change of members leads to."""
    rep, seq = record.values.get("rep"), record.values.get("ring_seq")
    return RingId(rep, seq) if isinstance(rep, int) and isinstance(seq, int) else None


def entered_state(record: FlightRecord) -> int | None:
    """Give the state that a record says its node enters; None for other records."""
    state = record.values.get("new")
    return state if record.name == "state_entered" and isinstance(state, int) else None


def find_episodes(records: Sequence[FlightRecord]) -> list[Episode]:
    """Find all of them in a timeline, by time."""
    last_of = {record.nodeid: index for index, record in enumerate(records)}
    seeking: set[int] = set()
    found: list[Episode] = []
    prelude: list[FlightRecord] = []
    current: Episode | None = None
    for index, record in enumerate(records):
        state = entered_state(record)
        if state in {MembState.GATHER, MembState.COMMIT, MembState.RECOVERY}:
            seeking.add(record.nodeid)
            if current is None:
                current = Episode(record.aligned_ns, record.aligned_ns)
                current.records = _recent(prelude, record.aligned_ns)
                found.append(current)
        elif state is not None:
            seeking.discard(record.nodeid)
        if record.name not in FREQUENT:
            (prelude if current is None else current.records).append(record)
            del prelude[:-1000]
        if current is None:
            continue
        current.ended_ns = record.aligned_ns
        ring = record.ring if record.name == "ring_installed" else None
        if ring is not None and ring not in current.rings:
            current.rings.append(ring)
        if last_of[record.nodeid] == index and record.nodeid in seeking:
            # Its file ends here: it was killed, or the file was read while it sought.
            seeking.discard(record.nodeid)
            current.settled = False
        if not seeking:
            current, prelude = None, []
    return found


def _recent(records: list[FlightRecord], now_ns: int) -> list[FlightRecord]:
    return [record for record in records if record.aligned_ns >= now_ns - PRELUDE_NS]
