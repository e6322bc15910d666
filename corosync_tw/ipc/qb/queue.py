"""
Events that wait for one client, single ones and runs in their order.

A run keeps the memory that its messages lie in, of which others may be the larger part: one that is
small in it, or comes behind many others, is copied.
"""

from collections import deque
from typing import Final

from corosync_tw.services.lib_runs import EventRun

# What a queued event costs beside its bytes.
QUEUED_OVERHEAD_BYTES: Final = 64
# Runs behind so many bytes are copied: a client that does not read keeps nobody's memory.
UNCOPIED_BYTES_MAX: Final = 4 << 20


class EventQueue:
    """The queue; false when it is empty."""

    __slots__ = ("_items", "_queued_bytes")

    def __init__(self) -> None:
        self._items: deque[bytes | EventRun] = deque()
        self._queued_bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    def append(self, event: bytes) -> int:
        """Add an event; give what it costs in bytes."""
        self._items.append(event)
        return self._charged(len(event), 1)

    def append_run(self, run: EventRun) -> int:
        """Add events; give what they cost in bytes."""
        len_bytes = run.len_bytes()
        if self._queued_bytes > UNCOPIED_BYTES_MAX or 2 * len_bytes < run.held_bytes():
            run = run.copied()
        self._items.append(run)
        return self._charged(len_bytes, run.count)

    def head(self) -> bytes | EventRun:
        """Give the first event or run of events."""
        return self._items[0]

    def pop(self, count: int) -> int:
        """
        Remove the first events; give what they cost.

        :param count: of those in the head.
        """
        head = self._items[0]
        if isinstance(head, bytes):
            self._items.popleft()
            return -self._charged(-len(head), -1)
        if count == head.count:
            self._items.popleft()
        else:
            self._items[0] = head.part(head.first + count, head.count - count)
        return -self._charged(-head.part(head.first, count).len_bytes(), -count)

    def clear(self) -> None:
        """Forget all."""
        self._items.clear()
        self._queued_bytes = 0

    def _charged(self, len_bytes: int, count: int) -> int:
        charge_bytes = len_bytes + count * QUEUED_OVERHEAD_BYTES
        self._queued_bytes += charge_bytes
        return charge_bytes
