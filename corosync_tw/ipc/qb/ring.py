"""
libqb's ring buffer: one writer, one reader, two files and a semaphore.

The header file (offsets in bytes):

=====  ========  ==========================================================================
0      u32       write_pt, in words of four bytes
4      u32       read_pt
8      u32       word_size, the length of the data file in words
12     char[]    path of the header file, 4096 bytes
4108   char[]    path of the data file, 4096 bytes
8204   i32       ref_count: 1 for the maker and 1 for the client
8208   sem_t     how many chunks may be read
8240   i32       user_data: level of flow control, in the ring of requests
=====  ========  ==========================================================================

A chunk in the data file is a word with its length in bytes, a word with a magic number, and the
bytes, filled up to whole words. It may wrap at any word, of which nobody sees anything: both sides
map the data twice, one behind the other. The writer fills the chunk, advances write_pt and posts
the semaphore; the reader takes the semaphore, copies, and advances read_pt.

What the client may write is never trusted: each side's own position is kept here, not read back,
and the other's is checked. Bytes are copied once, straight between the messages and the file.
Source: libqb 2.0.6 lib/ringbuffer.c, lib/ringbuffer_helper.c, lib/ringbuffer_int.h.
"""

import mmap
import sys
from array import array
from struct import Struct
from typing import Final

from corosync_tw.corotypes import Slices
from corosync_tw.ipc.qb import semaphore
from corosync_tw.ipc.qb.layout import (
    CHUNK_HEADER_WORDS,
    CHUNK_MARGIN_BYTES,
    MAGIC_COMMITTED,
    MAGIC_DEAD,
    PATH_LEN_BYTES,
    READ_PT_WORD,
    REF_COUNT_WORD,
    RING_HEADER_LEN_BYTES,
    SEM_OFFSET,
    USER_DATA_WORD,
    WORD_LEN_BYTES,
    WRITE_PT_WORD,
    Site,
)
from corosync_tw.ipc.qb.libc import sem_init_shared
from corosync_tw.ipc.qb.mapping import SharedFile
from corosync_tw.kernels.rings import ABSENT, ALL_TAKEN, NO_ROOM, ODD, take_mcasts, write_run
from corosync_tw.services.lib_runs import EventRun, MessageHead, RunsTaken

# write_pt, read_pt, word_size, header path, data path, ref_count
_HEADER: Final = Struct(f"=III{PATH_LEN_BYTES}s{PATH_LEN_BYTES}si")
# glibc keeps the value in the low half of the first eight bytes.
_SEM_VALUE_WORD: Final = SEM_OFFSET // WORD_LEN_BYTES + (sys.byteorder == "big")

# Why the kernel stopped.
_REASONS: Final = {
    ALL_TAKEN: RunsTaken.ALL,
    NO_ROOM: RunsTaken.UP_TO_FULL,
    ODD: RunsTaken.UP_TO_OTHER,
}
_ABSENT: Final = "it announced a request that is not there"

assert _HEADER.size == SEM_OFFSET


class RingViolation(Exception):
    """The other side broke the ring; its client cannot be served any longer."""


def data_len_bytes(max_msg_size: int) -> int:
    """Give the length of the data file for messages up to ``max_msg_size`` bytes."""
    needed = max_msg_size + CHUNK_MARGIN_BYTES + 1
    return -(-needed // mmap.PAGESIZE) * mmap.PAGESIZE


def footprint_bytes(max_msg_size: int) -> int:
    """Give the memory that one ring can come to use."""
    return data_len_bytes(max_msg_size) + -(-RING_HEADER_LEN_BYTES // mmap.PAGESIZE) * mmap.PAGESIZE


class Ring:
    """The two files of a ring, and what both of its ends have in common."""

    def __init__(self, path: str, site: Site) -> None:
        """
        Make the files and map them.

        :param path: without the endings ``-header`` and ``-data``.
        Raises: OSError; files already made lie in the connection's directory and go with it.
        """
        self._max_msg_size = site.max_msg_size
        data_bytes = data_len_bytes(site.max_msg_size)
        self._header = SharedFile(f"{path}-header", RING_HEADER_LEN_BYTES, site.peer)
        try:
            self._file = SharedFile(f"{path}-data", data_bytes, site.peer, twice=True)
        except OSError:
            self._header.close()
            raise
        self._word_size = data_bytes // WORD_LEN_BYTES
        _HEADER.pack_into(
            self._header.memory,
            0,
            0,
            0,
            self._word_size,
            self._header.path.encode(),
            self._file.path.encode(),
            1,
        )
        self._sem = self._header.address + SEM_OFFSET
        sem_init_shared(self._sem)
        # Where our own end is; in words.
        self._at = 0

    def set_user_data(self, value: int) -> None:
        """Store the level of flow control."""
        self._header.words[USER_DATA_WORD] = value

    def close(self) -> None:
        """Unmap both files, and have a client's next call see that nobody is there."""
        if self._header.len_bytes:
            self._header.words[REF_COUNT_WORD] = 0
        self._header.close()
        self._file.close()

    def check(self) -> None:
        """
        Raise RingViolation when the memory is gone.

        To be called after access, and before anybody relies on what was read or written.
        """
        if self._header.broken or self._file.broken:
            raise RingViolation("its shared memory was cut off")


class RingReader(Ring):
    """Our end of the ring that the client writes requests to."""

    def next_len(self) -> int:
        """
        Look how long the next chunk is, which is known to be there.

        Raises: RingViolation.
        """
        words, at = self._file.words, self._at
        if words[at + 1] != MAGIC_COMMITTED:
            self.check()
            raise RingViolation(_ABSENT)
        len_bytes = words[at]
        if len_bytes > self._max_msg_size:
            raise RingViolation(f"it wrote a request of {len_bytes} bytes")
        return len_bytes

    def take(self, count: int, len_bytes_max: int) -> list[bytes]:
        """
        Copy out as many chunks as were announced, in order.

        :param count: how many are known to be there.
        :param len_bytes_max: no further chunk is taken when this many bytes are reached.
        Raises: RingViolation.
        """
        words, chars, word_size = self._file.words, self._file.chars, self._word_size
        taken = list[bytes]()
        room_bytes = len_bytes_max
        while count and room_bytes > 0:
            count -= 1
            len_bytes = self.next_len()
            at = self._at
            words[at + 1] = MAGIC_DEAD
            start = (at + CHUNK_HEADER_WORDS) * WORD_LEN_BYTES
            taken.append(chars[start : start + len_bytes])
            at += CHUNK_HEADER_WORDS + (len_bytes + 3) // WORD_LEN_BYTES
            self._at = at - word_size if at >= word_size else at
            room_bytes -= len_bytes
        self._taken(len(taken))
        return taken

    def take_mcasts(
        self, count: int, head: MessageHead, room: memoryview, lens: "array[int]"
    ) -> tuple[int, int, RunsTaken]:
        """
        Copy out multicast requests as messages, as many as follow each other and find room.

        :param count: how many requests are known to be there.
        :param room: where to; of no worth if this raises.
        :param lens: gets the messages' lengths; no more are taken than it has places.
        :return: as RequestRuns.take_mcasts.
        Raises: RingViolation.
        """
        taken, _, self._at, guarantee, stop = take_mcasts(
            self._file.words, self._at, count, self._max_msg_size, *head, room, lens
        )
        if taken:
            self._taken(taken)
        if stop == ABSENT:
            # With the words that its owner wants to hear.
            self.check()
            self.next_len()
            raise RingViolation(_ABSENT)
        return taken, guarantee, _REASONS[stop]

    def _taken(self, count: int) -> None:
        """Tell the client that chunks are taken."""
        have_been = semaphore.take(self._sem, count)
        self._header.words[READ_PT_WORD] = self._at
        self.check()
        if not have_been:
            raise RingViolation("it announced a request that it did not post")


class RingWriter(Ring):
    """
    Our end of a ring that the client reads responses or events from.

    :ivar unposted: chunks that are written but that the client was not told of.
    """

    def __init__(self, path: str, site: Site) -> None:
        super().__init__(path, site)
        self.unposted = 0
        # A lower bound: grows only when we look at the client's position.
        self._free_bytes = (self._word_size - 1) * WORD_LEN_BYTES

    def write(self, slices: Slices, len_bytes: int) -> bool:
        """
        Copy a message in, for the client to see after ``post``.

        :param len_bytes: of all slices.
        :return: False when there is no room now.
        Raises: RingViolation.
        """
        if (
            len_bytes + CHUNK_MARGIN_BYTES > self._free_bytes
            and len_bytes + CHUNK_MARGIN_BYTES > self._look_for_room(len_bytes)
        ):
            return False
        at, words, memory = self._at, self._file.words, self._file.memory
        words[at] = len_bytes
        words[at + 1] = MAGIC_COMMITTED
        position = (at + CHUNK_HEADER_WORDS) * WORD_LEN_BYTES
        for piece in slices:
            end = position + len(piece)
            memory[position:end] = piece
            position = end
        used_words = CHUNK_HEADER_WORDS + (len_bytes + 3) // WORD_LEN_BYTES
        self._free_bytes -= used_words * WORD_LEN_BYTES
        at += used_words
        self._at = at - self._word_size if at >= self._word_size else at
        self.unposted += 1
        return True

    def write_run(self, run: EventRun, first: int, count: int) -> int:
        """
        Copy messages of a run in, each with its head, as many as there is room for.

        :param first: of the run's batch.
        :return: how many; 0 also when the first is longer than any event may be.
        Raises: RingViolation.
        """
        written = self._write_run(run, first, count)
        if written < count:
            wanted = run.event_len(first + written)
            if wanted > run.event_len_max:
                return written
            room = self._look_for_room(wanted)
            if wanted + CHUNK_MARGIN_BYTES <= room:
                # An empty ring has a word more, for the first.
                more = room - self._free_bytes
                self._free_bytes = room
                written += self._write_run(run, first + written, count - written)
                self._free_bytes -= more
        return written

    def _write_run(self, run: EventRun, first: int, count: int) -> int:
        batch = run.batch
        written, self._at, self._free_bytes = write_run(
            self._file.words,
            self._at,
            self._free_bytes,
            run.event_len_max,
            run.head,
            run.msglen_at,
            batch.buffers,
            batch.pieces,
            batch.messages,
            first,
            count,
            run.skip,
        )
        self.unposted += written
        return written

    def post(self) -> None:
        """
        Let the client see what was written, and wake it if it sleeps on the semaphore.

        Raises: RingViolation.
        """
        self._header.words[WRITE_PT_WORD] = self._at
        count, self.unposted = self.unposted, 0
        semaphore.post(self._sem, count)
        self.check()

    def chunks(self) -> int:
        """Read how many chunks the client has not taken yet, by its own account."""
        return self._header.words[_SEM_VALUE_WORD]

    def _look_for_room(self, len_bytes: int) -> int:
        """Learn how many bytes are free, and keep a bound of it for the writes that follow."""
        if len_bytes + CHUNK_MARGIN_BYTES >= self._word_size * WORD_LEN_BYTES:
            raise RingViolation(f"a message of {len_bytes} bytes for it never fits its ring")
        read_at = self._header.words[READ_PT_WORD]
        self.check()
        if read_at >= self._word_size:
            raise RingViolation(f"it moved its reading position to {read_at}")
        # The last word before the client's position stays free, so that equal positions mean an
        # empty ring; as in libqb, that one word counts for the first message into an empty ring.
        free_words = (read_at - self._at - 1) % self._word_size
        self._free_bytes = free_words * WORD_LEN_BYTES
        return self._free_bytes + (WORD_LEN_BYTES if read_at == self._at else 0)
