"""
Take packets apart and find runs of like messages: plain Python.

A packet is ``u16 u16 | u8 fragmented | u8 continuation | u16 count | u16 len[count]`` and the items
without a gap; the first item goes on from the packet before when ``continuation`` is not 0, the
last one goes on in the next when ``fragmented`` is not 0. Little-endian. The work of a packet is
done by a fixed number of calls, however many items it has.

What comes out are places: ``pieces`` gets (buffer, offset, length), ``messages`` gets (first piece,
pieces, length, seq). The message in hand, of which the end is missing, is the pieces behind those
of the last message. A packet that is not what it claims to be, or does not go on where the one
before ended, is left to the caller, and so are those behind it.
"""

from array import array
from collections.abc import Iterable, Sequence
from functools import lru_cache
from itertools import accumulate, repeat
from struct import Struct
from typing import Final

Buffer = bytes | memoryview

SEQ_MASK: Final = 0xFFFFFFFF
PACKET_LEN: Final = 8
_PACKET: Final = Struct("<4xBBH").unpack_from
# Beginning with the id, name length, name, length of what follows, pid; see cpg_run.
_HEAD_FIELDS: Final = Struct("<9s12xI4x128sI4xI20x")
HEAD_LEN: Final = _HEAD_FIELDS.size
START_LEN: Final = 9
NAME_LEN_MAX: Final = 128
_HEAD: Final = Struct(f"{HEAD_LEN}s").unpack_from


@lru_cache(maxsize=512)
def _lengths(count: int) -> Struct:
    return Struct(f"<{count}H")


def unpack_received(  # noqa: PLR0917 - once a run; a record of them would be slower
    blob: Buffer,
    stride: int,
    header_len: int,
    start: int,
    stop: int,
    first_seq: int,
    buffer: int,
    hand_id: int,
    hand_len: int,
    hand_len_max: int,
    pieces: "array[int]",
    messages: "array[int]",
) -> tuple[int, int, int]:
    """
    Unpack datagrams ``stride`` bytes long, of which the last one may be shorter.

    :param header_len: bytes of a datagram before its packet.
    :param start: first datagram to unpack, up to ``stop``.
    :param first_seq: sequence number of datagram 0.
    :param buffer: index of ``blob`` for ``pieces``.
    :param hand_id: continuation that is expected, 0 when no message is in hand.
    :param hand_len: bytes of the message in hand; all that is in ``pieces`` belongs to it.
    :param hand_len_max: a message in several packets is not longer.
    :param messages: empty.
    :return: the first datagram that was not unpacked, hand_id and hand_len after those that were.
    """
    blob_len = len(blob)
    held = len(pieces) // 3
    offsets: list[int] = []
    lengths: list[int] = []
    counts: list[int] = []
    totals: list[int] = []
    seqs: list[int] = []
    number = start
    while number < stop:
        at = number * stride + header_len
        end = min(number * stride + stride, blob_len)
        if end - at < PACKET_LEN:
            break
        fragmented, continuation, count = _PACKET(blob, at)
        at += PACKET_LEN
        items_at = at + 2 * count
        if continuation != hand_id or not count or items_at > end:
            break
        lens = _lengths(count).unpack_from(blob, at)
        starts = list(accumulate(lens, initial=items_at))
        if starts.pop() != end:
            break
        whole = lens
        if continuation:
            part = lens[0]
            if hand_len + part > hand_len_max:
                break
            hand_len += part
            if part:
                held += 1
                offsets.append(items_at)
                lengths.append(part)
            number += 1
            if count == 1 and fragmented:
                hand_id = fragmented
                continue
            counts.append(held)
            totals.append(hand_len)
            seqs.append((first_seq + number - 1) & SEQ_MASK)
            held = hand_id = hand_len = 0
            if count == 1:
                continue
            del starts[0]
            whole = lens = lens[1:]
        else:
            number += 1
        offsets += starts
        lengths += lens
        if fragmented:
            hand_id, hand_len = fragmented, lens[-1]
            whole = lens[:-1]
            held = 1
            if not hand_len:
                held = 0
                del offsets[-1], lengths[-1]
        totals += whole
        counts += repeat(1, len(whole))
        seqs += repeat((first_seq + number - 1) & SEQ_MASK, len(whole))
    _interleave(pieces, (repeat(buffer, len(offsets)), offsets, lengths))
    _interleave(messages, (_firsts(counts), counts, totals, seqs))
    return number, hand_id, hand_len


def unpack_sent(  # noqa: PLR0917 - once a run; a record of them would be slower
    headers: Buffer,
    header_ends: "array[int]",
    body: Buffer,
    body_ends: "array[int]",
    header_len: int,
    start: int,
    stop: int,
    first_seq: int,
    buffer: int,
    hand_id: int,
    hand_len: int,
    hand_len_max: int,
    pieces: "array[int]",
    messages: "array[int]",
) -> tuple[int, int, int]:
    """
    Unpack datagrams of which the items lie end to end, away from their headers.

    So a message is one piece in ``body``, however many packets it is in.

    :param headers: each datagram up to its items, which ``header_ends`` separates; it begins with
        a 0, as does ``body_ends`` for the items.
    :param buffer: index of ``body`` for ``pieces``.

    The other parameters, and what is returned, are those of unpack_received.
    """
    headers_len, body_len = len(headers), len(body)
    stop = min(stop, len(header_ends) - 1, len(body_ends) - 1)
    held = len(pieces) // 3
    open_at = open_len = 0  # the piece of the message in hand that lies in this body
    offsets: list[int] = []
    lengths: list[int] = []
    counts: list[int] = []
    totals: list[int] = []
    seqs: list[int] = []
    number = start
    while number < stop:
        at = header_ends[number] + header_len
        headers_end = header_ends[number + 1]
        items_at, end = body_ends[number], body_ends[number + 1]
        if headers_end - at < PACKET_LEN or headers_end > headers_len or end > body_len:
            break
        fragmented, continuation, count = _PACKET(headers, at)
        at += PACKET_LEN
        if continuation != hand_id or not count or at + 2 * count != headers_end:
            break
        lens = _lengths(count).unpack_from(headers, at)
        starts = list(accumulate(lens, initial=items_at))
        if starts.pop() != end:
            break
        if continuation:
            part = lens[0]
            if hand_len + part > hand_len_max:
                break
            hand_len += part
            if not open_len:
                open_at = items_at
            open_len += part
            number += 1
            if count == 1 and fragmented:
                hand_id = fragmented
                continue
            if open_len:
                held += 1
                offsets.append(open_at)
                lengths.append(open_len)
            counts.append(held)
            totals.append(hand_len)
            seqs.append((first_seq + number - 1) & SEQ_MASK)
            held = hand_id = hand_len = open_len = 0
            if count == 1:
                continue
            del starts[0]
            lens = lens[1:]
        else:
            number += 1
        if fragmented:
            hand_id, hand_len = fragmented, lens[-1]
            open_at, open_len = starts.pop(), hand_len
            lens = lens[:-1]
        offsets += starts
        lengths += lens
        totals += lens
        counts += repeat(1, len(lens))
        seqs += repeat((first_seq + number - 1) & SEQ_MASK, len(lens))
    if open_len:
        offsets.append(open_at)
        lengths.append(open_len)
    _interleave(pieces, (repeat(buffer, len(offsets)), offsets, lengths))
    _interleave(messages, (_firsts(counts), counts, totals, seqs))
    return number, hand_id, hand_len


def _firsts(counts: list[int]) -> list[int]:
    """Give the first piece of messages of which the pieces follow each other."""
    firsts = list(accumulate(counts, initial=0))
    firsts.pop()
    return firsts


def _interleave(target: "array[int]", columns: Sequence[Iterable[int]]) -> None:
    """Append rows that are given as columns of equal lengths."""
    words = [array("I", column) for column in columns]
    width = len(words)
    rows = array("I", bytes(target.itemsize * width * len(words[0])))
    for at, column in enumerate(words):
        rows[at::width] = column
    target += rows


def cpg_run(
    buffers: list[Buffer],
    pieces: "array[int]",
    messages: "array[int]",
    first: int,
    start: bytes,
) -> tuple[int, bytes, int] | None:
    """
    Count the messages of one process to one group, from the ``first`` one.

    A message of that kind is ``start`` (9 bytes: group prefix and id) | 12 bytes | u32 length of
    the name | 4 bytes | name in 128 bytes | u32 length of what the application sent | 4 bytes |
    u32 pid | 20 bytes | what the application sent. Fillings may differ, names and pids do not.

    :param pieces: of a batch, and ``messages`` likewise; both are sound.
    :return: how many follow each other, name and pid; None when the first is of no such kind.
    """
    count = 0
    group, sender, same = b"", 0, b""
    same_len = -1
    words = iter(messages[4 * first :])
    for piece, parts, length, _ in zip(words, words, words, words, strict=True):
        if length < HEAD_LEN:
            break
        at = 3 * piece
        if pieces[at + 2] >= HEAD_LEN:
            head = _HEAD(buffers[pieces[at]], pieces[at + 1])[0]
        else:
            head = _gather(buffers, pieces[at : at + 3 * parts])
        if head != same or length != same_len:
            found, name_len, padded, message_len, pid = _HEAD_FIELDS.unpack(head)
            if found != start or name_len > NAME_LEN_MAX or message_len != length - HEAD_LEN:
                break
            name = padded[:name_len]
            if not count:
                group, sender = name, pid
            elif name != group or pid != sender:
                break
            same, same_len = head, length
        count += 1
    return (count, group, sender) if count else None


def _gather(buffers: list[Buffer], pieces: "array[int]") -> bytes:
    """Join the beginning of a message that is cut within it."""
    parts = []
    missing = HEAD_LEN
    words = iter(pieces)
    for index, offset, length in zip(words, words, words, strict=True):
        if length >= missing:
            parts.append(buffers[index][offset : offset + missing])
            break
        parts.append(buffers[index][offset : offset + length])
        missing -= length
    return b"".join(parts)
