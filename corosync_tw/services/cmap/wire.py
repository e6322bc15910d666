"""
Executive message of the cmap service: configuration values told to the other members.

Source: Corosync exec/cmap.c, struct req_exec_cmap_mcast and req_exec_cmap_mcast_item.
"""

from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from corosync_tw.corotypes import Buffer
from corosync_tw.errors import MalformedFrame
from corosync_tw.services.exec_wire import (
    NAME,
    ServiceId,
    both_orders,
    decode_name,
    exec_id,
    need,
)

MCAST_ID: Final = exec_id(ServiceId.CMAP, 0)
ITEMS_MAX: Final = 32

# header, reason@16 u8, items@24 u8, 48 bytes
MCAST: Final = both_orders("I4xI4xB7xB23x")
MCAST_LEN: Final = 48
# name@0 (264), type@264 u8, value_len@272 u64, 280 bytes; the value follows, padded to 8
_ITEM_TAIL: Final = both_orders("B7xQ")
_ITEM_TAIL_OFFSET: Final = 264
ITEM_LEN: Final = 280


class McastReason(IntEnum):
    """Why values are told (enum cmap_mcast_reason)."""

    SYNC = 0
    NEW_CONFIG_VERSION = 1


class ValueType(IntEnum):
    """Types of values (icmap.h); NOT_EXIST says that the key is not there."""

    NOT_EXIST = 0
    INT8 = 1
    UINT8 = 2
    INT16 = 3
    UINT16 = 4
    INT32 = 5
    UINT32 = 6
    INT64 = 7
    UINT64 = 8
    FLOAT = 9
    DOUBLE = 10
    STRING = 11
    BINARY = 12


class CmapItem(NamedTuple):
    """One value, in the sender's byte order."""

    key: bytes
    value_type: int
    value: bytes


class CmapMcast(NamedTuple):
    """Values of the sender's map."""

    reason: int
    items: tuple[CmapItem, ...]


def _aligned(length: int) -> int:
    return (length + 7) & ~7


def encode(reason: McastReason, items: tuple[CmapItem, ...]) -> bytes:
    """Encode values; numbers in them are little endian."""
    assert len(items) <= ITEMS_MAX, f"{len(items)} items"
    parts = []
    for item in items:
        head = NAME.little.pack(len(item.key), item.key) + _ITEM_TAIL.little.pack(
            item.value_type, len(item.value)
        )
        parts.append(head + item.value.ljust(_aligned(len(item.value)), b"\0"))
    body = b"".join(parts)
    return MCAST.little.pack(MCAST_ID, MCAST_LEN + len(body), reason, len(items)) + body


def decode(data: Buffer, big_endian: bool) -> CmapMcast:
    """
    Decode values.

    Raises MalformedFrame: too many items, or they reach beyond the message.
    """
    need(data, MCAST_LEN, "cmap mcast")
    _, _, reason, count = MCAST.of(big_endian).unpack_from(data)
    if count > ITEMS_MAX:
        raise MalformedFrame(f"cmap mcast of {count} items")
    items = []
    offset = MCAST_LEN
    for _ in range(count):
        need(data, offset + ITEM_LEN, "cmap mcast with its items")
        key = decode_name(data, offset, big_endian)
        tail = _ITEM_TAIL.of(big_endian)
        value_type, length = tail.unpack_from(data, offset + _ITEM_TAIL_OFFSET)
        start = offset + ITEM_LEN
        need(data, start + length, "cmap mcast with its values")
        items.append(CmapItem(key, value_type, bytes(data[start : start + length])))
        offset = start + _aligned(length)
    return CmapMcast(reason, tuple(items))


def encode_uint64(value: int) -> bytes:
    """Encode the value of a UINT64."""
    return Struct("<Q").pack(value)


def decode_uint64(value: bytes, big_endian: bool) -> int:
    """
    Decode the value of a UINT64.

    Raises MalformedFrame: not eight bytes.
    """
    if len(value) != 8:
        raise MalformedFrame(f"u64 of {len(value)} bytes")
    return int.from_bytes(value, "big" if big_endian else "little")
