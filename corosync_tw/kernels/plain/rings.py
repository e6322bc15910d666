"""
Between rings in shared memory and what totempg sends and delivers, in plain Python.

A ring is words of four bytes, mapped twice one behind the other, so that no chunk wraps. A chunk is
a word with its length in bytes, a word with a magic number, and the bytes, filled up to whole
words (libqb 2.0.6 lib/ringbuffer.c). Its other side may write anything anywhere at any time: each
word is read once.

The request that is taken here is libcpg's multicast, struct req_lib_cpg_mcast: id@0 i32, size@8
i32, guarantee@24 u32, msglen@32 u32, data@40. Chunks of one length in a row, as a busy client
writes them, are read by one call of ``struct`` and joined.
"""

from array import array
from collections.abc import Sequence
from functools import lru_cache
from struct import Struct
from typing import Final

Buffer = bytes | bytearray | memoryview

# Why ``take_mcasts`` stopped: as many as wanted, the room is full, the next is no multicast or
# another guarantee, the next is not there or longer than any may be.
ALL_TAKEN: Final = 0
NO_ROOM: Final = 1
ODD: Final = 2
ABSENT: Final = 3

MAGIC_COMMITTED: Final = 0xA1A1A1A1
MAGIC_DEAD: Final = 0xD0D0D0D0
CHUNK_HEADER_WORDS: Final = 2
# A chunk's header, and what its writer leaves free beyond it.
CHUNK_MARGIN_BYTES: Final = 12

REQUEST_ID: Final = 2
REQUEST_LEN: Final = 40
# Where a header has its size, in requests, executive messages and events.
SIZE_AT: Final = 8

# chunk: length, magic; request: id, size, guarantee, msglen
_REQUEST: Final = "IIi4xi12xI4xI4x"
_FIELDS: Final = 7
_read_request: Final = Struct(f"={_REQUEST}").unpack_from
_RUN: Final = 32
# Longer ones are copied one by one: then the copies that a join makes cost more than they spare.
_JOINED_LEN_MAX: Final = 512
_DEAD: Final = memoryview(array("I", [MAGIC_DEAD]) * _RUN)
_NATIVE: Final = Struct("=I").pack_into
_LITTLE: Final = Struct("<I").pack_into
_CHUNK: Final = Struct("=II").pack


@lru_cache(maxsize=64)
def _run_struct(msglen: int) -> Struct:
    padding = -(REQUEST_LEN + msglen) % 4
    return Struct("=" + f"{_REQUEST}{msglen}s{padding}x" * _RUN)


def take_mcasts(  # noqa: PLR0917 - a kernel
    words: memoryview,
    at: int,
    count: int,
    chunk_len_max: int,
    msglen_max: int,
    head: bytes,
    header_at: int,
    msglen_at: int,
    room: memoryview,
    lens: "array[int]",
) -> tuple[int, int, int, int, int]:
    """
    Copy multicast requests of one guarantee out of a ring, each behind a head of ours.

    :param words: the ring's data, format I, mapped twice.
    :param at: word where the first request's chunk begins.
    :param count: how many requests are there; no more than ``lens`` has places are taken.
    :param chunk_len_max: longest request in bytes; ``msglen_max`` of what is in it.
    :param head: precedes each message; at ``header_at`` + 8 the length from ``header_at`` on is
        stored, at ``msglen_at`` that of the message, both as little-endian 32 bits.
    :param room: where to, end to end.
    :param lens: gets the length of each message with its head.
    :return: requests taken, bytes used of the room, word where the next chunk begins, the
        guarantee, and why it stopped.
    """
    ring_words = len(words) // 2
    if chunk_len_max + 8 > ring_words * 4 or not 0 <= at < ring_words:
        raise ValueError("a chunk could reach beyond the ring")
    memory = words.cast("B")
    own = bytearray(head)
    head_len, room_len, own_msglen = len(head), len(room), -1
    taken = used = 0
    wanted, stop = 0, ALL_TAKEN
    count = min(count, len(lens))
    alike = 0
    while taken < count:
        len_bytes, magic, request_id, size, guarantee, msglen = _read_request(memory, at * 4)
        if magic != MAGIC_COMMITTED or len_bytes > chunk_len_max:
            stop = ABSENT
            break
        if (
            request_id != REQUEST_ID
            or len_bytes < REQUEST_LEN
            or size != len_bytes
            or msglen > min(len_bytes - REQUEST_LEN, msglen_max)
            or (taken and guarantee != wanted)
        ):
            stop = ODD
            break
        whole_len = head_len + msglen
        if used + whole_len > room_len:
            stop = NO_ROOM
            break
        wanted = guarantee
        if msglen != own_msglen:
            own_msglen, alike = msglen, 0
            _LITTLE(own, header_at + SIZE_AT, whole_len - header_at)
            _LITTLE(own, msglen_at, msglen)
        stride = CHUNK_HEADER_WORDS + (len_bytes + 3) // 4
        if (
            alike >= 2
            and count - taken >= _RUN
            and used + whole_len * _RUN <= room_len
            and msglen <= _JOINED_LEN_MAX
            and len_bytes == REQUEST_LEN + msglen
        ):
            fields = _run_struct(msglen).unpack_from(memory, at * 4)
            first = (len_bytes, MAGIC_COMMITTED, REQUEST_ID, len_bytes, guarantee, msglen)
            if all(fields[i::_FIELDS] == (first[i],) * _RUN for i in range(_FIELDS - 1)):
                words[at + 1 : at + 1 + stride * _RUN : stride] = _DEAD
                end = used + whole_len * _RUN
                room[used:end] = own.join((b"", *fields[_FIELDS - 1 :: _FIELDS]))
                lens[taken : taken + _RUN] = array("I", (whole_len,)) * _RUN
                used = end
                taken += _RUN
                at = (at + stride * _RUN) % ring_words
                continue
            alike = -_RUN
        words[at + 1] = MAGIC_DEAD
        data_at = at * 4 + 8 + REQUEST_LEN
        room[used : used + head_len] = own
        room[used + head_len : used + whole_len] = memory[data_at : data_at + msglen]
        lens[taken] = whole_len
        used += whole_len
        taken += 1
        alike += 1
        at += stride
        if at >= ring_words:
            at -= ring_words
    return taken, used, at, wanted, stop


def write_run(  # noqa: PLR0917 - a kernel
    words: memoryview,
    at: int,
    free_bytes: int,
    event_len_max: int,
    head: bytes,
    msglen_at: int,
    buffers: Sequence[Buffer],
    pieces: "array[int]",
    messages: "array[int]",
    first: int,
    count: int,
    skip: int,
) -> tuple[int, int, int]:
    """
    Copy messages of a batch into a ring, each as an event behind a head.

    :param words: the ring's data, format I, mapped twice.
    :param at: word where the first event's chunk begins.
    :param free_bytes: how much of the ring is free; at most all of it.
    :param event_len_max: longest event; the first longer one ends the run.
    :param head: precedes each message; at 8 the event's length is stored, at ``msglen_at`` that of
        the message.
    :param buffers: with ``pieces`` and ``messages`` as in totem.batch.
    :param skip: bytes of each message that are not for the client.
    :return: events written, word where the next chunk begins, and what is free now.
    """
    ring_words = len(words) // 2
    if not 0 <= at < ring_words or free_bytes > ring_words * 4:
        raise ValueError("an event could reach beyond the ring")
    if first + count > len(messages) // 4:
        raise ValueError("the batch has fewer messages")
    memory = words.cast("B")
    own = bytearray(_CHUNK(0, MAGIC_COMMITTED) + head)
    own_len, own_msglen = len(own), -1
    rows = messages[first * 4 : (first + count) * 4].tolist()
    firsts, counts, whole_lens = rows[::4], rows[1::4], rows[2::4]
    written = alike = 0
    while written < count:
        msglen = whole_lens[written] - skip
        event_len = own_len - 8 + msglen
        if msglen < 0 or event_len > event_len_max or event_len + CHUNK_MARGIN_BYTES > free_bytes:
            break
        if msglen != own_msglen:
            own_msglen, alike = msglen, 0
            _NATIVE(own, 0, event_len)
            _NATIVE(own, 8 + SIZE_AT, event_len)
            _NATIVE(own, 8 + msglen_at, msglen)
        used_words = CHUNK_HEADER_WORDS + (event_len + 3) // 4
        position = at * 4 + own_len
        memory[at * 4 : position] = own
        until = written + _RUN
        if alike >= 2 and msglen <= _JOINED_LEN_MAX and until <= count:
            if (
                used_words * 4 * _RUN + 4 <= free_bytes
                and counts[written:until] == [1] * _RUN
                and whole_lens[written:until] == [msglen + skip] * _RUN
            ):
                events = _alike(buffers, pieces, firsts[written:until], skip, msglen)
                end = (at + used_words * _RUN) * 4 - (-msglen % 4)
                memory[position:end] = (bytes(-msglen % 4) + own).join(events)
                free_bytes -= used_words * 4 * _RUN
                at = (at + used_words * _RUN) % ring_words
                written = until
                continue
            alike = -_RUN
        _write_pieces(
            memory[position : position + msglen],
            buffers,
            pieces[firsts[written] * 3 : (firsts[written] + counts[written]) * 3],
            skip,
        )
        free_bytes -= used_words * 4
        at += used_words
        if at >= ring_words:
            at -= ring_words
        written += 1
        alike += 1
    return written, at, free_bytes


def _alike(
    buffers: Sequence[Buffer], pieces: "array[int]", places: list[int], skip: int, msglen: int
) -> list[memoryview]:
    """Give what clients are sent of messages of one length, each in one piece."""
    found: list[memoryview] = []
    known, view = -1, memoryview(b"")
    for place in places:
        index, offset, _ = pieces[place * 3 : place * 3 + 3]
        if index != known:
            known, view = index, memoryview(buffers[index])
        found.append(view[offset + skip : offset + skip + msglen])
    return found


def _write_pieces(
    room: memoryview, buffers: Sequence[Buffer], pieces: "array[int]", skip: int
) -> None:
    """Fill the room with pieces of a message but its first bytes."""
    words, at = iter(pieces), 0
    for index, offset, length in zip(words, words, words, strict=True):
        if skip >= length:
            skip -= length
            continue
        end = at + length - skip
        room[at:end] = memoryview(buffers[index])[offset + skip : offset + length]
        at, skip = end, 0
    if at != len(room):
        raise ValueError("the pieces of a message are not as long as it is")
