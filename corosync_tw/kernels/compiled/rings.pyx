# cython: boundscheck=False, wraparound=False, cdivision=True
"""Between rings in shared memory and what totempg sends and delivers; see the plain twin."""

from cpython.buffer cimport (
    PyBUF_SIMPLE,
    PyBUF_WRITABLE,
    PyBuffer_Release,
    PyObject_GetBuffer,
)
from libc.stdint cimport int32_t, uint32_t, uint64_t
from libc.string cimport memcpy

cdef extern from *:
    """
    #include <stdint.h>
    /* The other side may write at any time: each word is read once, and not read again. */
    static inline uint32_t load_word(const unsigned char *at) {
        return __atomic_load_n((const uint32_t *)at, __ATOMIC_RELAXED);
    }
    static inline void store_word(unsigned char *at, uint32_t value) {
        __atomic_store_n((uint32_t *)at, value, __ATOMIC_RELAXED);
    }
    static inline void after_loads(void) { __atomic_thread_fence(__ATOMIC_ACQUIRE); }
    static inline void before_stores(void) { __atomic_thread_fence(__ATOMIC_RELEASE); }
    static inline void store_little(unsigned char *at, uint32_t value) {
        at[0] = value; at[1] = value >> 8; at[2] = value >> 16; at[3] = value >> 24;
    }
    """
    uint32_t load_word(const unsigned char *at) noexcept
    void store_word(unsigned char *at, uint32_t value) noexcept
    void after_loads() noexcept
    void before_stores() noexcept
    void store_little(unsigned char *at, uint32_t value) noexcept

ALL_TAKEN = 0
NO_ROOM = 1
ODD = 2
ABSENT = 3

cdef enum:
    STOP_ALL_TAKEN = 0
    STOP_NO_ROOM = 1
    STOP_ODD = 2
    STOP_ABSENT = 3
    CHUNK_HEADER_LEN = 8
    CHUNK_MARGIN = 12
    REQUEST_ID = 2
    REQUEST_LEN = 40
    SIZE_AT = 8

cdef uint32_t MAGIC_COMMITTED = 0xA1A1A1A1U
cdef uint32_t MAGIC_DEAD = 0xD0D0D0D0U


def take_mcasts(
    words,
    Py_ssize_t at,
    Py_ssize_t count,
    uint32_t chunk_len_max,
    uint32_t msglen_max,
    bytes head,
    Py_ssize_t header_at,
    Py_ssize_t msglen_at,
    room,
    lens,
):
    """Copy multicast requests of one guarantee out of a ring, each behind a head of ours."""
    cdef Py_buffer ring, out, table
    cdef Py_ssize_t head_len = len(head), ring_words, taken = 0, used = 0
    cdef uint32_t wanted = 0
    cdef int stop = STOP_ALL_TAKEN
    if not (0 <= header_at <= head_len - SIZE_AT - 4 and 0 <= msglen_at <= head_len - 4):
        raise ValueError("the lengths lie beyond the head")
    PyObject_GetBuffer(words, &ring, PyBUF_WRITABLE)
    try:
        PyObject_GetBuffer(room, &out, PyBUF_WRITABLE)
        try:
            PyObject_GetBuffer(lens, &table, PyBUF_WRITABLE)
            try:
                ring_words = ring.len // 8
                if chunk_len_max + CHUNK_HEADER_LEN > ring_words * 4 or not 0 <= at < ring_words:
                    raise ValueError("a chunk could reach beyond the ring")
                count = min(count, table.len // 4)
                _take(
                    <unsigned char *> ring.buf, ring_words, &at, count, chunk_len_max, msglen_max,
                    head, head_len, header_at, msglen_at, <unsigned char *> out.buf, out.len,
                    <uint32_t *> table.buf, &taken, &used, &wanted, &stop,
                )
            finally:
                PyBuffer_Release(&table)
        finally:
            PyBuffer_Release(&out)
    finally:
        PyBuffer_Release(&ring)
    return taken, used, at, wanted, stop


cdef void _take(
    unsigned char *ring, Py_ssize_t ring_words, Py_ssize_t *at_place, Py_ssize_t count,
    uint32_t chunk_len_max, uint32_t msglen_max,
    const unsigned char *head, Py_ssize_t head_len, Py_ssize_t header_at, Py_ssize_t msglen_at,
    unsigned char *room, Py_ssize_t room_len, uint32_t *lens,
    Py_ssize_t *taken_place, Py_ssize_t *used_place, uint32_t *wanted, int *stop,
) noexcept:
    cdef Py_ssize_t at = at_place[0], taken = 0, used = 0, whole_len
    cdef unsigned char *chunk
    cdef unsigned char *request
    cdef uint32_t len_bytes, guarantee, msglen
    after_loads()
    while taken < count:
        chunk = ring + at * 4
        request = chunk + CHUNK_HEADER_LEN
        len_bytes = load_word(chunk)
        if load_word(chunk + 4) != MAGIC_COMMITTED or len_bytes > chunk_len_max:
            stop[0] = STOP_ABSENT
            break
        if len_bytes < REQUEST_LEN:
            stop[0] = STOP_ODD
            break
        guarantee = load_word(request + 24)
        msglen = load_word(request + 32)
        if (
            load_word(request) != REQUEST_ID
            or load_word(request + SIZE_AT) != len_bytes
            or msglen > len_bytes - REQUEST_LEN
            or msglen > msglen_max
            or (taken and guarantee != wanted[0])
        ):
            stop[0] = STOP_ODD
            break
        whole_len = head_len + msglen
        if whole_len > room_len - used:
            stop[0] = STOP_NO_ROOM
            break
        wanted[0] = guarantee
        memcpy(room + used, head, head_len)
        store_little(room + used + header_at + SIZE_AT, <uint32_t> (whole_len - header_at))
        store_little(room + used + msglen_at, msglen)
        memcpy(room + used + head_len, request + REQUEST_LEN, msglen)
        store_word(chunk + 4, MAGIC_DEAD)
        lens[taken] = <uint32_t> whole_len
        used += whole_len
        taken += 1
        at += 2 + (len_bytes + 3) // 4
        if at >= ring_words:
            at -= ring_words
    before_stores()
    at_place[0] = at
    taken_place[0] = taken
    used_place[0] = used


def write_run(
    words,
    Py_ssize_t at,
    Py_ssize_t free_bytes,
    Py_ssize_t event_len_max,
    bytes head,
    Py_ssize_t msglen_at,
    list buffers,
    pieces,
    messages,
    Py_ssize_t first,
    Py_ssize_t count,
    Py_ssize_t skip,
):
    """Copy messages of a batch into a ring, each as an event behind a head."""
    cdef Py_buffer ring, piece_table, message_table
    cdef Py_ssize_t head_len = len(head), ring_words, written = 0
    if head_len < SIZE_AT + 4 or not 0 <= msglen_at <= head_len - 4:
        raise ValueError("the lengths lie beyond the head")
    PyObject_GetBuffer(words, &ring, PyBUF_WRITABLE)
    try:
        PyObject_GetBuffer(pieces, &piece_table, PyBUF_SIMPLE)
        try:
            PyObject_GetBuffer(messages, &message_table, PyBUF_SIMPLE)
            try:
                ring_words = ring.len // 8
                if not 0 <= at < ring_words or free_bytes > ring_words * 4:
                    raise ValueError("an event could reach beyond the ring")
                if first < 0 or count < 0 or skip < 0 or first + count > message_table.len // 16:
                    raise ValueError("the batch has fewer messages")
                written = _write(
                    <unsigned char *> ring.buf, ring_words, &at, &free_bytes, event_len_max,
                    head, head_len, msglen_at, buffers,
                    <uint32_t *> piece_table.buf, piece_table.len // 12,
                    <uint32_t *> message_table.buf + first * 4, count, skip,
                )
            finally:
                PyBuffer_Release(&message_table)
        finally:
            PyBuffer_Release(&piece_table)
    finally:
        PyBuffer_Release(&ring)
    return written, at, free_bytes


cdef Py_ssize_t _write(
    unsigned char *ring, Py_ssize_t ring_words, Py_ssize_t *at_place, Py_ssize_t *free_place,
    Py_ssize_t event_len_max,
    const unsigned char *head, Py_ssize_t head_len, Py_ssize_t msglen_at, list buffers,
    const uint32_t *pieces, Py_ssize_t pieces_len, const uint32_t *message, Py_ssize_t count,
    Py_ssize_t skip,
) except -1:
    cdef Py_ssize_t at = at_place[0], free_bytes = free_place[0]
    cdef Py_ssize_t written = 0, msglen, event_len, used_words, left, to_skip, length, offset
    cdef Py_ssize_t buffers_len = len(buffers), known = -1, place, last
    cdef Py_buffer view
    cdef uint32_t own_msglen
    cdef unsigned char *chunk
    cdef unsigned char *to
    try:
        while written < count:
            msglen = <Py_ssize_t> message[2] - skip
            event_len = head_len + msglen
            if msglen < 0 or event_len > event_len_max or event_len + CHUNK_MARGIN > free_bytes:
                break
            chunk = ring + at * 4
            to = chunk + CHUNK_HEADER_LEN
            memcpy(to, head, head_len)
            store_word(to + SIZE_AT, <uint32_t> event_len)
            own_msglen = <uint32_t> msglen
            memcpy(to + msglen_at, &own_msglen, 4)
            to += head_len
            left, to_skip = msglen, skip
            place, last = message[0], <Py_ssize_t> message[0] + message[1]
            if last > pieces_len:
                raise ValueError("the batch has fewer pieces")
            while place < last:
                offset, length = pieces[place * 3 + 1], pieces[place * 3 + 2]
                if pieces[place * 3] != known:
                    if known >= 0:
                        known = -1
                        PyBuffer_Release(&view)
                    if pieces[place * 3] >= buffers_len:
                        raise ValueError("the batch has fewer buffers")
                    PyObject_GetBuffer(buffers[pieces[place * 3]], &view, PyBUF_SIMPLE)
                    known = pieces[place * 3]
                if offset + length > view.len:
                    raise ValueError("a piece reaches beyond its buffer")
                place += 1
                if to_skip >= length:
                    to_skip -= length
                    continue
                offset += to_skip
                length -= to_skip
                to_skip = 0
                if length > left:
                    break
                memcpy(to, <unsigned char *> view.buf + offset, length)
                to += length
                left -= length
            if left or place < last:
                raise ValueError("the pieces of a message are not as long as it is")
            store_word(chunk, <uint32_t> event_len)
            store_word(chunk + 4, MAGIC_COMMITTED)
            used_words = 2 + (event_len + 3) // 4
            free_bytes -= used_words * 4
            at += used_words
            if at >= ring_words:
                at -= ring_words
            message += 4
            written += 1
    finally:
        if known >= 0:
            PyBuffer_Release(&view)
    before_stores()
    at_place[0] = at
    free_place[0] = free_bytes
    return written
