"""
Clients that are told of changes.

Source: Corosync exec/votequorum.c message_handler_req_lib_votequorum_trackstart,
votequorum_exec_send_quorum_notification, votequorum_exec_send_nodelist_notification,
votequorum_exec_send_expectedvotes_notification.
"""

from typing import Final

from corosync_tw.corotypes import RingId, TrackFlags
from corosync_tw.errors import CsExist, CsNotExist
from corosync_tw.services.interfaces import ServiceBus
from corosync_tw.services.votequorum.effects import (
    ExpectedVotesNotification,
    NodelistNotification,
    QuorumNotification,
    Tracker,
)
from corosync_tw.services.votequorum.qdevice import QuorumDevice
from corosync_tw.services.votequorum.voting import Voting
from corosync_tw.services.votequorum.wire import QDEVICE_NODEID

SHOWS_PRESENT: Final = TrackFlags.CURRENT | TrackFlags.CHANGES
FOLLOWS: Final = TrackFlags.CHANGES | TrackFlags.CHANGES_ONLY


class Trackers:
    """
    The clients, by connection, with the number each of them gave.

    :ivar ring_id: of the ring whose members are shown.
    """

    def __init__(self, voting: Voting, device: QuorumDevice, bus: ServiceBus) -> None:
        self._voting = voting
        self._device = device
        self._bus = bus
        self.ring_id = RingId(0, 0)
        self._context_of: dict[int, int] = {}

    def start(self, conn: int, flags: int, context: int) -> None:
        """Follow changes, if the flags say so; raises CsExist."""
        if conn in self._context_of:
            raise CsExist("already tracking")
        if flags & FOLLOWS:
            self._context_of[conn] = context

    def stop(self, conn: int) -> None:
        """Follow them no longer; raises CsNotExist."""
        if self._context_of.pop(conn, None) is None:
            raise CsNotExist("not tracking")

    def forget(self, conn: int) -> None:
        """Forget a connection that is gone."""
        self._context_of.pop(conn, None)

    def nodelist(self, trackers: tuple[Tracker, ...]) -> NodelistNotification:
        """Make the news of the ring."""
        return NodelistNotification(trackers, self.ring_id, self._voting.members)

    def quorum(self, trackers: tuple[Tracker, ...]) -> QuorumNotification:
        """Make the news of the quorum."""
        nodes = [(node.nodeid, int(node.state)) for node in self._voting.nodes]
        if self._device.registered:
            nodes.append((QDEVICE_NODEID, int(self._voting.nodes.device.state)))
        return QuorumNotification(trackers, self._voting.quorate, tuple(nodes))

    def tell_nodelist(self) -> None:
        """Tell all of a new ring."""
        if self._context_of:
            self._bus.emit(self.nodelist(self._all()))

    def tell_quorum(self) -> None:
        """Tell all of the answer."""
        if self._context_of:
            self._bus.emit(self.quorum(self._all()))

    def tell_expected_votes(self) -> None:
        """Tell all what is expected."""
        if self._context_of:
            self._bus.emit(ExpectedVotesNotification(self._all(), self._voting.us.expected_votes))

    def _all(self) -> tuple[Tracker, ...]:
        return tuple(self._context_of.items())
