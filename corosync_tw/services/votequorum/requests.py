"""
What clients of this node may see and ask for.

Source: Corosync exec/votequorum.c, message_handler_req_lib_votequorum_*, votequorum_refresh_config.
Deviation: a configuration that cannot hold is refused at run time; Corosync takes a part of it.
"""

from corosync_tw.corotypes import RingId
from corosync_tw.errors import CsInvalidParam, CsNameNotFound, CsNotExist
from corosync_tw.services.interfaces import ServiceBus
from corosync_tw.services.votequorum.effects import NodelistNotification, QuorumNotification
from corosync_tw.services.votequorum.nodes import VotingNode
from corosync_tw.services.votequorum.outbox import Outbox
from corosync_tw.services.votequorum.params import VotequorumParams, expected_votes_at, settle
from corosync_tw.services.votequorum.qdevice import QuorumDevice
from corosync_tw.services.votequorum.report import NodeVotes, RuntimeValues, node_votes
from corosync_tw.services.votequorum.trackers import SHOWS_PRESENT, Trackers
from corosync_tw.services.votequorum.voting import Voting
from corosync_tw.services.votequorum.wire import (
    QDEVICE_NODEID,
    Reconfigure,
    ReconfigureParam,
    encode_reconfigure,
)


class VoteRequests:
    """
    The parts of voting, seen from a client.

    :ivar voting: the votes and the answer.
    :ivar device: the local end of the quorum device.
    :ivar last_man_standing: the rule holds; asymmetric votes switch it off.
    """

    def __init__(self, params: VotequorumParams, voting: Voting, bus: ServiceBus) -> None:
        self._initial = params
        self._params = params
        self._bus = bus
        self._reloaded = False
        self.voting = voting
        self.outbox = Outbox(bus)
        self.last_man_standing = params.last_man_standing
        self.device = QuorumDevice(
            voting,
            self.outbox,
            bus.emit,
            params.device,
            allowed=settle(params, params, device_registered=False).device_allowed,
        )
        self.trackers = Trackers(voting, self.device, bus)

    # To look at

    @property
    def us(self) -> VotingNode:
        """Our own entry."""
        return self.voting.us

    @property
    def nodes(self) -> dict[int, VotingNode]:
        """All known nodes by nodeid, ourselves too, the dead remain."""
        return self.voting.nodes.by_id

    @property
    def quorum(self) -> int:
        """Votes needed."""
        return self.voting.quorum

    @property
    def quorate(self) -> bool:
        """Whether they are there."""
        return self.voting.quorate

    @property
    def two_node(self) -> bool:
        """Whether one of two nodes may go on."""
        return self.voting.mode.two_node

    @property
    def wait_for_all_status(self) -> bool:
        """Whether all nodes have still to be seen at once."""
        return bool(self.voting.wait_for_all_status)

    @property
    def total_votes(self) -> int:
        """Votes of the present members."""
        return sum(node.votes for node in self.voting.nodes.members())

    @property
    def qdevice_name(self) -> bytes:
        """Name of the quorum device in the whole cluster."""
        return self.device.name

    @property
    def qdevice_votes(self) -> int:
        """Votes of the quorum device."""
        return self.voting.nodes.device.votes

    @property
    def ring_id(self) -> RingId:
        """The ring that a quorum device has to name when it polls."""
        return self.trackers.ring_id

    def getinfo(self, nodeid: int) -> NodeVotes:
        """
        Tell of a node and of the cluster; 0 is ourselves.

        Raises CsNotExist: a node that never told its votes.
        """
        node = self.us if nodeid == QDEVICE_NODEID else self.voting.nodes.find(nodeid)
        if node is None:
            raise CsNotExist(f"node {nodeid} is unknown")
        return node_votes(self.voting, node, self.device.name, self.last_man_standing)

    def runtime(self) -> RuntimeValues:
        """Tell the values of runtime.votequorum.*."""
        voting = self.voting
        status = voting.wait_for_all_status
        has_atb = self._reloaded or self._initial.tie_breaker.kind
        return RuntimeValues(
            this_node_id=self.us.nodeid,
            two_node=int(self.two_node),
            ev_barrier=voting.ev_barrier,
            wait_for_all_status=None if status is None else int(status),
            atb_type=int(voting.mode.tie_breaker.kind) if has_atb else None,
            lowest_node_id=voting.lowest,
            highest_node_id=voting.highest,
            ev_tracking_barrier=voting.ev_tracking_barrier,
            qdevice_can_operate=None if self._params.device is None else int(self.device.allowed),
            qdevice_master_wins=self.device.master_wins,
        )

    # An administrator's changes

    def set_expected(self, expected_votes: int) -> None:
        """
        Have the whole cluster expect so many votes.

        Raises CsInvalidParam: fewer than there are, or a quorate cluster would not be it any
        longer. CsTryAgain: no room.
        """
        quorum, total_votes = self.voting.needed(True, expected_votes, downscale=False)
        if expected_votes < total_votes or (self.quorate and quorum > total_votes):
            raise CsInvalidParam(f"{expected_votes} expected votes with {total_votes} there")
        self.outbox.check_room()
        self.voting.nodes.set_expected_votes(expected_votes)
        self._send_reconfigure(ReconfigureParam.EXPECTED_VOTES, self.us.nodeid, expected_votes)

    def set_votes(self, nodeid: int, votes: int) -> None:
        """
        Change the votes of a node, or of the device as node 0.

        Raises CsNameNotFound: a node that never told its votes. CsInvalidParam: the cluster could
        not be quorate. CsTryAgain: no room.
        """
        node = self.voting.nodes.find(nodeid)
        if node is None:
            raise CsNameNotFound(f"node {nodeid} is unknown")
        saved, node.votes = node.votes, votes
        quorum, total_votes = self.voting.needed(True, 0, downscale=False)
        node.votes = saved
        if not total_votes // 2 <= quorum <= total_votes:
            raise CsInvalidParam(f"{total_votes} votes would be there, {quorum} needed")
        self.outbox.check_room()
        node.votes = votes
        self._send_reconfigure(ReconfigureParam.NODE_VOTES, nodeid, votes)

    def cancel_wait_for_all(self) -> None:
        """Have the whole cluster wait for nobody (quorum.cancel_wait_for_all)."""
        self._send_reconfigure(ReconfigureParam.CANCEL_WFA, self.us.nodeid, 0)

    def reconfigure(self, params: VotequorumParams) -> None:
        """
        Take a changed configuration: votes, expected votes, two_node and the device.

        All else stays as it was at the start, until the next one.

        Raises CsInvalidParam: the parts contradict each other; nothing is changed.
        """
        initial = self._initial
        mode = settle(params, initial, self.device.registered)
        odd = params.listed_votes % 2 and not mode.wait_for_all
        if initial.tie_breaker.kind and odd and initial.last_man_standing:
            raise CsInvalidParam(
                "auto_tie_breaker & last_man_standing not available in odd sized cluster"
            )
        if not params.expected_votes:
            raise CsInvalidParam("nodelist or quorum.expected_votes must be configured")
        voting, us = self.voting, self.us
        before = us.votes, us.expected_votes
        self._params = params
        self._reloaded = True
        voting.mode = mode
        us.votes = params.votes
        us.expected_votes = expected_votes_at(params, voting.ev_tracking_barrier)
        self.device.configure(params.device, allowed=mode.device_allowed)
        voting.ev_barrier = us.expected_votes
        if initial.wait_for_all is None and not mode.wait_for_all and self.wait_for_all_status:
            voting.set_wait_for_all_status(False)
        self.outbox.send_info(us)
        self.outbox.send_info(voting.nodes.device)
        if us.votes != before[0]:
            self._send_reconfigure(ReconfigureParam.NODE_VOTES, us.nodeid, us.votes)
        if us.expected_votes != before[1]:
            self._send_reconfigure(ReconfigureParam.EXPECTED_VOTES, us.nodeid, us.expected_votes)

    def _send_reconfigure(self, param: ReconfigureParam, nodeid: int, value: int) -> None:
        self.outbox.send(encode_reconfigure(Reconfigure(nodeid, value, param)))

    # Clients that follow changes

    def present(
        self, conn: int, flags: int, context: int
    ) -> tuple[NodelistNotification, QuorumNotification] | None:
        """Make the news that a client gets when it begins to follow; None without a flag for it."""
        if not flags & SHOWS_PRESENT:
            return None
        to = ((conn, context),)
        return self.trackers.nodelist(to), self.trackers.quorum(to)

    def track_start(self, conn: int, flags: int, context: int) -> None:
        """Follow changes, if the TrackFlags say so; raises CsExist."""
        self.trackers.start(conn, flags, context)

    def track_stop(self, conn: int) -> None:
        """Follow them no longer; raises CsNotExist."""
        self.trackers.stop(conn)

    def disconnect(self, conn: int) -> None:
        """Forget a connection that is gone; never raises."""
        self.trackers.forget(conn)
        self.device.disconnect(conn)

    # The program of a quorum device

    def qdevice_register(self, conn: int, name: bytes) -> bool:
        """
        Begin to register a device; a QdeviceRegistered follows.

        :return: True when it is registered already and nothing follows.
        Raises CsAccess, CsExist, CsTryAgain, CsInvalidParam.
        """
        return self.device.register(conn, name)

    def qdevice_unregister(self, name: bytes) -> None:
        """Take the device away; raises CsNotExist, CsInvalidParam, CsTryAgain."""
        self.device.unregister(name)

    def qdevice_update(self, old_name: bytes, new_name: bytes) -> None:
        """Rename the device; raises CsNotExist, CsInvalidParam, CsTryAgain."""
        self.device.update(old_name, new_name)

    def qdevice_poll(self, name: bytes, cast_vote: bool, ring_id: RingId, now_ns: int) -> None:
        """
        Say that the device lives, whether it votes for us, and which ring it knows.

        Raises CsAccess, CsNotExist, CsMessageError: another ring. CsInvalidParam, CsTryAgain.
        """
        self.device.poll(name, cast_vote, ring_id == self.ring_id, now_ns)

    def qdevice_master_wins(self, name: bytes, allow: int) -> None:
        """
        Let the partition with the device's master be quorate.

        Raises CsAccess, CsNotExist, CsInvalidParam, CsTryAgain.
        """
        self.device.set_master_wins(name, allow)
