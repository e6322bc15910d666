"""
Packets of knet, protocol version 1: bytes to values and back.

Numbers are big-endian but for two that their sender alone reads: a ping's time and the size of a
PMTUD packet, which come back as they were sent. ``max_version`` is a pad byte to libknet 1.x and
what later versions learn of their peers by. ``decode`` is total for what is no data; data packets
are read by the kernel ``corosync_tw.kernels.fragments``, many in one call.

Source: libknet 1.25 onwire.h; libknet 1.90 onwire.h and onwire_v1.c.
"""

from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from corosync_tw.corotypes import NS_PER_S, Buffer
from corosync_tw.errors import MalformedFrame
from corosync_tw.totem.links import LINKS_MAX

VERSION: Final = 1
# Nodes are u16 on the wire.
NODEID_MAX: Final = 65535
# Data sequence numbers are 1..65535; a ping of a node that has sent no data yet carries 0.
SEQ_MAX: Final = 65535
# Fragments of one frame (PCKT_FRAG_MAX).
FRAGMENTS_MAX: Final = 255
# What nodes forward at most, headers not counted (KNET_MAX_PACKET_SIZE).
FRAME_LEN_BYTES_MAX: Final = 65536
# The one channel that Corosync uses.
CHANNEL: Final = 0

# version, type, node, max_version, pad
_HEADER: Final = ">BBHBB"
HEADER: Final = Struct(_HEADER)
# seq, compress, pad, bcast, frag_num, frag_seq, channel
DATA_HEADER: Final = Struct(_HEADER + "HBBBBBb")
# link, time, seq, timed
PING: Final = Struct(_HEADER + "B16sHB")
# link, size
PMTUD: Final = Struct(_HEADER + "B2s")
# seconds, nanoseconds: struct timespec of a 64-bit machine.
_TIME: Final = Struct("<qq")
_TIME_BIG: Final = Struct(">qq")
_SIZE: Final = Struct("<H")

DATA_HEADER_LEN_BYTES: Final = DATA_HEADER.size
PING_LEN_BYTES: Final = PING.size
PMTUD_LEN_BYTES: Final = PMTUD.size
# libknet counts every packet's header as if it were the longest one (KNET_HEADER_ALL_SIZE).
HEADER_ALL_LEN_BYTES: Final = PING_LEN_BYTES
_TYPE_AT: Final = 1


class PacketType(IntEnum):
    """Second byte of a packet."""

    DATA = 0x00
    PING = 0x81
    PONG = 0x82
    PMTUD = 0x83
    PMTUD_REPLY = 0x84


# Plain integers: looking an enumeration's member up costs as much as unpacking a header.
_PINGS: Final = frozenset((int(PacketType.PING), int(PacketType.PONG)))
_PMTUDS: Final = frozenset((int(PacketType.PMTUD), int(PacketType.PMTUD_REPLY)))


class Ping(NamedTuple):
    """
    A ping or the pong that answers it.

    :ivar kind: PING or PONG.
    :ivar time: of its first sender, 16 bytes that are his own.
    :ivar seq: of the last data packet that the ping's sender sent, 0 for none.
    :ivar timed: False when sent because so many data packets were.
    """

    kind: int
    node: int
    link: int
    time: bytes
    seq: int
    timed: bool


class Pmtud(NamedTuple):
    """
    A packet as long as the path may carry, or the answer that it arrived.

    :ivar kind: PMTUD or PMTUD_REPLY.
    :ivar size: bytes on the wire, IP header included; 2 bytes that are its first sender's own.
    """

    kind: int
    node: int
    link: int
    size: bytes


def packet_type(packet: Buffer) -> int:
    """Give the type byte of what has one."""
    return packet[_TYPE_AT]


def decode(packet: Buffer) -> Ping | Pmtud:
    """
    Read a packet that is no data.

    :raises MalformedFrame: whatever else it is.
    """
    length = len(packet)
    if length < PMTUD_LEN_BYTES:
        raise MalformedFrame("shorter than a knet header")
    if packet[0] != VERSION:
        raise MalformedFrame("wrong knet version")
    kind = packet[_TYPE_AT]
    if kind in _PINGS:
        if length != PING_LEN_BYTES:
            raise MalformedFrame("ping of another length")
        _, _, node, _, _, link, time, seq, timed = PING.unpack(packet)
        _check_link(link)
        return Ping(kind, node, link, time, seq, timed != 0)
    if kind in _PMTUDS:
        _, _, node, _, _, link, size = PMTUD.unpack_from(packet)
        _check_link(link)
        return Pmtud(kind, node, link, size)
    raise MalformedFrame("unknown knet packet")


def _check_link(link: int) -> None:
    if link >= LINKS_MAX:
        raise MalformedFrame("link number too high")


def encode_ping(ping: Ping) -> bytes:
    """Make a ping's or a pong's packet."""
    return PING.pack(
        VERSION, ping.kind, ping.node, VERSION, 0, ping.link, ping.time, ping.seq, ping.timed
    )


def encode_pmtud(pmtud: Pmtud, len_bytes: int = PMTUD_LEN_BYTES) -> bytes:
    """
    Make a PMTUD packet.

    :param len_bytes: whole packet, at least PMTUD_LEN_BYTES; what is behind the fields is zero.
    """
    packet = PMTUD.pack(VERSION, pmtud.kind, pmtud.node, VERSION, 0, pmtud.link, pmtud.size)
    return packet.ljust(len_bytes, b"\0")


def encode_time(now_ns: int) -> bytes:
    """Make a ping's time."""
    return _TIME.pack(*divmod(now_ns, NS_PER_S))


def decode_time(time: bytes) -> int:
    """
    Read a ping's time, of whichever byte order gives a number of nanoseconds.

    :raises MalformedFrame: no time of a 64-bit machine.
    """
    for layout in (_TIME, _TIME_BIG):
        seconds, nanoseconds = layout.unpack(time)
        if 0 <= nanoseconds < NS_PER_S and seconds >= 0:
            return int(seconds * NS_PER_S + nanoseconds)
    raise MalformedFrame("a ping's time is none")


def encode_size(size: int) -> bytes:
    """Make the size of a PMTUD packet of ours."""
    return _SIZE.pack(size)


def data_template(node: int) -> bytes:
    """Make the header of data for everybody, but for seq and fragments."""
    return DATA_HEADER.pack(VERSION, PacketType.DATA, node, VERSION, 0, 0, 0, 0, 1, 1, 0, CHANNEL)


def next_seq(seq: int, count: int = 1) -> int:
    """Give the sequence number so many data packets after another; 0 is skipped."""
    return (seq + count - 1) % SEQ_MAX + 1
