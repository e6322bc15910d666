"""
Requests, responses and events of libvotequorum, native byte order and alignment.

Source: Corosync include/corosync/ipc_votequorum.h.
"""

from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from corosync_tw.corotypes import RingId
from corosync_tw.errors import CsInvalidParam
from corosync_tw.services.lib_requests import event_header, response
from corosync_tw.services.votequorum.report import NodeVotes


class VotequorumRequest(IntEnum):
    """Ids of requests (enum req_votequorum_types)."""

    GETINFO = 0
    SETEXPECTED = 1
    SETVOTES = 2
    TRACKSTART = 3
    TRACKSTOP = 4
    QDEVICE_REGISTER = 5
    QDEVICE_UNREGISTER = 6
    QDEVICE_UPDATE = 7
    QDEVICE_POLL = 8
    QDEVICE_MASTER_WINS = 9


class VotequorumResponse(IntEnum):
    """Ids of responses, then of events (enum res_votequorum_types)."""

    STATUS = 0
    GETINFO = 1
    QUORUM_NOTIFICATION = 3
    EXPECTEDVOTES_NOTIFICATION = 4
    NODELIST_NOTIFICATION = 5


# Requests, each with its header of 16 bytes.
# nodeid@16 or expected_votes@16, u32, padding to 24
NUMBER: Final = Struct("=16xI4x")
# votes@16, nodeid@20, u32
SETVOTES: Final = Struct("=16xII")
# context@16 u64, flags@24 u32, padding to 32
TRACKSTART: Final = Struct("=16xQI4x")
# name@16 char[255], padding to 272
NAME: Final = Struct("=16x255sx")
# old name@16 char[255], new name@271 char[255], padding to 528
TWO_NAMES: Final = Struct("=16x255s255s2x")
# name@16 char[255], cast_vote@272 i32, ring_id@280: nodeid u32, seq@288 u64
POLL: Final = Struct("=16x255sxi4xI4xQ")
# name@16 char[255], allow@272 u32, padding to 280
MASTER_WINS: Final = Struct("=16x255sxI4x")

# Behind a response's header of 24 bytes: nodeid@24, state@28, votes@32, expected_votes@36,
# highest_expected@40, total_votes@44, quorum@48, flags@52, qdevice_votes@56, all u32,
# qdevice_name@60 char[255], padding to 320
GETINFO: Final = Struct("=9I255s5x")
GETINFO_RESPONSE_LEN: Final = 320
# Behind an event's header: quorate@24 u32, context@32 u64, node_list_entries@40 u32, list@48
QUORUM: Final = Struct("=I4xQI4x")
# nodeid, state
NODE: Final = Struct("=II")
# context@24 u64, ring_id@32: nodeid u32, seq@40 u64, node_list_entries@48 u32, list of u32@56
NODELIST: Final = Struct("=QI4xQI4x")
# context@24 u64, expected_votes@32 u32, padding to 40
EXPECTEDVOTES: Final = Struct("=QI4x")
_UINT32_MAX: Final = 0xFFFFFFFF


class Poll(NamedTuple):
    """A vote of the quorum device."""

    name: bytes
    cast_vote: bool
    ring_id: RingId


def decode_number(data: bytes) -> int:
    """Decode GETINFO's nodeid or SETEXPECTED's votes."""
    number: int = NUMBER.unpack_from(data)[0]
    return number


def decode_name(data: bytes) -> bytes:
    """Decode QDEVICE_REGISTER or QDEVICE_UNREGISTER; raises CsInvalidParam."""
    return _name(NAME.unpack_from(data)[0])


def decode_two_names(data: bytes) -> tuple[bytes, bytes]:
    """Decode QDEVICE_UPDATE, old name and new; raises CsInvalidParam."""
    old_name, new_name = TWO_NAMES.unpack_from(data)
    return _name(old_name), _name(new_name)


def decode_poll(data: bytes) -> Poll:
    """Decode QDEVICE_POLL; raises CsInvalidParam."""
    name, cast_vote, nodeid, seq = POLL.unpack_from(data)
    return Poll(_name(name), bool(cast_vote), RingId(nodeid, seq))


def decode_master_wins(data: bytes) -> tuple[bytes, int]:
    """Decode QDEVICE_MASTER_WINS, name and number; raises CsInvalidParam."""
    name, allow = MASTER_WINS.unpack_from(data)
    return _name(name), allow


def encode_getinfo(info: NodeVotes) -> bytes:
    """Encode the response to GETINFO; votes beyond 32 bits show as the most there are."""
    numbers = (min(int(number), _UINT32_MAX) for number in info[:-1])
    return response(VotequorumResponse.GETINFO, GETINFO.pack(*numbers, info.qdevice_name))


def encode_quorum(context: int, quorate: bool, nodes: tuple[tuple[int, int], ...]) -> bytes:
    """Encode a QUORUM_NOTIFICATION; ``nodes`` are nodeid and state."""
    listed = b"".join(NODE.pack(*node) for node in nodes)
    body = QUORUM.pack(quorate, context, len(nodes)) + listed
    return event_header(VotequorumResponse.QUORUM_NOTIFICATION, len(body)) + body


def encode_nodelist(context: int, ring_id: RingId, members: tuple[int, ...]) -> bytes:
    """Encode a NODELIST_NOTIFICATION."""
    body = NODELIST.pack(context, *ring_id, len(members)) + Struct(f"={len(members)}I").pack(
        *members
    )
    return event_header(VotequorumResponse.NODELIST_NOTIFICATION, len(body)) + body


def encode_expectedvotes(context: int, expected_votes: int) -> bytes:
    """Encode an EXPECTEDVOTES_NOTIFICATION."""
    body = EXPECTEDVOTES.pack(context, expected_votes)
    return event_header(VotequorumResponse.EXPECTEDVOTES_NOTIFICATION, len(body)) + body


def _name(field: bytes) -> bytes:
    name, end, _ = field.partition(b"\0")
    if not end:
        raise CsInvalidParam("a name without an end")
    return name
