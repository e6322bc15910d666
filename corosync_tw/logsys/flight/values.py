"""The values of one record: four integers, and bytes behind them."""

from struct import Struct
from typing import Final

from corosync_tw.logsys.flight.events import INTS_IN_SLOT, TEXT, Event
from corosync_tw.logsys.flight.words import Value, is_tail
from corosync_tw.printable import printable

_INT: Final = Struct("<q")
_U32_MASK: Final = 0xFFFFFFFF


def pack_ints(values: tuple[int, ...]) -> bytes:
    """Write the integers that found no room in the slot."""
    return Struct(f"<{len(values)}q").pack(*values)


def pack_list(values: tuple[int, ...]) -> bytes:
    """Write node ids or sequence numbers."""
    return Struct(f"<{len(values)}I").pack(*[value & _U32_MASK for value in values])


def unpack(event: Event, ints: tuple[int, ...], data: bytes) -> dict[str, Value]:
    """Name the values of a record; what is missing is left out."""
    numbers = [field for field in event.fields if not is_tail(field)]
    more = data[: len(data) - len(data) % _INT.size]
    beyond = [each for (each,) in _INT.iter_unpack(more)] if len(numbers) > INTS_IN_SLOT else []
    every = (*ints, *beyond)
    values: dict[str, Value] = {
        field.name: value for field, value in zip(numbers, every, strict=False)
    }
    for field in event.fields:
        if field.kind == TEXT:
            values[field.name] = printable(data.decode(errors="replace"))
        elif is_tail(field):
            values[field.name] = tuple(
                each for (each,) in Struct("<I").iter_unpack(data[: len(data) - len(data) % 4])
            )
    return values
