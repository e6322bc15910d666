# cython: boundscheck=False, wraparound=False
"""Compiled twin of plain.fragments."""

from cpython cimport array
from cpython.bytes cimport PyBytes_AS_STRING, PyBytes_FromStringAndSize
from libc.stdint cimport uint8_t, uint32_t
from libc.string cimport memcmp, memcpy, memmove

HEADER_LEN_BYTES = 14
SEQ_MAX = 65535
FRAGMENTS_MAX = 255
DATA = 0
MALFORMED = -1

cdef enum:
    HEADER = 14
    CIRCLE = 65535
    FRAGMENTS = 255


cdef inline uint32_t _u16(const uint8_t* at) noexcept nogil:
    return (<uint32_t>at[0] << 8) | at[1]


cdef inline uint8_t* _put_header(
    uint8_t* to, const uint8_t* template, uint32_t seq, uint32_t number, uint32_t count
) noexcept nogil:
    memcpy(to, template, HEADER)
    to[6] = (seq >> 8) & 0xFF
    to[7] = seq & 0xFF
    to[11] = count
    to[12] = number
    return to + HEADER


def cut_frames(
    const uint8_t[::1] headers,
    array.array header_ends not None,
    const uint8_t[::1] body,
    array.array body_ends not None,
    bytes template not None,
    uint32_t seq,
    Py_ssize_t payload_max,
):
    """See plain.fragments."""
    cdef Py_ssize_t count = len(header_ends) - 1
    cdef Py_ssize_t i, length, fragments, number, total = 0
    cdef Py_ssize_t head_left, part, room
    cdef const uint32_t* ends
    cdef const uint32_t* others
    cdef const uint8_t* head
    cdef const uint8_t* rest
    cdef const uint8_t* pattern
    cdef uint8_t* to
    cdef bytes packets
    if header_ends.typecode != "I" or body_ends.typecode != "I":
        raise ValueError("ends of another type")
    if count < 0 or len(body_ends) != count + 1 or len(template) != HEADER:
        raise ValueError("parts of another shape")
    if payload_max < 1 or not 1 <= seq <= CIRCLE:
        raise ValueError("no such payload or seq")
    ends = header_ends.data.as_uints
    others = body_ends.data.as_uints
    for i in range(count):
        if ends[i + 1] < ends[i] or others[i + 1] < others[i]:
            raise ValueError("ends that do not grow")
        length = (ends[i + 1] - ends[i]) + (others[i + 1] - others[i])
        fragments = (length + payload_max - 1) // payload_max
        if length < 1 or fragments > FRAGMENTS:
            raise ValueError("a frame that needs too many fragments, or none")
        total += length + HEADER * fragments
    if ends[count] > headers.shape[0] or others[count] > body.shape[0]:
        raise ValueError("ends outside the buffers")
    packets = PyBytes_FromStringAndSize(NULL, total)
    if not count:
        return packets
    to = <uint8_t*>PyBytes_AS_STRING(packets)
    pattern = <const uint8_t*>PyBytes_AS_STRING(template)
    for i in range(count):
        head_left = ends[i + 1] - ends[i]
        length = head_left + (others[i + 1] - others[i])
        head = &headers[0] + ends[i] if head_left else NULL
        rest = &body[0] + others[i] if length > head_left else NULL
        fragments = (length + payload_max - 1) // payload_max
        for number in range(fragments):
            to = _put_header(to, pattern, seq, number + 1 if fragments > 1 else 0, fragments)
            room = payload_max if payload_max < length else length
            length -= room
            if head_left:
                part = room if room < head_left else head_left
                memcpy(to, head, part)
                to += part
                head += part
                head_left -= part
                room -= part
            if room:
                memcpy(to, rest, room)
                to += room
                rest += room
        seq = seq % CIRCLE + 1
    return packets


cdef inline bint _is_data(const uint8_t* at, Py_ssize_t length) noexcept nogil:
    return length > HEADER and at[0] == 1 and at[1] == 0


cdef inline bint _fits(const uint8_t* at) noexcept nogil:
    """Whether a packet's place among the fragments is one."""
    return at[6] + at[7] != 0 and (at[11] < 2 or 0 < at[12] <= at[11])


def join_packets(uint8_t[::1] blob, Py_ssize_t stride, Py_ssize_t gap=0):
    """See plain.fragments."""
    cdef Py_ssize_t length = blob.shape[0]
    cdef Py_ssize_t start = 0, at, size
    cdef uint8_t* memory
    cdef uint8_t* first
    cdef uint8_t* packet
    cdef uint8_t* to
    cdef uint32_t seq, count
    cdef Py_ssize_t longest = stride - gap
    cdef list found = []
    if longest < 1 or gap < 0:
        raise ValueError("stride")
    if not length:
        return found
    memory = &blob[0]
    while start < length:
        first = memory + start
        size = length - start if length - start < longest else longest
        if not _is_data(first, size) or not _fits(first):
            if size > 1 and first[0] == 1 and first[1] != 0:
                found.append((<int>first[1], start, start + size, 0, 0, 1, 0, 0, 0, 0))
            else:
                found.append((-1, start, start + size, 0, 0, 1, 0, 0, 0, 0))
            start += stride
            continue
        seq = _u16(first + 6)
        count = 1
        to = first + size
        at = start + stride
        while at < length:
            packet = memory + at
            size = length - at if length - at < longest else longest
            if (
                not _is_data(packet, size)
                or memcmp(packet + 2, first + 2, 2)
                or memcmp(packet + 8, first + 8, 4)
                or packet[13] != first[13]
            ):
                break
            if first[11] < 2:
                if _u16(packet + 6) != seq % CIRCLE + 1:
                    break
                seq = seq % CIRCLE + 1
            elif (
                _u16(packet + 6) != seq
                or packet[12] != <uint32_t>first[12] + count
                or packet[12] > first[11]
            ):
                break
            memmove(to, packet + HEADER, size - HEADER)
            to += size - HEADER
            count += 1
            at += stride
        found.append((
            0,
            start + HEADER,
            to - memory,
            _u16(first + 2),
            _u16(first + 6),
            count,
            first[11] if first[11] > 1 else 1,
            first[12] if first[11] > 1 else 1,
            first[8],
            first[10] | (<uint32_t>first[13] << 8),
        ))
        start = at
    return found
