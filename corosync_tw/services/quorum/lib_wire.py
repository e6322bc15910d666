"""
Requests, responses and events of libquorum.

Source: Corosync include/corosync/ipc_quorum.h; offsets as a C compiler makes them.
"""

from collections.abc import Sequence
from enum import IntEnum
from struct import Struct
from typing import Final

from corosync_tw.corotypes import CS_OK, RingId
from corosync_tw.services.lib_requests import event_header, response


class QuorumRequest(IntEnum):
    """Request ids (enum req_quorum_types)."""

    GETQUORATE = 0
    TRACKSTART = 1
    TRACKSTOP = 2
    GETTYPE = 3
    MODEL_GETTYPE = 4


class QuorumResponse(IntEnum):
    """Response and event ids (enum res_quorum_types)."""

    GETQUORATE = 0
    TRACKSTART = 1
    TRACKSTOP = 2
    NOTIFICATION = 3
    GETTYPE = 4
    MODEL_GETTYPE = 5
    V1_QUORUM_NOTIFICATION = 6
    V1_NODELIST_NOTIFICATION = 7


class QuorumModel(IntEnum):
    """What kinds of events a client understands (enum lib_quorum_model)."""

    V0 = 0
    V1 = 1


class QuorumType(IntEnum):
    """Whether anybody decides quorum (quorum.h, QUORUM_FREE and QUORUM_SET)."""

    FREE = 0
    SET = 1


# flags@16 u32, 24 bytes; the model of MODEL_GETTYPE likewise
WORD: Final = Struct("=16xI4x")
# one word @24, 32 bytes
WORD_RESPONSE: Final = Struct("=I4x")
WORD_RESPONSE_LEN: Final = 32
# quorate@24 i32, ring seq@32 u64, count@40 u32, nodeids u32 @44; the size counts 4 bytes more
NOTIFICATION: Final = Struct("=i4xQI")
# quorate@24 i32, ring nodeid@32 u32, ring seq@40 u64, count@48 u32, nodeids @52; 4 bytes more
V1_QUORUM: Final = Struct("=i4xI4xQI")
# ring nodeid@24 u32, seq@32 u64, members@40, joined@48, left@56, nodeids @60; 4 bytes more
V1_NODELIST: Final = Struct("=I4xQI4xI4xI")

assert (WORD.size, NOTIFICATION.size, V1_QUORUM.size, V1_NODELIST.size) == (24, 20, 28, 36)


def _event(event_id: int, head: bytes, *lists: Sequence[int]) -> bytes:
    nodeids = [nodeid for part in lists for nodeid in part]
    body = head + Struct(f"={len(nodeids)}I4x").pack(*nodeids)
    return event_header(event_id, len(body)) + body


def encode_word(response_id: int, word: int, error: int = CS_OK) -> bytes:
    """Encode a response with one number."""
    return response(response_id, WORD_RESPONSE.pack(word), error)


def encode_notification(quorate: bool, ring_id: RingId, members: Sequence[int]) -> bytes:
    """Encode the quorum view for model V0."""
    head = NOTIFICATION.pack(quorate, ring_id.seq, len(members))
    return _event(QuorumResponse.NOTIFICATION, head, members)


def encode_v1_quorum(quorate: bool, ring_id: RingId, members: Sequence[int]) -> bytes:
    """Encode the quorum view for model V1."""
    head = V1_QUORUM.pack(quorate, *ring_id, len(members))
    return _event(QuorumResponse.V1_QUORUM_NOTIFICATION, head, members)


def encode_v1_nodelist(
    ring_id: RingId, members: Sequence[int], joined: Sequence[int], left: Sequence[int]
) -> bytes:
    """Encode the members of a ring and its changes for model V1."""
    head = V1_NODELIST.pack(*ring_id, len(members), len(joined), len(left))
    return _event(QuorumResponse.V1_NODELIST_NOTIFICATION, head, members, joined, left)
