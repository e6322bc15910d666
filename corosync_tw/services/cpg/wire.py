"""
Executive messages of the cpg service.

Source: Corosync exec/cpg.c, struct req_exec_cpg_procjoin, req_exec_cpg_mcast,
req_exec_cpg_partial_mcast, req_exec_cpg_downlist, join_list_entry; include/corosync/mar_cpg.h
mar_cpg_name_t.
"""

from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from corosync_tw.corotypes import CPG_MAX_NAME_LENGTH, PROCESSOR_COUNT_MAX, Buffer
from corosync_tw.errors import MalformedFrame
from corosync_tw.services.exec_wire import (
    RESPONSE_HEADER,
    RESPONSE_HEADER_LEN,
    ServiceId,
    both_orders,
    exec_id,
    need,
)


class CpgFunction(IntEnum):
    """Function numbers of the service (enum cpg_message_req_types)."""

    PROCJOIN = 0
    PROCLEAVE = 1
    JOINLIST = 2
    MCAST = 3
    DOWNLIST_OLD = 4
    DOWNLIST = 5
    PARTIAL_MCAST = 6


class PartialType(IntEnum):
    """Place of a fragment in a message (ipc_cpg.h, LIBCPG_PARTIAL_*)."""

    FIRST = 1
    CONTINUED = 2
    LAST = 3


PROCJOIN_ID: Final = exec_id(ServiceId.CPG, CpgFunction.PROCJOIN)
PROCLEAVE_ID: Final = exec_id(ServiceId.CPG, CpgFunction.PROCLEAVE)
JOINLIST_ID: Final = exec_id(ServiceId.CPG, CpgFunction.JOINLIST)
MCAST_ID: Final = exec_id(ServiceId.CPG, CpgFunction.MCAST)
DOWNLIST_ID: Final = exec_id(ServiceId.CPG, CpgFunction.DOWNLIST)
PARTIAL_MCAST_ID: Final = exec_id(ServiceId.CPG, CpgFunction.PARTIAL_MCAST)

# header, group@16 (length u32, value@24 char[128]), pid@152 u32, reason@160 u32, 168 bytes
PROCJOIN: Final = both_orders("I4xI4xI4x128sI4xI4x")
PROCJOIN_LEN: Final = 168
# header, group@16, msglen@152, pid@160, source nodeid@168, source conn@176 u64, 184 bytes
MCAST: Final = both_orders("I4xI4xI4x128sI4xI4xI4xQ")
MCAST_LEN: Final = 184
MCAST_MSGLEN_AT: Final = 152
# header, group@16, msglen@152, fraglen@160, pid@168, type@176, source nodeid@184, conn@192
PARTIAL_MCAST: Final = both_orders("I4xI4xI4x128sI4xI4xI4xI4xI4xQ")
PARTIAL_MCAST_LEN: Final = 200
# header, old_members@16, left_nodes@24, nodeids[384]@32, 1568 bytes
DOWNLIST: Final = both_orders("I4xI4xI4xI4x")
DOWNLIST_LEN: Final = 1568
_DOWNLIST_NODES_OFFSET: Final = 32
# pid@0 u32, group@8, 144 bytes, after a 24 byte response header
JOINLIST_ENTRY: Final = both_orders("I4xI4x128s")
JOINLIST_ENTRY_LEN: Final = 144
# What a receiver reads of a MCAST: group length, group value, msglen, pid.
MCAST_READ: Final = both_orders("16xI4x128sI4xI")


class ProcJoin(NamedTuple):
    """A process joins or leaves a group; which of the two is in the message id."""

    group: bytes
    pid: int
    reason: int


class Mcast(NamedTuple):
    """A message to a group."""

    group: bytes
    pid: int
    data: Buffer


class PartialMcast(NamedTuple):
    """A fragment of a message to a group; ``msglen`` is the whole message's length."""

    group: bytes
    msglen: int
    pid: int
    kind: int
    conn: int
    data: Buffer


class Downlist(NamedTuple):
    """
    Who was lost since the last configuration; kept on the wire for old peers' sake, nobody acts on
    it.
    """

    old_members: int
    left: tuple[int, ...]


def _name(length: int, value: bytes) -> bytes:
    if length > CPG_MAX_NAME_LENGTH:
        raise MalformedFrame(f"cpg group name of {length} bytes")
    return value[:length]


def encode_procjoin(number: int, group: bytes, pid: int, reason: int) -> bytes:
    """Encode a PROCJOIN or PROCLEAVE."""
    return PROCJOIN.little.pack(number, PROCJOIN_LEN, len(group), group, pid, reason)


def decode_procjoin(data: Buffer, big_endian: bool) -> ProcJoin:
    """Decode a PROCJOIN or PROCLEAVE; raises MalformedFrame."""
    need(data, PROCJOIN_LEN, "cpg procjoin")
    _, _, length, value, pid, reason = PROCJOIN.of(big_endian).unpack_from(data)
    return ProcJoin(_name(length, value), pid, reason)


def encode_mcast(group: bytes, pid: int, nodeid: int, conn: int, msglen: int) -> bytes:
    """Encode the head of a MCAST; the payload of ``msglen`` bytes follows it."""
    return MCAST.little.pack(
        MCAST_ID, MCAST_LEN + msglen, len(group), group, msglen, pid, nodeid, conn
    )


def decode_mcast(data: Buffer, big_endian: bool) -> Mcast:
    """Decode a MCAST, its payload a view; raises MalformedFrame."""
    if len(data) < MCAST_LEN:
        raise MalformedFrame(f"cpg mcast of {len(data)} bytes")
    length, value, msglen, pid = (MCAST_READ.big if big_endian else MCAST_READ.little).unpack_from(
        data
    )
    if length > CPG_MAX_NAME_LENGTH or MCAST_LEN + msglen > len(data):
        raise MalformedFrame(f"cpg mcast: name {length}, payload {msglen} of {len(data)} bytes")
    return Mcast(value[:length], pid, memoryview(data)[MCAST_LEN : MCAST_LEN + msglen])


def encode_partial_mcast(
    group: bytes, pid: int, source: tuple[int, int], lengths: tuple[int, int], kind: PartialType
) -> bytes:
    """
    Encode the head of a PARTIAL_MCAST; the payload follows it.

    :param source: nodeid and connection.
    :param lengths: of the whole message and of this part.
    """
    msglen, fraglen = lengths
    return PARTIAL_MCAST.little.pack(
        PARTIAL_MCAST_ID,
        PARTIAL_MCAST_LEN + fraglen,
        len(group),
        group,
        msglen,
        fraglen,
        pid,
        kind,
        *source,
    )


def decode_partial_mcast(data: Buffer, big_endian: bool) -> PartialMcast:
    """Decode a PARTIAL_MCAST, its payload a view; raises MalformedFrame."""
    need(data, PARTIAL_MCAST_LEN, "cpg partial mcast")
    _, _, length, value, msglen, fraglen, pid, kind, _, conn = PARTIAL_MCAST.of(
        big_endian
    ).unpack_from(data)
    need(data, PARTIAL_MCAST_LEN + fraglen, "cpg partial mcast with payload")
    payload = memoryview(data)[PARTIAL_MCAST_LEN : PARTIAL_MCAST_LEN + fraglen]
    return PartialMcast(_name(length, value), msglen, pid, kind, conn, payload)


def encode_downlist(old_members: int, left: tuple[int, ...]) -> bytes:
    """Encode a DOWNLIST."""
    assert len(left) <= PROCESSOR_COUNT_MAX, f"{len(left)} nodes left"
    head = DOWNLIST.little.pack(DOWNLIST_ID, DOWNLIST_LEN, old_members, len(left))
    return (head + Struct(f"<{len(left)}I").pack(*left)).ljust(DOWNLIST_LEN, b"\0")


def decode_downlist(data: Buffer, big_endian: bool) -> Downlist:
    """Decode a DOWNLIST; raises MalformedFrame."""
    need(data, DOWNLIST_LEN, "cpg downlist")
    _, _, old_members, left_nodes = DOWNLIST.of(big_endian).unpack_from(data)
    if left_nodes > PROCESSOR_COUNT_MAX:
        raise MalformedFrame(f"cpg downlist of {left_nodes} nodes")
    order = ">" if big_endian else "<"
    left = Struct(f"{order}{left_nodes}I").unpack_from(data, _DOWNLIST_NODES_OFFSET)
    return Downlist(old_members, left)


def encode_joinlist(entries: list[tuple[int, bytes]]) -> bytes:
    """Encode a JOINLIST of (pid, group)."""
    size = RESPONSE_HEADER_LEN + JOINLIST_ENTRY_LEN * len(entries)
    pack = JOINLIST_ENTRY.little.pack
    return RESPONSE_HEADER.little.pack(JOINLIST_ID, size) + b"".join(
        pack(pid, len(group), group) for pid, group in entries
    )


def decode_joinlist(data: Buffer, big_endian: bool) -> list[tuple[int, bytes]]:
    """
    Decode a JOINLIST into (pid, group), in the order of the message.

    Raises MalformedFrame: its size is beyond the message or not a whole number of entries.
    """
    need(data, RESPONSE_HEADER_LEN, "cpg joinlist")
    _, size = RESPONSE_HEADER.of(big_endian).unpack_from(data)
    need(data, size, "cpg joinlist")
    length = size - RESPONSE_HEADER_LEN
    if length < 0 or length % JOINLIST_ENTRY_LEN:
        raise MalformedFrame(f"cpg joinlist of size {size}")
    rows = JOINLIST_ENTRY.of(big_endian).iter_unpack(memoryview(data)[RESPONSE_HEADER_LEN:size])
    return [(pid, _name(name_len, value)) for pid, name_len, value in rows]
