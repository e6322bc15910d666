"""
Lengths of packets: what the network takes, what sealing adds, what is left for a frame.

``onwire`` lengths include IP and UDP headers, as MTUs do.

Source: libknet 1.25 onwire.c, links.c.
"""

from typing import Final

from corosync_tw.net.knet.seal import Seal
from corosync_tw.net.knet.wire import HEADER_ALL_LEN_BYTES

# KNET_PMTUD_SIZE_V4, the same for IPv6.
ONWIRE_BYTES_MAX: Final = 65535
MTU_BYTES_MIN: Final = 576
MTU_BYTES_MIN_IPV6: Final = 1280
UDP_HEADER_BYTES: Final = 8
_IP_HEADER_BYTES: Final = 20
_IPV6_HEADER_BYTES: Final = 40
# calc_min_mtu takes the longest headers that a transport of libknet has, those of SCTP on IPv6.
_LONGEST_HEADERS_BYTES: Final = _IPV6_HEADER_BYTES + 28


def ip_overhead_bytes(*, ipv6: bool) -> int:
    """Give the length of the IP and UDP headers."""
    return (_IPV6_HEADER_BYTES if ipv6 else _IP_HEADER_BYTES) + UDP_HEADER_BYTES


def overhead_bytes(seal: Seal | None, *, ipv6: bool) -> int:
    """Give what stock shows as a link's proto_overhead; padding is not in it."""
    sealing = seal.salt_bytes + seal.hash_bytes if seal is not None else 0
    return ip_overhead_bytes(ipv6=ipv6) + HEADER_ALL_LEN_BYTES + sealing


def payload_bytes(seal: Seal | None, onwire_bytes: int, *, ipv6: bool) -> int:
    """Give how much of a frame fits a packet of this length on the wire."""
    udp_payload = onwire_bytes - ip_overhead_bytes(ipv6=ipv6)
    packet = udp_payload if seal is None else seal.packet_len_bytes_max(udp_payload)
    return packet - HEADER_ALL_LEN_BYTES


def onwire_bytes(seal: Seal | None, payload: int, *, ipv6: bool) -> int:
    """Give how long a packet with so much of a frame is on the wire."""
    packet = payload + HEADER_ALL_LEN_BYTES
    sealed = packet if seal is None else seal.sealed_len_bytes(packet)
    return sealed + ip_overhead_bytes(ipv6=ipv6)


def link_payload_bytes_min(seal: Seal | None, *, ipv6: bool) -> int:
    """Give how much of a frame fits a packet that every network of this kind carries."""
    return payload_bytes(seal, MTU_BYTES_MIN_IPV6 if ipv6 else MTU_BYTES_MIN, ipv6=ipv6)


def payload_bytes_min(seal: Seal | None) -> int:
    """Give how much of a frame fits a packet that every network carries (calc_min_mtu)."""
    udp_payload = MTU_BYTES_MIN - _LONGEST_HEADERS_BYTES
    packet = udp_payload if seal is None else seal.packet_len_bytes_max(udp_payload)
    return packet - HEADER_ALL_LEN_BYTES
