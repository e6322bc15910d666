"""
UDP segmentation offload: many datagrams in one system call, where the kernel has it.

Sending (GSO): datagrams of equal length, only the last may be shorter, go into one call; the
kernel or the card cuts them apart. Receiving (GRO): what travelled together arrives in one call,
with the length to cut it by. Measured on veth: 25 to 35 times less time per datagram.
Availability is probed on the socket that will be used, and a send that fails at run time (an
interface without checksum offload, IPsec, a smaller MTU) falls back; no platform is asked for.

Source: Linux udp(7), include/uapi/linux/udp.h.
"""

import contextlib
import socket
import struct
from array import array
from collections.abc import Sequence
from functools import lru_cache
from itertools import accumulate
from typing import Final

from corosync_tw import features
from corosync_tw.corotypes import Buffer, Slices
from corosync_tw.kernels.sending import Ancillary, gather, plan
from corosync_tw.totem.runs import Datagrams, SentBlob, SentRun

SOL_UDP: Final = 17
UDP_SEGMENT: Final = 103
UDP_GRO: Final = 104

# Kernels before 6.9 take 64 segments a call (UDP_MAX_SEGMENTS).
SEGMENTS_MAX: Final = 64
# One socket buffer: 65536 less the Ethernet, IPv6 and UDP headers; more is cut in software.
PAYLOAD_BYTES_MAX: Final = 65536 - 14 - 40 - 8 - 1
# sendmsg takes at most IOV_MAX slices.
SLICES_MAX: Final = 1024

# Kernel and header take a 16-bit segment length; recvmsg gives an int.
_SEGMENT: Final = struct.Struct("=H")
_GRO_SIZE: Final = struct.Struct("=i")
GRO_ANCILLARY_BYTES: Final = socket.CMSG_SPACE(_GRO_SIZE.size)


class Run:
    """
    What one send call carries.

    :ivar buffers: all slices of its datagrams, in order, as ``kernels.sending.send`` takes them.
    :ivar frame_count: number of datagrams.
    :ivar segment_bytes: length of every datagram but the last.
    :ivar len_bytes: of all datagrams.
    :ivar ancillary: tells the kernel where to cut; empty for one datagram.
    """

    __slots__ = ("_source", "ancillary", "buffers", "frame_count", "len_bytes", "segment_bytes")

    def __init__(
        self, source: Datagrams, start: int, stop: int, segment_bytes: int, len_bytes: int
    ) -> None:
        """Take the datagrams [start, stop) of ``source``."""
        self._source = source, start, stop
        self.frame_count = stop - start
        self.segment_bytes = segment_bytes
        self.len_bytes = len_bytes
        self.buffers: Sequence[Buffer]
        if isinstance(source, SentRun):
            self.buffers = gather(
                source.headers, source.header_ends, source.body, source.body_ends, start, stop
            )
        elif isinstance(source, SentBlob):
            first = start * segment_bytes
            self.buffers = (memoryview(source.blob)[first : first + len_bytes],)
        elif self.frame_count == 1:
            self.buffers = source[start]
        else:
            self.buffers = [piece for frame in source[start:stop] for piece in frame]
        self.ancillary: Ancillary = () if self.frame_count == 1 else _segment_of(segment_bytes)

    @property
    def frames(self) -> list[Slices]:
        """Each datagram by itself."""
        source, start, stop = self._source
        return list(source[start:stop])


def single(frame: Buffer) -> Run:
    """Plan the sending of one datagram."""
    return Run([(frame,)], 0, 1, len(frame), len(frame))


@lru_cache(maxsize=64)
def _segment_of(segment_bytes: int) -> Ancillary:
    return ((SOL_UDP, UDP_SEGMENT, _SEGMENT.pack(segment_bytes)),)


def plan_runs(datagrams: Datagrams, segment_bytes_max: int) -> list[Run]:
    """
    Divide datagrams into as few send calls as the kernel's limits allow, in order.

    :param segment_bytes_max: longer datagrams get a call of their own; 0 for every datagram.
    """
    if isinstance(datagrams, SentBlob):
        return _plan_blob(datagrams, segment_bytes_max)
    if isinstance(datagrams, list) and len(datagrams) == 1:
        length = sum(map(len, datagrams[0]))
        return [Run(datagrams, 0, 1, length, length)]
    segments_max = SEGMENTS_MAX
    if isinstance(datagrams, SentRun):
        ends, more_ends = datagrams.header_ends, datagrams.body_ends
    else:
        ends = array("I", accumulate((sum(map(len, frame)) for frame in datagrams), initial=0))
        more_ends = array("I", bytes(len(ends) * ends.itemsize))
        segments_max = min(SEGMENTS_MAX, SLICES_MAX // max(map(len, datagrams), default=1))
    calls = plan(ends, more_ends, segment_bytes_max, segments_max, PAYLOAD_BYTES_MAX)
    return [Run(datagrams, *call) for call in calls]


def _plan_blob(datagrams: SentBlob, segment_bytes_max: int) -> list[Run]:
    stride, total, count = datagrams.stride, len(datagrams.blob), len(datagrams)
    together = 1
    if stride <= segment_bytes_max:
        together = max(1, min(SEGMENTS_MAX, PAYLOAD_BYTES_MAX // stride))
    return [
        Run(
            datagrams,
            start,
            min(start + together, count),
            stride,
            min(together * stride, total - start * stride),
        )
        for start in range(0, count, together)
    ]


def probe_gso(sock: socket.socket) -> bool:
    """Find out whether ``sock`` can send many datagrams in one call; changes nothing."""
    if features.is_off("gso") or not features.has_known_options():
        return False
    try:
        sock.setsockopt(SOL_UDP, UDP_SEGMENT, 1024)
        sock.setsockopt(SOL_UDP, UDP_SEGMENT, 0)
    except OSError:
        return False
    return True


def enable_gro(sock: socket.socket) -> bool:
    """Let ``sock`` receive many datagrams in one call; False where the kernel cannot."""
    if features.is_off("gro") or not features.has_known_options():
        return False
    with contextlib.suppress(OSError):
        sock.setsockopt(SOL_UDP, UDP_GRO, 1)
        return sock.getsockopt(SOL_UDP, UDP_GRO) == 1
    return False


def gro_segment_bytes(ancillary: Sequence[tuple[int, int, bytes]], len_bytes: int) -> int:
    """Tell the length to cut a received buffer by: its own when the kernel merged nothing."""
    for level, kind, content in ancillary:
        if level == SOL_UDP and kind == UDP_GRO and len(content) >= _GRO_SIZE.size:
            segment = int(_GRO_SIZE.unpack_from(content)[0])
            if segment > 0:
                return segment
    return len_bytes
