"""
What processes see of groups: whole messages, once, in each sender's order; one order of messages
and views; quorum.

Rules of the CPG: every member of a group sees the same messages and the same views in one order;
no message reaches a
process while its node is being synchronized; never two quorate partitions.
"""

from collections.abc import Iterator
from itertools import pairwise
from typing import Any, NamedTuple

from corosync_tw.corotypes import RingId
from corosync_tw.sim.app_record import (
    AppDelivery,
    AppLog,
    AppPart,
    AppQuorum,
    AppRing,
    AppSync,
    AppView,
)
from corosync_tw.sim.checkers.order import find_cycle
from corosync_tw.sim.history import Violation


def check_application(logs: list[AppLog], *, ykd: bool = False) -> Iterator[Violation]:
    """
    Yield each breach of what processes may rely on.

    :param ykd: quorum is decided by corosync_ykd, with which both halves of an even split go on.
    """
    sent = {(log.nodeid, log.incarnation): log.next_index for log in logs}
    for log in logs:
        yield from log.violations
        yield from _check_senders(log, sent)
        yield from _check_sync(log)
        yield from _check_views(log)
    yield from _check_order(logs)
    yield from _check_same_views(logs)
    yield from _check_same_answers(logs) if ykd else _check_quorum(logs)


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
        if isinstance(event, AppPart):
            in_this_ring = {key for key in in_this_ring if key[0] != event.group}
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
        elif isinstance(event, AppPart):
            views.pop(event.group, None)
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


class _Segment(NamedTuple):
    """
    What the processes of a node saw in one configuration.

    :ivar where: names the configuration; equal on nodes that share it.
    :ivar following: the configuration after it, None if the node saw none.
    :ivar groups: those that the node was in from the beginning.
    :ivar parted: those that its process was out of meanwhile.
    """

    log: AppLog
    where: tuple[Any, ...]
    following: tuple[Any, ...] | None
    groups: frozenset[bytes]
    rows: list[tuple[Any, ...]]
    parted: set[bytes]
    start_ns: int

    def of_group(self, group: bytes) -> list[tuple[Any, ...]]:
        """What the group's process saw."""
        return [row[1:] for row in self.rows if row[0] == group]


def _segments(log: AppLog) -> Iterator[_Segment]:
    """
    Cut a log at configurations of the ring.

    A transitional configuration is shared by those that it names, on the way from one ring to the
    same next one.
    """
    ring: RingId | None = None
    where: tuple[Any, ...] | None = None
    rows: list[tuple[Any, ...]] = []
    groups: set[bytes] = set()
    parted: set[bytes] = set()
    at_start: frozenset[bytes] = frozenset()
    start_ns = 0
    for event in log.events:
        if isinstance(event, AppDelivery):
            rows.append((event.group, event.message))
        elif isinstance(event, AppView):
            rows.append((event.group, "view", event.members))
            if any(member.nodeid == log.nodeid for member in event.joined):
                groups.add(event.group)
        elif isinstance(event, AppPart):
            groups.discard(event.group)
            parted.add(event.group)
        elif isinstance(event, (AppRing, AppSync)):
            following = _name(event, ring)
            if where is not None:
                yield _Segment(log, where, following, at_start, rows, parted, start_ns)
            ring = event.ring_id if isinstance(event, AppSync) else ring
            where = None if isinstance(event, AppRing) and event.regular else following
            rows, parted, at_start, start_ns = [], set(), frozenset(groups), event.time_ns
    if where is not None:
        yield _Segment(log, where, None, at_start, rows, parted, start_ns)


def _name(event: AppRing | AppSync, ring: RingId | None) -> tuple[Any, ...]:
    if isinstance(event, AppSync):
        return ("synchronized", event.ring_id)
    if event.regular:
        return ("ring", event.ring_id)
    return ("transitional", ring, event.ring_id, event.members)


def _check_same_views(logs: list[AppLog]) -> Iterator[Violation]:
    """
    In one configuration the processes of a group see the same messages and views in one order.

    One may see a part: it ends earlier when it crashes or the nodes part, begins later when it
    joins.
    """
    longest: dict[tuple[tuple[Any, ...], bytes], _Segment] = {}
    for log in logs:
        for segment in _segments(log):
            seen = {row[0] for row in segment.rows} | segment.groups
            for group in sorted(seen - segment.parted):
                other = longest.setdefault((segment.where, group), segment)
                if other is segment:
                    continue
                mine, theirs = segment.of_group(group), other.of_group(group)
                if not _agree(segment, other, group, mine, theirs):
                    text = (
                        f"in {segment.where} group {group!r}: node {log.nodeid} and node "
                        f"{other.log.nodeid} differ: {_first_difference(mine, theirs)}"
                    )
                    nodes = (log.nodeid, other.log.nodeid)
                    yield Violation("cpg same history", segment.start_ns, nodes, text)
                elif len(mine) > len(theirs):
                    longest[segment.where, group] = segment


def _agree(one: _Segment, two: _Segment, group: bytes, mine: list[Any], theirs: list[Any]) -> bool:
    """Tell whether two nodes' rows may stand beside each other."""
    if group not in one.groups or group not in two.groups:
        return _overlap_agrees(mine, theirs)
    if one.following == two.following and one.following is not None:
        return mine == theirs
    length = min(len(mine), len(theirs))
    return mine[:length] == theirs[:length]


def _overlap_agrees(mine: list[Any], theirs: list[Any]) -> bool:
    """Tell whether one list contains the other, goes on where it begins, or ends before that."""
    if not any(row in theirs for row in mine):
        return True
    for one, two in ((mine, theirs), (theirs, mine)):
        if two[0] in one:
            start = one.index(two[0])
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
    Quorate memberships always share a node: never two primary components.

    Configurations that follow each other share one as well (continuity of the primary component).
    """
    seen: dict[tuple[RingId, tuple[int, ...]], int] = {}
    for log in logs:
        for event in log.events:
            if isinstance(event, AppQuorum) and event.quorate:
                key = (event.ring_id, event.members)
                seen[key] = min(seen.get(key, event.time_ns), event.time_ns)
    rows = sorted((time_ns, ring_id, members) for (ring_id, members), time_ns in seen.items())
    for (_, _, before), (time_ns, ring_id, members) in pairwise(rows):
        if not set(before) & set(members):
            text = f"{members} of {ring_id} and {before} are quorate and share no node"
            yield Violation("quorum", time_ns, members, text)


def _check_same_answers(logs: list[AppLog]) -> Iterator[Violation]:
    """In one ring all who are told that it is quorate are told of the same members, for good."""
    views: dict[RingId, tuple[int, ...]] = {}
    for log in logs:
        quorate: set[RingId] = set()
        for event in log.events:
            if not isinstance(event, AppQuorum):
                continue
            members = views.setdefault(event.ring_id, event.members)
            if members != event.members or (event.ring_id in quorate and not event.quorate):
                text = f"{event.members} of {event.ring_id}, quorate {event.quorate}, was {members}"
                yield Violation("quorum", event.time_ns, event.members, text)
            if event.quorate:
                quorate.add(event.ring_id)
