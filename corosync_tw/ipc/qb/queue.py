"""
Events that wait for one client, single ones and runs in their order.

A run keeps the memory that its messages lie in, of which others may be the larger part. When runs
keep much of it, those behind them are copied.
"""

from collections import deque
from typing import Final

from corosync_tw.services.lib_runs import EventRun

# What a queued event costs beside its bytes.
QUEUED_OVERHEAD_BYTES: Final = 64
# A client that sends and has more than this to read has fallen behind.
BEHIND_BYTES_MIN: Final = 1 << 20
# After so many looks without a sign of reading it may be waiting for an answer, or never read.
UNREAD_LOOKS_MAX: Final = 10
# Memory that runs keep before others are copied: a client that does not read keeps no more.
KEPT_BYTES_MAX: Final = 4 << 20


class EventQueue:
    """
    The queue; false when it is empty.

    :ivar charged_bytes: what all that is in it costs.
    :ivar unread_looks: how often in a row it was looked for room in vain, every few milliseconds.
    """

    __slots__ = ("_items", "_kept_bytes", "charged_bytes", "unread_looks")

    def __init__(self) -> None:
        self.charged_bytes = self.unread_looks = 0
        self._items: deque[bytes | EventRun] = deque()
        self._kept_bytes = 0

    def __len__(self) -> int:
        return len(self._items)

    @property
    def behind(self) -> bool:
        """Whether the client reads, but has too much to read."""
        return self.charged_bytes > BEHIND_BYTES_MIN and self.unread_looks < UNREAD_LOOKS_MAX

    def append(self, event: bytes) -> int:
        """Add an event; give what it costs in bytes."""
        self._items.append(event)
        return _charge_bytes(len(event), 1)

    def append_run(self, run: EventRun) -> int:
        """Add events; give what they cost in bytes."""
        if self._kept_bytes + run.held_bytes() > KEPT_BYTES_MAX:
            run = run.copied()
        self._kept_bytes += run.held_bytes()
        self._items.append(run)
        return _charge_bytes(run.len_bytes(), run.count)

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
            return _charge_bytes(len(head), 1)
        if count == head.count:
            self._items.popleft()
            self._kept_bytes -= head.held_bytes()
        else:
            self._items[0] = head.part(head.first + count, head.count - count)
        return _charge_bytes(head.part(head.first, count).len_bytes(), count)

    def clear(self) -> None:
        """Forget all."""
        self._items.clear()
        self._kept_bytes = 0


def _charge_bytes(len_bytes: int, count: int) -> int:
    return len_bytes + count * QUEUED_OVERHEAD_BYTES
