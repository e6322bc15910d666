"""
Executive messages of the pload service.

Source: Corosync exec/pload.c struct req_exec_pload_start, req_exec_pload_mcast.
"""

from enum import IntEnum
from typing import Final, NamedTuple

from corosync_tw.corotypes import Buffer
from corosync_tw.services.exec_wire import HEADER, HEADER_LEN, ServiceId, both_orders, exec_id, need


class PloadFunction(IntEnum):
    """Function numbers of the service."""

    START = 0
    MCAST = 1


START_ID: Final = exec_id(ServiceId.PLOAD, PloadFunction.START)
MCAST_ID: Final = exec_id(ServiceId.PLOAD, PloadFunction.MCAST)
# header, count@16 u32, size@20 u32, 24 bytes
START: Final = both_orders("I4xI4xII")
START_LEN: Final = 24


class PloadStart(NamedTuple):
    """Every node begins to send ``msg_count`` messages of ``size_bytes``, header included."""

    msg_count: int
    size_bytes: int


def encode_start(start: PloadStart) -> bytes:
    """Encode a START."""
    return START.little.pack(START_ID, START_LEN, *start)


def decode_start(data: Buffer, big_endian: bool) -> PloadStart:
    """Decode a START, of which Corosync leaves the size unset; raises MalformedFrame."""
    need(data, START_LEN, "pload start")
    return PloadStart(*START.of(big_endian).unpack_from(data)[2:])


def encode_mcast(size_bytes: int) -> tuple[bytes, bytes]:
    """Encode a MCAST in two slices; as in Corosync the size counts the header twice."""
    head = HEADER.little.pack(MCAST_ID, (HEADER_LEN + size_bytes) & 0xFFFFFFFF)
    return head, bytes(max(0, size_bytes - HEADER_LEN))
