# cython: boundscheck=False, wraparound=False
"""Compiled twin of plain.framing."""

from libc.stdint cimport int32_t, uint8_t, uint32_t, uint64_t
from libc.string cimport memcmp

cdef enum:
    HEADER = 45

HEADER_LEN_BYTES = 45

cdef const uint8_t* PLAIN = b"\x70\xc0\x03\x01\x02"


cdef inline uint32_t _u32(const uint8_t* at) noexcept nogil:
    return at[0] | (<uint32_t>at[1] << 8) | (<uint32_t>at[2] << 16) | (<uint32_t>at[3] << 24)


cdef inline uint64_t _u64(const uint8_t* at) noexcept nogil:
    return _u32(at) | (<uint64_t>_u32(at + 4) << 32)


def only_mcasts(const uint8_t[::1] blob, Py_ssize_t stride):
    """See plain.framing."""
    cdef Py_ssize_t length = blob.shape[0]
    cdef Py_ssize_t at = 0
    if stride < 1:
        raise ZeroDivisionError("stride")
    while at < length:
        if length - at <= 3 or blob[at + 3] != 1:
            return False
        at += stride
    return True


def scan_run(const uint8_t[::1] blob, Py_ssize_t stride, uint32_t rep, uint64_t ring_seq):
    """See plain.framing."""
    cdef Py_ssize_t length = blob.shape[0]
    cdef Py_ssize_t at = stride
    cdef uint32_t count = 1
    cdef uint32_t first
    cdef const uint8_t* head
    cdef const uint8_t* frame
    if length < HEADER or stride < HEADER:
        return None
    head = &blob[0]
    if memcmp(head, PLAIN, 5) or _u32(head + 25) != rep or _u64(head + 29) != ring_seq:
        return None
    first = _u32(head + 17)
    while at + HEADER <= length:
        frame = head + at
        if (
            memcmp(frame, head, 9)
            or _u32(frame + 17) != <uint32_t>(first + count)
            or memcmp(frame + 25, head + 25, 12)
            or memcmp(frame + 41, head + 41, 4)
        ):
            break
        count += 1
        at += stride
    return _u32(head + 5), first, count, <int32_t>_u32(head + 41)
