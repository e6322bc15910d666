"""
Sees the UDP packets of an interface, as they come and go.

The kernel lets no other packets through, tells how long the datagrams are that it has joined for
the card, and counts what it dropped because we were slow.

Source: Linux packet(7), include/uapi/linux/filter.h, include/uapi/linux/virtio_net.h.
"""

import contextlib
import ctypes
import errno
import socket
import time
from collections.abc import Iterator
from struct import Struct
from typing import Final

from corosync_tw import features
from corosync_tw.corotypes import NS_PER_S
from corosync_tw.dissect.capture import PACKET_LEN_BYTES_MAX, Packet
from corosync_tw.dissect.packets import ETHERNET, RAW
from corosync_tw.errors import CsError

ANY: Final = "any"
_ALL_PROTOCOLS: Final = 0x0003
_SOL_PACKET: Final = 263
_PACKET_STATISTICS: Final = 6
_PACKET_VNET_HDR: Final = 15
_OUTGOING: Final = 4
_SO_ATTACH_FILTER: Final = 26
_SO_TIMESTAMPNS: Final = 35
_BUFFER_BYTES: Final = 16 << 20
# Types of interfaces (ARPHRD_*) -> types of links; others are not read.
_LOOPBACK: Final = 772
_LINKS: Final = {
    1: ETHERNET,
    _LOOPBACK: ETHERNET,
    65534: RAW,
    768: RAW,
    769: RAW,
    776: RAW,
    778: RAW,
}
# struct virtio_net_hdr: flags, gso_type, hdr_len, gso_size, csum_start, csum_offset
_OFFLOADED: Final = Struct("=BBHHHH")
_JOINED_UDP: Final = 5
_TIME: Final = Struct("@ll")
_COUNTS: Final = Struct("=II")

# Classic BPF: (code, jump if true, jump if false, k).
_LOAD_HALF, _LOAD_BYTE, _JUMP_EQUAL, _RETURN = 0x28, 0x30, 0x15, 0x06
_PROTOCOL_AT: Final = 0xFFFFF000
_NETWORK_AT: Final = 0xFFF00000
_UDP_ALONE: Final = (
    (_LOAD_HALF, 0, 0, _PROTOCOL_AT),
    (_JUMP_EQUAL, 0, 2, 0x0800),
    (_LOAD_BYTE, 0, 0, _NETWORK_AT + 9),
    (_JUMP_EQUAL, 4, 3, 17),
    (_JUMP_EQUAL, 0, 2, 0x86DD),
    (_LOAD_BYTE, 0, 0, _NETWORK_AT + 6),
    (_JUMP_EQUAL, 1, 0, 17),
    (_RETURN, 0, 0, 0),
    (_RETURN, 0, 0, PACKET_LEN_BYTES_MAX),
)
_INSTRUCTION: Final = Struct("=HBBI")
_PROGRAM: Final = Struct("@HP")


class LiveCapture:
    """
    An open packet socket.

    :ivar unreadable: packets that the kernel could not hand over.
    Raises: CsError, whose text says what to do.
    """

    def __init__(self, interface: str) -> None:
        """:param interface: ANY for all."""
        self.unreadable = 0
        family = getattr(socket, "AF_PACKET", None)
        if family is None or features.is_off("packet"):
            raise CsError(
                "this system has no packet sockets: write a file with `tcpdump -w FILE udp`, and "
                "read it with -r FILE"
            )
        try:
            self._sock = socket.socket(family, socket.SOCK_RAW, socket.htons(_ALL_PROTOCOLS))
            _attach(self._sock)
            self._has_lengths = _enable(self._sock, _SOL_PACKET, _PACKET_VNET_HDR)
            _enable(self._sock, socket.SOL_SOCKET, _SO_TIMESTAMPNS)
            with contextlib.suppress(OSError):
                self._sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _BUFFER_BYTES)
            if interface != ANY:
                self._sock.bind((interface, _ALL_PROTOCOLS))
        except OSError as cause:
            raise CsError(f"cannot listen on {interface}: {_remedy(cause, interface)}") from cause

    def packets(self) -> Iterator[Packet]:
        """Give packets for ever; waits for each."""
        while True:
            packet = self._next()
            if packet is not None:
                yield packet

    def dropped(self) -> int:
        """Tell how many packets the kernel dropped since this was asked last."""
        counts = self._sock.getsockopt(_SOL_PACKET, _PACKET_STATISTICS, _COUNTS.size)
        return int(_COUNTS.unpack(counts)[1])

    def close(self) -> None:
        """Close it."""
        self._sock.close()

    def _next(self) -> Packet | None:
        try:
            data, ancillary, _, source = self._sock.recvmsg(
                PACKET_LEN_BYTES_MAX, socket.CMSG_SPACE(_TIME.size)
            )
        except OSError as cause:
            if cause.errno != errno.EINVAL:
                raise CsError(f"the interface went: {cause.strerror}") from cause
            # Joined datagrams that this kernel has no words for.
            self.unreadable += 1
            return None
        name, _, direction, hardware, *_ = source
        if hardware not in _LINKS or (hardware == _LOOPBACK and direction == _OUTGOING):
            # What goes out of the loopback comes in there, too.
            return None
        segment_bytes = 0
        if self._has_lengths:
            _, kind, _, size, *_ = _OFFLOADED.unpack_from(data)
            segment_bytes = size if kind == _JOINED_UDP else 0
            data = data[_OFFLOADED.size :]
        return Packet(_time_of(ancillary), _LINKS[hardware], data, name, segment_bytes)


def _attach(sock: socket.socket) -> None:
    """Let UDP alone through."""
    code = b"".join(_INSTRUCTION.pack(*instruction) for instruction in _UDP_ALONE)
    memory = ctypes.create_string_buffer(code, len(code))
    program = _PROGRAM.pack(len(_UDP_ALONE), ctypes.addressof(memory))
    sock.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, program)


def _enable(sock: socket.socket, level: int, option: int) -> bool:
    with contextlib.suppress(OSError):
        sock.setsockopt(level, option, 1)
        return True
    return False


def _time_of(ancillary: list[tuple[int, int, bytes]]) -> int:
    for level, kind, content in ancillary:
        if level == socket.SOL_SOCKET and kind == _SO_TIMESTAMPNS:
            seconds, nanoseconds = _TIME.unpack_from(content)
            return int(seconds * NS_PER_S + nanoseconds)
    return time.time_ns()


def _remedy(cause: OSError, interface: str) -> str:
    if cause.errno in {errno.EPERM, errno.EACCES}:
        return "that needs root, or the capability CAP_NET_RAW; -r FILE reads what tcpdump wrote"
    if cause.errno == errno.ENODEV:
        names = ", ".join(name for _, name in socket.if_nameindex())
        return f"there is no interface {interface}; there are {names}, and {ANY} for all of them"
    return cause.strerror or str(cause)
