"""Cut a queue of messages into packets; see the plain twin."""

import array as arrays

from cpython cimport array
from cpython.bytes cimport PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t, uint64_t
from libc.stdlib cimport free, realloc
from libc.string cimport memcpy

SAFE = 0x80000000
LEN_MASK = 0x7FFFFFFF
FRAGMENT_ID_MAX = 255
PACKET_LEN_BYTES = 8
ITEM_LEN_LEN_BYTES = 2

cdef uint32_t _LEN_MASK = 0x7FFFFFFF
cdef array.array _WORDS = arrays.array("I")


cdef inline void put_u16(uint8_t *at, uint32_t value) noexcept nogil:
    at[0] = value & 0xFF
    at[1] = (value >> 8) & 0xFF


cdef inline void put_u32(uint8_t *at, uint32_t value) noexcept nogil:
    put_u16(at, value)
    put_u16(at + 2, value >> 16)


cdef inline uint32_t get_u32(const uint8_t *at) noexcept nogil:
    return at[0] | (<uint32_t>at[1] << 8) | (<uint32_t>at[2] << 16) | (<uint32_t>at[3] << 24)


cdef struct Headers:
    uint8_t *memory
    size_t used
    size_t size


cdef int make_room(Headers *headers, size_t len_bytes) except -1:
    """Let there be room for so many bytes more."""
    cdef size_t size
    cdef uint8_t *memory
    if headers.size - headers.used >= len_bytes:
        return 0
    size = 2 * headers.size + len_bytes
    memory = <uint8_t *>realloc(headers.memory, size)
    if memory == NULL:
        raise MemoryError()
    headers.memory = memory
    headers.size = size
    return 0


cdef int append(array.array words, Py_ssize_t at, uint32_t value) except -1:
    if at >= len(words):
        array.resize(words, 2 * at + 64)
    words.data.as_uints[at] = value
    return 0


def cut_packets(
    array.array lens not None,
    array.array progress not None,
    Py_ssize_t capacity,
    Py_ssize_t frames_max,
    bytes header not None,
    *,
    tuple fields not None,
):
    """Make the headers of at most so many packets of one guarantee, oldest message first."""
    cdef Py_ssize_t seq_at, seqno_at, guarantee_at
    cdef Py_ssize_t header_len = len(header)
    cdef Py_ssize_t queued = len(lens)
    cdef Py_ssize_t count = 0
    cdef Headers headers
    cdef array.array ends, body_ends
    seq_at, seqno_at, guarantee_at = fields
    if not 4 <= capacity <= 65535:
        raise ValueError("no packet has such a capacity")
    if not 0 <= seq_at <= seqno_at - 4 <= guarantee_at - 8 <= header_len - 12:
        raise ValueError("a field is outside the header")
    if lens.typecode != "I" or progress.typecode != "I" or len(progress) != 4:
        raise ValueError("lens or progress of another shape")
    ends = array.clone(_WORDS, 64, False)
    body_ends = array.clone(_WORDS, 64, False)
    headers.memory = NULL
    headers.used = headers.size = 0
    try:
        count = cut(
            lens, progress, capacity, frames_max, header, header_len,
            seq_at, seqno_at, guarantee_at, &headers, ends, body_ends,
        )
        safe = count > 0 and headers.memory[guarantee_at] != 0
        array.resize(ends, count + 1)
        array.resize(body_ends, count + 1)
        return (
            PyBytes_FromStringAndSize(<char *>headers.memory, headers.used) if count else b"",
            ends,
            body_ends,
            safe,
        )
    finally:
        free(headers.memory)


cdef Py_ssize_t cut(
    array.array lens,
    array.array progress,
    Py_ssize_t capacity,
    Py_ssize_t frames_max,
    const uint8_t *header,
    Py_ssize_t header_len,
    Py_ssize_t seq_at,
    Py_ssize_t seqno_at,
    Py_ssize_t guarantee_at,
    Headers *headers,
    array.array ends,
    array.array body_ends,
) except -1:
    """Make the headers and give their number."""
    cdef const uint32_t *sizes = lens.data.as_uints
    cdef uint32_t *state = progress.data.as_uints
    cdef uint32_t seq = get_u32(header + seq_at)
    cdef uint32_t seqno = get_u32(header + seqno_at)
    cdef Py_ssize_t queued = len(lens)
    cdef Py_ssize_t count = 0
    cdef Py_ssize_t message = state[0]
    cdef Py_ssize_t at, room, size
    cdef size_t longest = header_len + 8 + 2 * (capacity // 2 + 1)
    cdef uint32_t taken = state[1]
    cdef uint32_t continuation = state[2]
    cdef uint32_t fragment_id = state[3]
    cdef uint32_t given, items, fragmented, packet_safe, body
    cdef uint32_t safe = 0
    cdef uint32_t body_end = 0
    cdef uint8_t *packet
    cdef uint8_t *item_len
    append(ends, 0, 0)
    append(body_ends, 0, 0)
    while message < queued and count < frames_max:
        make_room(headers, longest)
        packet = headers.memory + headers.used
        item_len = packet + header_len + 8
        at = message
        given = taken
        packet_safe = fragmented = items = body = 0
        room = capacity
        while room >= 2 and at < queued:
            packet_safe |= sizes[at] >> 31
            size = <Py_ssize_t>(sizes[at] & _LEN_MASK) - given
            if size < 0:
                raise ValueError("more of a message is given up than there is")
            room -= size + 2
            if room < 0:
                size += room
                given += size
                fragmented = fragment_id % 255 + 1
            else:
                given = 0
                at += 1
            put_u16(item_len, size)
            item_len += 2
            items += 1
            body += size
        if packet_safe != safe:
            if count:
                break
            safe = packet_safe
        memcpy(packet, header, header_len)
        put_u32(packet + seq_at, seq + <uint32_t>count)
        put_u32(packet + seqno_at, (seqno + <uint32_t>count) & 0x7FFFFFFF)
        put_u32(packet + guarantee_at, safe)
        packet += header_len
        put_u32(packet, 0)
        packet[4] = fragmented
        packet[5] = continuation
        put_u16(packet + 6, items)
        headers.used = item_len - headers.memory
        body_end += body
        count += 1
        append(ends, count, headers.used)
        append(body_ends, count, body_end)
        message = at
        taken = given
        continuation = fragmented
        if fragmented:
            fragment_id = fragmented
    state[0] = message
    state[1] = taken
    state[2] = continuation
    state[3] = fragment_id
    return count
