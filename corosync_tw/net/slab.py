"""
Memory that datagrams are received into and never copied out of.

A slab is filled from its start; every received datagram is a view of it, and the slab lives for as
long as a view does (the core keeps messages until every member has them). Slabs nobody views any
more are used again, so a busy ring touches no fresh memory.
"""

from collections import deque
from typing import Final

SLAB_LEN_BYTES: Final = 1 << 20
# The longest UDP payload is 65507 bytes, and so is what the kernel merges for us.
RECEIVE_LEN_BYTES_MAX: Final = 1 << 16
# Slabs remembered for another use, viewed or not; older ones go back to the system with their last
# view. A window of full frames and a backlog of clients fit; touching fresh memory costs more than
# receiving into it.
IDLE_SLABS_MAX: Final = 32


class SlabPool:
    """Hands out writable windows of one receive's length, and views of what was received."""

    def __init__(self) -> None:
        self._slab = bytearray(SLAB_LEN_BYTES)
        self._view = memoryview(self._slab)
        self._used_bytes = 0
        self._retired: deque[bytearray] = deque(maxlen=IDLE_SLABS_MAX)

    def window(self) -> memoryview:
        """Give room for one receive; the same room until ``take`` is called."""
        if SLAB_LEN_BYTES - self._used_bytes < RECEIVE_LEN_BYTES_MAX:
            self._next_slab()
        return self._view[self._used_bytes : self._used_bytes + RECEIVE_LEN_BYTES_MAX]

    def take(self, len_bytes: int) -> memoryview:
        """Keep the first ``len_bytes`` of the window as a datagram."""
        assert 0 <= len_bytes <= RECEIVE_LEN_BYTES_MAX
        start = self._used_bytes
        self._used_bytes = start + len_bytes
        return self._view[start : start + len_bytes]

    def _next_slab(self) -> None:
        self._view.release()
        self._retired.append(self._slab)
        self._slab = self._reusable() or bytearray(SLAB_LEN_BYTES)
        self._view = memoryview(self._slab)
        self._used_bytes = 0

    def _reusable(self) -> bytearray | None:
        for _ in range(len(self._retired)):
            slab = self._retired.popleft()
            if _is_unviewed(slab):
                return slab
            self._retired.append(slab)
        return None


def _is_unviewed(slab: bytearray) -> bool:
    """Tell whether no view of ``slab`` is left: Python forbids resizing while there is one."""
    try:
        slab.append(0)
    except BufferError:
        return False
    slab.pop()
    return True
