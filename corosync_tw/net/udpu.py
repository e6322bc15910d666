"""
Unicast transport: every multicast is sent to each node of the nodelist.

One socket, bound to our address and port, hears everything and sends the tokens; another one with
a port of its own sends messages, so that no network card merges a token with the messages before
it. Our own messages are not sent to ourselves: the core hears them already.

Source: Corosync exec/totemudpu.c.
"""

import contextlib
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorFDSet
from zope.interface import implementer

from corosync_tw.corotypes import Buffer
from corosync_tw.net.batchsocket import BatchSocket, SourceFilter
from corosync_tw.net.ifaddr import InterfaceAddress, SockAddr
from corosync_tw.net.ifwatch import InterfaceWatch
from corosync_tw.net.interfaces import (
    IFrameReceiver,
    IMemberTable,
    INetObserver,
    ITransport,
    NetEvent,
    NetEventKind,
)
from corosync_tw.net.offload import plan_runs
from corosync_tw.net.sendqueue import SendQueue
from corosync_tw.net.settings import UdpSettings, member_address
from corosync_tw.net.slab import SlabPool
from corosync_tw.net.sockets import free_bind, open_udp
from corosync_tw.net.stats import TransportStats
from corosync_tw.net.turn import Turn
from corosync_tw.timers.interludes import interludes_of
from corosync_tw.totem.runs import Datagrams


@implementer(ITransport, IMemberTable)
class UdpuTransport:
    """
    Carries frames by unicast between listed nodes.

    :ivar stats: counters.
    """

    stats: TransportStats

    def __init__(
        self,
        reactor: IReactorFDSet,
        settings: UdpSettings,
        observer: INetObserver,
        stats: TransportStats | None = None,
    ) -> None:
        """
        Take the members over from ``settings``; no socket is opened yet.

        :param stats: counters that are shared with other networks; None: our own.
        :raises NetError: an address is not literal.
        """
        self._reactor = reactor
        self._settings = settings
        self._observer = observer
        self.stats = TransportStats() if stats is None else stats
        self._queue = SendQueue(self.stats, observer, interludes_of(reactor))
        self._filter = SourceFilter()
        self._members: dict[int, str] = {}
        self._addresses: dict[int, SockAddr] = {}
        self._everyone: Sequence[SockAddr] = ()
        self._ring: Sequence[SockAddr] = ()
        self._ring_nodeids: frozenset[int] | None = None
        self._token_socket: BatchSocket | None = None
        self._message_socket: BatchSocket | None = None
        self._turn: Turn | None = None
        self._watch: InterfaceWatch | None = None
        for nodeid, address in settings.members.items():
            self.add_member(nodeid, address)

    def start(self, receiver: IFrameReceiver) -> None:
        """Open both sockets and hear. Raises NetError with nothing left open."""
        assert self._turn is None
        settings = self._settings
        address = settings.bind_address
        before_bind = free_bind(address) if settings.patient else None
        open_one = partial(open_udp, address, ip_dscp=settings.ip_dscp, before_bind=before_bind)
        with contextlib.ExitStack() as undo:
            bound = open_one(settings.port)
            undo.callback(bound.close)
            sending = open_one(0)
            undo.pop_all()
        pool = SlabPool()
        shared = (pool, self.stats, self._observer)
        self._token_socket = BatchSocket(self._reactor, bound, *shared, offload=settings.offload)
        self._message_socket = BatchSocket(
            self._reactor, sending, *shared, offload=settings.offload
        )
        self._turn = Turn(receiver, (), (self._token_socket,), self._filter, self.stats)
        self._watch = InterfaceWatch(self._reactor, settings.bind_address, self._interface_changed)
        self._watch.start()
        if settings.patient and self._watch.is_absent:
            self._interface_changed(None)

    def drain(self) -> None:
        """Hand over what the socket holds."""
        if self._turn is not None:
            self._turn.drain()

    def send_token(self, target_nodeid: int, frame: bytes) -> None:
        """Send one frame to one member, out of the bound socket."""
        address = self._addresses.get(target_nodeid)
        if address is None or self._token_socket is None:
            self.stats.tx_no_address += 1
            return
        self._queue.send_one(self._token_socket, frame, address)

    def send_mcast(self, frames: Datagrams, to_members_only: bool) -> None:
        """Send frames to every member, or every member of the ring."""
        addresses = self._ring if to_members_only else self._everyone
        sock = self._message_socket
        if sock is not None and addresses:
            self._queue.send(sock, plan_runs(frames, sock.segment_bytes_max), addresses)

    def set_ring_members(self, nodeids: frozenset[int] | None) -> None:
        """Name the nodes that need ring traffic; None: all."""
        self._ring_nodeids = nodeids
        self._list_addresses()

    def members(self) -> Mapping[int, str]:
        """Give the address of every other node."""
        return dict(self._members)

    def add_member(self, nodeid: int, address: str) -> None:
        """List a node, or change its address; ourselves are ignored. Raises NetError."""
        if nodeid == self._settings.nodeid:
            return
        sockaddr = member_address(self._settings, nodeid, address)
        self._members[nodeid] = address
        self._addresses[nodeid] = sockaddr
        self._list_addresses()

    def remove_member(self, nodeid: int) -> None:
        """Forget a node."""
        self._members.pop(nodeid, None)
        self._addresses.pop(nodeid, None)
        self._list_addresses()

    def block_unlisted(self, block: bool) -> None:
        """Drop what comes from addresses that are not listed, or take it."""
        self._settings = replace(self._settings, block_unlisted_ips=block)
        self._list_addresses()

    def overhear(self, listener: Callable[[Buffer, str], None]) -> None:
        """Show each datagram that is not a mcast message to a listener, with its source."""
        self._filter.learn = listener

    def stop(self) -> Deferred[None]:
        """Send what still can be sent and close the sockets."""
        self._queue.flush()
        self._queue.clear()
        if self._watch is not None:
            self._watch.stop()
        for sock in (self._token_socket, self._message_socket):
            if sock is not None:
                sock.close()
        self._token_socket = self._message_socket = self._turn = self._watch = None
        return succeed(None)

    def _list_addresses(self) -> None:
        ring = self._ring_nodeids
        self._everyone = [self._addresses[nodeid] for nodeid in sorted(self._addresses)]
        self._ring = [
            self._addresses[nodeid]
            for nodeid in sorted(self._addresses)
            if ring is None or nodeid in ring
        ]
        block = self._settings.block_unlisted_ips
        listed = {sockaddr[0] for sockaddr in self._addresses.values()}
        self._filter.listed = listed if block else None

    def _interface_changed(self, interface: InterfaceAddress | None) -> None:
        if interface is None:
            self.stats.interface_downs += 1
            event = NetEvent(NetEventKind.INTERFACE_DOWN, "The network interface is down.")
        else:
            event = NetEvent(
                NetEventKind.INTERFACE_UP,
                f"The network interface [{self._settings.bind_address}] is now up.",
            )
        self._observer.net_event(event)
