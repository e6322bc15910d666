"""Captures made by hand: datagrams in Ethernet, in files of pcap and pcapng."""

import io
import struct

from corosync_tw.dissect import capture

SECOND_NS = 1_000_000_000


def ethernet(payload: bytes, port: int = 5405, vlans: int = 0) -> bytes:
    udp = struct.pack(">HHHH", 40404, port, 8 + len(payload), 0) + payload
    ip = struct.pack(">BBHHHBBH", 0x45, 0, 0, 0, 0, 64, 17, 0) + bytes((10, 0, 0, 1, 10, 0, 0, 2))
    return bytes(12) + b"\x81\x00\x00\x07" * vlans + b"\x08\x00" + ip + udp


def ipv6(payload: bytes) -> bytes:
    udp = struct.pack(">HHHH", 40404, 5405, 8 + len(payload), 0) + payload
    # Two headers of options in front of UDP's, of different lengths.
    options = bytes((60, 0)) + bytes(6) + bytes((17, 2)) + bytes(22)
    head = struct.pack(">IHBB", 6 << 28, len(options + udp), 0, 64)
    return head + bytes(15) + b"\1" + bytes(15) + b"\2" + options + udp


def pcap(packets, order="<", link=1) -> bytes:
    head = struct.pack(order + "IHHiIII", 0xA1B2C3D4, 2, 4, 0, 0, 262144, link)
    return head + b"".join(
        struct.pack(order + "IIII", number, 250_000, len(data), len(data)) + data
        for number, data in enumerate(packets)
    )


def block(kind: int, body: bytes, order: str) -> bytes:
    length = struct.pack(order + "I", 12 + len(body))
    return struct.pack(order + "I", kind) + length + body + length


def pcapng(packets, order="<", link=1) -> bytes:
    """A section with an interface whose times are nanoseconds, and a block that nobody knows."""
    made = [
        block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order),
        block(
            1,
            struct.pack(order + "HHI", link, 0, 0)
            + struct.pack(order + "HH", 2, 4)
            + b"eth7"
            + struct.pack(order + "HHBxxx", 9, 1, 9)
            + struct.pack(order + "HH", 0, 0),
            order,
        ),
        block(0x0BAD, bytes(40), order),
    ]
    for number, data in enumerate(packets):
        time = number * SECOND_NS + 250_000_000
        head = struct.pack(order + "IIIII", 0, time >> 32, time & 0xFFFFFFFF, len(data), len(data))
        made.append(block(6, head + data + bytes(-len(data) % 4), order))
    return b"".join(made)


def read(data: bytes) -> list[capture.Packet]:
    return list(capture.read(io.BytesIO(data)))
