"""
Which features a system has, each found out by trying it, and what they are good for.

Nothing is left changed: sockets are closed, and what a process can set for itself it sets in a
child.
"""

import os
import resource
import select
import socket
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Final

from corosync_tw import features
from corosync_tw.daemon import scheduling
from corosync_tw.ipc.pb.peercred import system_tells
from corosync_tw.ipc.qb import semaphore
from corosync_tw.ipc.qb.system import why_no_clients
from corosync_tw.kernels import choice
from corosync_tw.logsys.sinks import JOURNAL_SOCKET
from corosync_tw.net.errors import NetError
from corosync_tw.net.ifaddr import AddressTable, udp_socket
from corosync_tw.net.offload import enable_gro, probe_gso
from corosync_tw.net.sockets import (
    RECEIVE_BUFFER_BYTES,
    aim_multicast,
    free_bind,
    receive_capacity_bytes,
)

_VERBS: Final = Path("/sys/class/infiniband")
_ANYWHERE: Final = "0.0.0.0"
_LOOPBACK: Final = "127.0.0.1"
# Of documentation (RFC 5737): no machine has it.
_NOBODYS: Final = "192.0.2.1"
# Kernels of Linux give a buffer twice its size.
_OVERHEAD: Final = 4


@dataclass(frozen=True, slots=True)
class Feature:
    """
    Something that a system has or has not.

    :ivar used_for: empty for what this program has no use for.
    :ivar without: what is done, or is not possible, where it is missing; or without a use for it.
    :ivar remedy: how to get it; empty for what there is no use for.
    :ivar probe: tells whether it is there, and what more there is to say.
    """

    name: str
    used_for: str
    without: str
    remedy: str
    probe: Callable[[], tuple[bool, str]]


def _udp(probe: Callable[[socket.socket], object]) -> Callable[[], tuple[bool, str]]:
    """Make a probe of one of a socket; an OSError means no."""

    def tried() -> tuple[bool, str]:
        try:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
                return probe(sock) is not False, ""
        except OSError as fault:
            return False, fault.strerror or ""

    return tried


def _freebind(sock: socket.socket) -> bool:
    if features.is_off("freebind") or not features.has_known_options():
        return False
    sock.setsockopt(*free_bind(_NOBODYS))
    sock.bind((_NOBODYS, 0))
    return True


def _mtu_probe(sock: socket.socket) -> bool:
    if features.is_off("mtu_probe") or not features.has_known_options():
        return False
    # IP_MTU_DISCOVER: IP_PMTUDISC_PROBE
    sock.setsockopt(socket.IPPROTO_IP, 10, 3)
    return True


def _multicast(sock: socket.socket) -> None:
    aim_multicast(sock, _LOOPBACK, 0, ttl=1, loop=False)


def _buffers() -> tuple[bool, str]:
    size = receive_capacity_bytes(socket.AF_INET) * _OVERHEAD
    return size >= RECEIVE_BUFFER_BYTES, f"{size:,} bytes for datagrams"


def _ipv6() -> tuple[bool, str]:
    with suppress(OSError), udp_socket(socket.AF_INET6) as sock:
        sock.bind(("::1", 0))
        return True, ""
    return False, "no socket on ::1"


def _netlink() -> tuple[bool, str]:
    try:
        AddressTable().close()
    except NetError as fault:
        return False, str(fault)
    return True, ""


def _packet() -> tuple[bool, str]:
    family = getattr(socket, "AF_PACKET", None)
    if family is None or features.is_off("packet"):
        return False, ""
    try:
        socket.socket(family, socket.SOCK_RAW, 0).close()
    except OSError as fault:
        return False, fault.strerror or ""
    return True, ""


def _in_child(change: Callable[[], str | None]) -> Callable[[], tuple[bool, str]]:
    """Make a probe that changes a process: a child's."""

    def tried() -> tuple[bool, str]:
        reader, writer = os.pipe()
        child = os.fork()
        if not child:
            with suppress(BaseException):
                os.write(writer, (change() or "").encode())
            os._exit(0)
        os.close(writer)
        with open(reader, "rb") as answers:
            refused = answers.read().decode()
        os.waitpid(child, 0)
        return not refused, refused

    return tried


def _kernels() -> tuple[bool, str]:
    return choice.COMPILED, choice.WHY_PLAIN


def _package(name: str) -> Callable[[], tuple[bool, str]]:
    return lambda: (find_spec(name) is not None, f"Python package {name}")


def _there(path: Path) -> Callable[[], tuple[bool, str]]:
    return lambda: (path.exists(), str(path))


def _epoll() -> tuple[bool, str]:
    return hasattr(select, "epoll") and not features.is_off("epoll"), ""


def _c_clients() -> tuple[bool, str]:
    lacking = why_no_clients()
    return not lacking, lacking


def _journald() -> tuple[bool, str]:
    return not features.is_off("journald") and os.path.exists(JOURNAL_SOCKET), JOURNAL_SOCKET


def _peer_credentials() -> tuple[bool, str]:
    return system_tells(), ""


def _timerfd() -> tuple[bool, str]:
    return hasattr(os, "timerfd_create"), "by name in this Python"


def _futex() -> tuple[bool, str]:
    return semaphore._SYS_FUTEX is not None, ""


def _descriptors() -> tuple[bool, str]:
    hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]
    return hard >= 4096 or hard == resource.RLIM_INFINITY, f"{hard:,}"


_NO_SUCH_KERNEL: Final = "a system with this option; Linux has it"
_EXTRA: Final = "pip install 'corosync_tw[{}]'"

FEATURES: Final = (
    Feature(
        "kernels",
        "moves messages' bytes at the speed of C",
        "the same in Python, several times slower",
        "install gcc and Python's headers (python3-dev), then corosync_tw again",
        _kernels,
    ),
    Feature(
        "epoll",
        "our own event loop, which times its callbacks",
        "Twisted's default loop; callback times stay 0",
        "a system with epoll; Linux has it",
        _epoll,
    ),
    Feature(
        "gso",
        "sends many datagrams in one call",
        "a call for each datagram",
        "UDP_SEGMENT, of Linux 4.18 or newer",
        _udp(probe_gso),
    ),
    Feature(
        "gro",
        "receives many datagrams in one call",
        "a call for each datagram",
        "UDP_GRO, of Linux 5.0 or newer",
        _udp(enable_gro),
    ),
    Feature(
        "multicast",
        "transport udp",
        "use transport udpu or knet",
        "a system that lets sockets send multicast",
        _udp(_multicast),
    ),
    Feature(
        "ipv6",
        "addresses of IPv6 in corosync.conf",
        "addresses of IPv4 alone",
        "sysctl net.ipv6.conf.all.disable_ipv6=0",
        _ipv6,
    ),
    Feature(
        "rcvbufforce",
        "room for a full window in sockets' buffers",
        "smaller windows",
        f"CAP_NET_ADMIN, or sysctl net.core.rmem_max={RECEIVE_BUFFER_BYTES}",
        _buffers,
    ),
    Feature(
        "freebind",
        "knet's links may be bound before their address is there",
        "the address has to be there at the start",
        _NO_SUCH_KERNEL,
        _udp(_freebind),
    ),
    Feature(
        "mtu_probe",
        "knet finds the longest packet of a path",
        "the network may cut packets, or report less than goes through",
        _NO_SUCH_KERNEL,
        _udp(_mtu_probe),
    ),
    Feature(
        "netlink",
        "addresses of all interfaces, and word when they come and go",
        "an address is ours when a socket can have it; nobody is told",
        "let the daemon have sockets of AF_NETLINK (RestrictAddressFamilies of systemd)",
        _netlink,
    ),
    Feature(
        "realtime",
        "the daemon runs before all others (system.sched_rr)",
        "a busy machine may delay the token",
        "root or CAP_SYS_NICE; LimitRTPRIO=99 of its service",
        _in_child(scheduling.set_round_robin),
    ),
    Feature(
        "memlock",
        "no page of the daemon is swapped out",
        "swapping may delay the token",
        "LimitMEMLOCK=infinity of its service, or CAP_SYS_RESOURCE",
        _in_child(scheduling.lock_memory),
    ),
    Feature(
        "descriptors",
        "a client of the C libraries takes one or more",
        "fewer clients",
        "LimitNOFILE=4096 of its service, or more",
        _descriptors,
    ),
    Feature(
        "c_clients",
        "Pacemaker and all that uses libcpg, libcmap, libquorum",
        "clients in Python, and corosync-tw's own tools",
        "SO_PASSCRED, of Linux, and a directory /dev/shm",
        _c_clients,
    ),
    Feature(
        "futex",
        "wakes a client once for many events",
        "once for each event",
        "the number of the call on this processor has to be known here",
        _futex,
    ),
    Feature(
        "peer_credentials",
        "knows who its local clients are",
        "no C clients; Perspective Broker for root and the daemon's own user, or by TLS",
        "SO_PEERCRED, getpeereid or getpeerucred of the system",
        _peer_credentials,
    ),
    Feature(
        "packet",
        "corosync-tw sniff listens on interfaces",
        "sniff -r reads what tcpdump wrote",
        "root or CAP_NET_RAW",
        _packet,
    ),
    Feature(
        "journald",
        "log lines with fields",
        "syslog, files, stderr",
        "systemd-journald, running",
        _journald,
    ),
    Feature(
        "lz4",
        "knet_compression_model lz4, lz4hc",
        "zlib, bzip2, lzma",
        _EXTRA.format("compression"),
        _package("lz4"),
    ),
    Feature(
        "zstd",
        "knet_compression_model zstd",
        "zlib, bzip2, lzma",
        _EXTRA.format("compression"),
        _package("zstandard"),
    ),
    Feature(
        "tls",
        "Perspective Broker over TLS",
        "local clients alone",
        _EXTRA.format("tls"),
        _package("OpenSSL"),
    ),
    Feature(
        "verbs",
        "",
        "transports go over InfiniBand by IP",
        "",
        _there(_VERBS),
    ),
    Feature("timerfd", "", "the loop waits to the millisecond", "", _timerfd),
    Feature(
        "recvmmsg",
        "",
        "gro takes as many datagrams in one call",
        "",
        lambda: (False, "no name in Python"),
    ),
)
