"""
One outgoing stream: application messages in, totempg packets out.

Messages are laid end to end, and cut into packets when the token is here. So every packet but the
last of a run is filled to the brim, and a run of frames has one length, which lets the kernel cut
them from one buffer. One byte is left over when a message ends just before the last byte of a
packet: an item needs two for its length. No packet spans two slabs.

A message's bytes are copied once, into the queue; packets are views of it. Nothing is done for each
message or packet but in the packing kernel.

Source: Corosync exec/totempg.c mcast_msg, which packs while messages come in.
Deviation: messages of applications leave a part of the room to requests that are but a message
each, in Corosync they may take all.
"""

from array import array
from collections import deque
from struct import Struct
from typing import Final

from corosync_tw.corotypes import Guarantee, Slices
from corosync_tw.kernels.packing import cut_packets
from corosync_tw.totem.messages import (
    MCAST_GUARANTEE_AT,
    MCAST_NODEID_AT,
    MCAST_SEQ_AT,
    MCAST_THIS_SEQNO_AT,
)
from corosync_tw.totem.pg_slab import SLAB_LEN_BYTES, Slab, SlabPool
from corosync_tw.totem.pg_wire import ITEM_LEN_LEN_BYTES, MESSAGE_LEN_BYTES_MAX, PACKET
from corosync_tw.totem.runs import SentRun
from corosync_tw.totem.seqno import SEQ_MASK, THIS_SEQNO_MASK

# What may wait in one stream. Stock has room for 4 MiB in frames.
QUEUE_LEN_BYTES_MAX: Final = 4 * 1024 * 1024
QUEUE_MESSAGES_MAX: Final = 32768
# What applications' messages may take of that; the rest is for requests that are but a message
# each, so that they succeed beside a flood. Below what is a critical level (services.flow).
BULK_SHARE_MAX: Final = 0.7
BULK_LEN_BYTES_MAX: Final = int(QUEUE_LEN_BYTES_MAX * BULK_SHARE_MAX)
BULK_MESSAGES_MAX: Final = int(QUEUE_MESSAGES_MAX * BULK_SHARE_MAX)

# A packet without items: whoever holds the beginning of a message of ours lets it go.
_RESET: Final = PACKET.pack(0, 0, 0, 0, 0)
_FIELDS: Final = (MCAST_SEQ_AT, MCAST_THIS_SEQNO_AT, MCAST_GUARANTEE_AT)
_U32: Final = Struct("<I")
# The packing kernel's mark of a message whose packets are SAFE.
_SAFE: Final = 0x80000000
# Places in what the packing kernel keeps of its progress.
_MESSAGE, _TAKEN, _CONTINUATION = range(3)


class Packer:
    """
    A queue of messages and how far its head is sent.

    :ivar len_bytes: of all messages that are not completely given up, item lengths included.
    """

    __slots__ = (
        "_capacity",
        "_count",
        "_needs_reset",
        "_pool",
        "_progress",
        "_reserved",
        "_slabs",
        "len_bytes",
    )

    def __init__(self, capacity: int, slab_len_bytes: int = SLAB_LEN_BYTES) -> None:
        """
        :param capacity: bytes of a packet for items and their lengths.
        :param slab_len_bytes: no less than the longest message.
        """
        self._capacity = capacity
        self._pool = SlabPool(slab_len_bytes)
        # All but the last have messages; new ones go to the last. Empty only before the first use.
        self._slabs: deque[Slab] = deque()
        self._count = 0
        self.len_bytes = 0
        # In the first slab: its message that is the head, the bytes of it that are given up and the
        # id of the fragment that ended the last packet, or 0; the last id that was used.
        self._progress = array("I", (0, 0, 0, 0))
        self._reserved = memoryview(b"")
        self._needs_reset = False

    def __len__(self) -> int:
        return self._count

    def put(
        self, slices: Slices, len_bytes: int, guarantee: Guarantee, *, bulk: bool = False
    ) -> bool:
        """
        Let a message wait. It is copied.

        :param len_bytes: sum of the slices' lengths, not above MESSAGE_LEN_BYTES_MAX.
        :param bulk: one of many, which leave room for others.
        :returns: False when there is no room for it now.
        """
        total = self.len_bytes + len_bytes + ITEM_LEN_LEN_BYTES
        if bulk:
            full = total > BULK_LEN_BYTES_MAX or self._count >= BULK_MESSAGES_MAX
        else:
            full = total > QUEUE_LEN_BYTES_MAX or self._count >= QUEUE_MESSAGES_MAX
        if full and self._count:
            return False
        slab = self._slab_with(len_bytes)
        view, end = slab.view, slab.end
        for piece in slices:
            start, end = end, end + len(piece)
            view[start:end] = piece
        assert end == slab.end + len_bytes, "a message of another length"
        slab.end = end
        slab.lens.append(len_bytes | _SAFE if guarantee else len_bytes)
        self._count += 1
        self.len_bytes = total
        return True

    def bulk_room(self) -> tuple[int, int]:
        """
        Say what applications may add now.

        :returns: bytes, of which each message takes ITEM_LEN_LEN_BYTES more than its length; and
            messages.
        """
        room = max(0, BULK_LEN_BYTES_MAX - self.len_bytes)
        return room, max(0, BULK_MESSAGES_MAX - self._count)

    def reserve(self, len_bytes_min: int, len_bytes_max: int) -> memoryview:
        """
        Give memory for messages that ``commit`` lets wait; the caller looks after ``bulk_room``.

        It is valid until the next call of ``put``, ``reserve`` or ``commit``. Not all of it need be
        used, none of it if there is no commit.

        :param len_bytes_min: at most MESSAGE_LEN_BYTES_MAX.
        :returns: at least ``len_bytes_min`` and at most ``len_bytes_max`` bytes.
        """
        assert 0 < len_bytes_min <= min(len_bytes_max, MESSAGE_LEN_BYTES_MAX)
        slab = self._slab_with(len_bytes_min)
        self._reserved = slab.view[slab.end : slab.end + len_bytes_max]
        return self._reserved

    def commit(self, lens: "array[int]", guarantee: Guarantee) -> None:
        """
        Let messages wait that were laid end to end into the reserved memory.

        :param lens: of the messages, none above MESSAGE_LEN_BYTES_MAX.
        """
        len_bytes = sum(lens)
        assert len_bytes <= len(self._reserved), "more than was reserved"
        self._reserved.release()
        self._reserved = memoryview(b"")
        slab = self._slabs[-1]
        slab.end += len_bytes
        slab.lens.extend(array("I", [size | _SAFE for size in lens]) if guarantee else lens)
        self._count += len(lens)
        self.len_bytes += len_bytes + ITEM_LEN_LEN_BYTES * len(lens)
        assert self.len_bytes <= QUEUE_LEN_BYTES_MAX, "the queue is full"
        assert self._count <= QUEUE_MESSAGES_MAX, "the queue is full of messages"

    def level(self) -> float:
        """Give the share of the room that is used, 0.0 to 1.0."""
        share = max(self.len_bytes / QUEUE_LEN_BYTES_MAX, self._count / QUEUE_MESSAGES_MAX)
        return min(share, 1.0)

    def backlog_frames(self) -> int:
        """Count the packets that wait, give or take the odd one; 0 only when there are none."""
        waiting = self.len_bytes - self._progress[_TAKEN]
        packets = -(-waiting // (self._capacity - ITEM_LEN_LEN_BYTES))
        return packets + self._needs_reset

    def take(self, frames_max: int, header: bytes) -> list[SentRun]:
        """
        Pack and give up at most so many packets, oldest message first.

        :param header: mcast header of the first one, AGREED; the others' numbers follow, and each
            bears the guarantee that it needs.
        :returns: runs of one guarantee each.
        """
        runs: list[SentRun] = []
        if self._needs_reset and frames_max > 0:
            self._needs_reset = False
            frame = header + _RESET
            ends = array("I", (0, len(frame))), array("I", (0, 0))
            runs.append(_run(header, frame, ends, memoryview(b""), safe=False))
            frames_max -= 1
            header = _following(header, 1)
        while self._count and frames_max > 0:
            run = self._cut(frames_max, header)
            runs.append(run)
            frames_max -= run.count
            if frames_max > 0 and self._count:
                header = _following(header, run.count)
        return runs

    def restart(self) -> None:
        """Send the head from its beginning: somebody did not hear what was sent of it."""
        progress = self._progress
        if progress[_CONTINUATION]:
            self._slabs[0].given -= progress[_TAKEN]
            progress[_TAKEN] = progress[_CONTINUATION] = 0
            self._needs_reset = True

    def clear(self) -> None:
        """Forget all messages."""
        self.restart()
        while len(self._slabs) > 1:
            self._pool.put(self._slabs.popleft())
        for slab in self._slabs:
            self._empty(slab)
        self._count = 0
        self.len_bytes = 0

    def _cut(self, frames_max: int, header: bytes) -> SentRun:
        """Take packets of one guarantee from the first slab."""
        slab, progress = self._slabs[0], self._progress
        message, taken = progress[_MESSAGE], progress[_TAKEN]
        headers, ends, body_ends, safe = cut_packets(
            slab.lens, progress, self._capacity, frames_max, header, fields=_FIELDS
        )
        messages = progress[_MESSAGE] - message
        start, slab.given = slab.given, slab.given + body_ends[-1]
        whole_bytes = body_ends[-1] + taken - progress[_TAKEN]
        self.len_bytes -= whole_bytes + ITEM_LEN_LEN_BYTES * messages
        self._count -= messages
        body = slab.view[start : slab.given].toreadonly()
        if progress[_MESSAGE] == len(slab.lens):
            if len(self._slabs) > 1:
                self._pool.put(self._slabs.popleft())
                progress[_MESSAGE] = 0
            else:
                self._empty(slab)
        return _run(header, headers, (ends, body_ends), body, safe=safe)

    def _empty(self, slab: Slab) -> None:
        slab.lens = array("I")
        slab.given = slab.end
        self._progress[_MESSAGE] = 0

    def _slab_with(self, len_bytes: int) -> Slab:
        """Give the slab that new messages go to, with room for so many bytes."""
        self._reserved.release()
        slabs = self._slabs
        if slabs and not self._count:
            slabs[-1].maybe_rewind()
        if not slabs or len(slabs[-1].view) - slabs[-1].end < len_bytes:
            if slabs and not self._count:
                self._pool.put(slabs.pop())
            slabs.append(self._pool.take())
        return slabs[-1]


def _run(
    header: bytes,
    headers: bytes,
    ends: "tuple[array[int], array[int]]",
    body: memoryview,
    *,
    safe: bool,
) -> SentRun:
    """Make a run of which the first frame has this mcast header, its guarantee aside."""
    nodeid = _U32.unpack_from(header, MCAST_NODEID_AT)[0]
    seq = _U32.unpack_from(header, MCAST_SEQ_AT)[0]
    header_ends, body_ends = ends
    count = len(header_ends) - 1
    return SentRun(nodeid, seq, count, safe, headers, header_ends, body, body_ends)


def _following(header: bytes, count: int) -> bytes:
    """Give the header of the frame so many frames after another."""
    changed = bytearray(header)
    for at, mask in ((MCAST_SEQ_AT, SEQ_MASK), (MCAST_THIS_SEQNO_AT, THIS_SEQNO_MASK)):
        _U32.pack_into(changed, at, _U32.unpack_from(changed, at)[0] + count & mask)
    return bytes(changed)
