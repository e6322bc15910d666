"""
One ring of messages in shared memory that the daemon made: the client's end of it.

The daemon may write anything there at any time. What decides over our memory (the ring's size) is
read and checked once; what moves (pointers, lengths, magic words) is read once per message and
checked before it is used. Source: libqb lib/ringbuffer.c.
"""

import mmap
import os
from typing import Final

from corosync_tw.client.qb.faults import ForeignBytes
from corosync_tw.client.qb.semaphore import Semaphore
from corosync_tw.client.qb.sharing import SharedDirectory
from corosync_tw.ipc.qb.layout import (
    CHUNK_HEADER_WORDS,
    CHUNK_MARGIN_BYTES,
    MAGIC_ALLOCATED,
    MAGIC_COMMITTED,
    MAGIC_DEAD,
    READ_PT_WORD,
    REF_COUNT_WORD,
    RING_HEADER_LEN_BYTES,
    SEM_OFFSET,
    USER_DATA_WORD,
    WORD_LEN_BYTES,
    WORD_SIZE_WORD,
    WRITE_PT_WORD,
)

RING_LEN_MAX: Final = 64 * 1024 * 1024
# Both ends hold the ring.
REF_COUNT_BOTH: Final = 2


class Ring:
    """
    A ring; one end writes, the other reads.

    :ivar max_msg_len: no message is longer, bytes.
    """

    def __init__(self, header: int, data: int, max_msg_len: int) -> None:
        """
        Map a ring from the descriptors of its two files, which stay the caller's.

        Raises: ForeignBytes, OSError.
        """
        self.max_msg_len = max_msg_len
        if os.fstat(header).st_size < RING_HEADER_LEN_BYTES:
            raise ForeignBytes("a ring's header is too short")
        self._header = mmap.mmap(header, os.fstat(header).st_size & ~3)
        self._words = memoryview(self._header).cast("I")
        self._size_words = self._words[WORD_SIZE_WORD]
        data_len = self._size_words * WORD_LEN_BYTES
        if not max_msg_len + CHUNK_MARGIN_BYTES < data_len <= RING_LEN_MAX:
            raise ForeignBytes(f"a ring of {data_len} bytes for messages of {max_msg_len}")
        if os.fstat(data).st_size < data_len:
            raise ForeignBytes("a ring's data are shorter than its header says")
        # Where no memory is left, an error now is better than a signal later.
        if hasattr(os, "posix_fallocate"):
            os.posix_fallocate(data, 0, data_len)
        self._data = mmap.mmap(data, data_len)
        self._chunks = memoryview(self._data).cast("I")
        self._semaphore = Semaphore(self._header, SEM_OFFSET)
        self._words[REF_COUNT_WORD] += 1

    def close(self) -> None:
        """Let go; the files are the daemon's."""
        # As libqb does; who ends first ends the ring for both (qb_rb_lastref_and_ret).
        self._words[REF_COUNT_WORD] = 0
        self._semaphore.close()
        for view, mapping in ((self._words, self._header), (self._chunks, self._data)):
            view.release()
            mapping.close()

    def held_by_both(self) -> bool:
        """Tell whether the daemon still holds its end."""
        return self._words[REF_COUNT_WORD] == REF_COUNT_BOTH

    def flow_control(self) -> int:
        """Read the daemon's level, 0, 1 or 2; in a ring of requests alone."""
        return self._words[USER_DATA_WORD]

    def write(self, message: bytes) -> bool:
        """
        Append a message; tell whether there was room.

        Raises: ForeignBytes, OSError.
        """
        at = self._pointer(WRITE_PT_WORD)
        if self._free_len(at) < len(message) + CHUNK_MARGIN_BYTES:
            return False
        magic_at = (at + 1) % self._size_words
        self._chunks[at] = 0
        self._chunks[magic_at] = MAGIC_ALLOCATED
        self._copy_in(at, message)
        self._chunks[at] = len(message)
        self._words[WRITE_PT_WORD] = self._behind(at, len(message))
        self._chunks[magic_at] = MAGIC_COMMITTED
        self._semaphore.post()
        return True

    def read(self, patience_s: float) -> bytes | None:
        """
        Take the oldest message, waiting no longer than this; None when there is none.

        Raises: ForeignBytes, OSError.
        """
        if not self._semaphore.wait(patience_s):
            return None
        at = self._pointer(READ_PT_WORD)
        magic_at = (at + 1) % self._size_words
        if self._chunks[magic_at] != MAGIC_COMMITTED:
            raise ForeignBytes("a message in a ring was not committed")
        length = self._chunks[at]
        if length > self.max_msg_len:
            raise ForeignBytes(f"a message of {length} bytes, {self.max_msg_len} are allowed")
        message = self._copy_out(at, length)
        self._chunks[at] = 0
        self._chunks[magic_at] = MAGIC_DEAD
        self._words[READ_PT_WORD] = self._behind(at, length)
        return message

    def _pointer(self, which: int) -> int:
        at = self._words[which]
        if at >= self._size_words:
            raise ForeignBytes("a ring's pointer is outside of the ring")
        return at

    def _free_len(self, write_at: int) -> int:
        read_at = self._pointer(READ_PT_WORD)
        if write_at == read_at:
            words = 0 if self._semaphore.value() else self._size_words
        else:
            words = (read_at - write_at) % self._size_words - 1
        return words * WORD_LEN_BYTES

    def _behind(self, at: int, length: int) -> int:
        return (at + CHUNK_HEADER_WORDS + -(-length // WORD_LEN_BYTES)) % self._size_words

    def _copy_in(self, at: int, message: bytes) -> None:
        start = (at + CHUNK_HEADER_WORDS) % self._size_words * WORD_LEN_BYTES
        room = self._size_words * WORD_LEN_BYTES - start
        self._data[start : start + min(len(message), room)] = message[:room]
        if len(message) > room:
            self._data[: len(message) - room] = message[room:]

    def _copy_out(self, at: int, length: int) -> bytes:
        start = (at + CHUNK_HEADER_WORDS) % self._size_words * WORD_LEN_BYTES
        first = self._data[start : start + length]
        return first + self._data[: length - len(first)] if len(first) < length else first


def open_ring(directory: SharedDirectory, name: str, max_msg_len: int) -> Ring:
    """
    Open the ring of this name.

    Raises: ForeignBytes, OSError.
    """
    header = directory.open(f"{name}-header")
    try:
        data = directory.open(f"{name}-data")
        try:
            return Ring(header, data, max_msg_len)
        finally:
            os.close(data)
    finally:
        os.close(header)
