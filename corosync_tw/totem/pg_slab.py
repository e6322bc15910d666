"""
Memory in which messages wait to be sent.

Messages are laid end to end in a slab, none of them across two, and packets are made of views of
it, so that a message is copied once, into the slab. A slab that is full makes way for another when
all of it is given up, and is used again when nobody views it any more: the ring keeps what it sent
until every member has it. So a busy node touches no fresh memory.
"""

from array import array
from collections import deque
from typing import Final

from corosync_tw.totem.pg_wire import MESSAGE_LEN_BYTES_MAX

# Room for four of the longest messages.
SLAB_LEN_BYTES: Final = 4 * MESSAGE_LEN_BYTES_MAX
# Slabs kept for another use; more than that are given back to the system.
IDLE_SLABS_MAX: Final = 4
# An empty queue begins again where its slab is warm, if it is past this and nobody views the slab.
_REWIND_LEN_BYTES: Final = 256 * 1024


class Slab:
    """
    A part of the queue.

    :ivar view: of the whole memory.
    :ivar lens: of the messages; those that are given up may be missing.
    :ivar end: where the last message ends.
    :ivar given: offset of the first byte that is not given up.
    """

    __slots__ = ("_memory", "end", "given", "lens", "view")

    def __init__(self, memory: bytearray) -> None:
        self._memory = memory
        self.view = memoryview(memory)
        self.lens = array("I")
        self.end = 0
        self.given = 0

    def maybe_rewind(self) -> None:
        """Begin again at the start, if that is worth it and nobody minds."""
        assert self.given == self.end, "messages wait in the slab"
        if self.end > _REWIND_LEN_BYTES:
            memory = self.retire()
            if _is_unviewed(memory):
                self.given = self.end = 0
            self.view = memoryview(memory)

    def retire(self) -> bytearray:
        """Let go of the memory, of which there may be views."""
        self.view.release()
        return self._memory


class SlabPool:
    """Gives slabs of one length, of memory that nobody views any more if possible."""

    __slots__ = ("_retired", "_slab_len_bytes")

    def __init__(self, slab_len_bytes: int) -> None:
        self._slab_len_bytes = slab_len_bytes
        self._retired: deque[bytearray] = deque(maxlen=IDLE_SLABS_MAX)

    def take(self) -> Slab:
        """Give an empty slab."""
        for _ in range(len(self._retired)):
            memory = self._retired.popleft()
            if _is_unviewed(memory):
                return Slab(memory)
            self._retired.append(memory)
        return Slab(bytearray(self._slab_len_bytes))

    def put(self, slab: Slab) -> None:
        """Take a slab back."""
        self._retired.append(slab.retire())


def _is_unviewed(memory: bytearray) -> bool:
    """Tell whether no view is left: Python forbids resizing while there is one."""
    try:
        del memory[-1:]
    except BufferError:
        return False
    memory.append(0)
    return True
