"""
Counters as they are on the wire, of every datagram that machines send into the switches.

``python -m tests.interop.wire_watch``, inside the switches' name space, until its input ends. It
prints a line each time that a counter has grown, at most every ``INTERVAL_S`` for one: when
(monotonic seconds), which counter, whose, and its value when it was first and last seen since then.
Of datagrams that travel in one piece it reads the first.
"""

import select
import socket
import struct
import sys
import time

from corosync_tw.totem.const import Encapsulated, MessageType
from corosync_tw.totem.wire import MCAST, MCAST_LEN_BYTES, ORF_TOKEN

INTERVAL_S = 0.05
ETHERNET_LEN_BYTES = 14
UDP_LEN_BYTES = 8
UDP = 17
RECEIVE_BUFFER_BYTES = 64 << 20
# Enough of a datagram for any header.
SNAP_LEN_BYTES = 256
_ETH_P_IP = 0x0800
_ETH_P_ALL = 3
_PACKET_OUTGOING = 4
_SO_RCVBUFFORCE = 33
# Of datagrams that are sealed: marker, kind, key, type, nodeid, boot, counter.
SEALED = struct.Struct(">BBBBIQQ")
SEALED_MARKER = 0xA7
# Of knet's data packets: version, type, node, max_version, pad, seq.
KNET_DATA = struct.Struct(">BBHBBH")

Seen = tuple[str, str, int]


def read(payload: bytes) -> list[Seen]:
    """Name the counters of one datagram: which, whose, value."""
    if len(payload) >= SEALED.size and payload[0] == SEALED_MARKER:
        *_, nodeid, boot, counter = SEALED.unpack_from(payload)
        return [("sealed", f"{nodeid}.{boot:x}", counter)]
    if len(payload) >= KNET_DATA.size and payload[:2] == b"\x01\x00":
        _, _, nodeid, _, _, seq = KNET_DATA.unpack_from(payload)
        return [("knet", str(nodeid), seq)]
    if len(payload) < 4 or payload[:3] != b"\x70\xc0\x03":
        return []
    if payload[3] == MessageType.ORF_TOKEN and len(payload) >= ORF_TOKEN.size:
        fields = ORF_TOKEN.unpack_from(payload)
        token_seq, rep, ring_seq = fields[-9], fields[-6], fields[-5]
        ring = f"{rep}.{ring_seq:x}"
        return [("token", ring, token_seq), ("ring", "", ring_seq)]
    if payload[3] == MessageType.MCAST and len(payload) >= MCAST_LEN_BYTES:
        fields = MCAST.unpack_from(payload)
        encapsulated, seq, rep, ring_seq = fields[-10], fields[-6], fields[-4], fields[-3]
        kind = "recovered" if encapsulated == Encapsulated.ENCAPSULATED else "message"
        return [(kind, f"{rep}.{ring_seq:x}", seq)]
    return []


def payload_of(frame: bytes) -> bytes:
    """Give what a frame's UDP datagram carries; nothing for any other frame."""
    at = ETHERNET_LEN_BYTES
    if len(frame) < at + 20 or frame[12:14] != _ETH_P_IP.to_bytes(2, "big"):
        return b""
    if frame[at + 9] != UDP:
        return b""
    return frame[at + (frame[at] & 15) * 4 + UDP_LEN_BYTES :]


class Tally:
    """What was seen since the last line about each counter."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], list[int]] = {}
        self._said_s = 0.0

    def add(self, seen: Seen) -> None:
        kind, whose, value = seen
        span = self._seen.setdefault((kind, whose), [value, value])
        span[1] = value

    def maybe_say(self) -> None:
        now_s = time.monotonic()
        if now_s - self._said_s < INTERVAL_S:
            return
        self._said_s = now_s
        for (kind, whose), (first, last) in self._seen.items():
            print(f"{now_s:.3f} {kind} {whose or '-'} {first} {last}", flush=True)
        self._seen.clear()


def main() -> None:
    """Watch until the input ends."""
    sock = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(_ETH_P_ALL))
    sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
    tally = Tally()
    print("watching", flush=True)
    while True:
        ready, _, _ = select.select([sock, sys.stdin], [], [], INTERVAL_S)
        if sock in ready:
            frame, address = sock.recvfrom(SNAP_LEN_BYTES)
            if address[2] != _PACKET_OUTGOING:
                for seen in read(payload_of(frame)):
                    tally.add(seen)
        elif sys.stdin in ready:
            return
        tally.maybe_say()


if __name__ == "__main__":
    main()
