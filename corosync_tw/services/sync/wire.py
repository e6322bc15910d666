"""
Messages of the sync group.

Source: Corosync exec/sync.c, struct req_exec_barrier_message and struct
req_exec_service_build_message. The ring id inside is packed (rep u32, seq u64) and followed by four
bytes of padding.
"""

from struct import Struct
from typing import Final, NamedTuple

from corosync_tw.corotypes import Buffer, RingId
from corosync_tw.errors import MalformedFrame
from corosync_tw.services.exec_wire import both_orders, decode_id, need

BARRIER_ID: Final = 0
SERVICE_BUILD_ID: Final = 1
SERVICE_LIST_MAX: Final = 128

# header, ring rep@16 u32, ring seq@20 u64, 32 bytes
BARRIER: Final = both_orders("I4xI4xIQ4x")
# header, ring rep@16, ring seq@20, entries@32 i32, list[128]@40 i32, 552 bytes
BUILD: Final = both_orders("I4xI4xIQ4xi4x")
BARRIER_LEN: Final = 32
SERVICE_BUILD_LEN: Final = 552
_BUILD_LIST_OFFSET: Final = 40


class Barrier(NamedTuple):
    """A member has done its part for the service at hand."""

    ring_id: RingId


class ServiceBuild(NamedTuple):
    """A member names the services that it has to synchronize."""

    ring_id: RingId
    services: tuple[int, ...]


def encode_barrier(ring_id: RingId) -> bytes:
    """Encode a BARRIER."""
    return BARRIER.little.pack(BARRIER_ID, BARRIER_LEN, ring_id.rep, ring_id.seq)


def encode_service_build(ring_id: RingId, services: tuple[int, ...]) -> bytes:
    """Encode a SERVICE_BUILD."""
    assert len(services) <= SERVICE_LIST_MAX, f"{len(services)} services"
    head = BUILD.little.pack(
        SERVICE_BUILD_ID, SERVICE_BUILD_LEN, ring_id.rep, ring_id.seq, len(services)
    )
    body = Struct(f"<{len(services)}i").pack(*services)
    return (head + body).ljust(SERVICE_BUILD_LEN, b"\0")


def decode(data: Buffer, big_endian: bool) -> Barrier | ServiceBuild:
    """
    Decode a message of the sync group.

    Raises MalformedFrame: too short, unknown id, or an impossible count.
    """
    number = decode_id(data, big_endian)
    if number == BARRIER_ID:
        need(data, BARRIER_LEN, "sync barrier")
        _, _, rep, seq = BARRIER.of(big_endian).unpack_from(data)
        return Barrier(RingId(rep, seq))
    if number == SERVICE_BUILD_ID:
        need(data, SERVICE_BUILD_LEN, "sync service build")
        _, _, rep, seq, entries = BUILD.of(big_endian).unpack_from(data)
        if not 0 <= entries <= SERVICE_LIST_MAX:
            raise MalformedFrame(f"sync service build with {entries} entries")
        order = ">" if big_endian else "<"
        services = Struct(f"{order}{entries}i").unpack_from(data, _BUILD_LIST_OFFSET)
        return ServiceBuild(RingId(rep, seq), services)
    raise MalformedFrame(f"sync message with id {number}")
