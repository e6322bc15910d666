"""Find the changes of membership in what nodes recorded, and the one that is asked for."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Final

from corosync_tw.corotypes import RingId
from corosync_tw.diagnosis.incidents.lives import Life, number, numbers
from corosync_tw.logsys.flight.record import FlightRecord
from corosync_tw.totem.const import MembState

# Lives whose steps are kept, for they are asked for again and again.
LIVES_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class Step:
    """
    How one node came into a ring.

    :ivar old_ring: that it was in; None for a first one, or when its record is overwritten.
    :ivar kept: members of the old ring that came along, itself among them.
    :ivar began_ns: when it left its old ring to seek another, on the aligned clock.
    :ivar installed: the record of the new ring.
    """

    life: Life
    old_ring: RingId | None
    new_ring: RingId
    members: tuple[int, ...]
    left: tuple[int, ...]
    joined: tuple[int, ...]
    kept: tuple[int, ...]
    began_ns: int
    installed: FlightRecord


@dataclass(slots=True)
class Change:
    """All steps into one ring."""

    ring: RingId
    steps: list[Step] = field(default_factory=list)

    @property
    def main(self) -> Step:
        """The step of the largest part: of its point of view others left or joined."""
        return max(self.steps, key=lambda step: (len(step.kept), -step.life.nodeid))

    @property
    def left(self) -> tuple[int, ...]:
        """Who left, for the largest part."""
        return self.main.left

    @property
    def joined(self) -> tuple[int, ...]:
        """Who joined the largest part; a node that comes up alone joins nobody."""
        main = self.main
        return tuple(node for node in main.joined if node != main.life.nodeid)

    @property
    def began_ns(self) -> int:
        """When the first node sought another ring."""
        return min(step.began_ns for step in self.steps)

    @property
    def ended_ns(self) -> int:
        """When the last one had it."""
        return max(step.installed.aligned_ns for step in self.steps)


@lru_cache(maxsize=LIVES_MAX)
def steps_of(life: Life) -> tuple[Step, ...]:
    """Find the steps of one process."""
    return tuple(_steps(life))


def _steps(life: Life) -> Iterator[Step]:
    old_ring: RingId | None = None
    began_ns: int | None = None
    parts: dict[str, tuple[int, ...]] = {}
    for record in life.records:
        if record.name == "state_entered":
            settled = number(record, "old") == MembState.OPERATIONAL
            if settled or began_ns is None:
                began_ns = record.aligned_ns
        elif record.name in {"members_left", "members_joined"}:
            parts[record.name] = numbers(record, "nodes")
        elif record.name == "transitional":
            parts[record.name] = numbers(record, "members")
        elif record.name == "ring_installed":
            new_ring = RingId(number(record, "rep") or 0, number(record, "ring_seq") or 0)
            yield Step(
                life,
                old_ring,
                new_ring,
                numbers(record, "members"),
                parts.get("members_left", ()),
                parts.get("members_joined", ()),
                parts.get("transitional", ()),
                record.aligned_ns if began_ns is None else began_ns,
                record,
            )
            old_ring, began_ns, parts = new_ring, None, {}


def find_changes(lives: Iterable[Life]) -> list[Change]:
    """Find all of them, by time."""
    found: dict[RingId, Change] = {}
    for life in lives:
        for step in steps_of(life):
            found.setdefault(step.new_ring, Change(step.new_ring)).steps.append(step)
    return sorted(found.values(), key=lambda change: change.ended_ns)


def last_change(changes: Sequence[Change]) -> Change | None:
    """Give the last one that lost or gained a member; else the last one."""
    moved = [change for change in changes if change.left or change.joined]
    return next(reversed(moved or changes), None)


def leaving(changes: Sequence[Change], nodeid: int) -> Change | None:
    """
    Give the last one that a node left in.

    Of a ring that fell apart, the smaller part's word that the larger one left counts less.
    """
    found = [change for change in changes if nodeid in change.left]
    gone = [change for change in found if not _went_on_with_more(changes, change, nodeid)]
    return next(reversed(gone or found), None)


def _went_on_with_more(changes: Sequence[Change], change: Change, nodeid: int) -> bool:
    """Tell whether a node that left went on with more of the old ring than it left behind."""
    old_ring, count = change.main.old_ring, len(change.main.kept)
    return old_ring is not None and any(
        step.old_ring == old_ring and nodeid in step.kept and len(step.kept) > count
        for other in changes
        for step in other.steps
    )


def nearest(changes: Sequence[Change], when_ns: int, span_ns: int) -> Change | None:
    """Give the one during which, or next to which, a moment was; None when none was so near."""
    near = min(changes, key=lambda change: _distance_ns(change, when_ns), default=None)
    return None if near is None or _distance_ns(near, when_ns) > span_ns else near


def _distance_ns(change: Change, when_ns: int) -> int:
    """Measure on the aligned clock and on those of the nodes, which may have been set since."""
    shifts = {step.installed.time_ns - step.installed.aligned_ns for step in change.steps}
    return min(
        max(change.began_ns + shift - when_ns, when_ns - change.ended_ns - shift, 0)
        for shift in (0, *shifts)
    )
