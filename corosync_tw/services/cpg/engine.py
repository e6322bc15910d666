"""
Closed process groups: the replicated list of who is in which group, and messages to a group.

Every change of the list arrives in total order, by itself (PROCJOIN, PROCLEAVE) or in
synchronization (JOINLIST), so all nodes tell their clients the same changes in the same order among
the same messages. Called by the stack alone.

Source: Corosync exec/cpg.c; the table of states at its top.
Deviations: a connection whose leave was delivered may join again (Corosync forgets to reset it). A
leave of a process that is in no list is not told to clients. A node counts as come along only if it
did so in every configuration since the last activation. A lost connection's PROCLEAVE waits for the
end of synchronization, so that no list announced in it outlives the process.
"""

from collections.abc import Sequence
from typing import Final

from corosync_tw.corotypes import (
    CPG_MAX_NAME_LENGTH,
    MESSAGE_SIZE_MAX,
    Buffer,
    CpgReason,
    Guarantee,
    RingId,
    Slices,
)
from corosync_tw.errors import (
    CsBusy,
    CsExist,
    CsInterrupt,
    CsInvalidParam,
    CsNameTooLong,
    CsNoMemory,
    CsNotExist,
    CsTooBig,
    CsTryAgain,
    MalformedFrame,
)
from corosync_tw.services.cpg.effects import CpgDeliverRun, CpgPart
from corosync_tw.services.cpg.groups import Connection, ConnState, Wants
from corosync_tw.services.cpg.iteration import IterationType, snapshot
from corosync_tw.services.cpg.membership import CpgMembership
from corosync_tw.services.cpg.partial import PartialAssembler
from corosync_tw.services.cpg.wire import (
    MCAST_LEN,
    MCAST_MSGLEN_AT,
    MCAST_READ,
    PROCJOIN_ID,
    PROCLEAVE_ID,
    CpgFunction,
    PartialType,
    decode_downlist,
    decode_joinlist,
    decode_partial_mcast,
    decode_procjoin,
    encode_downlist,
    encode_joinlist,
    encode_mcast,
    encode_partial_mcast,
    encode_procjoin,
)
from corosync_tw.services.effects import CpgDeliver, CpgMember
from corosync_tw.services.exec_wire import EXEC_GROUP, HEADER_LEN, ServiceId, need
from corosync_tw.services.interfaces import ExecHandler, ServiceBus
from corosync_tw.services.lib_runs import MessageHead
from corosync_tw.totem.batch import MessageBatch
from corosync_tw.totem.pg_wire import group_prefix

# libcpg: IPC_REQUEST_SIZE - 1024, the largest message that is sent in one
CPG_ATOMIC_LEN_MAX: Final = MESSAGE_SIZE_MAX - 1024
# Local processes at once. Their joinlist is one message, with room for twice as many: those of
# which the leave is under way are in it too.
LOCAL_PROCESSES_MAX: Final = 3500
# Bytes of a message before what its application sent.
RUN_HEAD_LEN: Final = len(group_prefix(EXEC_GROUP)) + MCAST_LEN
_MCAST_READ_LITTLE = MCAST_READ.little.unpack_from
_MCAST_READ_BIG = MCAST_READ.big.unpack_from


class CpgEngine:
    """
    The service of one node.

    :ivar unknown_senders: messages not delivered because their node has no process in the group.
    """

    service_id: int = ServiceId.CPG
    name = "corosync cluster closed process group service v1.01"

    def __init__(self, nodeid: int, bus: ServiceBus) -> None:
        self._nodeid = nodeid
        self._bus = bus
        self._emit = bus.emit
        self._partial = PartialAssembler()
        self._membership = CpgMembership(nodeid, bus.emit, self._partial)
        self._groups = self._membership.groups
        self._connections = self._membership.connections
        self._downlist_sent = False
        self._unsent_leaves: list[bytes] = []  # of lost connections, that found the queue full
        self._snapshot_of: tuple[int, IterationType, bytes] | None = None
        self._snapshot: tuple[tuple[int, int, bytes], ...] = ()
        self.unknown_senders = 0

    # What local clients ask for

    def join(self, conn: int, group: bytes, pid: int, wants: Wants = Wants.NOTHING) -> None:
        """
        Start joining; the join is done when its CpgConfchg is delivered.

        Raises CsExist: the connection is in a group, or this process is in this one. CsTryAgain:
        its leave is under way, or the queue is full. CsBusy: the connection's leave is under way.
        CsNoMemory: LOCAL_PROCESSES_MAX is reached. CsNameTooLong, CsInvalidParam.
        """
        if not 0 <= pid <= 0xFFFFFFFF:
            raise CsInvalidParam(f"group {group!r}, pid {pid}")
        if len(group) > CPG_MAX_NAME_LENGTH:
            raise CsNameTooLong(f"group name of {len(group)} bytes")
        if any(c.group == group and c.pid == pid for c in self._connections.values()):
            raise CsExist(f"pid {pid} is in the group")
        if self._groups.has(group, self._nodeid, pid):
            raise CsTryAgain(f"the former leave of pid {pid} is not delivered yet")
        old = self._connections.get(conn)
        if old is not None:
            if old.state is ConnState.LEAVE_STARTED:
                raise CsBusy("the connection is leaving")
            raise CsExist("the connection is in a group")
        local = max(len(self._connections), self._groups.count_of(self._nodeid))
        if local >= LOCAL_PROCESSES_MAX:
            raise CsNoMemory(f"{LOCAL_PROCESSES_MAX} processes of this node are in groups")
        self.send_leaves()
        if self._unsent_leaves:
            raise CsTryAgain("leaves of lost connections wait for room in the queue")
        self._bus.mcast((encode_procjoin(PROCJOIN_ID, group, pid, CpgReason.JOIN),))
        self._membership.add_connection(Connection(conn, group, pid, wants))

    def leave(self, conn: int) -> None:
        """
        Start leaving; the leave is done when its CpgConfchg is delivered.

        Raises CsNotExist: not in a group. CsBusy: the join is not delivered yet. CsTryAgain: the
        queue is full.
        """
        connection = self._connections.get(conn)
        if connection is None or connection.state is ConnState.LEAVE_STARTED:
            raise CsNotExist("the connection is in no group")
        if connection.state is ConnState.JOIN_STARTED:
            raise CsBusy("the join is not delivered yet")
        self._bus.mcast(
            (encode_procjoin(PROCLEAVE_ID, connection.group, connection.pid, CpgReason.LEAVE),)
        )
        connection.state = ConnState.LEAVE_STARTED

    def disconnect(self, conn: int) -> None:
        """Note that a connection is gone; the others learn that its process is down."""
        connection = self._membership.drop_connection(conn)
        if connection is not None and connection.state is not ConnState.LEAVE_STARTED:
            self._unsent_leaves.append(
                encode_procjoin(PROCLEAVE_ID, connection.group, connection.pid, CpgReason.PROCDOWN)
            )
            self.send_leaves()

    def send_leaves(self) -> None:
        """Try again to tell of lost connections."""
        while self._unsent_leaves:
            try:
                self._bus.mcast((self._unsent_leaves[0],))
            except CsTryAgain:
                return
            del self._unsent_leaves[0]

    def mcast(
        self, conn: int, messages: Sequence[Slices], guarantee: Guarantee = Guarantee.AGREED
    ) -> None:
        """
        Send messages to the connection's group.

        Raises CsNotExist: in no group. CsTooBig: one is longer than CPG_ATOMIC_LEN_MAX, none is
        sent. CsTryAgain: the queue is full; its ``accepted`` messages are sent, the rest is to be
        repeated.
        """
        connection = self._sender(conn)
        lengths = [
            len(slices[0]) if len(slices) == 1 else sum(map(len, slices)) for slices in messages
        ]
        if lengths and max(lengths) > CPG_ATOMIC_LEN_MAX:
            raise CsTooBig(f"message of {max(lengths)} bytes")
        send = self._bus.mcast
        group, pid = connection.group, connection.pid
        for count, slices in enumerate(messages):
            if lengths[count] != connection.head_msglen:
                connection.head_msglen = lengths[count]
                connection.head = encode_mcast(group, pid, self._nodeid, conn, lengths[count])
            try:
                send((connection.head, *slices), guarantee, bulk=True)
            except CsTryAgain as full:
                full.accepted = count
                raise

    def run_head(self, conn: int) -> MessageHead:
        """
        Give what precedes a connection's messages on the ring, group name of totempg included.

        Raises CsNotExist: in no group.
        """
        connection = self._sender(conn)
        found = connection.run_head
        if found is None:
            prefix = group_prefix(EXEC_GROUP)
            head = prefix + encode_mcast(connection.group, connection.pid, self._nodeid, conn, 0)
            found = connection.run_head = MessageHead(
                CPG_ATOMIC_LEN_MAX, head, len(prefix), len(prefix) + MCAST_MSGLEN_AT
            )
        return found

    def partial_mcast(self, conn: int, kind: PartialType, msglen: int, slices: Slices) -> None:
        """
        Send one part of a message that is too large for one.

        :param msglen: length of the whole message.
        Raises CsNotExist: in no group. CsInterrupt: the membership changed since the first part;
        the message is lost and must begin anew. CsTooBig, CsTryAgain.
        """
        connection = self._sender(conn)
        fraglen = sum(map(len, slices))
        if fraglen > CPG_ATOMIC_LEN_MAX:
            raise CsTooBig(f"part of {fraglen} bytes")
        if kind is PartialType.FIRST:
            connection.partial_transitions = connection.transitions
        if connection.partial_transitions != connection.transitions:
            raise CsInterrupt("the membership changed within the message")
        head = encode_partial_mcast(
            connection.group, connection.pid, (self._nodeid, conn), (msglen, fraglen), kind
        )
        self._bus.mcast((head, *slices), bulk=True)

    def membership(self, name: bytes) -> list[CpgMember]:
        """List a group's members by (nodeid, pid); empty if nobody knows the group."""
        group = self._groups.by_name.get(name)
        return list(group.view()) if group is not None else []

    def groups(self) -> list[bytes]:
        """List the groups that have members, by name."""
        return sorted(g.name for g in self._groups if g.members)

    def iterate(self, kind: IterationType, name: bytes) -> tuple[tuple[int, int, bytes], ...]:
        """
        List (nodeid, pid, group) as it is now, in Corosync's order; equal lists are one.

        :param name: of the one group, for ONE_GROUP.
        """
        key = (self._groups.changes, kind, name)
        if key != self._snapshot_of:
            self._snapshot_of = key
            self._snapshot = snapshot(self._groups.processes(), kind, name)
        return self._snapshot

    # Synchronization

    def sync_init(
        self, trans_members: tuple[int, ...], members: tuple[int, ...], ring_id: RingId
    ) -> None:
        """Work out who was lost since the last activation."""
        self._membership.begin_round(trans_members, members, ring_id)
        self._downlist_sent = False

    def sync_process(self) -> bool:
        """Tell whom we lost, and which processes this node has."""
        try:
            if not self._downlist_sent:
                known = self._membership
                self._bus.sync_mcast((encode_downlist(len(known.old_members), known.left),))
                self._downlist_sent = True
            own = self._groups.processes_of(self._nodeid)
            if own:
                self._bus.sync_mcast((encode_joinlist(own),))
        except CsTryAgain:
            return False
        return True

    def sync_activate(self) -> None:
        """Make the lists of this round the truth and tell clients what changed."""
        self._membership.activate()

    def sync_abort(self) -> None:
        """Forget the lists of this round."""
        self._membership.joinlists.clear()

    # What is delivered

    def exec_handlers(self) -> dict[int, ExecHandler]:
        """Name the handlers by function number."""
        return {
            CpgFunction.PROCJOIN: self.on_procjoin,
            CpgFunction.PROCLEAVE: self.on_procleave,
            CpgFunction.JOINLIST: self.on_joinlist,
            CpgFunction.MCAST: self.on_mcast,
            CpgFunction.DOWNLIST_OLD: self.on_downlist_old,
            CpgFunction.DOWNLIST: self.on_downlist,
            CpgFunction.PARTIAL_MCAST: self.on_partial_mcast,
        }

    def on_mcast(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """
        Hand a message to the local members of its group. The hot path: one unpack, no copy.

        Raises MalformedFrame: shorter than it says, or an impossible group name.
        """
        if len(data) < MCAST_LEN:
            raise MalformedFrame(f"cpg mcast of {len(data)} bytes")
        read = _MCAST_READ_BIG if big_endian else _MCAST_READ_LITTLE
        length, padded, msglen, pid = read(data)
        end = MCAST_LEN + msglen
        if length > CPG_MAX_NAME_LENGTH or end > len(data):
            raise MalformedFrame(f"cpg mcast: name {length}, payload {msglen} of {len(data)}")
        group = self._groups.by_name.get(padded[:length])
        if group is None or not group.receivers:
            return
        if nodeid not in group.node_counts:
            self.unknown_senders += 1
            return
        payload = (data if type(data) is memoryview else memoryview(data))[MCAST_LEN:end]
        emit = self._emit
        for conn in group.receivers:
            emit(CpgDeliver(conn, group.name, nodeid, pid, seq, payload))

    def on_mcast_run(
        self, name: bytes, pid: int, batch: MessageBatch, first: int, count: int
    ) -> None:
        """
        Hand messages to the local members of their group, all at once.

        :param name: of the group; ``pid`` is the sending process.
        :param first: of the batch's messages; ``count`` of them are meant, all sound MCASTs.
        """
        group = self._groups.by_name.get(name)
        if group is None or not group.receivers:
            return
        nodeid = batch.nodeid
        if nodeid not in group.node_counts:
            self.unknown_senders += count
            return
        place = (batch, first, count, RUN_HEAD_LEN)
        self._emit(CpgDeliverRun(group.receivers, group.name, nodeid, pid, *place))

    def on_partial_mcast(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Hand on the part, or the message when it is whole; raises MalformedFrame."""
        part = decode_partial_mcast(data, big_endian)
        group = self._groups.by_name.get(part.group)
        if group is None or not group.receivers:
            return
        if nodeid not in group.node_counts:
            self.unknown_senders += 1
            return
        progress = self._partial.add(nodeid, part, group.whole_receivers)
        if not progress.sound:
            return
        for conn in group.part_receivers:
            self._emit(
                CpgPart(conn, group.name, nodeid, part.pid, part.kind, part.msglen, part.data)
            )
        for conn in progress.receivers:
            self._emit(
                CpgDeliver(conn, group.name, nodeid, part.pid, seq, memoryview(progress.whole))
            )

    def on_procjoin(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Add a process; raises MalformedFrame."""
        del seq
        message = decode_procjoin(data, big_endian)
        self._membership.process_joined(message.group, nodeid, message.pid)

    def on_procleave(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Take a process out; raises MalformedFrame."""
        del seq
        message = decode_procjoin(data, big_endian)
        self._membership.process_left(message.group, nodeid, message.pid, message.reason)

    def on_joinlist(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Keep a member's list of processes until all have arrived; raises MalformedFrame."""
        del seq
        self._membership.keep_joinlist(nodeid, decode_joinlist(data, big_endian))

    def on_downlist(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Check a member's list of lost nodes: everybody goes by its own; raises MalformedFrame."""
        del nodeid, seq
        decode_downlist(data, big_endian)

    def on_downlist_old(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Ignore the list of a peer before 2.0; raises MalformedFrame."""
        del nodeid, seq, big_endian
        need(data, HEADER_LEN, "cpg old downlist")

    def _sender(self, conn: int) -> Connection:
        connection = self._connections.get(conn)
        if connection is None or connection.state is ConnState.LEAVE_STARTED:
            raise CsNotExist("the connection is in no group")
        return connection
