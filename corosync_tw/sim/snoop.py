"""
What an observer on the wire can tell of a frame: its kind, ring, sequence numbers and content.

Written from the byte table of the format and independent of ``totem.wire``, so that the simulator
is an oracle of its
own. Only frames of our own nodes are looked at; they are little endian here.
Source: Corosync exec/totemsrp.c, struct message_header and the structs after it.
"""

from struct import Struct
from typing import Final, NamedTuple

from corosync_tw.corotypes import RingId

ORF_TOKEN: Final = 0
MCAST: Final = 1
MERGE_DETECT: Final = 2
MEMB_JOIN: Final = 3
COMMIT_TOKEN: Final = 4
HOLD_CANCEL: Final = 5
KIND_NAMES: Final = ("token", "mcast", "merge", "join", "commit", "hold-cancel")

TYPE_OFFSET: Final = 3
ENCAPSULATED_OFFSET: Final = 4
IS_ENCAPSULATED: Final = 1
MCAST_HEADER_LEN: Final = 45

# system_from, seq, this_seqno, ring rep, ring seq, node_id, guarantee
_MCAST: Final = Struct("<IIiIQIi")
# seq, token_seq, aru, aru_addr, ring rep, ring seq, backlog, fcc, retrans_flg, rtr count
_TOKEN: Final = Struct("<IIIIIQIIii")
_BODY_OFFSET: Final = 13
# ring rep, ring seq, seq; after the token's header
_RTR: Final = Struct("<IQI")
_RTR_OFFSET: Final = _BODY_OFFSET + _TOKEN.size


class McastFacts(NamedTuple):
    """Header fields of a mcast frame."""

    system_from: int
    seq: int
    ring_id: RingId
    guarantee: int
    encapsulated: bool


class TokenFacts(NamedTuple):
    """Header fields of a regular token."""

    seq: int
    token_seq: int
    aru: int
    ring_id: RingId
    backlog: int
    fcc: int
    retrans_flg: int
    rtr_count: int


def mcast_facts(frame: bytes) -> McastFacts:
    """Read the header of a mcast frame of ours."""
    sender, seq, _, rep, ring_seq, _, guarantee = _MCAST.unpack_from(frame, _BODY_OFFSET)
    encapsulated = frame[ENCAPSULATED_OFFSET] == IS_ENCAPSULATED
    return McastFacts(sender, seq, RingId(rep, ring_seq), guarantee, encapsulated)


def token_facts(frame: bytes) -> TokenFacts:
    """Read the header of a regular token of ours."""
    fields = _TOKEN.unpack_from(frame, _BODY_OFFSET)
    seq, token_seq, aru, _, rep, ring_seq, backlog, fcc, retrans_flg, rtr_count = fields
    return TokenFacts(
        seq, token_seq, aru, RingId(rep, ring_seq), backlog, fcc, retrans_flg, rtr_count
    )


def rtr_seqs(frame: bytes) -> list[int]:
    """Read what a token of ours asks for."""
    return [seq for _, _, seq in _RTR.iter_unpack(frame[_RTR_OFFSET:])]


def inner_frame(frame: bytes) -> bytes:
    """Return the old-ring frame inside an encapsulated one."""
    return frame[MCAST_HEADER_LEN:]
