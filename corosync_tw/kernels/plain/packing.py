"""
Cut a queue of messages into packets.

A packet is a header that the caller gives, version and type 0, the id of the fragment that ends it
or 0, the id of the fragment that it goes on with or 0, the number of its items and their lengths,
then the items: messages, or the end, a middle or the beginning of one. Items are not touched: those
of all packets are what follows in the queue's memory, end to end.
"""

from array import array
from functools import lru_cache
from struct import Struct
from typing import Final

# The top bit of a message's length: its packets are for the safe guarantee.
SAFE: Final = 0x80000000
LEN_MASK: Final = 0x7FFFFFFF
FRAGMENT_ID_MAX: Final = 255
# Bytes of a packet's own header without the lengths, and of a length.
PACKET_LEN_BYTES: Final = 8
ITEM_LEN_LEN_BYTES: Final = 2

_SEQ_MASK: Final = 0xFFFFFFFF
_THIS_SEQNO_MASK: Final = 0x7FFFFFFF


def cut_packets(
    lens: "array[int]",
    progress: "array[int]",
    capacity: int,
    frames_max: int,
    header: bytes,
    *,
    fields: tuple[int, int, int],
) -> tuple[bytes, "array[int]", "array[int]", bool]:
    """
    Make the headers of at most so many packets of one guarantee, oldest message first.

    A packet with any part of a safe message is safe. Each is filled to the brim, or but for one
    byte when a message ends there: an item needs two for its length.

    :param lens: of the messages in bytes, type I, with the bit SAFE.
    :param progress: index of the first message that is not completely given up, how many of its
        bytes are, the id of the fragment that ended the last packet or 0, and the last id that was
        used; type I; changed to what is after these packets.
    :param capacity: bytes of a packet for items and their lengths, 4 to 65535.
    :param header: before each packet, of a packet that is not safe, with the first one's numbers.
    :param fields: offsets in it, ascending, of three little-endian words: the number of the frame,
        modulo 2**32, the number among all frames of ours, modulo 2**31, and the guarantee.
    :returns: the headers end to end; where each ends, after a 0; where each packet's items end,
        likewise; whether the packets are safe.
    """
    if not 4 <= capacity <= 65535:
        raise ValueError("no packet has such a capacity")
    message, taken, continuation, fragment_id = progress
    layout = _Layout(header, fields)
    queued = len(lens)
    headers: list[bytes] = []
    ends, body_ends = [0], [0]
    end = body_end = 0
    safe = 0
    while message < queued and len(headers) < frames_max:
        at, given, packet_safe, fragmented = message, taken, 0, 0
        room = capacity
        items: list[int] = []
        while room >= ITEM_LEN_LEN_BYTES and at < queued:
            size = lens[at]
            if size & SAFE:
                packet_safe = SAFE
                size &= LEN_MASK
            size -= given
            room -= size + ITEM_LEN_LEN_BYTES
            if room < 0:
                size += room
                given += size
                fragmented = fragment_id % FRAGMENT_ID_MAX + 1
                items.append(size)
                break
            items.append(size)
            given = 0
            at += 1
        if packet_safe != safe:
            if headers:
                break
            safe = packet_safe
        headers.append(layout.pack(len(headers), safe, fragmented, continuation, items))
        end += len(headers[-1])
        body_end += sum(items)
        ends.append(end)
        body_ends.append(body_end)
        message, taken, continuation = at, given, fragmented
        fragment_id = fragmented or fragment_id
    progress[:] = array("I", (message, taken, continuation, fragment_id))
    return b"".join(headers), array("I", ends), array("I", body_ends), bool(safe)


class _Layout:
    """The headers of one run of packets."""

    __slots__ = ("_first_seq", "_first_seqno", "_lens", "_parts")

    def __init__(self, header: bytes, fields: tuple[int, int, int]) -> None:
        seq_at, seqno_at, guarantee_at = fields
        self._first_seq = int.from_bytes(header[seq_at : seq_at + 4], "little")
        self._first_seqno = int.from_bytes(header[seqno_at : seqno_at + 4], "little")
        self._parts = (
            header[:seq_at],
            header[seq_at + 4 : seqno_at],
            header[seqno_at + 4 : guarantee_at],
            header[guarantee_at + 4 :],
        )
        self._lens = tuple(map(len, self._parts))

    def pack(
        self, nth: int, safe: int, fragmented: int, continuation: int, items: list[int]
    ) -> bytes:
        """Make the header of the ``nth`` packet."""
        before, between, behind, rest = self._parts
        return _struct(self._lens, len(items)).pack(
            before,
            (self._first_seq + nth) & _SEQ_MASK,
            between,
            (self._first_seqno + nth) & _THIS_SEQNO_MASK,
            behind,
            1 if safe else 0,
            rest,
            0,
            fragmented,
            continuation,
            len(items),
            *items,
        )


@lru_cache(maxsize=512)
def _struct(lens: tuple[int, ...], count: int) -> Struct:
    before, between, behind, rest = lens
    return Struct(f"<{before}sI{between}sI{behind}sI{rest}sIBBH{count}H")
