"""What is known about one node in one change of membership."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from corosync_tw.corotypes import NS_PER_MS
from corosync_tw.diagnosis.incidents.changes import Change, Step, steps_of
from corosync_tw.diagnosis.incidents.lives import Life, named, number
from corosync_tw.logsys.flight.record import FlightRecord

# What happened so shortly before may have caused it; the token's timeout comes on top.
PRELUDE_NS: Final = 10_000_000_000
# Clocks are aligned to this.
SLACK_NS: Final = 2_000_000_000
# Who wakes finds an old token in its buffer, and takes it before it knows that it has slept.
WAKING_NS: Final = 500_000_000
# Records of one moment lie within this.
_MOMENT_NS: Final = 10_000_000


@dataclass(frozen=True, slots=True)
class Scene:
    """
    :ivar nodeid: whom it is about.
    :ivar since_ns: from when on causes count, on the aligned clock; ``until_ns`` likewise.
    :ivar paused_since_ns: a pause that was over by then did not cost the token, which went on.
    :ivar witnesses: steps of the other nodes that recorded the change.
    :ivar seen: what those recorded in this time.
    :ivar life: the node's own process then; None when its recording is missing.
    :ivar own: what that recorded until it was in another ring, or ended.
    :ivar later: the node's next process.
    """

    nodeid: int
    change: Change
    since_ns: int
    until_ns: int
    paused_since_ns: int
    witnesses: tuple[Step, ...]
    seen: tuple[FlightRecord, ...]
    life: Life | None
    own: tuple[FlightRecord, ...]
    later: Life | None

    @property
    def began_ns(self) -> int:
        """When the first node sought another ring."""
        return self.change.began_ns

    @property
    def all(self) -> tuple[FlightRecord, ...]:
        """What anybody recorded."""
        return self.own + self.seen


def make_scene(lives: Sequence[Life], change: Change, nodeid: int) -> Scene:
    """Gather what is known about a node in a change."""
    witnesses = tuple(step for step in change.steps if step.life.nodeid != nodeid)
    began_ns = min((step.began_ns for step in witnesses), default=change.began_ns)
    until_ns = change.ended_ns
    timeout_ns = max(
        (
            (number(record, "token_timeout") or 0) * NS_PER_MS
            for step in change.steps
            for record in named(step.life.within(began_ns - SLACK_NS, until_ns), "token_lost")
        ),
        default=0,
    )
    since_ns = max(began_ns - timeout_ns - PRELUDE_NS, _settled_ns(lives, change, nodeid))
    seen = [record for step in witnesses for record in step.life.within(since_ns, until_ns)]
    life = _life_then(lives, change, nodeid, began_ns)
    own = () if life is None else _own(life, change, since_ns, until_ns)
    return Scene(
        nodeid,
        change,
        since_ns,
        until_ns,
        max(since_ns, _token_seen_ns(witnesses or change.steps, since_ns) - WAKING_NS),
        witnesses,
        tuple(seen),
        life,
        own,
        _later(lives, life, nodeid, began_ns),
    )


def _settled_ns(lives: Sequence[Life], change: Change, nodeid: int) -> int:
    """Tell since when the ring before was there: what was before that has had its effect."""
    if nodeid in change.joined:
        return 0
    installed = [
        step.installed.aligned_ns
        for life in lives
        for step in steps_of(life)
        if step.new_ring == change.main.old_ring
    ]
    return min(installed, default=0)


def _token_seen_ns(steps: Sequence[Step], since_ns: int) -> int:
    """
    Tell when the first one to miss the token had seen it last.

    :return: since_ns where no recording tells.
    """
    seen = [_last_visit_ns(step, since_ns) for step in steps]
    return min((at_ns for at_ns in seen if at_ns is not None), default=since_ns)


def _last_visit_ns(step: Step, since_ns: int) -> int | None:
    ending = step.life.within(step.began_ns - _MOMENT_NS, step.installed.aligned_ns)
    for trail in named(ending, "token_trail"):
        return trail.aligned_ns - (number(trail, "since") or 0) * NS_PER_MS
    visits = [
        record.aligned_ns
        for record in named(step.life.within(since_ns, step.began_ns), "token_received")
        if record.ring == step.old_ring
    ]
    return visits[-1] if visits else None


def _life_then(lives: Sequence[Life], change: Change, nodeid: int, began_ns: int) -> Life | None:
    """Find the process that was in the ring before, or else that which ran at that time."""
    for step in change.steps:
        if step.life.nodeid == nodeid:
            return step.life
    own = [life for life in lives if life.nodeid == nodeid and life.records]
    old_rings = {step.old_ring for step in change.steps if nodeid in step.left} - {None}
    for life in own:
        if old_rings & {step.new_ring for step in steps_of(life)}:
            return life
    begun = [life for life in own if life.first_ns <= began_ns]
    return max(begun, key=lambda life: life.first_ns, default=None)


def _own(life: Life, change: Change, since_ns: int, until_ns: int) -> tuple[FlightRecord, ...]:
    """Give what a node recorded until it was in another ring, which may be long after."""
    end_ns = life.last_ns
    for step in steps_of(life):
        late = step.installed.aligned_ns > until_ns - SLACK_NS
        if step.new_ring == change.ring or (late and step.began_ns >= since_ns):
            end_ns = max(step.installed.aligned_ns, until_ns)
            break
    return tuple(life.within(since_ns, end_ns))


def _later(lives: Sequence[Life], life: Life | None, nodeid: int, began_ns: int) -> Life | None:
    since_ns = began_ns if life is None else life.last_ns
    after = [
        other
        for other in lives
        if other.nodeid == nodeid
        and other is not life
        and other.records
        and other.first_ns >= since_ns - SLACK_NS
    ]
    return min(after, key=lambda other: other.first_ns, default=None)
