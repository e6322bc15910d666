"""
The header and the elementary types that all executive messages share.

Executive messages travel in the sender's byte order; we send little endian and read both.
Source: libqb qbipc_common.h struct qb_ipc_request_header, Corosync include/corosync/mar_gen.h
mar_name_t, include/corosync/corodefs.h enum corosync service ids.
"""

from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from corosync_tw.corotypes import Buffer
from corosync_tw.errors import MalformedFrame

EXEC_GROUP: Final = b"a"
SYNC_GROUP: Final = b"sync"
CS_MAX_NAME_LENGTH: Final = 256


class ServiceId(IntEnum):
    """Service ids, as in message ids and in SERVICE_BUILD lists."""

    CMAP = 0
    CFG = 1
    CPG = 2
    QUORUM = 3
    PLOAD = 4
    VOTEQUORUM = 5
    MON = 6
    WD = 7


class BothOrders(NamedTuple):
    """One layout in both byte orders."""

    little: Struct
    big: Struct

    def of(self, big_endian: bool) -> Struct:
        """Choose by the sender's byte order."""
        return self.big if big_endian else self.little


def both_orders(layout: str) -> BothOrders:
    """Compile a layout written without a byte order character."""
    return BothOrders(Struct("<" + layout), Struct(">" + layout))


def exec_id(service: int, function: int) -> int:
    """Make a message id (coroapi.h SERVICE_ID_MAKE)."""
    return service << 16 | function


# qb_ipc_request_header: id@0 i32, size@8 i32, 16 bytes
HEADER: Final = both_orders("I4xi4x")
HEADER_LEN: Final = 16
# qb_ipc_response_header: id@0, size@8, error@16 (always 0 here), 24 bytes
RESPONSE_HEADER: Final = both_orders("I4xi12x")
RESPONSE_HEADER_LEN: Final = 24
# mar_name_t: length@0 u16, value@8 char[256], 264 bytes
NAME: Final = both_orders("H6x256s")
NAME_LEN: Final = 264
_ID: Final = both_orders("I")


def decode_id(data: Buffer, big_endian: bool) -> int:
    """
    Read the message id.

    Raises MalformedFrame: shorter than a header.
    """
    if len(data) < HEADER_LEN:
        raise MalformedFrame(f"executive message of {len(data)} bytes")
    number: int = _ID.of(big_endian).unpack_from(data)[0]
    return number


def need(data: Buffer, length: int, what: str) -> None:
    """
    Check that a message is long enough for its kind.

    Raises MalformedFrame: it is not.
    """
    if len(data) < length:
        raise MalformedFrame(f"{what} of {len(data)} bytes, {length} needed")


def decode_name(data: Buffer, offset: int, big_endian: bool) -> bytes:
    """
    Read a mar_name_t.

    Raises MalformedFrame: its length is beyond the field.
    """
    length, value = NAME.of(big_endian).unpack_from(data, offset)
    if length > CS_MAX_NAME_LENGTH:
        raise MalformedFrame(f"name of {length} bytes")
    text: bytes = value[:length]
    return text
