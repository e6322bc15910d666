# cython: boundscheck=False, wraparound=False, cdivision=True
"""
Take packets apart and find runs of like messages: compiled.

The plain twin says what the functions do. Nothing is read outside a buffer: a packet's lengths are
compared with its end before an item counts, and pieces with their buffers before one is looked at.
"""

from cpython cimport array
from cpython.buffer cimport PyBUF_SIMPLE, PyBuffer_Release, PyObject_GetBuffer
from libc.stdint cimport int64_t, uint8_t, uint32_t
from libc.string cimport memcmp, memcpy

cdef enum:
    PACKET_LEN = 8
    START_LEN = 9
    HEAD_LEN = 189
    NAME_LEN_AT = 21
    NAME_AT = 29
    NAME_LEN_MAX = 128
    MESSAGE_LEN_AT = 157
    PID_AT = 165


cdef inline uint32_t read16(const uint8_t* at) noexcept nogil:
    return at[0] | (at[1] << 8)


cdef inline uint32_t read32(const uint8_t* at) noexcept nogil:
    return at[0] | (at[1] << 8) | (at[2] << 16) | (<uint32_t> at[3] << 24)


cdef class _Places:
    """The arrays that grow, and the message in hand."""

    cdef array.array pieces, messages
    cdef Py_ssize_t piece_count, message_count, hand_first
    cdef int64_t hand_len, hand_len_max
    cdef uint32_t hand_id, buffer
    # The last piece belongs to the message in hand and ends where the next packet's items begin.
    cdef bint joins, open

    cdef int room(self, Py_ssize_t count) except -1:
        """Make room for the items of one packet."""
        cdef Py_ssize_t need = 3 * (self.piece_count + count)
        if need > len(self.pieces):
            array.resize_smart(self.pieces, need + need // 2)
        need = 4 * (self.message_count + count)
        if need > len(self.messages):
            array.resize_smart(self.messages, need + need // 2)
        return 0

    cdef inline void piece(self, int64_t offset, uint32_t length) noexcept:
        cdef unsigned int* words = self.pieces.data.as_uints + 3 * self.piece_count
        words[0] = self.buffer
        words[1] = <uint32_t> offset
        words[2] = length
        self.piece_count += 1

    cdef inline void message(
        self, Py_ssize_t first, Py_ssize_t count, uint32_t length, uint32_t seq
    ) noexcept:
        cdef unsigned int* words = self.messages.data.as_uints + 4 * self.message_count
        words[0] = <uint32_t> first
        words[1] = <uint32_t> count
        words[2] = length
        words[3] = seq
        self.message_count += 1

    cdef int packet(
        self,
        const uint8_t* at,
        const uint8_t* headers_end,
        int64_t items_at,
        int64_t end,
        uint32_t seq,
    ) except -1:
        """
        Unpack one packet; 0 when it is left to the caller.

        :param headers_end: of what may be read from ``at``.
        :param end: where the items end, those behind the lengths begin at ``items_at``; -1 when
            they follow the lengths, up to headers_end.
        """
        cdef uint32_t fragmented, continuation, count, i, length
        cdef uint32_t first = 0
        cdef int64_t total = 0
        cdef const uint8_t* lens
        if headers_end - at < PACKET_LEN:
            return 0
        fragmented, continuation, count = at[4], at[5], read16(at + 6)
        lens = at + PACKET_LEN
        if continuation != self.hand_id or not count or headers_end - lens < 2 * <int64_t> count:
            return 0
        for i in range(count):
            total += read16(lens + 2 * i)
        if end < 0:
            items_at += PACKET_LEN + 2 * <int64_t> count
            if headers_end - lens - 2 * <int64_t> count != total:
                return 0
        elif headers_end - lens != 2 * <int64_t> count or items_at + total != end:
            return 0
        if continuation:
            length = read16(lens)
            if self.hand_len + length > self.hand_len_max:
                return 0
        self.room(count)
        if continuation:
            first = 1
            self.hand_len += length
            if length:
                if self.open:
                    self.pieces.data.as_uints[3 * self.piece_count - 1] += length
                else:
                    self.piece(items_at, length)
                    self.open = self.joins
            if count == 1 and fragmented:
                self.hand_id = fragmented
                return 1
            self.message(
                self.hand_first, self.piece_count - self.hand_first, <uint32_t> self.hand_len, seq
            )
            items_at += length
        self.hand_id = 0
        self.hand_len = 0
        self.open = False
        for i in range(first, count - (fragmented != 0)):
            length = read16(lens + 2 * i)
            self.message(self.piece_count, 1, length, seq)
            self.piece(items_at, length)
            items_at += length
        self.hand_first = self.piece_count
        if fragmented:
            length = read16(lens + 2 * (count - 1))
            self.hand_id = fragmented
            self.hand_len = length
            if length:
                self.piece(items_at, length)
                self.open = self.joins
        return 1

    cdef tuple done(self, Py_ssize_t number):
        array.resize(self.pieces, 3 * self.piece_count)
        array.resize(self.messages, 4 * self.message_count)
        return number, self.hand_id, self.hand_len


cdef _Places _begin(
    uint32_t buffer,
    uint32_t hand_id,
    int64_t hand_len,
    int64_t hand_len_max,
    array.array pieces,
    array.array messages,
    bint joins,
):
    if pieces.typecode != "I" or messages.typecode != "I" or len(messages) or len(pieces) % 3:
        raise ValueError("pieces are triples and messages none, of type I")
    cdef _Places places = _Places.__new__(_Places)
    places.pieces, places.messages = pieces, messages
    places.piece_count = len(pieces) // 3
    places.buffer = buffer
    places.hand_id, places.hand_len, places.hand_len_max = hand_id, hand_len, hand_len_max
    places.joins = joins
    return places


def unpack_received(
    const uint8_t[::1] blob not None,
    Py_ssize_t stride,
    Py_ssize_t header_len,
    Py_ssize_t start,
    Py_ssize_t stop,
    uint32_t first_seq,
    uint32_t buffer,
    uint32_t hand_id,
    int64_t hand_len,
    int64_t hand_len_max,
    array.array pieces not None,
    array.array messages not None,
):
    """Unpack datagrams ``stride`` bytes long, of which the last one may be shorter."""
    cdef _Places places = _begin(
        buffer, hand_id, hand_len, hand_len_max, pieces, messages, False
    )
    cdef Py_ssize_t blob_len = blob.shape[0]
    cdef Py_ssize_t number = start, at, end
    cdef const uint8_t* data
    if stride <= 0 or header_len < 0 or start < 0:
        raise ValueError("datagrams outside the buffer")
    stop = min(stop, blob_len // stride + 1)
    if not blob_len:
        return places.done(number)
    data = &blob[0]
    while number < stop:
        at = number * stride + header_len
        end = min(number * stride + stride, blob_len)
        if at > end or not places.packet(
            data + at, data + end, at, -1, first_seq + <uint32_t> number
        ):
            break
        number += 1
    return places.done(number)


def unpack_sent(
    const uint8_t[::1] headers not None,
    array.array header_ends not None,
    const uint8_t[::1] body not None,
    array.array body_ends not None,
    Py_ssize_t header_len,
    Py_ssize_t start,
    Py_ssize_t stop,
    uint32_t first_seq,
    uint32_t buffer,
    uint32_t hand_id,
    int64_t hand_len,
    int64_t hand_len_max,
    array.array pieces not None,
    array.array messages not None,
):
    """Unpack datagrams of which the items lie end to end, away from their headers."""
    cdef _Places places = _begin(buffer, hand_id, hand_len, hand_len_max, pieces, messages, True)
    cdef Py_ssize_t headers_len = headers.shape[0], body_len = body.shape[0]
    cdef Py_ssize_t number = start
    cdef int64_t at, headers_end, end
    cdef const uint8_t* data
    cdef unsigned int* header_words
    cdef unsigned int* body_words
    if header_ends.typecode != "I" or body_ends.typecode != "I" or header_len < 0 or start < 0:
        raise ValueError("ends are of type I")
    stop = min(stop, len(header_ends) - 1, len(body_ends) - 1)
    if not headers_len:
        return places.done(number)
    data = &headers[0]
    header_words, body_words = header_ends.data.as_uints, body_ends.data.as_uints
    while number < stop:
        at = <int64_t> header_words[number] + header_len
        headers_end = header_words[number + 1]
        end = body_words[number + 1]
        if at > headers_end or headers_end > headers_len or end > body_len or not places.packet(
            data + at, data + headers_end, body_words[number], end, first_seq + <uint32_t> number
        ):
            break
        number += 1
    return places.done(number)


cdef class _Heads:
    """Where the beginnings of messages are looked up: one buffer is held at a time."""

    cdef list buffers
    cdef array.array pieces
    cdef Py_ssize_t held
    cdef Py_buffer view
    cdef uint8_t[HEAD_LEN] joined

    def __cinit__(self):
        self.held = -1

    def __dealloc__(self):
        if self.held >= 0:
            PyBuffer_Release(&self.view)

    cdef const uint8_t* find(self, Py_ssize_t piece, Py_ssize_t count) except NULL:
        """Give the beginning of a message that is no shorter, joined if it is cut."""
        cdef const uint8_t* bytes_ = self.bytes(piece)
        cdef const unsigned int* words = self.pieces.data.as_uints
        cdef Py_ssize_t last = piece + count, done = 0, take
        if words[3 * piece + 2] >= HEAD_LEN:
            return bytes_
        while True:
            take = min(<Py_ssize_t> words[3 * piece + 2], HEAD_LEN - done)
            memcpy(self.joined + done, bytes_, take)
            done += take
            if done == HEAD_LEN:
                return self.joined
            piece += 1
            if piece >= last:
                raise ValueError("a message is longer than its pieces")
            bytes_ = self.bytes(piece)

    cdef const uint8_t* bytes(self, Py_ssize_t piece) except NULL:
        """Give the bytes of a piece."""
        cdef const unsigned int* words
        if 3 * piece + 2 >= len(self.pieces):
            raise ValueError("no such piece")
        words = self.pieces.data.as_uints + 3 * piece
        if self.held != words[0]:
            if self.held >= 0:
                PyBuffer_Release(&self.view)
                self.held = -1
            if words[0] >= len(self.buffers):
                raise ValueError("no such buffer")
            PyObject_GetBuffer(self.buffers[words[0]], &self.view, PyBUF_SIMPLE)
            self.held = words[0]
        if <int64_t> words[1] + words[2] > self.view.len:
            raise ValueError("a piece outside its buffer")
        return <const uint8_t*> self.view.buf + words[1]


def cpg_run(
    list buffers not None,
    array.array pieces not None,
    array.array messages not None,
    Py_ssize_t first,
    bytes start not None,
):
    """Count the messages of one process to one group, from the ``first`` one."""
    cdef _Heads heads = _Heads.__new__(_Heads)
    cdef const uint8_t* head
    cdef const uint8_t* wanted = start
    cdef const unsigned int* words
    cdef Py_ssize_t total = len(messages) // 4, number = first
    cdef uint32_t length, name_len, group_len = 0, pid = 0
    cdef uint8_t[NAME_LEN_MAX] group
    heads.buffers, heads.pieces = buffers, pieces
    if pieces.typecode != "I" or messages.typecode != "I" or len(start) != START_LEN or first < 0:
        raise ValueError("arrays of type I and nine bytes")
    words = messages.data.as_uints + 4 * first
    while number < total:
        length = words[2]
        if length < HEAD_LEN:
            break
        head = heads.find(words[0], words[1])
        name_len = read32(head + NAME_LEN_AT)
        if (
            memcmp(head, wanted, START_LEN)
            or name_len > NAME_LEN_MAX
            or read32(head + MESSAGE_LEN_AT) != length - HEAD_LEN
        ):
            break
        if number == first:
            group_len, pid = name_len, read32(head + PID_AT)
            memcpy(group, head + NAME_AT, name_len)
        elif (
            name_len != group_len
            or memcmp(head + NAME_AT, group, name_len)
            or read32(head + PID_AT) != pid
        ):
            break
        number += 1
        words += 4
    if number == first:
        return None
    return number - first, (<const char*> group)[:group_len], pid
