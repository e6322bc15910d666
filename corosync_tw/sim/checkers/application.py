"""
What processes see of groups: whole messages, once, in each sender's order; one order of messages
and views; quorum.

Rules of the CPG: every member of a group sees the same messages and the same views in one order;
no message reaches a
process while its node is being synchronized; never two quorate partitions.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from corosync_tw.corotypes import RingId
from corosync_tw.sim.app_record import (
    AppDelivery,
    AppLog,
    AppMessageId,
    AppQuorum,
    AppRing,
    AppSync,
    AppView,
)
from corosync_tw.sim.checkers.order import find_cycle
from corosync_tw.sim.history import Violation


def check_application(logs: list[AppLog]) -> Iterator[Violation]:
    """Yield each breach of what processes may rely on."""
    sent = {(log.nodeid, log.incarnation): log.next_index for log in logs}
    for log in logs:
        yield from log.violations
        yield from _check_senders(log, sent)
        yield from _check_sync(log)
        yield from _check_views(log)
    yield from _check_order(logs)
    yield from _check_same_views(logs)
    yield from _check_quorum(logs)


def _check_senders(log: AppLog, sent: dict[tuple[int, int], int]) -> Iterator[Violation]:
    """
    Nothing made up, nothing twice, each sender's messages in its order, without a gap while the
    ring lasts.

    A new ring may bring a gap for all but the sender itself: what was sent in another partition.
    """
    last: dict[tuple[bytes, int, int], int] = {}
    in_this_ring: set[tuple[bytes, int, int]] = set()
    for event in log.events:
        if isinstance(event, AppRing) and event.regular:
            own = (log.nodeid, log.incarnation)
            in_this_ring = {key for key in in_this_ring if key[1:] == own}
        if not isinstance(event, AppDelivery):
            continue
        nodeid, incarnation, index = event.message
        node = (log.nodeid,)
        if index >= sent.get((nodeid, incarnation), 0):
            text = f"message {event.message} was never sent"
            yield Violation("cpg no creation", event.time_ns, node, text)
        key = (event.group, nodeid, incarnation)
        before = last.get(key, -1)
        if event.place <= before or (key in in_this_ring and event.place != before + 1):
            text = (
                f"message {event.message}, place {event.place}, after place {before} of its sender"
            )
            yield Violation("cpg sender order", event.time_ns, node, text)
        last[key] = event.place
        in_this_ring.add(key)


def _check_sync(log: AppLog) -> Iterator[Violation]:
    """No message is delivered between a regular configuration and the end of its sync."""
    ring: AppRing | None = None
    synced = True
    for event in log.events:
        node = (log.nodeid,)
        if isinstance(event, AppRing) and event.regular:
            ring, synced = event, False
        elif isinstance(event, AppSync):
            if ring is None or (event.ring_id, event.members) != (ring.ring_id, ring.members):
                text = f"synchronization of {event.ring_id} ends in {ring}"
                yield Violation("sync barrier", event.time_ns, node, text)
            synced = True
        elif isinstance(event, AppDelivery) and not synced:
            text = f"{event.message} delivered while the ring is being synchronized"
            yield Violation("sync barrier", event.time_ns, node, text)


def _check_views(log: AppLog) -> Iterator[Violation]:
    """A view follows from the one before by who left and who joined; senders are members."""
    views: dict[bytes, set[tuple[int, int]]] = {}
    for event in log.events:
        node = (log.nodeid,)
        if isinstance(event, AppView):
            before = views.get(event.group)
            now = set(event.members)
            views[event.group] = now
            if before is None:
                continue
            left = {(m.nodeid, m.pid) for m in event.left}
            joined = {(m.nodeid, m.pid) for m in event.joined}
            if (before - left) | joined != now:
                text = (
                    f"{event.group!r}: {sorted(before)} - {left} + {joined} is not {event.members}"
                )
                yield Violation("cpg views", event.time_ns, node, text)
        elif isinstance(event, AppDelivery):
            members = views.get(event.group, set())
            if event.message[0] not in {nodeid for nodeid, _ in members}:
                text = f"{event.message} from a node that is not in the view {sorted(members)}"
                yield Violation("cpg views", event.time_ns, node, text)


def _check_order(logs: list[AppLog]) -> Iterator[Violation]:
    """Messages of all groups, and rings, have one order that suits all."""
    number: dict[Any, int] = {}
    names: list[Any] = []
    edges: list[set[int]] = []
    for log in logs:
        last = -1
        for event in log.events:
            name: Any
            if isinstance(event, AppDelivery):
                name = event.message
            elif isinstance(event, AppRing) and event.regular:
                name = event.ring_id
            else:
                continue
            here = number.setdefault(name, len(names))
            if here == len(names):
                names.append(name)
                edges.append(set())
            if last not in {-1, here}:
                edges[last].add(here)
            last = here
    component = find_cycle([sorted(targets) for targets in edges])
    if component:
        shown = ", ".join(str(names[i]) for i in component[:8])
        yield Violation("cpg order", 0, (), f"{len(component)} events precede each other: {shown}")


# What processes saw in one configuration: which one, the rows seen, and when it began.
_Segment = tuple[tuple[Any, ...], list[tuple[Any, ...]], int]


def _segments(log: AppLog) -> Iterator[_Segment]:
    """
    Cut a log at configurations of the ring.

    A transitional configuration is shared by those that it names, on the way from one ring to the
    same next one.
    """
    ring: RingId | None = None
    where: tuple[Any, ...] | None = None
    seen: list[tuple[Any, ...]] = []
    start_ns = 0
    for event in log.events:
        if isinstance(event, AppDelivery):
            seen.append((event.group, event.message))
            continue
        if isinstance(event, AppView):
            seen.append((event.group, "view", event.members))
            continue
        if isinstance(event, AppQuorum):
            continue
        if where is not None:
            yield where, seen, start_ns
        seen, start_ns, where = [], event.time_ns, None
        if isinstance(event, AppSync):
            ring = event.ring_id
            where = (ring,)
        elif event.regular:
            ring = None
        elif ring is not None:
            where = (ring, event.ring_id, event.members)
    if where is not None:
        yield where, seen, start_ns


def _check_same_views(logs: list[AppLog]) -> Iterator[Violation]:
    """
    In one configuration the processes of a group see the same messages and views in one order.

    One may see a part: it ends earlier when it crashes or the run ends, begins later when it joins.
    """
    longest: dict[tuple[tuple[Any, ...], bytes], tuple[AppLog, list[Any]]] = {}
    for log in logs:
        for where, seen, start_ns in _segments(log):
            for group in sorted({row[0] for row in seen}):
                mine = [row[1:] for row in seen if row[0] == group]
                owner, theirs = longest.setdefault((where, group), (log, mine))
                if owner is log:
                    continue
                if not _overlap_agrees(mine, theirs):
                    text = (
                        f"in {where} group {group!r}: node {log.nodeid} and node "
                        f"{owner.nodeid} differ: {_first_difference(mine, theirs)}"
                    )
                    yield Violation("cpg same history", start_ns, (log.nodeid, owner.nodeid), text)
                elif len(mine) > len(theirs):
                    longest[where, group] = (log, mine)


def _overlap_agrees(mine: list[Any], theirs: list[Any]) -> bool:
    """Tell whether one list continues or contains the other from where the later one begins."""
    if not mine or not theirs:
        return True
    for one, two in ((mine, theirs), (theirs, mine)):
        try:
            start = one.index(two[0])
        except ValueError:
            continue
        length = min(len(one) - start, len(two))
        if one[start : start + length] == two[:length]:
            return True
    return False


def _first_difference(mine: list[Any], theirs: list[Any]) -> str:
    only_mine = [row for row in mine if row not in theirs][:3]
    only_theirs = [row for row in theirs if row not in mine][:3]
    return f"only here {only_mine}, only there {only_theirs}"


def _check_quorum(logs: list[AppLog]) -> Iterator[Violation]:
    """
    Two rings that are quorate at the same time share no moment of one node's vote.

    Each node is in one ring at a time, so two quorate views of disjoint memberships are two
    primary components.
    """
    spans: list[tuple[int, int, RingId, tuple[int, ...], int]] = []
    end_of_time = 1 << 62
    for log in logs:
        open_since: int | None = None
        view: AppQuorum | None = None
        for event in log.events:
            # A node stops being quorate for its clients when it hears of a new ring.
            ends = isinstance(event, (AppRing, AppQuorum))
            if ends and open_since is not None and view is not None:
                spans.append((open_since, event.time_ns, view.ring_id, view.members, log.nodeid))
                open_since = None
            if isinstance(event, AppQuorum) and event.quorate:
                open_since, view = event.time_ns, event
        if open_since is not None and view is not None:
            end_ns = log.failed_at_ns if log.failed_at_ns is not None else end_of_time
            spans.append((open_since, end_ns, view.ring_id, view.members, log.nodeid))
    best: dict[RingId, tuple[int, ...]] = {}
    for _, _, ring_id, members, _ in spans:
        best.setdefault(ring_id, members)
    yield from _check_primary_components(spans)


def _check_primary_components(
    spans: list[tuple[int, int, RingId, tuple[int, ...], int]],
) -> Iterator[Violation]:
    """Quorate memberships always share a node: a majority each, of the same nodes."""
    kinds = {(ring_id, members): start for start, _, ring_id, members, _ in reversed(spans)}
    rows = sorted((start, ring_id, members) for (ring_id, members), start in kinds.items())
    for (_, _, before), (start, ring_id, members) in pairwise(rows):
        if not set(before) & set(members):
            text = f"{members} of {ring_id} and {before} are quorate and share no node"
            yield Violation("quorum", start, members, text)


def app_messages(log: AppLog) -> set[AppMessageId]:
    """Every message that a node's processes got."""
    return {event.message for event in log.events if isinstance(event, AppDelivery)}
