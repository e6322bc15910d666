"""
Vote based quorum: every node tells its votes, more than half of the expected ones make a cluster
quorate.

The nodeinfo exchange is that of stock nodes, so that either side counts the other's votes. The
rules are in ``voting``, the quorum device in ``qdevice``, what clients may ask in ``requests``;
here are the messages, the synchronization and the last_man_standing window.

Source: Corosync exec/votequorum.c; man votequorum(5).
Deviation: a nodeinfo about the quorum device from an unknown sender is ignored, where Corosync
asserts; so is one about another node than its sender, which Corosync takes and nobody sends.
"""

from collections.abc import Callable

from corosync_tw.corotypes import Buffer, RingId
from corosync_tw.errors import CsTryAgain
from corosync_tw.services.exec_wire import ServiceId
from corosync_tw.services.interfaces import ExecHandler, ServiceBus
from corosync_tw.services.log_line import LogLine
from corosync_tw.services.votequorum.effects import StoreEvTracking
from corosync_tw.services.votequorum.nodes import NodeState, VotingNode
from corosync_tw.services.votequorum.outbox import encode_info
from corosync_tw.services.votequorum.params import VotequorumParams, expected_votes_at, settle
from corosync_tw.services.votequorum.requests import VoteRequests
from corosync_tw.services.votequorum.texts import count_text, nodeinfo_texts, quorum_text
from corosync_tw.services.votequorum.voting import Voting
from corosync_tw.services.votequorum.wire import (
    QDEVICE_NODEID,
    NodeFlags,
    NodeInfo,
    QdeviceOperation,
    QdeviceReg,
    ReconfigureParam,
    VotequorumFunction,
    decode_nodeinfo,
    decode_qdevice_reconfigure,
    decode_qdevice_reg,
    decode_reconfigure,
    encode_qdevice_reg,
)

SetQuorum = Callable[[bool, tuple[int, ...], RingId], None]


class VotequorumEngine(VoteRequests):
    """One node's part in the vote."""

    service_id: int = ServiceId.VOTEQUORUM
    name = "corosync vote quorum service v1.0"

    def __init__(self, params: VotequorumParams, set_quorum: SetQuorum, bus: ServiceBus) -> None:
        barrier = params.ev_tracking_barrier if params.tracks_expected_votes else None
        expected_votes = expected_votes_at(params, barrier)
        us = VotingNode(
            params.nodeid, NodeState.MEMBER, params.votes, expected_votes, NodeFlags.FIRST
        )
        mode = settle(params, params, device_registered=False)
        voting = Voting(
            us,
            mode,
            self,
            allow_downscale=params.allow_downscale,
            ev_tracking_barrier=barrier,
        )
        super().__init__(params, voting, bus)
        self._set_quorum = set_quorum
        self._reports = False  # the first report is made by the first activation
        self._info_queued = False
        self._sync_unsent: list[bytes] = []
        self._window_deadline_ns: int | None = None
        if mode.wait_for_all:
            voting.set_wait_for_all_status(True)
        voting.recalculate()

    # Synchronization

    def sync_init(
        self, trans_members: tuple[int, ...], members: tuple[int, ...], ring_id: RingId
    ) -> None:
        """Mark the lost nodes dead, open the last_man_standing window, wait for the device."""
        del trans_members
        self._reports = False
        self.outbox.in_sync = True
        self._info_queued = False
        self._sync_unsent.clear()
        if len(members) > 1:
            self.us.flags &= ~NodeFlags.FIRST
        some_lost = self.voting.mark_lost(members)
        if self.last_man_standing and self._window_opens(len(members), some_lost):
            window_ns = self._initial.last_man_standing_window_ns
            self._window_deadline_ns = self._bus.now_ns + window_ns
        self.voting.set_members(members)
        self.trackers.ring_id = ring_id
        self.device.new_ring(self._bus.now_ns)

    def _window_opens(self, node_count: int, some_lost: bool) -> bool:
        voting = self.voting
        if node_count >= voting.quorum and some_lost:
            return True
        tie_breaks = bool(voting.mode.tie_breaker.kind) and voting.lowest_is_here
        return node_count <= voting.quorum and tie_breaks

    def sync_process(self) -> bool:
        """
        Tell our votes, then the quorum device's: the other way round makes stock nodes abort.

        Then wait for a device of ours, until it polls or its time is over.
        """
        if not self._info_queued:
            self._info_queued = True
            self._sync_unsent = [encode_info(self.us), encode_info(self.voting.nodes.device)]
            if self.device.name:
                message = QdeviceReg(QdeviceOperation.REGISTER, self.device.name)
                self._sync_unsent.append(encode_qdevice_reg(message))
            self.trackers.tell_nodelist()
        while self._sync_unsent:
            try:
                self._bus.sync_mcast((self._sync_unsent[0],))
            except CsTryAgain:
                return False
            del self._sync_unsent[0]
        return self.outbox.flush() and not (self.device.registered and self.device.holds_sync)

    def sync_activate(self) -> None:
        """Count, and report the result even when it is the old one."""
        self.voting.recalculate()
        self._report()
        self._reports = True
        self.outbox.in_sync = False

    def sync_abort(self) -> None:
        """Nothing is held: what was told is true in the next round too."""

    def announce_leave(self) -> None:
        """
        Tell the others that we go on purpose, so that they may lower their quorum; raises
        CsTryAgain.
        """
        self.us.flags |= NodeFlags.LEAVING
        self._bus.mcast((encode_info(self.us),))

    def token_sent(self) -> None:
        """Send what found no room before; the token was just passed on."""
        self.outbox.flush()

    # Time

    def next_deadline(self) -> int | None:
        """Tell when the last_man_standing window closes or the device is lost."""
        deadlines = (self._window_deadline_ns, self.device.deadline_ns)
        return min((ns for ns in deadlines if ns is not None), default=None)

    def advance(self, now_ns: int) -> None:
        """Do what is due."""
        if self._window_deadline_ns is not None and now_ns >= self._window_deadline_ns:
            self._window_deadline_ns = None
            if self.quorate:
                self.voting.recalculate(allow_decrease=True, by_current_nodes=True)
        self.device.advance(now_ns)

    # Messages

    def exec_handlers(self) -> dict[int, ExecHandler]:
        """Name the handlers by function number."""
        return {
            VotequorumFunction.NODEINFO: self.on_nodeinfo,
            VotequorumFunction.RECONFIGURE: self.on_reconfigure,
            VotequorumFunction.QDEVICE_REG: self.on_qdevice_reg,
            VotequorumFunction.QDEVICE_RECONFIGURE: self.on_qdevice_reconfigure,
        }

    def on_nodeinfo(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Take a node's votes; raises MalformedFrame."""
        del seq
        info = decode_nodeinfo(data, big_endian)
        for text in nodeinfo_texts(nodeid, info):
            self._debug(text)
        if info.nodeid == QDEVICE_NODEID:
            self._qdevice_info(nodeid, info)
        elif info.nodeid == nodeid:
            self._node_info(info)

    def on_reconfigure(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Take an administrator's change; raises MalformedFrame."""
        del nodeid, seq
        change = decode_reconfigure(data, big_endian)
        voting = self.voting
        if change.param == ReconfigureParam.EXPECTED_VOTES:
            voting.nodes.set_expected_votes(change.value)
            self.trackers.tell_expected_votes()
            voting.ev_barrier = change.value
            barrier = voting.ev_tracking_barrier
            if barrier is not None:
                self.us.expected_votes = max(self.us.expected_votes, barrier)
            voting.recalculate(allow_decrease=True)
        elif change.param == ReconfigureParam.NODE_VOTES:
            node = voting.nodes.find(change.nodeid)
            if node is not None:
                node.votes = change.value
                voting.recalculate(allow_decrease=True)
        elif change.param == ReconfigureParam.CANCEL_WFA:
            voting.set_wait_for_all_status(False)
            text = f"wait_for_all_status reset by user on node {change.nodeid}."
            self._bus.emit(LogLine("VOTEQ", "info", text))
            voting.recalculate()

    def on_qdevice_reg(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Take the registration of a quorum device, ours too; raises MalformedFrame."""
        del seq
        message = decode_qdevice_reg(data, big_endian)
        self.device.on_reg(nodeid == self.us.nodeid, message)

    def on_qdevice_reconfigure(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Rename the quorum device; raises MalformedFrame."""
        del nodeid, seq
        self.device.on_reconfigure(decode_qdevice_reconfigure(data, big_endian))

    def _qdevice_info(self, sender: int, info: NodeInfo) -> None:
        sender_node = self.voting.nodes.find(sender)
        if sender_node is None:
            return
        device = self.voting.nodes.device
        old_votes = device.votes
        if not self.quorate and sender_node.flags & NodeFlags.QUORATE:
            device.votes = info.votes
        else:
            device.votes = max(device.votes, info.votes)
        if old_votes != device.votes:
            self.voting.recalculate()

    def _node_info(self, info: NodeInfo) -> None:
        voting = self.voting
        node = voting.nodes.find(info.nodeid)
        old = None
        if node is None:
            node = voting.nodes.add(info.nodeid, voting.members)
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
        if node.flags & NodeFlags.QUORATE or voting.ev_tracking_barrier is not None:
            node.expected_votes = info.expected_votes
        else:
            node.expected_votes = self.us.expected_votes
        self._check_votes_are_equal(node)
        new = (node.state, node.votes, node.expected_votes, node.flags)
        if old != new or node is self.us or node.flags & NodeFlags.FIRST:
            voting.recalculate(allow_decrease=allow_decrease, by_current_nodes=leaving)
        if (
            voting.mode.wait_for_all
            and not node.flags & NodeFlags.WFASTATUS
            and node.flags & NodeFlags.QUORATE
        ):
            voting.set_wait_for_all_status(False)

    def _check_votes_are_equal(self, node: VotingNode) -> None:
        if self.last_man_standing and node.votes > 1:
            self.last_man_standing = False
            self._window_deadline_ns = None
            # As Corosync prints it, the missing blank included.
            text = (
                "Last Man Standing feature is supported only when allcluster nodes votes are set "
                "to 1. Disabling LMS."
            )
            self._bus.emit(LogLine("VOTEQ", "warning", text))

    def _debug(self, text: str) -> None:
        self._bus.emit(LogLine("VOTEQ", "debug", text))

    # VotingObserver

    def votes_counted(self, total_votes: int) -> None:
        """Say so."""
        self._debug(count_text(total_votes, self.us.expected_votes))

    def expected_votes_changed(self) -> None:
        """Tell clients that more votes came than were expected."""
        self.trackers.tell_expected_votes()

    def barrier_raised(self, ev_tracking_barrier: int) -> None:
        """Have the highest expected votes kept."""
        self._bus.emit(StoreEvTracking(ev_tracking_barrier))

    def quorum_changed(self) -> None:
        """Report a change between synchronizations; they report by themselves."""
        self._debug(quorum_text(quorate=self.quorate))
        if self._reports:
            self._report()

    def waiting_for_all(self, total_votes: int) -> None:
        """Say why there is no quorum yet."""
        text = (
            f"Waiting for all cluster members. Current votes: {total_votes} "
            f"expected_votes: {self.us.expected_votes}"
        )
        self._bus.emit(LogLine("VOTEQ", "notice", text))

    def _report(self) -> None:
        self._set_quorum(self.quorate, self.voting.members, self.ring_id)
        self.trackers.tell_quorum()
