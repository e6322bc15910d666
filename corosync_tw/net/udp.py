"""
Multicast transport: one datagram reaches every node; IPv4, IPv6, and IPv4 broadcast.

Three sockets, as Corosync has them: the group's hears messages; ours, at mcastport, hears tokens;
a third at mcastport - 1 sends everything. What we multicast may come back to us, because other
nodes may live on this machine; it is known by its source and dropped.

Source: Corosync exec/totemudp.c.
"""

import contextlib
import ipaddress
import socket
from collections.abc import Callable, Mapping
from functools import partial
from typing import Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorFDSet, IReactorTime
from zope.interface import implementer

from corosync_tw.corotypes import Buffer
from corosync_tw.net.batchsocket import BatchSocket, SourceFilter
from corosync_tw.net.errors import NetError, system_text
from corosync_tw.net.ifaddr import InterfaceAddress, SockAddr, interface_of, socket_address
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
from corosync_tw.net.peers import PeerTable
from corosync_tw.net.sendqueue import SendQueue
from corosync_tw.net.settings import BROADCAST_ADDRESS, UdpSettings, member_address
from corosync_tw.net.slab import SlabPool
from corosync_tw.net.sockets import (
    aim_multicast,
    check_route,
    free_bind,
    hear_own_groups_only,
    join_group,
    open_udp,
)
from corosync_tw.net.stats import TransportStats
from corosync_tw.net.turn import Turn
from corosync_tw.timers.interludes import interludes_of
from corosync_tw.totem.runs import Datagrams

# Groups of this scope and below live on one interface.
_IPV6_LINK_LOCAL_SCOPE: Final = 2


@implementer(ITransport, IMemberTable)
class UdpTransport:
    """
    Carries frames by multicast, tokens by unicast.

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
        Check the addresses; no socket is opened yet.

        :param stats: counters that are shared with other networks; None: our own.
        :raises NetError: an address is not what it should be.
        """
        self._reactor = reactor
        self._settings = settings
        self._observer = observer
        self.stats = TransportStats() if stats is None else stats
        self._group = group_of(settings)
        self._group_address = socket_address(self._group, settings.port)[1]
        self._queue = SendQueue(self.stats, observer, interludes_of(reactor))
        self._filter = SourceFilter()
        self._peers = PeerTable(settings.nodeid, self._peer_learnt)
        self._members: dict[int, str] = {}
        self._addresses: dict[int, SockAddr] = {}
        self._group_sock: socket.socket | None = None
        self._send_sock: socket.socket | None = None
        self._sender: BatchSocket | None = None
        self._sockets: list[BatchSocket] = []
        self._turn: Turn | None = None
        self._is_alone = False
        self._watch: InterfaceWatch | None = None
        if not settings.members:
            self._filter.learn = self._peers.learn
        for nodeid, address in settings.members.items():
            self.add_member(nodeid, address)

    def start(self, receiver: IFrameReceiver) -> None:
        """Open the sockets, join the group and hear. Raises NetError with nothing left open."""
        assert self._turn is None
        settings = self._settings
        self._watch = InterfaceWatch(self._reactor, settings.bind_address, self._interface_changed)
        try:
            heard, group, sender = self._open()
        except NetError:
            self._watch.stop()
            self._watch = None
            raise
        self._group_sock, self._send_sock = group, sender
        own = socket_address(settings.bind_address, settings.port - 1)[1]
        self._filter.own = (own[0], own[1])
        pool = SlabPool()
        self._sockets = [
            BatchSocket(
                self._reactor, sock, pool, self.stats, self._observer, offload=settings.offload
            )
            for sock in (heard, group, sender)
        ]
        token_socket, message_socket, self._sender = self._sockets
        self._turn = Turn(
            receiver,
            (token_socket,),
            (message_socket,),
            self._filter,
            self.stats,
            clock=IReactorTime(self._reactor),
        )
        self._watch.start()
        if self._is_waiting():
            self._interface_changed(None)

    def drain(self) -> None:
        """Hand over what the sockets hold."""
        if self._turn is not None:
            self._turn.drain()

    def send_token(self, target_nodeid: int, frame: bytes) -> None:
        """Send one frame to one node, whose address is listed or learnt."""
        address = self._addresses.get(target_nodeid)
        if address is None or self._sender is None:
            self.stats.tx_no_address += 1
            return
        self._queue.send_one(self._sender, frame, address)

    def send_mcast(self, frames: Datagrams, to_members_only: bool) -> None:
        """Send frames to the group, unless they are for a ring in which we are alone."""
        sender = self._sender
        if sender is not None and not (to_members_only and self._is_alone):
            runs = plan_runs(frames, sender.segment_bytes_max)
            self._queue.send(sender, runs, (self._group_address,))

    def set_ring_members(self, nodeids: frozenset[int] | None) -> None:
        """
        Take note of a ring in which we are alone.

        Any other ring's multicasts reach all. Those of a node that is kept out of a ring would have
        the stock members of that look for it again and again.
        """
        self._is_alone = nodeids == frozenset((self._settings.nodeid,))

    def members(self) -> Mapping[int, str]:
        """Give the addresses of the other nodes, as far as they are listed or learnt."""
        return dict(self._members)

    def add_member(self, nodeid: int, address: str) -> None:
        """List a node, or change its address; ourselves are ignored. Raises NetError."""
        if nodeid == self._settings.nodeid:
            return
        self._addresses[nodeid] = member_address(self._settings, nodeid, address)
        self._members[nodeid] = address

    def remove_member(self, nodeid: int) -> None:
        """Forget a node."""
        self._members.pop(nodeid, None)
        self._addresses.pop(nodeid, None)

    def block_unlisted(self, block: bool) -> None:
        """Take no notice: a multicast may come from anywhere, its group is the limit."""

    def overhear(self, listener: Callable[[Buffer, str], None]) -> None:
        """
        Show each datagram that is not a mcast message to a listener, with its source.

        Pre: all nodes are listed; otherwise we listen ourselves, for their addresses.
        """
        self._filter.learn = listener

    def stop(self) -> Deferred[None]:
        """Send what still can be sent and close the sockets."""
        self._queue.flush()
        self._queue.clear()
        if self._watch is not None:
            self._watch.stop()
        if self._turn is not None:
            self._turn.stop()
        for sock in self._sockets:
            sock.close()
        self._sockets = []
        self._turn = self._watch = self._sender = None
        self._group_sock = self._send_sock = None
        return succeed(None)

    def _open(self) -> tuple[socket.socket, socket.socket, socket.socket]:
        """Give the socket at our port, the group's, and the sending one."""
        settings = self._settings
        address, port = settings.bind_address, settings.port
        with contextlib.ExitStack() as undo:
            before_bind = free_bind(address) if settings.patient else None
            open_one = partial(open_udp, address, ip_dscp=settings.ip_dscp, before_bind=before_bind)
            heard = open_one(port)
            undo.callback(heard.close)
            sender = open_one(port - 1)
            undo.callback(sender.close)
            if not self._is_waiting():
                check_route(address, self._ifindex(), self._group, port)
            # Any interface may bring the group's datagrams; membership decides which one does.
            group = open_udp(self._bound_group(), port, shared=True)
            undo.callback(group.close)
            try:
                if settings.broadcast:
                    sender.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
                else:
                    hear_own_groups_only(group)
                    if not self._is_waiting():
                        self._aim(sender)
                        join_group(group, self._group, address, self._ifindex())
            except OSError as cause:
                raise NetError(
                    self._group,
                    port,
                    f"cannot join the multicast group on {address}: {system_text(cause)}",
                    "Check that the interface is up and can multicast (`ip link`), "
                    "or use transport udpu",
                ) from cause
            undo.pop_all()
        return heard, group, sender

    def _is_waiting(self) -> bool:
        """Tell whether our address is yet to come; the group is joined when it does."""
        return self._settings.patient and self._watch is not None and self._watch.is_absent

    def _aim(self, sender: socket.socket) -> None:
        aim_multicast(
            sender,
            self._settings.bind_address,
            self._ifindex(),
            ttl=self._settings.ttl,
            loop=self._is_loop_wanted(),
        )

    def _ifindex(self) -> int:
        interface = self._watch.interface if self._watch is not None else None
        return interface.ifindex if interface is not None else 0

    def _bound_group(self) -> str:
        """
        Give the group as a socket is bound to it: link-local IPv6 ones need the interface.

        :raises NetError: they do, and it is yet to come.
        """
        group = ipaddress.ip_address(self._group)
        if group.version == 4 or group.packed[1] & 0x0F > _IPV6_LINK_LOCAL_SCOPE:
            return self._group
        if self._is_waiting():
            raise NetError(
                self._group,
                self._settings.port,
                f"a link-local group needs the interface of {self._settings.bind_address}",
                "Bring that interface up, or use a group of a wider scope, such as ff15::1",
            )
        ifindex = self._ifindex()
        return f"{self._group}%{ifindex}" if ifindex else self._group

    def _is_loop_wanted(self) -> bool:
        if self._settings.multicast_loop is not None:
            return self._settings.multicast_loop
        if not self._members or self._watch is None:
            return True
        local = self._watch.addresses()
        # Where the system does not tell our addresses, a member may well be here.
        return not local or any(
            interface_of(address, local) is not None for address in self._members.values()
        )

    def _peer_learnt(self, nodeid: int, address: str) -> None:
        try:
            self.add_member(nodeid, address)
        except NetError:
            self.stats.tx_errors += 1
            return
        text = f"Node {nodeid} is at {address}"
        self._observer.net_event(NetEvent(NetEventKind.ADDRESS_LEARNT, text))

    def _interface_changed(self, interface: InterfaceAddress | None) -> None:
        if interface is None:
            self.stats.interface_downs += 1
            self._tell(NetEventKind.INTERFACE_DOWN, "The network interface is down.")
            return
        text = f"The network interface [{self._settings.bind_address}] is now up."
        self._tell(NetEventKind.INTERFACE_UP, text)
        if not self._settings.broadcast:
            self._rejoin(interface)

    def _rejoin(self, interface: InterfaceAddress) -> None:
        """Join again: the kernel forgets groups together with an interface's last address."""
        assert self._group_sock is not None
        assert self._send_sock is not None
        try:
            self._aim(self._send_sock)
            join_group(
                self._group_sock, self._group, self._settings.bind_address, interface.ifindex
            )
        except OSError as cause:
            text = f"Cannot join multicast group {self._group} again: {system_text(cause)}"
            self._tell(NetEventKind.GROUP_LOST, text)
        else:
            text = f"Joined multicast group {self._group} again"
            self._tell(NetEventKind.GROUP_REJOINED, text)

    def _tell(self, kind: NetEventKind, text: str) -> None:
        self._observer.net_event(NetEvent(kind, text))


def group_of(settings: UdpSettings) -> str:
    """
    Give the address that messages are sent to.

    :raises NetError: there is none, it is no multicast address, or not of our family.
    """
    family, _ = socket_address(settings.bind_address, settings.port)
    if settings.broadcast:
        if family != socket.AF_INET:
            raise NetError(
                settings.bind_address,
                settings.port,
                "IPv6 has no broadcast",
                "Set a multicast group (totem.interface.mcastaddr) instead of broadcast",
            )
        return BROADCAST_ADDRESS
    group_family, _ = socket_address(settings.mcast_address, settings.port)
    if not ipaddress.ip_address(settings.mcast_address).is_multicast or family != group_family:
        raise NetError(
            settings.mcast_address,
            settings.port,
            f"not a multicast address of the family of {settings.bind_address}",
            "Correct totem.interface.mcastaddr: 224.0.0.0 to 239.255.255.255, or ff00::/8",
        )
    return settings.mcast_address
