"""
The six messages of the Totem single ring protocol as values, and the layout of their fixed parts.

Each layout exists in both byte orders; the comment above it names its fields.

Source: Corosync exec/totemsrp.c (structures), include/corosync/totem/totem.h (header).
"""

from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple

from corosync_tw.corotypes import Buffer, RingId
from corosync_tw.totem.claims import Row
from corosync_tw.totem.const import NODEID_ALL

# magic, version, type, encapsulated, nodeid, target_nodeid
_HEADER: Final = "HBBBII"
# representative, seq
_RING_ID: Final = "IQ"

HEADER: Final = Struct("<" + _HEADER)
HEADER_BIG: Final = Struct(">" + _HEADER)
# header, system_from, seq, this_seqno, ring_id, node_id, guarantee
MCAST: Final = Struct("<" + _HEADER + "IIi" + _RING_ID + "Ii")
MCAST_BIG: Final = Struct(">" + _HEADER + "IIi" + _RING_ID + "Ii")
# header, seq, token_seq, aru, aru_addr, ring_id, backlog, fcc, retrans_flg, rtr_list_entries
_ORF_TOKEN: Final = _HEADER + "IIII" + _RING_ID + "IIii"
ORF_TOKEN: Final = Struct("<" + _ORF_TOKEN)
ORF_TOKEN_BIG: Final = Struct(">" + _ORF_TOKEN)
# ring_id, seq
RTR_ITEM: Final = Struct("<" + _RING_ID + "I")
RTR_ITEM_BIG: Final = Struct(">" + _RING_ID + "I")
# header, system_from, ring_id
MERGE_DETECT: Final = Struct("<" + _HEADER + "I" + _RING_ID)
MERGE_DETECT_BIG: Final = Struct(">" + _HEADER + "I" + _RING_ID)
# header, system_from, proc_list_entries, failed_list_entries, ring_seq
MEMB_JOIN: Final = Struct("<" + _HEADER + "IIIQ")
MEMB_JOIN_BIG: Final = Struct(">" + _HEADER + "IIIQ")
# header, token_seq, ring_id, retrans_flg, memb_index, addr_entries
COMMIT_TOKEN: Final = Struct("<" + _HEADER + "I" + _RING_ID + "Iii")
COMMIT_TOKEN_BIG: Final = Struct(">" + _HEADER + "I" + _RING_ID + "Iii")
# ring_id, aru, high_delivered, received_flg
COMMIT_ENTRY: Final = Struct("<" + _RING_ID + "III")
COMMIT_ENTRY_BIG: Final = Struct(">" + _RING_ID + "III")
# header, ring_id
HOLD_CANCEL: Final = Struct("<" + _HEADER + _RING_ID)
HOLD_CANCEL_BIG: Final = Struct(">" + _HEADER + _RING_ID)

HEADER_LEN_BYTES: Final = HEADER.size
MCAST_LEN_BYTES: Final = MCAST.size
# Offsets in a mcast header of its fields of 4 bytes.
MCAST_NODEID_AT: Final = 5
MCAST_SEQ_AT: Final = 17
MCAST_THIS_SEQNO_AT: Final = 21
MCAST_GUARANTEE_AT: Final = 41

NODEID_LEN_BYTES: Final = 4


class RtrItem(NamedTuple):
    """A request to have one message sent again."""

    ring_id: RingId
    seq: int


@dataclass(slots=True)
class OrfToken:
    """
    The token of an operational or recovering ring.

    :ivar nodeid: who sent it last.
    :ivar aru: all received up to; ``aru_addr`` is who lowered it, 0 if nobody.
    :ivar fcc: messages multicast in the last rotation.
    :ivar rtr_list: at most RETRANSMIT_ENTRIES_MAX.
    """

    nodeid: int
    seq: int
    token_seq: int
    aru: int
    aru_addr: int
    ring_id: RingId
    backlog: int
    fcc: int
    retrans_flg: int
    rtr_list: list[RtrItem]
    target_nodeid: int = NODEID_ALL
    big_endian: bool = False


class Mcast(NamedTuple):
    """
    One ordered message.

    :ivar nodeid: originator, also in a copy that somebody else sends again.
    :ivar system_from: originator.
    :ivar encapsulated: ENCAPSULATED when the payload is a whole mcast frame of the old ring.
    :ivar payload: view of what follows the header.
    """

    nodeid: int
    system_from: int
    seq: int
    this_seqno: int
    ring_id: RingId
    node_id: int
    guarantee: int
    encapsulated: int
    payload: Buffer
    big_endian: bool = False
    target_nodeid: int = NODEID_ALL


class MergeDetect(NamedTuple):
    """
    A representative tells strangers of its ring.

    :ivar claims: whom it and others hear; empty from a stock node.
    """

    nodeid: int
    system_from: int
    ring_id: RingId
    target_nodeid: int = NODEID_ALL
    big_endian: bool = False
    claims: tuple[Row, ...] = ()


class MembJoin(NamedTuple):
    """
    A proposal of a membership; the good-bye of a leaver when ``nodeid`` is LEAVE_DUMMY_NODEID.

    :ivar proc_list: proposed members; ``failed_list`` is who of them should stay out.
    :ivar claims: whom it and others hear; empty from a stock node.
    """

    nodeid: int
    system_from: int
    proc_list: tuple[int, ...]
    failed_list: tuple[int, ...]
    ring_seq: int
    target_nodeid: int = NODEID_ALL
    big_endian: bool = False
    claims: tuple[Row, ...] = ()


class CommitEntry(NamedTuple):
    """What one member of a new ring had of its old one; all zero until it has written itself in."""

    ring_id: RingId
    aru: int
    high_delivered: int
    received_flg: int


@dataclass(slots=True)
class CommitToken:
    """
    The token that goes round twice to form a ring.

    :ivar memb_index: who writes itself in next, 0 to ``len(addr)``.
    :ivar addr: members, ascending; 1 to PROCESSOR_COUNT_MAX.
    :ivar memb_list: one entry for each of ``addr``.
    """

    nodeid: int
    token_seq: int
    ring_id: RingId
    retrans_flg: int
    memb_index: int
    addr: list[int]
    memb_list: list[CommitEntry]
    target_nodeid: int = NODEID_ALL
    big_endian: bool = False


class TokenHoldCancel(NamedTuple):
    """Somebody has something to send: the representative should let go of the token."""

    nodeid: int
    ring_id: RingId
    target_nodeid: int = NODEID_ALL
    big_endian: bool = False


Message = OrfToken | Mcast | MergeDetect | MembJoin | CommitToken | TokenHoldCancel


def nodeids_struct(count: int, big_endian: bool) -> Struct:
    """Give the layout of a list of nodes."""
    return Struct(f"{'>' if big_endian else '<'}{count}I")
