"""A UDP transport as one network of several."""

from collections.abc import Sequence
from itertools import repeat
from typing import Final

from twisted.internet.defer import Deferred
from zope.interface import implementer

from corosync_tw.corotypes import Buffer
from corosync_tw.net.guarded import AnyUdpTransport
from corosync_tw.net.interfaces import IFrameReceiver
from corosync_tw.net.linked import Hear
from corosync_tw.totem.links import Arrival
from corosync_tw.totem.runs import Datagrams, Received


@implementer(IFrameReceiver)
class UdpNetwork:
    """
    A carrier; it does not tell where datagrams come from, for they name their senders.

    :ivar transport: its table of members may be changed at any time.
    """

    def __init__(self, transport: AnyUdpTransport) -> None:
        self.transport: Final = transport
        self._hear: Hear | None = None

    def start(self, hear: Hear) -> None:
        """Open the sockets. Raises NetError."""
        self._hear = hear
        self.transport.start(self)

    def drain(self) -> None:
        """Hear what the sockets hold."""
        self.transport.drain()

    def frames_received(self, frames: Sequence[Received]) -> None:
        """Hand over one batch. Called by the transport."""
        assert self._hear is not None
        self._hear(list(map(Arrival, frames, repeat(None))))

    def may_overtake(self, token: Buffer) -> bool:
        """Keep the order: other networks may have brought what the token tells of."""
        del token
        return False

    def send(
        self, frames: Datagrams, targets: tuple[int, ...] | None, to_members_only: bool
    ) -> None:
        """Send datagrams to some nodes as tokens are sent, or to all as messages are."""
        transport = self.transport
        if targets is None:
            transport.send_mcast(frames, to_members_only)
            return
        for target in targets:
            for frame in frames:
                transport.send_token(target, b"".join(frame))

    def set_ring_members(self, nodeids: frozenset[int] | None) -> None:
        """Name the nodes of the ring."""
        self.transport.set_ring_members(nodeids)

    def stop(self) -> Deferred[None]:
        """Close the sockets."""
        return self.transport.stop()
