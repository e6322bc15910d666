"""
Packets of a link to the datagrams in them: Ethernet, Linux's cooked form, bare IP; UDP alone.

Datagrams that the system cuts or joins for the card are one packet where they are seen; they are
cut here, by the length that the system tells, or by what they have in common.

Source: RFC 791, 8200, 768; IEEE 802.1Q; https://www.tcpdump.org/linktypes.html.
"""

import socket
from collections.abc import Iterator
from itertools import islice
from struct import Struct
from typing import Final, NamedTuple

from corosync_tw.dissect.capture import Packet
from corosync_tw.net.crypto import guard
from corosync_tw.net.knet import wire as knet
from corosync_tw.totem.const import MessageType
from corosync_tw.totem.messages import MCAST_SEQ_AT

NULL: Final = 0
ETHERNET: Final = 1
RAW: Final = 101
LOOP: Final = 108
LINUX_COOKED: Final = 113
IPV4: Final = 228
IPV6: Final = 229
LINUX_COOKED_2: Final = 276
_RAW_LINKS: Final = frozenset({12, 14, RAW, IPV4, IPV6})
# Bytes in front of IP; where the protocol is, if it is said.
_LINKS: Final = {ETHERNET: (14, 12), LINUX_COOKED: (16, 14), LINUX_COOKED_2: (20, 0)}
_FAMILY_LEN_BYTES: Final = 4
_VLANS: Final = frozenset({0x8100, 0x88A8})
_VLANS_MAX: Final = 2
_IP: Final = frozenset({0x0800, 0x86DD})
_UDP: Final = 17
_UDP_HEADER: Final = Struct(">HHHH")
_IPV4_HEADER_LEN_BYTES: Final = 20
_IPV4_FRAGMENT: Final = 0x3FFF
_IPV6_HEADER_LEN_BYTES: Final = 40
# Extension headers that say how long they are: hop by hop, routing, destination.
_IPV6_EXTENSIONS: Final = frozenset({0, 43, 60})
_IPV6_FRAGMENT: Final = 44
_EXTENSIONS_MAX: Final = 8
# How often a length is looked for that cuts joined datagrams alike.
_STRIDES_TRIED_MAX: Final = 64


class Datagram(NamedTuple):
    """
    A UDP datagram.

    :ivar cut: fewer bytes were kept than were sent.
    """

    source: tuple[str, int]
    destination: tuple[str, int]
    payload: memoryview
    cut: bool


class Fragment(NamedTuple):
    """A piece of an IP datagram, which is not put together here."""


def datagram_of(packet: Packet) -> Datagram | Fragment | None:
    """Find the datagram in a packet; None when there is none of UDP."""
    ip = _ip_of(packet.link, memoryview(packet.data))
    if not ip:
        return None
    version = ip[0] >> 4
    if version == 4:
        return _of_ipv4(ip)
    return _of_ipv6(ip) if version == 6 else None


def _ip_of(link: int, data: memoryview) -> memoryview | None:
    if link in _RAW_LINKS:
        return data
    if link in {NULL, LOOP}:
        return data[_FAMILY_LEN_BYTES:]
    if link not in _LINKS:
        return None
    header_len, protocol_at = _LINKS[link]
    for _ in range(_VLANS_MAX + 1):
        if len(data) < header_len:
            return None
        protocol = int.from_bytes(data[protocol_at : protocol_at + 2], "big")
        if protocol in _IP:
            return data[header_len:]
        if link != ETHERNET or protocol not in _VLANS:
            return None
        header_len, protocol_at = header_len + 4, protocol_at + 4
    return None


def _of_ipv4(ip: memoryview) -> Datagram | Fragment | None:
    header_len = 4 * (ip[0] & 15)
    if len(ip) < _IPV4_HEADER_LEN_BYTES or header_len < _IPV4_HEADER_LEN_BYTES or ip[9] != _UDP:
        return None
    if int.from_bytes(ip[6:8], "big") & _IPV4_FRAGMENT:
        return Fragment()
    ends = [socket.inet_ntop(socket.AF_INET, ip[at : at + 4]) for at in (12, 16)]
    return _of_udp(ip[header_len:], *ends)


def _of_ipv6(ip: memoryview) -> Datagram | Fragment | None:
    if len(ip) < _IPV6_HEADER_LEN_BYTES:
        return None
    following, at = ip[6], _IPV6_HEADER_LEN_BYTES
    for _ in range(_EXTENSIONS_MAX):
        if following == _IPV6_FRAGMENT:
            return Fragment()
        if following not in _IPV6_EXTENSIONS or len(ip) < at + 2:
            break
        following, at = ip[at], at + 8 * (ip[at + 1] + 1)
    if following != _UDP:
        return None
    ends = [socket.inet_ntop(socket.AF_INET6, ip[at : at + 16]) for at in (8, 24)]
    return _of_udp(ip[at:], *ends)


def _of_udp(udp: memoryview, source: str, destination: str) -> Datagram | None:
    if len(udp) < _UDP_HEADER.size:
        return None
    source_port, destination_port, length, _ = _UDP_HEADER.unpack_from(udp)
    if length < _UDP_HEADER.size:
        return None
    payload = udp[_UDP_HEADER.size : length]
    cut = len(udp) < length
    return Datagram((source, source_port), (destination, destination_port), payload, cut)


def split(payload: memoryview, segment_bytes: int) -> Iterator[memoryview]:
    """
    Cut joined datagrams.

    :param segment_bytes: length of all but the last; 0 to find out.
    """
    stride = segment_bytes or _stride_of(payload) or len(payload) or 1
    for at in range(0, len(payload) or 1, stride):
        yield payload[at : at + stride]


def _stride_of(payload: memoryview) -> int:
    """Find the length at which something begins again and again as the first datagram does."""
    same_len = _same_len(payload)
    if not same_len:
        return 0
    data = bytes(payload)
    same = data[:same_len]
    for stride in islice(_places(data, same), _STRIDES_TRIED_MAX):
        if all(data.startswith(same, at) for at in range(stride, len(data), stride)):
            return stride
    return 0


def _same_len(payload: memoryview) -> int:
    """Tell how many first bytes are alike in messages that one node sends together."""
    if len(payload) > guard.HEADER_LEN_BYTES:
        if payload[0] == guard.MARKER:
            return guard.HEADER_LEN_BYTES - 8
        if payload[0] == knet.VERSION and payload[1] == knet.PacketType.DATA:
            return knet.HEADER.size
        if payload[3] == MessageType.MCAST:
            return MCAST_SEQ_AT
    return 0


def _places(data: bytes, same: bytes) -> Iterator[int]:
    at = data.find(same, 1)
    while at > 0:
        yield at
        at = data.find(same, at + 1)
