"""
The way to the other nodes, which may be full for a while.

Deviation: what finds no room in the queue is sent later; Corosync drops it.
"""

from typing import Final

from corosync_tw.errors import CsTryAgain
from corosync_tw.services.interfaces import ServiceBus
from corosync_tw.services.votequorum.nodes import VotingNode
from corosync_tw.services.votequorum.wire import NodeInfo, encode_nodeinfo

# Requests of clients are refused while anything waits, so that only what we say ourselves adds up.
OUTBOX_LEN_MAX: Final = 64


class Outbox:
    """
    Messages in order.

    :ivar in_sync: a synchronization is under way, and what is sent belongs to it.
    """

    def __init__(self, bus: ServiceBus) -> None:
        self._bus = bus
        self._waiting: list[bytes] = []
        self.in_sync = False

    def send(self, message: bytes) -> None:
        """Send to all nodes, now or as soon as there is room."""
        if len(self._waiting) >= OUTBOX_LEN_MAX:
            del self._waiting[0]
        self._waiting.append(message)
        self.flush()

    def send_info(self, node: VotingNode) -> None:
        """Send what we know of a node; ours, or the quorum device's."""
        self.send(encode_info(node))

    def flush(self) -> bool:
        """Send what waits; tell whether all is sent."""
        waiting = self._waiting
        while waiting:
            try:
                if self.in_sync:
                    self._bus.sync_mcast((waiting[0],))
                else:
                    self._bus.mcast((waiting[0],))
            except CsTryAgain:
                return False
            del waiting[0]
        return True

    def check_room(self) -> None:
        """Check that nothing waits; raises CsTryAgain."""
        if not self.flush():
            raise CsTryAgain("the message queue is full")


def encode_info(node: VotingNode) -> bytes:
    """Encode what we know of a node."""
    return encode_nodeinfo(NodeInfo(node.nodeid, node.votes, node.expected_votes, node.flags))
