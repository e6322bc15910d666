"""
Configurations: unique ids, the same members everywhere, one at a time, old and new joined as EVS
says.

EVS 2.2 (every event lies in one configuration) and 2.3/2.4 (a configuration is the same for all);
Totem95 section 4.1: unique ids, consensus on membership, the same transitional configuration for
all that move together.
"""

from collections.abc import Iterator
from itertools import pairwise

from corosync_tw.corotypes import ConfChangeType, RingId
from corosync_tw.sim.history import CONF, History, RunRecord, Violation, Window

RULE = "configuration"


def check_configurations(run: RunRecord) -> Iterator[Violation]:
    """Yield each breach of the rules of configurations."""
    yield from _check_unique_ids(run)
    for history in run.histories:
        if history.events and history.events[0][0] != CONF:
            yield _fault(history, history.events[0][1], "an event before the first configuration")
        yield from _check_sequence(run, history)
    yield from _check_common_origin(run)


def _fault(history: History, time_ns: int, text: str) -> Violation:
    return Violation(RULE, time_ns, (history.nodeid,), text)


def _check_unique_ids(run: RunRecord) -> Iterator[Violation]:
    members_of: dict[RingId, tuple[int, ...]] = {}
    installed: set[tuple[int, RingId]] = set()
    for history in run.histories:
        for window in run.windows(history):
            if not window.regular:
                continue
            ring_id, members = window.conf.ring_id, window.conf.members
            if members_of.setdefault(ring_id, members) != members:
                text = f"{ring_id} has members {members} here, {members_of[ring_id]} elsewhere"
                yield _fault(history, window.time_ns, text)
            if (history.nodeid, ring_id) in installed:
                yield _fault(history, window.time_ns, f"{ring_id} installed a second time")
            installed.add((history.nodeid, ring_id))


def _check_sequence(run: RunRecord, history: History) -> Iterator[Violation]:
    """One node: itself a member, kinds alternate, ring numbers grow, lists agree."""
    ring: Window | None = None
    transitional: Window | None = None
    for window in run.windows(history):
        conf, time_ns = window.conf, window.time_ns
        # Before its first ring a node comes from nowhere, with nobody.
        first = ring is None and not window.regular and not conf.members
        if history.nodeid not in conf.members and not first:
            yield _fault(history, time_ns, f"not a member of its own {conf}")
        if tuple(sorted(set(conf.members))) != conf.members:
            yield _fault(history, time_ns, f"members not ascending or not unique: {conf.members}")
        if not window.regular:
            if transitional is not None:
                yield _fault(history, time_ns, "two transitional configurations in a row")
            transitional = window
            if ring is not None:
                yield from _check_transitional(history, ring, window)
            continue
        if transitional is None:
            yield _fault(history, time_ns, f"{conf.ring_id} without a transitional configuration")
        else:
            if transitional.conf.ring_id != conf.ring_id:
                yield _fault(history, time_ns, f"{conf} follows {transitional.conf}")
            yield from _check_lists(history, transitional, window)
        if ring is not None and conf.ring_id.seq <= ring.conf.ring_id.seq:
            yield _fault(history, time_ns, f"{conf.ring_id} after {ring.conf.ring_id}")
        if conf.ring_id.rep not in conf.members:
            yield _fault(history, time_ns, f"representative of {conf.ring_id} is not a member")
        ring, transitional = window, None


def _check_transitional(history: History, ring: Window, window: Window) -> Iterator[Violation]:
    conf = window.conf
    if conf.old_ring_id != ring.conf.ring_id:
        text = f"transitional configuration of {conf.old_ring_id} follows {ring.conf.ring_id}"
        yield _fault(history, window.time_ns, text)
    if not set(conf.members) <= set(ring.conf.members):
        yield _fault(history, window.time_ns, "transitional members that were not in the old ring")


def _check_lists(history: History, transitional: Window, window: Window) -> Iterator[Violation]:
    conf = window.conf
    stayed, members = set(transitional.conf.members), set(conf.members)
    if not stayed <= members:
        yield _fault(history, window.time_ns, "transitional members that are not in the new ring")
    if set(conf.joined) != members - stayed:
        text = f"joined {conf.joined}, but {tuple(sorted(members - stayed))} are new"
        yield _fault(history, window.time_ns, text)


def _check_common_origin(run: RunRecord) -> Iterator[Violation]:
    """Whom a transitional configuration names went from one old ring to one new."""
    came_from: dict[tuple[int, RingId], tuple[RingId, tuple[int, ...]]] = {}
    pairs: list[tuple[Window, Window, History]] = []
    for history in run.histories:
        windows = run.windows(history)
        for earlier, later in pairwise(windows):
            if later.conf.kind is ConfChangeType.REGULAR and not earlier.regular:
                origin = (earlier.ring, earlier.conf.members)
                came_from[history.nodeid, later.conf.ring_id] = origin
                pairs.append((earlier, later, history))
    for earlier, later, history in pairs:
        origin = (earlier.ring, earlier.conf.members)
        for member in earlier.conf.members:
            other = came_from.get((member, later.conf.ring_id), origin)
            if other != origin:
                text = f"came to {later.conf.ring_id} from {origin}, node {member} from {other}"
                yield Violation(RULE, later.time_ns, (history.nodeid, member), text)
