"""
In-process transport: several nodes in one process, for tests and examples.

Works with any reactor that has ``callLater``, also with a Clock. Datagrams that are sent in one
turn arrive in the next, in order and without loss, one batch a node.
"""

from collections import deque
from itertools import islice
from typing import Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from zope.interface import implementer

from corosync_tw.corotypes import Buffer
from corosync_tw.net.batchsocket import is_token
from corosync_tw.net.interfaces import IFrameReceiver, ITransport
from corosync_tw.net.stats import TransportStats
from corosync_tw.totem.runs import Datagrams

# A node that does not read loses datagrams, like a socket with a full buffer.
INBOX_FRAMES_MAX: Final = 8192
BATCH_FRAMES_MAX: Final = 1024


class LoopbackHub:
    """
    The network: knows every transport that is started.

    :ivar partition: nodeids that reach each other; None: all reach all.
    """

    def __init__(self, reactor: IReactorTime) -> None:
        self.reactor = reactor
        self.partition: list[frozenset[int]] | None = None
        self._nodes: dict[int, LoopbackTransport] = {}

    def transport(self, nodeid: int) -> "LoopbackTransport":
        """Make the transport of one node; it is reachable once started."""
        return LoopbackTransport(self, nodeid)

    def attach(self, nodeid: int, transport: "LoopbackTransport") -> None:
        """Make a node reachable."""
        assert nodeid not in self._nodes, f"node {nodeid} is attached already"
        self._nodes[nodeid] = transport

    def detach(self, nodeid: int) -> None:
        """Make a node unreachable."""
        self._nodes.pop(nodeid, None)

    def peer(self, sender: int, nodeid: int) -> "LoopbackTransport | None":
        """Find the transport of ``nodeid``, if ``sender`` reaches it."""
        return self._nodes.get(nodeid) if self._connects(sender, nodeid) else None

    def peers(self, sender: int) -> list["LoopbackTransport"]:
        """List the transports that ``sender`` reaches, without its own, by nodeid."""
        return [
            self._nodes[nodeid]
            for nodeid in sorted(self._nodes)
            if nodeid != sender and self._connects(sender, nodeid)
        ]

    def _connects(self, one: int, other: int) -> bool:
        if self.partition is None:
            return True
        return any(one in part and other in part for part in self.partition)


@implementer(ITransport)
class LoopbackTransport:
    """
    One node's place at the hub.

    :ivar stats: counters.
    """

    stats: TransportStats

    def __init__(self, hub: LoopbackHub, nodeid: int) -> None:
        self.stats = TransportStats()
        self._hub = hub
        self._nodeid = nodeid
        self._receiver: IFrameReceiver | None = None
        self._inbox: deque[bytes] = deque()
        self._call: IDelayedCall | None = None

    def start(self, receiver: IFrameReceiver) -> None:
        """Become reachable."""
        assert self._receiver is None
        self._receiver = receiver
        self._hub.attach(self._nodeid, self)

    def drain(self) -> None:
        """Hand over what came."""
        if self._receiver is None or not self._inbox:
            return
        messages: list[Buffer] = []
        tokens: list[Buffer] = []
        for frame in islice(self._inbox, BATCH_FRAMES_MAX):
            (tokens if is_token(frame) else messages).append(frame)
        for _ in range(len(messages) + len(tokens)):
            self._inbox.popleft()
        if self._inbox:
            self._wake()
        messages += tokens
        self.stats.rx_batches += 1
        self.stats.rx_frames += len(messages)
        self._receiver.frames_received(messages)

    def send_token(self, target_nodeid: int, frame: bytes) -> None:
        """Send one frame to one node."""
        peer = self._hub.peer(self._nodeid, target_nodeid)
        if peer is None or self._receiver is None:
            self.stats.tx_no_address += 1
            return
        self.stats.tx_frames += 1
        peer.accept(frame)

    def send_mcast(self, frames: Datagrams, to_members_only: bool) -> None:
        """Send frames to all other nodes."""
        del to_members_only
        if self._receiver is None:
            return
        peers = self._hub.peers(self._nodeid)
        for frame in frames:
            # One copy for all: datagrams are never written to.
            datagram = b"".join(frame)
            self.stats.tx_frames += len(peers)
            for peer in peers:
                peer.accept(datagram)

    def set_ring_members(self, nodeids: frozenset[int] | None) -> None:
        """Take no notice: memory is cheap."""

    def stop(self) -> Deferred[None]:
        """Become unreachable and forget what was not read."""
        if self._receiver is not None:
            self._hub.detach(self._nodeid)
            self._receiver = None
        if self._call is not None:
            self._call.cancel()
            self._call = None
        self._inbox.clear()
        return succeed(None)

    def accept(self, frame: bytes) -> None:
        """Take a datagram from another node; it is handed over in the next turn."""
        if len(self._inbox) >= INBOX_FRAMES_MAX:
            self.stats.rx_errors += 1
            return
        self._inbox.append(frame)
        self._wake()

    def _wake(self) -> None:
        if self._call is None:
            self._call = self._hub.reactor.callLater(0, self._deliver)

    def _deliver(self) -> None:
        self._call = None
        self.drain()
