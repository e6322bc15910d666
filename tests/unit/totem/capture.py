"""What a stock ring sent (tests/data), and the offsets a C compiler gave its structures."""

import lzma
import struct
from functools import cache
from pathlib import Path

DATA = Path(__file__).parents[2] / "data"

_PCAP_HEADER_LEN_BYTES = 24
_RECORD = struct.Struct("<IIII")
_PCAP_MAGIC_NS_OR_US = {0xA1B2C3D4, 0xA1B23C4D}
_ETHERNET_LEN_BYTES = 14
_UDP_LEN_BYTES = 8


@cache
def frames() -> tuple[bytes, ...]:
    """Give the UDP payloads of all packets of the capture, in order."""
    data = lzma.decompress((DATA / "corosync-3.1.7-udpu.pcap.xz").read_bytes())
    assert struct.unpack_from("<I", data)[0] in _PCAP_MAGIC_NS_OR_US
    at = _PCAP_HEADER_LEN_BYTES
    found = []
    while at < len(data):
        _, _, kept, whole = _RECORD.unpack_from(data, at)
        at += _RECORD.size
        assert kept == whole, "the capture holds whole packets"
        found.append(_udp_payload(data[at : at + kept]))
        at += kept
    return tuple(found)


def _udp_payload(packet: bytes) -> bytes:
    ip = packet[_ETHERNET_LEN_BYTES:]
    udp = ip[4 * (ip[0] & 15) :]
    (udp_len,) = struct.unpack_from(">H", udp, 4)
    return udp[_UDP_LEN_BYTES:udp_len]


def layouts() -> dict[str, dict[str, tuple[int, int]]]:
    """
    Read the structures.

    :returns: structure -> field -> (offset, size); the field "" is the structure itself.
    """
    found: dict[str, dict[str, tuple[int, int]]] = {}
    fields: dict[str, tuple[int, int]] = {}
    for line in (DATA / "corosync-layouts.txt").read_text().splitlines():
        words = line.replace("=", " ").split()
        if line.startswith("== "):
            fields = found[words[0]] = {"": (0, int(words[-1]))}
        elif "off=" in line:
            fields[words[0]] = (int(words[words.index("off") + 1]), int(words[-1]))
    return found
