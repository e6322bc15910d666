"""
Open and set up UDP sockets as Corosync's transports have them.

Source: Corosync exec/totemudp.c and totemudpu.c, build_sockets_ip; exec/util.c, set_socket_dscp;
Linux ip(7), ipv6(7), socket(7).
"""

import contextlib
import errno
import os
import socket
import struct
from typing import Final

from corosync_tw import features
from corosync_tw.net.errors import NetError, bind_error, system_text
from corosync_tw.net.ifaddr import socket_address, udp_socket

# Room for a window of full frames from every member; Corosync asks for TRANSMITS_ALLOWED frames.
RECEIVE_BUFFER_BYTES: Final = 8 << 20
SEND_BUFFER_BYTES: Final = 4 << 20

_SO_SNDBUFFORCE: Final = 32
_SO_RCVBUFFORCE: Final = 33
_IP_MULTICAST_ALL: Final = 49
_IPV6_MULTICAST_ALL: Final = 29
_IPV6_TCLASS: Final = 67
_IP_FREEBIND: Final = 15
_IPV6_FREEBIND: Final = 78
_IP_MTU_DISCOVER: Final = 10
_IPV6_MTU_DISCOVER: Final = 23
# Forbid fragments, and take no notice of what the network says of its MTU (IP_PMTUDISC_PROBE).
_PMTUDISC_PROBE: Final = 3
# Queueing disciplines serve it before other traffic (TC_PRIO_INTERACTIVE).
_PRIORITY_INTERACTIVE: Final = 6
_IP_MREQN: Final = struct.Struct("=4s4si")
_IPV6_MREQ: Final = struct.Struct("=16sI")


def open_udp(
    address: str,
    port: int,
    *,
    ip_dscp: int = 0,
    shared: bool = False,
    before_bind: tuple[int, int, int] | None = None,
) -> socket.socket:
    """
    Open a socket bound to a literal address.

    :param port: 0 for any free one.
    :param shared: other sockets may have the same address too: for multicast groups, where every
        node of a machine must hear; never for our own address, where it would hide a second
        daemon.
    :param before_bind: an option (level, name, value) to be set if the system has it.
    :raises NetError: the address is not ours, the port is taken, and so on.
    """
    family, sockaddr = socket_address(address, port)
    try:
        sock = udp_socket(family)
    except OSError as cause:
        raise NetError(
            address,
            port,
            f"cannot open a socket: {system_text(cause)}",
            "Use addresses of the other version of IP in corosync.conf"
            if cause.errno == errno.EAFNOSUPPORT
            else "Check the system's limits",
        ) from cause
    try:
        sock.setblocking(False)
        if family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        if shared:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        _grow(sock, _SO_RCVBUFFORCE, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
        _grow(sock, _SO_SNDBUFFORCE, socket.SO_SNDBUF, SEND_BUFFER_BYTES)
        _mark(sock, ip_dscp)
        if before_bind is not None and _has("freebind"):
            with contextlib.suppress(OSError):
                sock.setsockopt(*before_bind)
        sock.bind(sockaddr)
    except OSError as cause:
        sock.close()
        raise bind_error(address, port, cause) from cause
    return sock


def open_probing_udp(address: str, port: int, *, ip_dscp: int = 0) -> socket.socket:
    """
    Open a socket as knet has them, by which the longest datagram of a path can be found out.

    It can be bound while its address is not there yet, and stays bound when the address goes.
    :raises NetError: the port is taken, and so on.
    """
    sock = open_udp(address, port, ip_dscp=ip_dscp, before_bind=free_bind(address))
    is_v6 = sock.family == socket.AF_INET6
    if not _has("mtu_probe"):
        return sock
    with contextlib.suppress(OSError):
        level = socket.IPPROTO_IPV6 if is_v6 else socket.IPPROTO_IP
        option = _IPV6_MTU_DISCOVER if is_v6 else _IP_MTU_DISCOVER
        sock.setsockopt(level, option, _PMTUDISC_PROBE)
    return sock


def free_bind(address: str) -> tuple[int, int, int]:
    """
    Give the option by which a socket can be bound while its address is not there yet.

    :raises NetError: the address is not literal.
    """
    if socket_address(address, 0)[0] == socket.AF_INET6:
        return socket.IPPROTO_IPV6, _IPV6_FREEBIND, 1
    return socket.IPPROTO_IP, _IP_FREEBIND, 1


def receive_capacity_bytes(family: int) -> int:
    """
    Tell how much an idle socket of ours takes in, counted in bytes of datagrams.

    The kernel charges a datagram for the memory it occupies: for full Ethernet frames about three
    times their length, measured, and four times are allowed for. 0 when no socket can be opened.
    """
    try:
        with udp_socket(family) as sock:
            _grow(sock, _SO_RCVBUFFORCE, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
            return sock.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) // 4
    except OSError:
        return 0


def _grow(sock: socket.socket, force: int, plain: int, size_bytes: int) -> None:
    """Set a buffer's size: beyond the system's limit with privilege, up to it without."""
    if _has("rcvbufforce"):
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, force, size_bytes)
            return
    with contextlib.suppress(OSError):
        sock.setsockopt(socket.SOL_SOCKET, plain, size_bytes)


def _has(name: str) -> bool:
    """Tell whether to try an option that Python has no name for."""
    return features.has_known_options() and not features.is_off(name)


def _mark(sock: socket.socket, ip_dscp: int) -> None:
    """Ask the network to favour our datagrams; systems that cannot do without, as Corosync does."""
    priority = getattr(socket, "SO_PRIORITY", None)
    if priority is not None:
        with contextlib.suppress(OSError):
            sock.setsockopt(socket.SOL_SOCKET, priority, _PRIORITY_INTERACTIVE)
    if ip_dscp:
        traffic_class = (ip_dscp & 0x3F) << 2
        with contextlib.suppress(OSError):
            if sock.family == socket.AF_INET6:
                sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_TCLASS, traffic_class)
            else:
                sock.setsockopt(socket.IPPROTO_IP, socket.IP_TOS, traffic_class)


def aim_multicast(sock: socket.socket, address: str, ifindex: int, *, ttl: int, loop: bool) -> None:
    """
    Let ``sock`` send multicasts out of our interface.

    :param address: ours; :param ifindex: of its interface, 0 if unknown (IPv4 only).
    :param ttl: hops; :param loop: other sockets of this machine hear them.
    :raises OSError: the system refuses.
    """
    _need_multicast()
    if sock.family == socket.AF_INET6:
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, ifindex)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, ttl)
        sock.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, int(loop))
    else:
        own = _IP_MREQN.pack(bytes(4), socket.inet_aton(address), ifindex)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, own)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, ttl)
        sock.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, int(loop))


def _need_multicast() -> None:
    """Do as a system does that has none. Raises: OSError."""
    if features.is_off("multicast"):
        raise OSError(errno.ENOPROTOOPT, os.strerror(errno.ENOPROTOOPT))


def hear_own_groups_only(sock: socket.socket) -> None:
    """Keep what other programs' group memberships bring to the machine away from ``sock``."""
    if not features.has_known_options():
        return
    with contextlib.suppress(OSError):
        if sock.family == socket.AF_INET6:
            sock.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
        else:
            sock.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)


def join_group(sock: socket.socket, group: str, address: str, ifindex: int) -> None:
    """
    Join a multicast group on our interface; again, if ``sock`` was a member before.

    :raises OSError: the system refuses, for instance while the interface is gone.
    """
    _need_multicast()
    if sock.family == socket.AF_INET6:
        level, add, drop = (
            socket.IPPROTO_IPV6,
            socket.IPV6_JOIN_GROUP,
            socket.IPV6_LEAVE_GROUP,
        )
        request = _IPV6_MREQ.pack(socket.inet_pton(socket.AF_INET6, group), ifindex)
    else:
        level, add, drop = (
            socket.IPPROTO_IP,
            socket.IP_ADD_MEMBERSHIP,
            socket.IP_DROP_MEMBERSHIP,
        )
        request = _IP_MREQN.pack(socket.inet_aton(group), socket.inet_aton(address), ifindex)
    with contextlib.suppress(OSError):
        sock.setsockopt(level, drop, request)
    sock.setsockopt(level, add, request)


def check_route(address: str, ifindex: int, group: str, port: int) -> None:
    """
    Make sure that datagrams to ``group`` have a way out of our interface, without sending one.

    :param address: ours; :param ifindex: of its interface.
    :raises NetError: there is no route.
    """
    with open_udp(address, 0) as probe:
        try:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            aim_multicast(probe, address, ifindex, ttl=1, loop=False)
            probe.connect(socket_address(group, port)[1])
        except OSError as cause:
            raise NetError(
                group,
                port,
                f"no way to send to this group from {address}: {system_text(cause)}",
                f"Add a route to it, such as `ip route add {group} dev INTERFACE` for the "
                f"interface that has {address}, or use transport udpu",
            ) from cause
