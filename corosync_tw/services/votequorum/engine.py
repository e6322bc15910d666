"""
Vote based quorum: every node tells its votes, more than half of the expected ones make a cluster
quorate.

Plain majority, two_node and wait_for_all, with the nodeinfo exchange of stock nodes, so that either
side counts the other's votes. Source: Corosync exec/votequorum.c; man votequorum(5).
Deviation: a nodeinfo about the quorum device from an unknown sender is ignored, where Corosync
asserts. The quorum is not cut to eight bits.
"""

from collections.abc import Callable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from corosync_tw.corotypes import PROCESSOR_COUNT_MAX, Buffer, RingId
from corosync_tw.errors import CsTryAgain
from corosync_tw.services.exec_wire import ServiceId
from corosync_tw.services.interfaces import ExecHandler, ServiceBus
from corosync_tw.services.votequorum.wire import (
    QDEVICE_NODEID,
    NodeFlags,
    NodeInfo,
    ReconfigureParam,
    VotequorumFunction,
    decode_nodeinfo,
    decode_qdevice_reconfigure,
    decode_qdevice_reg,
    decode_reconfigure,
    encode_nodeinfo,
)

# The largest number that fits the wire.
VOTES_MAX: Final = 0xFFFFFFFF

SetQuorum = Callable[[bool, tuple[int, ...], RingId], None]


class NodeState(IntEnum):
    """A node as we know it (nodestate_t)."""

    MEMBER = 1
    DEAD = 2
    LEAVING = 3


@dataclass(slots=True)
class VotingNode:
    """What a node told us last."""

    nodeid: int
    state: NodeState
    votes: int = 0
    expected_votes: int = 0
    flags: NodeFlags = NodeFlags.NONE


@dataclass(frozen=True, slots=True)
class VotequorumParams:
    """The part of the configuration that decides quorum."""

    nodeid: int
    votes: int
    expected_votes: int
    two_node: bool
    wait_for_all: bool
    allow_downscale: bool = False


def quorum_needed(
    highest_expected: int, total_votes: int, total_nodes: int, two_node: bool, at_least: int
) -> int:
    """
    Work out how many votes make a cluster quorate.

    The formula of OpenVMS: more than half of what is expected and of what is there.

    :param at_least: quorum never falls below this; 0 when a decrease is allowed.
    Source: votequorum.c calculate_quorum.
    """
    if two_node and total_nodes <= 2:
        return 1
    return max((highest_expected + 2) // 2, (total_votes + 2) // 2, at_least)


class VotequorumEngine:
    """
    Votes of all known nodes and the quorum made of them.

    :ivar us: our own entry; its expected_votes may grow with the cluster.
    :ivar nodes: by nodeid, ourselves too, the dead remain.
    :ivar quorum: votes needed.
    :ivar wait_for_all_status: still waiting to see all nodes at once.
    """

    service_id: int = ServiceId.VOTEQUORUM
    name = "corosync vote quorum service v1.0"

    def __init__(self, params: VotequorumParams, set_quorum: SetQuorum, bus: ServiceBus) -> None:
        self._params = params
        self._set_quorum = set_quorum
        self._bus = bus
        flags = NodeFlags.FIRST
        self.us = VotingNode(
            params.nodeid, NodeState.MEMBER, params.votes, params.expected_votes, flags
        )
        self.nodes = {params.nodeid: self.us}
        self.qdevice_votes = 0
        self.qdevice_name = b""
        self.quorum = 0
        self.quorate = False
        self._ev_barrier = params.expected_votes
        self.two_node = params.two_node
        self.wait_for_all_status = False
        self._members: tuple[int, ...] = ()
        self._ring_id = RingId(0, 0)
        self._in_sync = True  # the first report is made by the first activation
        self._unsent: list[bytes] = []
        self._nodeinfo_queued = False
        self._update_wait_for_all_status(params.wait_for_all)
        self._recalculate(allow_decrease=False, by_current_nodes=False)

    @property
    def total_votes(self) -> int:
        """Votes of the present members."""
        return sum(n.votes for n in self.nodes.values() if n.state is NodeState.MEMBER)

    def exec_handlers(self) -> dict[int, ExecHandler]:
        """Name the handlers by function number."""
        return {
            VotequorumFunction.NODEINFO: self.on_nodeinfo,
            VotequorumFunction.RECONFIGURE: self.on_reconfigure,
            VotequorumFunction.QDEVICE_REG: self.on_qdevice_reg,
            VotequorumFunction.QDEVICE_RECONFIGURE: self.on_qdevice_reconfigure,
        }

    def sync_init(
        self, trans_members: tuple[int, ...], members: tuple[int, ...], ring_id: RingId
    ) -> None:
        """Mark the lost nodes dead."""
        del trans_members
        self._in_sync = True
        self._nodeinfo_queued = False
        self._unsent.clear()
        if len(members) > 1:
            self.us.flags &= ~NodeFlags.FIRST
        for nodeid in self._members:
            if nodeid not in members and nodeid in self.nodes:
                self.nodes[nodeid].state = NodeState.DEAD
        self._members = members
        self._ring_id = ring_id

    def sync_process(self) -> bool:
        """Tell our votes, then the quorum device's: the other way round makes stock nodes abort."""
        if not self._nodeinfo_queued:
            self._nodeinfo_queued = True
            qdevice = NodeInfo(QDEVICE_NODEID, self.qdevice_votes, 0, 0)
            self._unsent = [encode_nodeinfo(self._own_info()), encode_nodeinfo(qdevice)]
        while self._unsent:
            try:
                self._bus.sync_mcast((self._unsent[0],))
            except CsTryAgain:
                return False
            del self._unsent[0]
        return True

    def sync_activate(self) -> None:
        """Count, and report the result even when it is the old one."""
        self._recalculate(allow_decrease=False, by_current_nodes=False)
        self._set_quorum(self.quorate, self._members, self._ring_id)
        self._in_sync = False

    def sync_abort(self) -> None:
        """Nothing is held: what was told is true in the next round too."""

    def announce_leave(self) -> None:
        """
        Tell the others that we go on purpose, so that they may lower their quorum; raises
        CsTryAgain.
        """
        self.us.flags |= NodeFlags.LEAVING
        self._bus.mcast((encode_nodeinfo(self._own_info()),))

    def on_nodeinfo(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Take a node's votes; raises MalformedFrame."""
        del seq
        info = decode_nodeinfo(data, big_endian)
        if info.nodeid == QDEVICE_NODEID:
            self._qdevice_info(nodeid, info)
        else:
            self._node_info(info)

    def on_reconfigure(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Take an administrator's change; raises MalformedFrame."""
        del nodeid, seq
        change = decode_reconfigure(data, big_endian)
        if change.param == ReconfigureParam.EXPECTED_VOTES:
            self._update_expected_votes(change.value)
            self._ev_barrier = change.value
            self._recalculate(allow_decrease=True, by_current_nodes=False)
        elif change.param == ReconfigureParam.NODE_VOTES:
            node = self.nodes.get(change.nodeid)
            if node is not None:
                node.votes = change.value
                self._recalculate(allow_decrease=True, by_current_nodes=False)
        elif change.param == ReconfigureParam.CANCEL_WFA:
            self._update_wait_for_all_status(False)
            self._recalculate(allow_decrease=False, by_current_nodes=False)

    def on_qdevice_reg(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Note the name of a quorum device of another node; raises MalformedFrame."""
        del seq
        message = decode_qdevice_reg(data, big_endian)
        if message.operation:
            if nodeid != self._params.nodeid and not self.qdevice_name:
                self.qdevice_name = message.name
        elif not any(
            n.state is NodeState.MEMBER and n.flags & NodeFlags.QDEVICE_REGISTERED
            for n in self.nodes.values()
        ):
            self.qdevice_name = b""

    def on_qdevice_reconfigure(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Rename the quorum device; raises MalformedFrame."""
        del nodeid, seq
        message = decode_qdevice_reconfigure(data, big_endian)
        if message.old_name == self.qdevice_name:
            self.qdevice_name = message.new_name

    def _own_info(self) -> NodeInfo:
        return NodeInfo(self.us.nodeid, self.us.votes, self.us.expected_votes, self.us.flags)

    def _qdevice_info(self, sender: int, info: NodeInfo) -> None:
        sender_node = self.nodes.get(sender)
        if sender_node is None:
            return
        old_votes = self.qdevice_votes
        if not self.quorate and sender_node.flags & NodeFlags.QUORATE:
            self.qdevice_votes = info.votes
        else:
            self.qdevice_votes = max(self.qdevice_votes, info.votes)
        if old_votes != self.qdevice_votes:
            self._recalculate(allow_decrease=False, by_current_nodes=False)

    def _node_info(self, info: NodeInfo) -> None:
        node = self.nodes.get(info.nodeid)
        old = None
        if node is None:
            if len(self.nodes) >= PROCESSOR_COUNT_MAX:
                self._forget_dead_nodes()
            node = self.nodes[info.nodeid] = VotingNode(info.nodeid, NodeState.DEAD)
        else:
            old = (node.state, node.votes, node.expected_votes, node.flags)
        leaving = bool(info.flags & NodeFlags.LEAVING)
        node.flags = NodeFlags(info.flags)
        node.votes = info.votes
        node.state = NodeState.LEAVING if leaving else NodeState.MEMBER
        allow_decrease = leaving
        if not self.quorate and node.flags & NodeFlags.QUORATE:
            allow_decrease = True
            self.us.expected_votes = info.expected_votes
        if node.flags & NodeFlags.QUORATE:
            node.expected_votes = info.expected_votes
        else:
            node.expected_votes = self.us.expected_votes
        new = (node.state, node.votes, node.expected_votes, node.flags)
        if old != new or node is self.us or node.flags & NodeFlags.FIRST:
            self._recalculate(allow_decrease, by_current_nodes=leaving)
        if (
            self._params.wait_for_all
            and not node.flags & NodeFlags.WFASTATUS
            and node.flags & NodeFlags.QUORATE
        ):
            self._update_wait_for_all_status(False)

    def _forget_dead_nodes(self) -> None:
        """Keep the table bounded: what is said of nodes outside the ring is let go."""
        for nodeid in [n for n in self.nodes if n not in self._members and n != self.us.nodeid]:
            del self.nodes[nodeid]

    def _recalculate(self, allow_decrease: bool, by_current_nodes: bool) -> None:
        """Source: votequorum.c recalculate_quorum, calculate_quorum."""
        present = [n for n in self.nodes.values() if n.state is NodeState.MEMBER]
        total_votes = sum(n.votes for n in present)
        votes_there = min(total_votes + self.qdevice_votes, VOTES_MAX)
        self.us.expected_votes = max(self.us.expected_votes, votes_there)
        present_count = len(present) + (self.qdevice_votes > 0)
        highest_expected = max((n.expected_votes for n in present), default=0)
        if by_current_nodes and present_count:
            highest_expected = present_count
            if self._params.allow_downscale and allow_decrease:
                highest_expected = max(highest_expected, self._ev_barrier)
        self.quorum = quorum_needed(
            highest_expected,
            total_votes,
            len(present),
            self.two_node,
            0 if allow_decrease else self.quorum,
        )
        if by_current_nodes:
            self._update_expected_votes(present_count)
        self._decide(total_votes)

    def _decide(self, total_votes: int) -> None:
        """Source: votequorum.c are_we_quorate."""
        if self._params.wait_for_all and self.wait_for_all_status:
            if total_votes != self.us.expected_votes:
                return
            self._update_wait_for_all_status(False)
        changed = self.quorate
        self.quorate = total_votes >= self.quorum
        changed = changed != self.quorate
        if self.quorate:
            self.us.flags |= NodeFlags.QUORATE
        else:
            self.us.flags &= ~NodeFlags.QUORATE
        if self._params.wait_for_all:
            self._update_wait_for_all_status(not self.quorate)
        if changed and not self._in_sync:
            self._set_quorum(self.quorate, self._members, self._ring_id)

    def _update_expected_votes(self, expected_votes: int) -> None:
        if expected_votes:
            for node in self.nodes.values():
                if node.state is NodeState.MEMBER:
                    node.expected_votes = expected_votes

    def _update_wait_for_all_status(self, waiting: bool) -> None:
        self.wait_for_all_status = waiting
        if waiting:
            self.us.flags |= NodeFlags.WFASTATUS
        else:
            self.us.flags &= ~NodeFlags.WFASTATUS
