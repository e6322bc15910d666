"""
What a redundant ring wants to know of a frame: whether it is a token and which one, whether it is a
message and whose. Everything else of it is the ring's business.

Source: Corosync 1.4 exec/totemsrp.c main_token_seqid_get.
Deviation: a commit token is a token, too. In Corosync 1.x it travelled as a message, so that with
active replication every copy of it reached the ring.
"""

from struct import Struct
from typing import Final, NamedTuple

from corosync_tw.corotypes import Buffer, RingId
from corosync_tw.totem.const import TOTEM_MAGIC, MessageType
from corosync_tw.totem.messages import HEADER_LEN_BYTES, MCAST_NODEID_AT, MCAST_SEQ_AT

_KIND_AT: Final = 3
# (first byte of the frame) -> layouts of that byte order.
_LITTLE: Final = TOTEM_MAGIC & 0xFF
_BIG: Final = TOTEM_MAGIC >> 8
_ORDERS: Final = ((_LITTLE, "<"), (_BIG, ">"))
# nodeid, seq
_GAP_BYTES: Final = MCAST_SEQ_AT - MCAST_NODEID_AT - 4
_MESSAGE: Final = {
    first: Struct(f"{order}{MCAST_NODEID_AT}xI{_GAP_BYTES}xI") for first, order in _ORDERS
}
# seq, token_seq, aru, aru_addr, representative, ring seq
_ORF_TOKEN: Final = {first: Struct(f"{order}{HEADER_LEN_BYTES}xII8xIQ") for first, order in _ORDERS}
# token_seq, representative, ring seq
_COMMIT_TOKEN: Final = {first: Struct(f"{order}{HEADER_LEN_BYTES}xIIQ") for first, order in _ORDERS}

# Where tokens have a byte that says nothing of them, and its value in one that is sent on a network
# whose turn it is not.
_ENCAPSULATED_AT: Final = 4
_OUT_OF_TURN: Final = 0xFF

KIND_MCAST: Final = int(MessageType.MCAST)
KIND_ORF_TOKEN: Final = int(MessageType.ORF_TOKEN)
KIND_COMMIT_TOKEN: Final = int(MessageType.MEMB_COMMIT_TOKEN)
TOKEN_KINDS: Final = frozenset({KIND_ORF_TOKEN, KIND_COMMIT_TOKEN})
# Numbers that the single ring has not (MESSAGE_TYPE_RING_TEST_ACTIVE, ..._ACTIVATE).
KIND_RING_TEST: Final = 6
KIND_RING_ACTIVATE: Final = 7
PROBE_KINDS: Final = frozenset({KIND_RING_TEST, KIND_RING_ACTIVATE})


class Token(NamedTuple):
    """
    Which token a frame is.

    :ivar kind: KIND_ORF_TOKEN or KIND_COMMIT_TOKEN.
    :ivar seq: of the last message it tells of; 0 of a commit token.
    """

    kind: int
    ring_id: RingId
    token_seq: int
    seq: int


def kind_of(frame: Buffer) -> int:
    """Give the type byte of a datagram, -1 if it is too short to have one."""
    return frame[_KIND_AT] if len(frame) > _KIND_AT else -1


def token_of(frame: Buffer) -> Token | None:
    """Tell which token this is; None when it is damaged, and for the ring to judge."""
    kind = kind_of(frame)
    if kind == KIND_ORF_TOKEN:
        layout = _ORF_TOKEN.get(frame[0])
        if layout is None or len(frame) < layout.size:
            return None
        seq, token_seq, rep, ring_seq = layout.unpack_from(frame)
        return Token(kind, RingId(rep, ring_seq), token_seq, seq)
    layout = _COMMIT_TOKEN.get(frame[0])
    if kind != KIND_COMMIT_TOKEN or layout is None or len(frame) < layout.size:
        return None
    token_seq, rep, ring_seq = layout.unpack_from(frame)
    return Token(kind, RingId(rep, ring_seq), token_seq, 0)


def out_of_turn(frame: bytes) -> bytes:
    """Give a token that does not count for the networks that bring it."""
    return frame[:_ENCAPSULATED_AT] + bytes((_OUT_OF_TURN,)) + frame[_ENCAPSULATED_AT + 1 :]


def is_out_of_turn(frame: Buffer) -> bool:
    """Tell whether a token does not count for the network that brought it."""
    return frame[_ENCAPSULATED_AT] == _OUT_OF_TURN


def message_of(frame: Buffer) -> tuple[int, int] | None:
    """Give originator and seq of a message; None when it is damaged."""
    layout = _MESSAGE.get(frame[0])
    if layout is None or len(frame) < layout.size:
        return None
    nodeid, seq = layout.unpack_from(frame)
    return nodeid, seq
