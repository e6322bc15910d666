"""
The replicated membership of all groups, and what its changes tell local clients.

Changes come one by one, or for many processes at once when a round of synchronization ends. Called
by the cpg engine alone.

Source: Corosync exec/cpg.c do_proc_join, do_proc_leave, notify_lib_joinlist,
downlist_inform_clients, joinlist_inform_clients, joinlist_remove_zombie_pi_entries.
"""

from collections.abc import Callable
from typing import Final

from corosync_tw.corotypes import CpgReason, RingId
from corosync_tw.services.cpg.effects import CpgTotemConfchg
from corosync_tw.services.cpg.groups import Connection, ConnState, Group, Groups, Wants
from corosync_tw.services.cpg.partial import PartialAssembler
from corosync_tw.services.effects import CpgConfchg, CpgMember

# Entries of all members together in one round of synchronization.
JOINLIST_ENTRIES_MAX: Final = 65536


class CpgMembership:
    """
    Groups, members and local connections.

    :ivar groups: of the whole cluster.
    :ivar connections: of this node, by their number.
    :ivar left: nodes lost since the last activation, as the round under way sees it.
    :ivar joinlists: nodeid, pid and group, in the order received in this round.
    """

    def __init__(
        self,
        nodeid: int,
        emit: Callable[[CpgConfchg | CpgTotemConfchg], None],
        partial: PartialAssembler,
    ) -> None:
        self._nodeid = nodeid
        self._emit = emit
        self._partial = partial
        self.groups = Groups()
        self.connections: dict[int, Connection] = {}
        self.left: tuple[int, ...] = ()
        self.old_members: tuple[int, ...] = ()
        self.joinlists: list[tuple[int, int, bytes]] = []
        self.joinlist_entries_dropped = 0
        self._members: tuple[int, ...] = ()
        self._came_along: set[int] = set()
        self._ring_id = RingId(0, 0)
        self._want_totem_conf: list[int] = []  # connections that were not told yet

    def begin_round(
        self, trans_members: tuple[int, ...], members: tuple[int, ...], ring_id: RingId
    ) -> None:
        """Work out who was lost since the last activation."""
        self._ring_id = ring_id
        self._came_along.intersection_update(trans_members)
        self._members = members
        self.left = tuple(n for n in self.old_members if n not in self._came_along)
        self.joinlists.clear()

    def keep_joinlist(self, nodeid: int, entries: list[tuple[int, bytes]]) -> None:
        """Keep a member's list until the round ends."""
        room = JOINLIST_ENTRIES_MAX - len(self.joinlists)
        self.joinlist_entries_dropped += max(0, len(entries) - room)
        self.joinlists.extend((nodeid, pid, group) for pid, group in entries[:room])

    def activate(self) -> None:
        """
        Make the lists of the round the truth.

        Clients hear who went down with its node, who came up with one, and who left while we were
        apart. All connections, in a group or not, hear of the ring afterwards.
        """
        self.old_members = self._members
        self._came_along = set(self._members)
        self._inform_of_downlist()
        self._inform_of_joinlists()
        self.joinlists.clear()
        self._emit(CpgTotemConfchg(None, self._ring_id, self._members))

    def add_connection(self, connection: Connection) -> None:
        """Know a connection of which the join is on its way."""
        self.connections[connection.conn] = connection
        self.groups.open(connection.group).local.append(connection)
        if connection.wants & Wants.INITIAL_TOTEM_CONF:
            self._want_totem_conf.append(connection.conn)

    def process_joined(self, name: bytes, nodeid: int, pid: int) -> None:
        """Add a process, if it is not there."""
        group = self.groups.open(name)
        if self.groups.add(group, nodeid, pid):
            self._notify(group, (), (CpgMember(nodeid, pid, CpgReason.JOIN),))

    def process_left(self, name: bytes, nodeid: int, pid: int, reason: int) -> None:
        """Take a process out, if it is there."""
        group = self.groups.by_name.get(name)
        if group is not None and self.groups.remove(group, nodeid, pid):
            self._partial.forget_process(name, nodeid, pid)
            self._notify(group, (CpgMember(nodeid, pid, reason),), ())

    def drop_connection(self, conn: int) -> Connection | None:
        """Forget a connection that is gone."""
        connection = self.connections.pop(conn, None)
        if connection is not None:
            self._want_totem_conf = [c for c in self._want_totem_conf if c != conn]
            group = self.groups.open(connection.group)
            group.local.remove(connection)
            group.update_receivers()
            self.groups.close(group)
        return connection

    def _inform_of_downlist(self) -> None:
        lost = set(self.left)
        for group in sorted(self.groups, key=_by_name) if lost else ():
            left = tuple(
                CpgMember(nodeid, pid, CpgReason.NODEDOWN)
                for nodeid, pid in group.members
                if nodeid in lost
            )
            for nodeid, pid, _ in left:
                self.groups.remove(group, nodeid, pid)
                self._partial.forget_process(group.name, nodeid, pid)
            if left:
                self._notify(group, left, ())

    def _inform_of_joinlists(self) -> None:
        joined: dict[bytes, list[CpgMember]] = {}
        remote: set[tuple[int, int, bytes]] = set()
        # Corosync keeps the newest entry at the head of its list.
        for nodeid, pid, name in reversed(self.joinlists):
            if nodeid == self._nodeid:
                continue
            remote.add((nodeid, pid, name))
            if self.groups.add(self.groups.open(name), nodeid, pid):
                joined.setdefault(name, []).append(CpgMember(nodeid, pid, CpgReason.NODEUP))
        for name in sorted(joined):
            self._notify(self.groups.by_name[name], (), tuple(joined[name]))
        gone = sorted(
            (nodeid, pid, group.name)
            for group in self.groups
            for nodeid, pid in group.members
            if nodeid != self._nodeid and (nodeid, pid, group.name) not in remote
        )
        for nodeid, pid, name in gone:
            self.process_left(name, nodeid, pid, CpgReason.PROCDOWN)

    def _notify(
        self, group: Group, left: tuple[CpgMember, ...], joined: tuple[CpgMember, ...]
    ) -> None:
        """Tell a group's local connections; the member list is up to date already."""
        for nodeid, pid, _ in joined:
            if nodeid == self._nodeid:
                self._set_state(group, pid, ConnState.JOIN_COMPLETED)
        if group.receivers:
            members = group.view()
            for connection in group.local:
                if connection.state is not ConnState.JOIN_STARTED:
                    self._emit(CpgConfchg(connection.conn, group.name, members, left, joined))
                    connection.transitions += 1
        for nodeid, pid, reason in left:
            if nodeid == self._nodeid and reason == CpgReason.LEAVE:
                self._unjoin(group, pid)
        self.groups.close(group)
        # Whatever group it is that changed: the first news a client hears is followed by the ring.
        for conn in self._want_totem_conf:
            self._emit(CpgTotemConfchg(conn, self._ring_id, self.old_members))
        self._want_totem_conf.clear()

    def _set_state(self, group: Group, pid: int, state: ConnState) -> None:
        for connection in group.local:
            if connection.pid == pid:
                connection.state = state
        group.update_receivers()

    def _unjoin(self, group: Group, pid: int) -> None:
        for connection in [c for c in group.local if c.pid == pid]:
            if connection.state is ConnState.LEAVE_STARTED:
                group.local.remove(connection)
                del self.connections[connection.conn]
        group.update_receivers()


def _by_name(group: Group) -> bytes:
    return group.name
