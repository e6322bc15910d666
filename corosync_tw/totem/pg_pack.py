"""
One outgoing stream: application messages in, totempg packets out.

Messages wait as they were given, and are packed when the token is here. So every packet but the
last of a run is filled to the brim, and a run of frames has one length, which lets the kernel cut
them from one buffer. One byte is left over when a message ends just before the last byte of a
packet: an item needs two for its length.

Nothing is copied: a packet is a few bytes of header and slices of the caller's buffers.

Source: Corosync exec/totempg.c mcast_msg, which packs while messages come in.
Deviation: messages of applications leave a part of the room to requests that are but a message
each, in Corosync they may take all.
"""

from collections import deque
from typing import Final

from corosync_tw.corotypes import Buffer, Guarantee, Slices
from corosync_tw.totem.pg_wire import (
    FRAGMENT_ID_MAX,
    ITEM_LEN_LEN_BYTES,
    PACKET,
    packet_struct,
)

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


class Packer:
    """
    A queue of messages and how far its head is sent.

    :ivar len_bytes: of all messages that are not completely given up, item lengths included.
    """

    __slots__ = (
        "_capacity",
        "_continuation",
        "_fragment_id",
        "_head_slices",
        "_head_taken_bytes",
        "_needs_reset",
        "_queue",
        "len_bytes",
    )

    def __init__(self, capacity: int) -> None:
        """:param capacity: bytes of a packet for items and their lengths."""
        self._capacity = capacity
        self._queue: deque[tuple[int, Slices, Guarantee]] = deque()
        self.len_bytes = 0
        # What is left of the head when part of it is sent; then _continuation is not 0.
        self._head_slices: list[Buffer] = []
        self._head_taken_bytes = 0
        self._continuation = 0
        self._fragment_id = 0
        self._needs_reset = False

    def __len__(self) -> int:
        return len(self._queue)

    def put(
        self, slices: Slices, len_bytes: int, guarantee: Guarantee, *, bulk: bool = False
    ) -> bool:
        """
        Let a message wait.

        :param len_bytes: sum of the slices' lengths.
        :param bulk: one of many, which leave room for others.
        :returns: False when there is no room for it now.
        """
        queue = self._queue
        total = self.len_bytes + len_bytes + ITEM_LEN_LEN_BYTES
        if bulk:
            full = total > BULK_LEN_BYTES_MAX or len(queue) >= BULK_MESSAGES_MAX
        else:
            full = total > QUEUE_LEN_BYTES_MAX or len(queue) >= QUEUE_MESSAGES_MAX
        if full and queue:
            return False
        queue.append((len_bytes, slices, guarantee))
        self.len_bytes = total
        return True

    def level(self) -> float:
        """Give the share of the room that is used, 0.0 to 1.0."""
        share = max(self.len_bytes / QUEUE_LEN_BYTES_MAX, len(self._queue) / QUEUE_MESSAGES_MAX)
        return min(share, 1.0)

    def backlog_frames(self) -> int:
        """Count the packets that wait, give or take the odd one; 0 only when there are none."""
        waiting = self.len_bytes - self._head_taken_bytes
        packets = -(-waiting // (self._capacity - ITEM_LEN_LEN_BYTES))
        return packets + self._needs_reset

    def take(self, frames_max: int) -> list[tuple[Guarantee, Slices]]:
        """Pack and give up at most so many packets, oldest message first."""
        packets: list[tuple[Guarantee, Slices]] = []
        if self._needs_reset and frames_max > 0:
            packets.append((Guarantee.AGREED, (_RESET,)))
            self._needs_reset = False
        queue = self._queue
        while queue and len(packets) < frames_max:
            packets.append(self._pack())
        return packets

    def restart(self) -> None:
        """Send the head from its beginning: somebody did not hear what was sent of it."""
        if self._continuation:
            self._drop_progress()
            self._needs_reset = True

    def clear(self) -> None:
        """Forget all messages."""
        self.restart()
        self._queue.clear()
        self.len_bytes = 0

    def _drop_progress(self) -> None:
        self._continuation = 0
        self._head_slices = []
        self._head_taken_bytes = 0

    def _pack(self) -> tuple[Guarantee, Slices]:
        queue = self._queue
        room = self._capacity
        lens: list[int] = []
        items: list[Buffer] = []
        guarantee = Guarantee.AGREED
        continuation = self._continuation
        fragmented = 0
        if continuation:
            left = queue[0][0] - self._head_taken_bytes
            guarantee = queue[0][2]
            if left + ITEM_LEN_LEN_BYTES > room:
                lens.append(room - ITEM_LEN_LEN_BYTES)
                fragmented = self._cut(room - ITEM_LEN_LEN_BYTES, items)
                room = 0
            else:
                lens.append(left)
                items = self._head_slices
                room -= left + ITEM_LEN_LEN_BYTES
                self.len_bytes -= queue.popleft()[0] + ITEM_LEN_LEN_BYTES
                self._drop_progress()
        taken = 0
        while room >= ITEM_LEN_LEN_BYTES and queue:
            len_bytes, slices, wanted = queue[0]
            if wanted:
                guarantee = wanted
            if len_bytes + ITEM_LEN_LEN_BYTES > room:
                self._head_slices = list(slices)
                lens.append(room - ITEM_LEN_LEN_BYTES)
                fragmented = self._cut(room - ITEM_LEN_LEN_BYTES, items)
                break
            lens.append(len_bytes)
            items += slices
            len_bytes += ITEM_LEN_LEN_BYTES
            room -= len_bytes
            taken += len_bytes
            queue.popleft()
        self.len_bytes -= taken
        count = len(lens)
        header = packet_struct(count).pack(0, 0, fragmented, continuation, count, *lens)
        return guarantee, (header, *items)

    def _cut(self, len_bytes: int, items: list[Buffer]) -> int:
        """Move bytes of the head to a packet that they fill, and give the fragment's id."""
        slices = self._head_slices
        self._head_taken_bytes += len_bytes
        done = 0
        for piece in slices:
            if len(piece) > len_bytes:
                view = memoryview(piece)
                items.append(view[:len_bytes])
                slices[done] = view[len_bytes:]
                break
            items.append(piece)
            len_bytes -= len(piece)
            done += 1
        del slices[:done]
        self._fragment_id = self._fragment_id % FRAGMENT_ID_MAX + 1
        self._continuation = self._fragment_id
        return self._fragment_id
