"""
Write records into a ring of slots that may be read at any time, in plain Python.

A slot is eight little-endian words of 64 bits:

* number of the slot, from 1 on: 48 bits; above them 8 bits of the lane (which of several rings it
  is); the highest bit says that the slot continues the one before it
* time in nanoseconds
* event code: 16 bits; above them the length of the bytes in the slots that follow
* four integers, signed
* the sum of the others and of SALT

A slot that continues another has 48 bytes of data in the place of time, code and integers. The sum
tells a slot that was written to its end from any other, so writers wait for nobody and readers
need no order of writes: the process may be killed between any two of them.
"""

from collections.abc import Callable
from itertools import count
from struct import Struct, error
from typing import Final

SLOT_LEN_BYTES: Final = 64
SLOT: Final = Struct("<QqQqqqqQ")
CONTINUATION: Final = Struct("<7QQ")
SALT: Final = int.from_bytes(b"CTWREC01", "little")
WORD_MASK: Final = (1 << 64) - 1
LANE_SHIFT: Final = 48
CONTINUES: Final = 1 << 63
LENGTH_SHIFT: Final = 16
# Bytes of data in a slot that continues another, and behind one record.
CONTINUED_LEN_BYTES: Final = 48
DATA_LEN_BYTES_MAX: Final = 40 * CONTINUED_LEN_BYTES

_data_words: Final = Struct("<6Q").unpack


class _Lane:
    """One ring of slots."""

    def __init__(
        self, memory: memoryview, lane: int, first: int, now_ns: Callable[[], int]
    ) -> None:
        self._memory = memory
        self._slots = len(memory) // SLOT_LEN_BYTES
        self._base = lane << LANE_SHIFT
        # One step even if another thread comes in between.
        self._next = count(first).__next__
        self._now_ns = now_ns

    def put(self, code: int, a: int = 0, b: int = 0, c: int = 0, d: int = 0) -> None:
        """Write a record. Raises: OverflowError, when an integer has more than 64 bits."""
        number = self._next()
        words = (number + self._base, self._now_ns(), code, a, b, c, d)
        at = number % self._slots * SLOT_LEN_BYTES
        try:
            SLOT.pack_into(self._memory, at, *words, (sum(words) + SALT) & WORD_MASK)
        except error as fault:
            raise OverflowError(str(fault)) from None

    def put_more(self, code: int, a: int, b: int, c: int, d: int, data: bytes) -> None:  # noqa: PLR0917
        """
        Write a record with bytes behind it, no more than DATA_LEN_BYTES_MAX of them.

        Raises: OverflowError, when an integer has more than 64 bits.
        """
        data = data[:DATA_LEN_BYTES_MAX]
        self.put(code + (len(data) << LENGTH_SHIFT), a, b, c, d)
        for start in range(0, len(data), CONTINUED_LEN_BYTES):
            part = data[start : start + CONTINUED_LEN_BYTES].ljust(CONTINUED_LEN_BYTES, b"\0")
            number = self._next()
            words = (number + self._base + CONTINUES, *_data_words(part))
            check = (sum(words) + SALT) & WORD_MASK
            at = number % self._slots * SLOT_LEN_BYTES
            CONTINUATION.pack_into(self._memory, at, *words, check)


def lane_writer(memory: memoryview, lane: int, first: int, now_ns: Callable[[], int]) -> _Lane:
    """
    Give what writes into one ring; it has methods ``put`` and ``put_more``.

    :param memory: whole slots, and more than one record may take.
    :param lane: number of this ring, below 256.
    :param first: number of the next slot, at least 1; its place follows from it.
    :param now_ns: gives the time of a record.
    Raises: ValueError.
    """
    slots, rest = divmod(len(memory), SLOT_LEN_BYTES)
    if rest or slots <= DATA_LEN_BYTES_MAX // CONTINUED_LEN_BYTES or memory.readonly:
        raise ValueError("no room for a ring of records")
    if not 0 <= lane < 256 or not 1 <= first < 1 << LANE_SHIFT:
        raise ValueError("no such lane, or no such slot")
    return _Lane(memory, lane, first, now_ns)
