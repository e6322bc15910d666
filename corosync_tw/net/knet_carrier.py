"""
One link of knet: a bound socket that hears, and sends to every node from the same port.

What the datagrams mean is the engine's affair (``net.knet``), to which both directions go in
batches: fragments of one length leave in one call (GSO), and what the kernel merged (GRO) comes in
one piece.

Source: libknet 1.25 transport_udp.c, transport_common.c.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorFDSet

from corosync_tw.net.batchsocket import Address, BatchSocket
from corosync_tw.net.ifaddr import SockAddr, socket_address
from corosync_tw.net.interfaces import INetObserver
from corosync_tw.net.linked import Hear
from corosync_tw.net.offload import plan_runs
from corosync_tw.net.sendqueue import SendQueue
from corosync_tw.net.slab import SlabPool
from corosync_tw.net.sockets import open_probing_udp
from corosync_tw.net.stats import TransportStats
from corosync_tw.totem.links import Arrival
from corosync_tw.totem.runs import Datagrams

# Combinations of targets whose addresses are kept at hand.
TARGETS_KEPT_MAX: Final = 64


@dataclass(frozen=True, slots=True)
class CarrierSettings:
    """
    One link of one node, addresses literal.

    :ivar port: ours and everybody's.
    :ivar peers: address of every other node by nodeid.
    :ivar ip_dscp: differentiated services code point, 0 to 63.
    :ivar offload: use GSO and GRO where the kernel has them.
    """

    bind_address: str
    port: int
    peers: Mapping[int, str]
    ip_dscp: int = 0
    offload: bool = True


class KnetCarrier:
    """
    Implements Carrier.

    :ivar settings: in force; ``set_peers`` changes them.
    """

    def __init__(
        self,
        reactor: IReactorFDSet,
        settings: CarrierSettings,
        observer: INetObserver,
        stats: TransportStats,
        pool: SlabPool,
        *,
        on_too_long: Callable[[int, int], None],
    ) -> None:
        """
        Take over the settings; no socket is opened yet.

        :param pool: memory that all links share.
        :param on_too_long: told to which node packets of which length were too long for our
            interface.
        :raises NetError: an address is not literal.
        """
        self.settings = settings
        self._reactor = reactor
        self._observer = observer
        self._stats = stats
        self._pool = pool
        self._on_too_long = on_too_long
        self._queue = SendQueue(stats, observer)
        self._socket: BatchSocket | None = None
        self._hear: Hear = _deaf
        self._ring_nodeids: frozenset[int] | None = None
        self._addresses: dict[int, SockAddr] = {}
        self._by_targets: dict[tuple[int, ...] | bool, Sequence[SockAddr]] = {}
        self.set_peers(settings.peers)

    def start(self, hear: Hear) -> None:
        """Open the socket and hear. Raises NetError."""
        assert self._socket is None
        settings = self.settings
        sock = open_probing_udp(settings.bind_address, settings.port, ip_dscp=settings.ip_dscp)
        self._hear = hear
        self._socket = BatchSocket(
            self._reactor,
            sock,
            self._pool,
            self._stats,
            self._observer,
            offload=settings.offload,
            on_too_long=self._too_long,
        )
        self._socket.watch(self.drain)

    def drain(self) -> None:
        """Hear what the socket holds."""
        if self._socket is None:
            return
        arrivals: list[Arrival] = []
        self._socket.receive_from(arrivals)
        if arrivals:
            self._stats.rx_batches += 1
            self._hear(arrivals)

    def send(
        self, frames: Datagrams, targets: tuple[int, ...] | None, to_members_only: bool
    ) -> None:
        """Send datagrams to each of the nodes, to all or to the members of the ring."""
        sock = self._socket
        if sock is None:
            return
        key = targets if targets is not None else to_members_only
        addresses = self._by_targets.get(key)
        if addresses is None:
            addresses = self._find(key)
        if addresses:
            self._queue.send(sock, plan_runs(frames, sock.segment_bytes_max), addresses)

    def set_ring_members(self, nodeids: frozenset[int] | None) -> None:
        """Name the nodes of the ring; None: all."""
        self._ring_nodeids = nodeids
        self._by_targets.clear()

    def set_peers(self, peers: Mapping[int, str]) -> None:
        """Go on with other nodes. Raises NetError when an address is not literal."""
        port = self.settings.port
        self._addresses = {
            nodeid: socket_address(address, port)[1] for nodeid, address in sorted(peers.items())
        }
        self._by_targets.clear()

    def stop(self) -> Deferred[None]:
        """Send what still can be sent and close the socket."""
        self._queue.flush()
        self._queue.clear()
        if self._socket is not None:
            self._socket.close()
        self._socket = None
        return succeed(None)

    def _too_long(self, address: Address, len_bytes: int) -> None:
        for nodeid, known in self._addresses.items():
            if known == address:
                self._on_too_long(nodeid, len_bytes)

    def _find(self, key: tuple[int, ...] | bool) -> Sequence[SockAddr]:
        """Look the addresses of a combination of targets up, and keep them at hand."""
        ring = self._ring_nodeids
        if isinstance(key, tuple):
            wanted = [nodeid for nodeid in key if nodeid in self._addresses]
            self._stats.tx_no_address += len(key) - len(wanted)
        elif key and ring is not None:
            wanted = [nodeid for nodeid in self._addresses if nodeid in ring]
        else:
            wanted = list(self._addresses)
        if len(self._by_targets) >= TARGETS_KEPT_MAX:
            self._by_targets.clear()
        addresses = [self._addresses[nodeid] for nodeid in wanted]
        self._by_targets[key] = addresses
        return addresses


def _deaf(_arrivals: Sequence[Arrival]) -> None:
    """Hear nothing: nobody listens yet."""
