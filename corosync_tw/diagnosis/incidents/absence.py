"""What is known of a node that is in no ring with others now."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from corosync_tw.diagnosis.incidents.changes import Change, Step, leaving, steps_of
from corosync_tw.diagnosis.incidents.lives import End, Life
from corosync_tw.logsys.flight.record import FlightRecord


@dataclass(frozen=True, slots=True)
class Absence:
    """
    :ivar left: in which change it left; None when it was in no ring with others that is recorded.
    :ivar life: its last process; None when there is no recording of it.
    :ivar own: what that recorded since it left; ``seen`` what others recorded since.
    :ivar members: of the ring that there is now.
    :ivar listed: the nodes of the nodelist; empty when that is not known.
    """

    nodeid: int
    left: Change | None
    life: Life | None
    own: tuple[FlightRecord, ...]
    seen: tuple[FlightRecord, ...]
    members: tuple[int, ...]
    listed: Collection[int]

    @property
    def others(self) -> tuple[int, ...]:
        """Members of the ring that there is, without the node."""
        return tuple(nodeid for nodeid in self.members if nodeid != self.nodeid)

    @property
    def is_new(self) -> bool:
        """Whether its last process is not the one that left, whose end is why it left."""
        life, left = self.life, self.left
        return life is not None and (left is None or life.first_ns > left.began_ns)


def present_step(lives: Sequence[Life]) -> Step | None:
    """Give the last step into a ring, of processes that answer before all others."""
    running = [life for life in lives if life.end is End.RUNNING]
    steps = [step for life in running or lives for step in steps_of(life)]
    return max(steps, key=lambda step: step.installed.aligned_ns, default=None)


def absence_of(
    lives: Sequence[Life], changes: Sequence[Change], nodeid: int, listed: Collection[int]
) -> Absence | None:
    """Gather what is known; None for a node that is in a ring with others."""
    now = present_step(lives)
    if now is None or (nodeid in now.members and len(now.members) > 1):
        return None
    left = leaving(changes, nodeid)
    since_ns = 0 if left is None else left.ended_ns
    own = [life for life in lives if life.nodeid == nodeid]
    last = max(own, key=lambda life: life.first_ns, default=None)
    seen = [
        record
        for life in lives
        if life.nodeid != nodeid
        for record in life.records
        if record.aligned_ns >= since_ns
    ]
    mine = () if last is None else last.records
    return Absence(
        nodeid,
        left,
        last,
        tuple(record for record in mine if record.aligned_ns >= since_ns),
        tuple(seen),
        now.members,
        listed,
    )
