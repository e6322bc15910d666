"""
Requests, responses and events of libcpg.

Source: Corosync include/corosync/ipc_cpg.h; offsets as a C compiler makes them.
"""

from collections.abc import Iterable, Iterator, Sequence
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from corosync_tw.corotypes import (
    CPG_MAX_NAME_LENGTH,
    CS_OK,
    PROCESSOR_COUNT_MAX,
    Buffer,
    RingId,
)
from corosync_tw.errors import CsNameTooLong
from corosync_tw.services.cpg.wire import PartialType
from corosync_tw.services.effects import CpgMember
from corosync_tw.services.lib_requests import RESPONSE_HEADER, event_header, response

# Arrays of this length are in every client: libcpg copies what we send without a look at its count.
CPG_MEMBERS_MAX: Final = 128
# libcpg's buffer for one event (IPC_DISPATCH_SIZE).
EVENT_LEN_MAX: Final = 1024 * 1024
ZC_PATH_LEN: Final = 128


class CpgRequest(IntEnum):
    """Request ids (enum req_cpg_types)."""

    JOIN = 0
    LEAVE = 1
    MCAST = 2
    MEMBERSHIP = 3
    LOCAL_GET = 4
    ITERATION_INITIALIZE = 5
    ITERATION_NEXT = 6
    ITERATION_FINALIZE = 7
    FINALIZE = 8
    ZC_ALLOC = 9
    ZC_FREE = 10
    ZC_EXECUTE = 11
    PARTIAL_MCAST = 12


class CpgResponse(IntEnum):
    """Response and event ids (enum res_cpg_types) that 3.1.7 sends."""

    JOIN = 0
    LEAVE = 1
    MCAST = 2
    MEMBERSHIP = 3
    CONFCHG = 4
    DELIVER = 5
    LOCAL_GET = 7
    ITERATION_INITIALIZE = 9
    ITERATION_NEXT = 10
    ITERATION_FINALIZE = 11
    FINALIZE = 12
    TOTEM_CONFCHG = 13
    PARTIAL_DELIVER = 17
    PARTIAL_SEND = 18


# header, name@16 (length u32, value@24 char[128]), pid@152 u32, flags@160 u32, 168 bytes
JOIN: Final = Struct("=16xI4x128sI4xI4x")
# the same without flags, 160 bytes
LEAVE: Final = Struct("=16xI4x128sI4x")
# id@0, response header of 24 bytes, guarantee@24 u32, msglen@32 u32, data@40
MCAST: Final = Struct("=i20xI4xI4x")
MCAST_LEN: Final = 40
# guarantee@24, msglen@32, fraglen@40, type@48, data@56
PARTIAL_MCAST: Final = Struct("=24xI4xI4xI4xI4x")
PARTIAL_MCAST_LEN: Final = 56
# name@16, 152 bytes
NAME: Final = Struct("=16xI4x128s")
# name@16, type@152 u32, 160 bytes
ITERATION_INITIALIZE: Final = Struct("=16xI4x128sI4x")
# handle@16 u64, 24 bytes; ZC_EXECUTE likewise
HANDLE: Final = Struct("=16xQ")
# map_size@16 u64, path@24 char[128], 152 bytes
ZC_ALLOC: Final = Struct("=16xQ128s")
# map_size@16 u64, server_address@24 u64, 32 bytes
ZC_FREE: Final = Struct("=16xQQ")

# what precedes a client's message in its zero-copy file: map_size@0 i32, server_address@8 u64
ZC_ADDRESS_OFFSET: Final = 8
ZC_REQUEST_OFFSET: Final = 16

# header(id, size, error), name@24, msglen@160, nodeid@168, pid@176, data@184
DELIVER: Final = Struct("=i4xi4xi4xI4x128sI4xI4xI4x")
DELIVER_LEN: Final = 184
DELIVER_MSGLEN_AT: Final = 160
# name@24, msglen@160, fraglen@168, nodeid@176, pid@184, type@192, data@200
PART: Final = Struct("=i4xi4xi4xI4x128sI4xI4xI4xI4xI4x")
PART_LEN: Final = 200
# name@24, members@160, joined@168, left@176, entries of 24 bytes @184
CONFCHG: Final = Struct("=I4x128sI4xI4xI4x")
# ring nodeid@24, seq@32 u64, count@40 u32, nodeids u32 @44; the size counts 4 bytes more
TOTEM_CONFCHG: Final = Struct("=I4xQI")
ADDRESS: Final = Struct("=I4xI4xI4x")
# count@24, 384 addresses@32, 9248 bytes
COUNT: Final = Struct("=I4x")
MEMBERSHIP_LEN: Final = 32 + PROCESSOR_COUNT_MAX * ADDRESS.size
# name@24, nodeid@160, pid@164, 168 bytes
ITERATION: Final = Struct("=I4x128sII")
ITERATION_LEN: Final = 168
HANDLE_BODY: Final = Struct("=Q")
HANDLE_RESPONSE_LEN: Final = 32
LOCAL_GET_LEN: Final = 32

assert (JOIN.size, LEAVE.size, MCAST.size, PARTIAL_MCAST.size) == (168, 160, 40, 56)
assert (NAME.size, ITERATION_INITIALIZE.size, HANDLE.size) == (152, 160, 24)
assert (ZC_ALLOC.size, ZC_FREE.size) == (152, 32)
assert (DELIVER.size, PART.size, MEMBERSHIP_LEN) == (DELIVER_LEN, PART_LEN, 9248)
assert RESPONSE_HEADER.size + ITERATION.size == ITERATION_LEN


# Beside the PartialTypes: the message is in one part, but too long for one event.
WHOLE: Final = 0


class Part(NamedTuple):
    """
    Where a part belongs.

    :ivar msglen: of the whole message.
    :ivar kind: a PartialType, or WHOLE.
    """

    nodeid: int
    pid: int
    msglen: int
    kind: int


def group_name(length: int, value: bytes) -> bytes:
    """
    Read a mar_cpg_name_t; it need not end with a zero byte.

    Raises CsNameTooLong: its length is beyond the field.
    """
    if length > CPG_MAX_NAME_LENGTH:
        raise CsNameTooLong(f"group name of {length} bytes")
    return value[:length]


def encode_deliver(group: bytes, nodeid: int, pid: int, msglen: int) -> bytes:
    """Encode what precedes a message."""
    return DELIVER.pack(
        CpgResponse.DELIVER,
        DELIVER_LEN + msglen,
        CS_OK,
        len(group),
        group,
        msglen,
        nodeid,
        pid,
    )


def encode_parts(group: bytes, part: Part, data: Buffer) -> Iterator[tuple[bytes, Buffer]]:
    """Encode a part of a message, as one event or as several that a client has room for."""
    room = EVENT_LEN_MAX - PART_LEN
    view = memoryview(data)
    for at in range(0, max(len(data), 1), room):
        piece = view[at : at + room]
        kind = PartialType.CONTINUED
        if at == 0 and part.kind in {WHOLE, PartialType.FIRST}:
            kind = PartialType.FIRST
        elif at + room >= len(data) and part.kind in {WHOLE, PartialType.LAST}:
            kind = PartialType.LAST
        yield _encode_part_head(group, part._replace(kind=kind), len(piece)), piece


def _encode_part_head(group: bytes, part: Part, fraglen: int) -> bytes:
    return PART.pack(
        CpgResponse.PARTIAL_DELIVER,
        PART_LEN + fraglen,
        CS_OK,
        len(group),
        group,
        part.msglen,
        fraglen,
        part.nodeid,
        part.pid,
        part.kind,
    )


def encode_confchgs(
    group: bytes,
    members: Sequence[CpgMember],
    left: Sequence[CpgMember],
    joined: Sequence[CpgMember],
) -> list[bytes]:
    """
    Encode a change; in several events when more left or joined than a client has room for.

    Of the members no more than CPG_MEMBERS_MAX are told.
    """
    listed = members[:CPG_MEMBERS_MAX]
    steps = range(0, max(len(left), len(joined), 1), CPG_MEMBERS_MAX)
    return [
        _encode_confchg(
            group, listed, left[at : at + CPG_MEMBERS_MAX], joined[at : at + CPG_MEMBERS_MAX]
        )
        for at in steps
    ]


def _encode_confchg(
    group: bytes,
    members: Sequence[CpgMember],
    left: Sequence[CpgMember],
    joined: Sequence[CpgMember],
) -> bytes:
    body = CONFCHG.pack(len(group), group, len(members), len(joined), len(left)) + b"".join(
        ADDRESS.pack(*member) for part in (members, left, joined) for member in part
    )
    return event_header(CpgResponse.CONFCHG, len(body)) + body


def encode_totem_confchg(ring_id: RingId, members: Sequence[int]) -> bytes:
    """Encode a ring; of its members no more than CPG_MEMBERS_MAX are told."""
    listed = members[:CPG_MEMBERS_MAX]
    body = TOTEM_CONFCHG.pack(*ring_id, len(listed)) + Struct(f"={len(listed)}I4x").pack(*listed)
    return event_header(CpgResponse.TOTEM_CONFCHG, len(body)) + body


def encode_membership(members: Iterable[CpgMember]) -> bytes:
    """Encode a list of members, cut to what a client has room for, in its fixed length."""
    entries = [ADDRESS.pack(*member) for member in members][:CPG_MEMBERS_MAX]
    body = (COUNT.pack(len(entries)) + b"".join(entries)).ljust(MEMBERSHIP_LEN - 24, b"\0")
    return response(CpgResponse.MEMBERSHIP, body)


def encode_local_get(nodeid: int) -> bytes:
    """Encode our nodeid."""
    return response(CpgResponse.LOCAL_GET, COUNT.pack(nodeid))


def encode_iteration_handle(handle: int) -> bytes:
    """Encode the handle of a new iteration."""
    return response(CpgResponse.ITERATION_INITIALIZE, HANDLE_BODY.pack(handle))


def encode_iteration_entry(nodeid: int, pid: int, group: bytes) -> bytes:
    """Encode one process, or one group's name with zeros for nodeid and pid."""
    body = ITERATION.pack(len(group), group, nodeid, pid)
    return response(CpgResponse.ITERATION_NEXT, body)
