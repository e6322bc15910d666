"""Read slots: what is whole by its own word, wherever in a file it lies."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from corosync_tw.kernels.plain.recording import (
    CONTINUATION,
    CONTINUED_LEN_BYTES,
    CONTINUES,
    DATA_LEN_BYTES_MAX,
    LANE_SHIFT,
    LENGTH_SHIFT,
    SALT,
    SLOT,
    SLOT_LEN_BYTES,
    WORD_MASK,
)

_NUMBER_MASK: Final = (1 << LANE_SHIFT) - 1
_LANE_MASK: Final = 0xFF
_CODE_MASK: Final = (1 << LENGTH_SHIFT) - 1
# Code and length of a record that a writer makes are below.
_WORD_MAX: Final = (DATA_LEN_BYTES_MAX + 1) << LENGTH_SHIFT
_EMPTY: Final = bytes(SLOT_LEN_BYTES)


class Slot(NamedTuple):
    """
    A slot that is whole.

    :ivar body: time, code, integers; or the data of a slot that continues another.
    """

    lane: int
    number: int
    body: tuple[int, ...] | bytes


class Raw(NamedTuple):
    """
    A record without words, ordered by time.

    :ivar number: of its first slot.
    :ivar whole: all of its data is here.
    """

    monotonic_ns: int
    lane: int
    number: int
    code: int
    ints: tuple[int, ...]
    data: bytes
    whole: bool


def decode_slot(data: bytes) -> Slot | None:
    """Read one slot; None when it is not whole."""
    first, *rest, check = SLOT.unpack(data)
    continues = first & CONTINUES
    if continues:
        # All its words are unsigned; modulo 2^64 that is the same sum.
        _, *rest, check = CONTINUATION.unpack(data)
    if (first + sum(rest) + SALT) & WORD_MASK != check:
        return None
    number, lane = first & _NUMBER_MASK, first >> LANE_SHIFT & ~(1 << 15)
    if not number or lane > _LANE_MASK or not (continues or rest[1] < _WORD_MAX):
        return None
    return Slot(lane, number, data[8 : 8 + CONTINUED_LEN_BYTES] if continues else tuple(rest))


def whole_slots(data: bytes) -> tuple[list[Slot], int]:
    """
    Find the slots of a piece of a file that begins with one.

    :return: those that are whole, and how many are neither whole nor empty.
    """
    found, damaged = [], 0
    for at in range(0, len(data) - SLOT_LEN_BYTES + 1, SLOT_LEN_BYTES):
        piece = data[at : at + SLOT_LEN_BYTES]
        if piece == _EMPTY:
            continue
        slot = decode_slot(piece)
        if slot is None:
            damaged += 1
        else:
            found.append(slot)
    return found, damaged


def continuations(length: int) -> int:
    """Count the slots that so much data takes."""
    return -(-length // CONTINUED_LEN_BYTES)


def data_length(slot: Slot) -> int:
    """Tell how much data follows a slot that begins a record; 0 for one that continues."""
    return 0 if isinstance(slot.body, bytes) else slot.body[1] >> LENGTH_SHIFT


def assemble(slot: Slot, parts: list[bytes]) -> Raw | None:
    """Make a record of its first slot and those that continue it; None without the first."""
    if isinstance(slot.body, bytes):
        return None
    monotonic_ns, code, *ints = slot.body
    length = data_length(slot)
    data = b"".join(parts)[:length]
    return Raw(
        *(monotonic_ns, slot.lane, slot.number, code & _CODE_MASK),
        *(tuple(ints), data, len(data) == length),
    )


def records_of(slots: list[Slot]) -> Iterator[Raw]:
    """Put slots together; a record whose data is not all there ends where the first part lacks."""
    by_place = {(slot.lane, slot.number): slot for slot in slots}
    for slot in by_place.values():
        parts = []
        for step in range(continuations(data_length(slot))):
            part = by_place.get((slot.lane, slot.number + 1 + step))
            if part is None or not isinstance(part.body, bytes):
                break
            parts.append(part.body)
        raw = assemble(slot, parts)
        if raw is not None:
            yield raw
