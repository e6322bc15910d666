"""
Who is in which group: processes of all nodes, and the local connections among them.

Source: Corosync exec/cpg.c, struct process_info (all nodes, ascending by nodeid and pid) and struct
cpg_pd (local connections). Called by the cpg engine alone.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum

from corosync_tw.services.effects import CpgMember


class ConnState(IntEnum):
    """
    State of a local connection (enum cpd_state).

    UNJOINED has no record: a connection is known from its join to the delivery of its leave.
    """

    JOIN_STARTED = 1
    JOIN_COMPLETED = 2
    LEAVE_STARTED = 3


@dataclass(slots=True, eq=False)
class Connection:
    """
    A local process that joined a group.

    :ivar transitions: configuration changes delivered to it.
    :ivar partial_transitions: the value of ``transitions`` when its fragmented message began.
    """

    conn: int
    group: bytes
    pid: int
    state: ConnState = ConnState.JOIN_STARTED
    transitions: int = 0
    partial_transitions: int = 0


@dataclass(slots=True, eq=False)
class Group:
    """
    One group.

    :ivar members: (nodeid, pid), ascending.
    :ivar node_counts: members by nodeid, never 0.
    :ivar local: connections of this node that joined or are about to.
    :ivar receivers: ids of those that get messages: their own join was delivered, their leave not
    yet.
    """

    name: bytes
    members: list[tuple[int, int]] = field(default_factory=list)
    node_counts: dict[int, int] = field(default_factory=dict)
    local: list[Connection] = field(default_factory=list)
    receivers: tuple[int, ...] = ()

    def view(self) -> tuple[CpgMember, ...]:
        """Make the list of members for a client."""
        return tuple(CpgMember(nodeid, pid, 0) for nodeid, pid in self.members)

    def update_receivers(self) -> None:
        """Work out ``receivers`` again after a state changed."""
        self.receivers = tuple(c.conn for c in self.local if c.state is not ConnState.JOIN_STARTED)


class Groups:
    """All groups of the cluster that have a member, or a local connection about to become one."""

    def __init__(self) -> None:
        self.by_name: dict[bytes, Group] = {}
        # (pid, order of arrival, group) of this node's processes, for the joinlist
        self._own: list[tuple[int, int, bytes]] = []
        self._arrivals = 0

    def __iter__(self) -> Iterator[Group]:
        return iter(self.by_name.values())

    def has(self, name: bytes, nodeid: int, pid: int) -> bool:
        """Tell whether a process is a member."""
        group = self.by_name.get(name)
        return group is not None and (nodeid, pid) in group.members

    def open(self, name: bytes) -> Group:
        """Get a group, made now if need be."""
        group = self.by_name.get(name)
        if group is None:
            group = self.by_name[name] = Group(name)
        return group

    def close(self, group: Group) -> None:
        """Forget a group if nobody is in it."""
        if not group.members and not group.local:
            self.by_name.pop(group.name, None)

    def add(self, group: Group, nodeid: int, pid: int, own: bool) -> bool:
        """Add a process; False if it was there."""
        where = bisect_left(group.members, (nodeid, pid))
        if where < len(group.members) and group.members[where] == (nodeid, pid):
            return False
        group.members.insert(where, (nodeid, pid))
        group.node_counts[nodeid] = group.node_counts.get(nodeid, 0) + 1
        if own:
            self._arrivals += 1
            insort(self._own, (pid, self._arrivals, group.name))
        return True

    def remove(self, group: Group, nodeid: int, pid: int, own: bool) -> bool:
        """Take a process out; False if it was not there."""
        where = bisect_left(group.members, (nodeid, pid))
        if where == len(group.members) or group.members[where] != (nodeid, pid):
            return False
        del group.members[where]
        group.node_counts[nodeid] -= 1
        if not group.node_counts[nodeid]:
            del group.node_counts[nodeid]
        if own:
            self._own = [e for e in self._own if (e[0], e[2]) != (pid, group.name)]
        return True

    @property
    def own_count(self) -> int:
        """Count the processes of this node."""
        return len(self._own)

    def own_processes(self) -> list[tuple[int, bytes]]:
        """List (pid, group) of this node, by pid and then by arrival, as Corosync keeps them."""
        return [(pid, name) for pid, _, name in self._own]
