"""
Who is in which group: processes of all nodes, and the local connections among them.

Source: Corosync exec/cpg.c, struct process_info (all nodes, ascending by nodeid and pid) and struct
cpg_pd (local connections). Called by the cpg engine alone.
"""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass, field
from enum import IntEnum, IntFlag

from corosync_tw.services.effects import CpgMember
from corosync_tw.services.lib_runs import MessageHead


class Wants(IntFlag):
    """What a local connection asks for when it joins."""

    NOTHING = 0
    INITIAL_TOTEM_CONF = 1  # CPG_MODEL_V1_DELIVER_INITIAL_TOTEM_CONF: a CpgTotemConfchg at once
    PARTS = 2  # messages that were sent in parts come as CpgPart, not as one CpgDeliver


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
    :ivar head: of the last message it sent, for the next one of the same length.
    :ivar run_head: of all it sends in runs; None before the first.
    """

    conn: int
    group: bytes
    pid: int
    wants: Wants = Wants.NOTHING
    state: ConnState = ConnState.JOIN_STARTED
    transitions: int = 0
    partial_transitions: int = 0
    head: bytes = b""
    head_msglen: int = -1
    run_head: MessageHead | None = None


@dataclass(slots=True, eq=False)
class Group:
    """
    One group.

    :ivar members: (nodeid, pid), ascending.
    :ivar node_counts: members by nodeid, never 0.
    :ivar local: connections of this node that joined or are about to.
    :ivar receivers: ids of those that get messages: their own join was delivered, their leave not
    yet; ``part_receivers`` of them get parts as they come, ``whole_receivers`` the whole message.
    """

    name: bytes
    members: list[tuple[int, int]] = field(default_factory=list)
    node_counts: dict[int, int] = field(default_factory=dict)
    local: list[Connection] = field(default_factory=list)
    receivers: tuple[int, ...] = ()
    part_receivers: tuple[int, ...] = ()
    whole_receivers: tuple[int, ...] = ()

    def view(self) -> tuple[CpgMember, ...]:
        """Make the list of members for a client."""
        return tuple(CpgMember(nodeid, pid, 0) for nodeid, pid in self.members)

    def update_receivers(self) -> None:
        """Work out ``receivers`` again after a state changed."""
        present = [c for c in self.local if c.state is not ConnState.JOIN_STARTED]
        self.receivers = tuple(c.conn for c in present)
        self.part_receivers = tuple(c.conn for c in present if c.wants & Wants.PARTS)
        self.whole_receivers = tuple(c.conn for c in present if not c.wants & Wants.PARTS)


class Groups:
    """
    All groups of the cluster that have a member, or a local connection about to become one.

    :ivar changes: counts the changes of membership.
    """

    def __init__(self) -> None:
        self.by_name: dict[bytes, Group] = {}
        # (nodeid, pid, order of arrival, group), ascending, as Corosync keeps its process list
        self._processes: list[tuple[int, int, int, bytes]] = []
        self.changes = 0

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

    def add(self, group: Group, nodeid: int, pid: int) -> bool:
        """Add a process; False if it was there."""
        where = bisect_left(group.members, (nodeid, pid))
        if where < len(group.members) and group.members[where] == (nodeid, pid):
            return False
        group.members.insert(where, (nodeid, pid))
        group.node_counts[nodeid] = group.node_counts.get(nodeid, 0) + 1
        self.changes += 1
        insort(self._processes, (nodeid, pid, self.changes, group.name))
        return True

    def remove(self, group: Group, nodeid: int, pid: int) -> bool:
        """Take a process out; False if it was not there."""
        where = bisect_left(group.members, (nodeid, pid))
        if where == len(group.members) or group.members[where] != (nodeid, pid):
            return False
        del group.members[where]
        group.node_counts[nodeid] -= 1
        if not group.node_counts[nodeid]:
            del group.node_counts[nodeid]
        self.changes += 1
        place = bisect_left(self._processes, (nodeid, pid))
        while self._processes[place][3] != group.name:
            place += 1
        del self._processes[place]
        return True

    def count_of(self, nodeid: int) -> int:
        """Count the processes of a node."""
        return len(self._of(nodeid))

    def processes_of(self, nodeid: int) -> list[tuple[int, bytes]]:
        """List (pid, group) of a node, by pid and then by arrival."""
        return [(pid, name) for _, pid, _, name in self._of(nodeid)]

    def processes(self) -> list[tuple[int, int, bytes]]:
        """List (nodeid, pid, group) of all nodes, by nodeid, by pid and then by arrival."""
        return [(nodeid, pid, name) for nodeid, pid, _, name in self._processes]

    def _of(self, nodeid: int) -> list[tuple[int, int, int, bytes]]:
        first = bisect_left(self._processes, (nodeid,))
        return self._processes[first : bisect_left(self._processes, (nodeid + 1,))]
