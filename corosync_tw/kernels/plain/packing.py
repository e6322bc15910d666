"""
Cut a queue of messages into packets.

A packet is a header that the caller gives, version and type 0, the id of the fragment that ends it
or 0, the id of the fragment that it goes on with or 0, the number of its items and their lengths,
then the items: messages, or the end, a middle or the beginning of one. Items are not touched: those
of all packets are what follows in the queue's memory, end to end.
"""

from array import array
from collections.abc import Callable, Iterator
from functools import lru_cache
from itertools import accumulate, chain
from struct import Struct
from typing import Final

# The top bit of a message's length: its packets are for the safe guarantee.
SAFE: Final = 0x80000000
LEN_MASK: Final = 0x7FFFFFFF
FRAGMENT_ID_MAX: Final = 255
# Bytes of a packet's own header without the lengths, and of a length.
PACKET_LEN_BYTES: Final = 8
ITEM_LEN_LEN_BYTES: Final = 2

# Lengths that are looked up at once.
_CHUNK: Final = 64
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
    run = _Run(header, fields)
    ahead = _ahead(lens, message)
    size = next(ahead, None)
    piece = capacity - ITEM_LEN_LEN_BYTES
    while size is not None and (room := frames_max - len(run.headers)) > 0:
        left = (size & LEN_MASK) - taken
        safe = size > LEN_MASK
        if left > piece:
            if not run.goes_on(safe=safe):
                break
            count = min(room, (left - 1) // piece)
            continuation = fragment_id = run.fill(count, piece, fragment_id, continuation)
            taken += count * piece
            continue
        items = [left]
        room = piece - left
        at, cut = message + 1, 0
        size = next(ahead, None)
        while room >= ITEM_LEN_LEN_BYTES and size is not None:
            if size + ITEM_LEN_LEN_BYTES > room:
                safe = safe or size > LEN_MASK
                left = size & LEN_MASK
                if left + ITEM_LEN_LEN_BYTES > room:
                    cut = fragment_id % FRAGMENT_ID_MAX + 1
                    items.append(room - ITEM_LEN_LEN_BYTES)
                    break
            else:
                left = size
            items.append(left)
            room -= left + ITEM_LEN_LEN_BYTES
            at += 1
            size = next(ahead, None)
        if not run.goes_on(safe=safe):
            break
        run.add(items, cut, continuation)
        message, taken, continuation = at, items[-1] if cut else 0, cut
        fragment_id = cut or fragment_id
    progress[:] = array("I", (message, taken, continuation, fragment_id))
    return (
        b"".join(run.headers),
        array("I", accumulate(map(len, run.headers), initial=0)),
        array("I", accumulate(run.body_lens, initial=0)),
        run.safe,
    )


def _ahead(lens: "array[int]", message: int) -> Iterator[int]:
    """Give the lengths from one on."""
    starts = range(message, len(lens), _CHUNK)
    return chain.from_iterable(lens[start : start + _CHUNK] for start in starts)


class _Run:
    """
    Packets of one guarantee.

    :ivar body_lens: of each packet the sum of its items' lengths.
    """

    __slots__ = ("_header", "_packs", "_seq", "_seqno", "body_lens", "headers", "safe")

    def __init__(self, header: bytes, fields: tuple[int, int, int]) -> None:
        seq_at, seqno_at, guarantee_at = fields
        self._seq = int.from_bytes(header[seq_at : seq_at + 4], "little")
        self._seqno = int.from_bytes(header[seqno_at : seqno_at + 4], "little")
        self._header = (
            header[:seq_at],
            header[seq_at + 4 : seqno_at],
            header[seqno_at + 4 : guarantee_at],
            header[guarantee_at + 4 :],
        )
        self._packs = _packs(*map(len, self._header))
        self.headers: list[bytes] = []
        self.body_lens: list[int] = []
        self.safe = False

    def goes_on(self, *, safe: bool) -> bool:
        """Tell whether a packet belongs here."""
        if not self.headers:
            self.safe = safe
        return self.safe is safe

    def add(self, items: list[int], fragmented: int, continuation: int) -> None:
        """Add a packet."""
        nth, count = len(self.headers), len(items)
        before, between, behind, rest = self._header
        pack = self._packs.get(count) or self._packs.add(count)
        seq, seqno = self._seq + nth & _SEQ_MASK, self._seqno + nth & _THIS_SEQNO_MASK
        head = (before, seq, between, seqno, behind, self.safe, rest, 0)
        self.headers.append(pack(*head, fragmented, continuation, count, *items))
        self.body_lens.append(sum(items))

    def fill(self, count: int, piece: int, fragment_id: int, continuation: int) -> int:
        """
        Add packets that are full of one message, which goes on behind them.

        :return: id of the last fragment.
        """
        before, between, behind, rest = self._header
        pack = self._packs.get(1) or self._packs.add(1)
        safe, first = self.safe, len(self.headers)
        seq, seqno, fragment = self._seq + first, self._seqno + first, fragment_id - 1
        for nth in range(count):
            head = (before, seq + nth & _SEQ_MASK, between, seqno + nth & _THIS_SEQNO_MASK)
            fragmented = (fragment + nth + 1) % FRAGMENT_ID_MAX + 1
            tail = (behind, safe, rest, 0, fragmented, continuation, 1, piece)
            self.headers.append(pack(*head, *tail))
            continuation = fragmented
        self.body_lens += [piece] * count
        return continuation


class _Packs(dict[int, Callable[..., bytes]]):
    """Makers of a packet's headers, by its number of items."""

    def __init__(self, lens: tuple[int, ...]) -> None:
        super().__init__()
        before, between, behind, rest = lens
        self._layout = f"<{before}sI{between}sI{behind}sI{rest}sIBBH"

    def add(self, count: int) -> Callable[..., bytes]:
        """Keep the maker for packets of so many items."""
        maker = self[count] = Struct(f"{self._layout}{count}H").pack
        return maker


@lru_cache(maxsize=4)
def _packs(*lens: int) -> _Packs:
    return _Packs(lens)
