# cython: boundscheck=False, wraparound=False, cdivision=True
"""Compiled twin of plain.recording."""

from cpython.buffer cimport PyBUF_WRITABLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t, uint64_t
from libc.string cimport memcpy, memset
from posix.time cimport CLOCK_MONOTONIC, clock_gettime, timespec

from time import monotonic_ns

cdef enum:
    SLOT = 64
    CONTINUED = 48
    DATA_MAX = 40 * CONTINUED

cdef uint64_t SALT = int.from_bytes(b"CTWREC01", "little")
cdef uint64_t CONTINUES = <uint64_t>1 << 63


cdef inline void _set(uint8_t* at, uint64_t word) noexcept nogil:
    # A single store where the machine is little-endian.
    at[0] = word & 0xFF
    at[1] = (word >> 8) & 0xFF
    at[2] = (word >> 16) & 0xFF
    at[3] = (word >> 24) & 0xFF
    at[4] = (word >> 32) & 0xFF
    at[5] = (word >> 40) & 0xFF
    at[6] = (word >> 48) & 0xFF
    at[7] = word >> 56


cdef inline uint64_t _get(const uint8_t* at) noexcept nogil:
    cdef uint64_t word = 0
    cdef int i
    for i in range(7, -1, -1):
        word = (word << 8) | at[i]
    return word


cdef class _Lane:
    """One ring of slots."""

    cdef Py_buffer view
    cdef bint held
    cdef uint8_t* start
    cdef uint8_t* end
    cdef uint8_t* at
    cdef uint64_t number
    cdef object now_ns
    cdef bint native

    def __cinit__(self, memory, uint64_t lane, uint64_t first, now_ns):
        PyObject_GetBuffer(memory, &self.view, PyBUF_WRITABLE)
        self.held = True
        self.start = <uint8_t*>self.view.buf
        self.end = self.start + self.view.len
        self.at = self.start + first % <uint64_t>(self.view.len // SLOT) * SLOT
        self.number = first + (lane << 48)
        self.now_ns = now_ns
        # The same clock without a call of Python, which would cost more than all the rest.
        self.native = now_ns is monotonic_ns

    def __dealloc__(self):
        if self.held:
            PyBuffer_Release(&self.view)

    cdef inline uint8_t* _take(self) noexcept:
        cdef uint8_t* at = self.at
        self.at = at + SLOT
        if self.at == self.end:
            self.at = self.start
        return at

    cdef inline int64_t _now(self) except? -1:
        cdef timespec now
        if not self.native:
            return self.now_ns()
        clock_gettime(CLOCK_MONOTONIC, &now)
        return <int64_t>now.tv_sec * 1_000_000_000 + now.tv_nsec

    cdef inline void _write(
        self, uint64_t code, int64_t now, int64_t a, int64_t b, int64_t c, int64_t d
    ) noexcept:
        cdef uint64_t number = self.number
        cdef uint8_t* at = self._take()
        self.number = number + 1
        _set(at, number)
        _set(at + 8, <uint64_t>now)
        _set(at + 16, code)
        _set(at + 24, <uint64_t>a)
        _set(at + 32, <uint64_t>b)
        _set(at + 40, <uint64_t>c)
        _set(at + 48, <uint64_t>d)
        _set(
            at + 56,
            number + <uint64_t>now + code + <uint64_t>a + <uint64_t>b + <uint64_t>c + <uint64_t>d
            + SALT,
        )

    def put(self, uint64_t code, int64_t a=0, int64_t b=0, int64_t c=0, int64_t d=0):
        """See plain.recording."""
        self._write(code, self._now(), a, b, c, d)

    def put_more(
        self, uint64_t code, int64_t a, int64_t b, int64_t c, int64_t d, bytes data not None
    ):
        """See plain.recording."""
        cdef const uint8_t* left = data
        cdef Py_ssize_t length = min(len(data), DATA_MAX)
        cdef Py_ssize_t part
        cdef int64_t now = self._now()
        self._write(code + (<uint64_t>length << 16), now, a, b, c, d)
        while length > 0:
            part = min(length, CONTINUED)
            self._continue(left, part)
            left += part
            length -= part

    cdef void _continue(self, const uint8_t* data, Py_ssize_t length) noexcept:
        cdef uint64_t number = self.number + CONTINUES
        cdef uint64_t check = number + SALT
        cdef uint8_t* at = self._take()
        cdef uint8_t body[CONTINUED]
        cdef int i
        self.number += 1
        memset(body, 0, CONTINUED)
        memcpy(body, data, length)
        for i in range(0, CONTINUED, 8):
            check += _get(body + i)
        _set(at, number)
        memcpy(at + 8, body, CONTINUED)
        _set(at + 56, check)


def lane_writer(memory, lane, first, now_ns):
    """See plain.recording."""
    slots, rest = divmod(len(memory), SLOT)
    if rest or slots <= DATA_MAX // CONTINUED or memory.readonly:
        raise ValueError("no room for a ring of records")
    if not 0 <= lane < 256 or not 1 <= first < 1 << 48:
        raise ValueError("no such lane, or no such slot")
    return _Lane(memory, lane, first, now_ns)
