"""
The six frames of the Totem single ring protocol: bytes to values; ``encode`` goes the other way.

Every field is packed without padding, in the byte order of the sender; the magic number at the
start tells which. We send little-endian on every machine, so that equal inputs give equal bytes.

``decode`` is total: whatever the bytes are it returns a message or raises MalformedFrame. Counts
are checked against their limits before they are multiplied, and a frame must be exactly as long as
its counts say. Stock Corosync ignores bytes after the last list, but no version of it ever sent
any; here they are a sign of damage, unless they are ``claims`` behind a Join or merge detection.

``target_nodeid`` is uninitialised memory in frames that stock sends over udpu: it is kept, and
nothing depends on it.

Source: Corosync exec/totemsrp.c (structures and check_*_sanity), include/corosync/totem/totem.h
(header).
"""

from collections.abc import Callable
from typing import Final

from corosync_tw.corotypes import Buffer, RingId
from corosync_tw.errors import MalformedFrame
from corosync_tw.totem.claims import decode_claims
from corosync_tw.totem.const import (
    PROCESSOR_COUNT_MAX,
    RETRANSMIT_ENTRIES_MAX,
    TOTEM_MAGIC,
    TOTEM_VERSION,
    Encapsulated,
    MessageType,
)
from corosync_tw.totem.encode import (
    encode_commit_token,
    encode_mcast,
    encode_mcast_header,
    encode_memb_join,
    encode_merge_detect,
    encode_orf_token,
    encode_token_hold_cancel,
)
from corosync_tw.totem.messages import (
    COMMIT_ENTRY,
    COMMIT_ENTRY_BIG,
    COMMIT_TOKEN,
    COMMIT_TOKEN_BIG,
    HEADER,
    HEADER_BIG,
    HEADER_LEN_BYTES,
    HOLD_CANCEL,
    HOLD_CANCEL_BIG,
    MCAST,
    MCAST_BIG,
    MCAST_LEN_BYTES,
    MEMB_JOIN,
    MEMB_JOIN_BIG,
    MERGE_DETECT,
    MERGE_DETECT_BIG,
    NODEID_LEN_BYTES,
    ORF_TOKEN,
    ORF_TOKEN_BIG,
    RTR_ITEM,
    RTR_ITEM_BIG,
    CommitEntry,
    CommitToken,
    Mcast,
    MembJoin,
    MergeDetect,
    Message,
    OrfToken,
    RtrItem,
    TokenHoldCancel,
    nodeids_struct,
)

__all__ = [
    "COMMIT_ENTRY",
    "COMMIT_ENTRY_BIG",
    "COMMIT_TOKEN",
    "COMMIT_TOKEN_BIG",
    "HEADER",
    "HEADER_BIG",
    "HEADER_LEN_BYTES",
    "HOLD_CANCEL",
    "HOLD_CANCEL_BIG",
    "MCAST",
    "MCAST_BIG",
    "MCAST_LEN_BYTES",
    "MEMB_JOIN",
    "MEMB_JOIN_BIG",
    "MERGE_DETECT",
    "MERGE_DETECT_BIG",
    "ORF_TOKEN",
    "ORF_TOKEN_BIG",
    "RTR_ITEM",
    "RTR_ITEM_BIG",
    "CommitEntry",
    "CommitToken",
    "Mcast",
    "MembJoin",
    "MergeDetect",
    "Message",
    "OrfToken",
    "RtrItem",
    "TokenHoldCancel",
    "decode",
    "encode_commit_token",
    "encode_mcast",
    "encode_mcast_header",
    "encode_memb_join",
    "encode_merge_detect",
    "encode_orf_token",
    "encode_token_hold_cancel",
    "is_big_endian",
    "message_type",
]

_MAGIC_HIGH: Final = TOTEM_MAGIC >> 8
_MAGIC_LOW: Final = TOTEM_MAGIC & 0xFF
# First byte of a frame -> second byte.
_MAGIC_SECOND: Final = {_MAGIC_LOW: _MAGIC_HIGH, _MAGIC_HIGH: _MAGIC_LOW}
# Plain integers: looking an enumeration's member up costs as much as unpacking a header.
_ENCAPSULATION: Final = frozenset(
    (int(Encapsulated.ENCAPSULATED), int(Encapsulated.NOT_ENCAPSULATED))
)


def is_big_endian(frame: Buffer) -> bool:
    """
    Tell the byte order of a frame's sender.

    :raises MalformedFrame: not a Totem frame of our version.
    """
    if len(frame) < HEADER_LEN_BYTES:
        raise MalformedFrame("shorter than a header")
    first = frame[0]
    if frame[1] != _MAGIC_SECOND.get(first):
        raise MalformedFrame("wrong magic")
    if frame[2] != TOTEM_VERSION:
        raise MalformedFrame("wrong version")
    return first == _MAGIC_HIGH


def message_type(frame: Buffer) -> int:
    """
    Give the type byte of a frame, which need not be one of MessageType.

    :raises MalformedFrame: not a Totem frame of our version.
    """
    is_big_endian(frame)
    return frame[3]


def decode(frame: Buffer) -> Message:
    """
    Make a message of one datagram.

    :raises MalformedFrame: and nothing else, whatever the bytes.
    """
    big_endian = is_big_endian(frame)
    decoder = _DECODERS.get(frame[3])
    if decoder is None:
        raise MalformedFrame("unknown type")
    return decoder(frame, big_endian)


def _decode_mcast(frame: Buffer, big_endian: bool) -> Mcast:
    if len(frame) < MCAST_LEN_BYTES:
        raise MalformedFrame("mcast too short")
    (
        *_,
        encapsulated,
        nodeid,
        target_nodeid,
        system_from,
        seq,
        this_seqno,
        rep,
        ring_seq,
        node_id,
        guarantee,
    ) = (MCAST_BIG if big_endian else MCAST).unpack_from(frame)
    if encapsulated not in _ENCAPSULATION:
        raise MalformedFrame("mcast neither plain nor encapsulated")
    return Mcast(
        nodeid,
        system_from,
        seq,
        this_seqno,
        RingId(rep, ring_seq),
        node_id,
        guarantee,
        encapsulated,
        memoryview(frame)[MCAST_LEN_BYTES:],
        big_endian,
        target_nodeid,
    )


def _decode_orf_token(frame: Buffer, big_endian: bool) -> OrfToken:
    if len(frame) < ORF_TOKEN.size:
        raise MalformedFrame("orf_token too short")
    *_, nodeid, target, seq, token_seq, aru, aru_addr, rep, ring_seq, backlog, fcc, flg, entries = (
        ORF_TOKEN_BIG if big_endian else ORF_TOKEN
    ).unpack_from(frame)
    if not 0 <= entries <= RETRANSMIT_ENTRIES_MAX:
        raise MalformedFrame("orf_token with too many retransmit requests")
    if len(frame) != ORF_TOKEN.size + entries * RTR_ITEM.size:
        raise MalformedFrame("orf_token length and count disagree")
    item = RTR_ITEM_BIG if big_endian else RTR_ITEM
    rtr_list = [
        RtrItem(RingId(item_rep, item_ring_seq), item_seq)
        for item_rep, item_ring_seq, item_seq in item.iter_unpack(frame[ORF_TOKEN.size :])
    ]
    return OrfToken(
        nodeid,
        seq,
        token_seq,
        aru,
        aru_addr,
        RingId(rep, ring_seq),
        backlog,
        fcc,
        flg,
        rtr_list,
        target,
        big_endian,
    )


def _decode_memb_join(frame: Buffer, big_endian: bool) -> MembJoin:
    if len(frame) < MEMB_JOIN.size:
        raise MalformedFrame("memb_join too short")
    *_, nodeid, target, system_from, procs, failed, ring_seq = (
        MEMB_JOIN_BIG if big_endian else MEMB_JOIN
    ).unpack_from(frame)
    if procs > PROCESSOR_COUNT_MAX or failed > PROCESSOR_COUNT_MAX:
        raise MalformedFrame("memb_join with too many nodes")
    claims_at = MEMB_JOIN.size + (procs + failed) * NODEID_LEN_BYTES
    if len(frame) < claims_at:
        raise MalformedFrame("memb_join length and counts disagree")
    nodes = nodeids_struct(procs + failed, big_endian).unpack_from(frame, MEMB_JOIN.size)
    return MembJoin(
        nodeid,
        system_from,
        nodes[:procs],
        nodes[procs:],
        ring_seq,
        target,
        big_endian,
        decode_claims(frame[claims_at:]),
    )


def _decode_commit_token(frame: Buffer, big_endian: bool) -> CommitToken:
    if len(frame) < COMMIT_TOKEN.size:
        raise MalformedFrame("commit_token too short")
    *_, nodeid, target, token_seq, rep, ring_seq, retrans_flg, memb_index, entries = (
        COMMIT_TOKEN_BIG if big_endian else COMMIT_TOKEN
    ).unpack_from(frame)
    if not 1 <= entries <= PROCESSOR_COUNT_MAX:
        raise MalformedFrame("commit_token for nobody or for too many")
    if not 0 <= memb_index <= entries:
        raise MalformedFrame("commit_token with memb_index outside its list")
    entries_at = COMMIT_TOKEN.size + entries * NODEID_LEN_BYTES
    if len(frame) != entries_at + entries * COMMIT_ENTRY.size:
        raise MalformedFrame("commit_token length and count disagree")
    entry = COMMIT_ENTRY_BIG if big_endian else COMMIT_ENTRY
    memb_list = [
        CommitEntry(RingId(old_rep, old_seq), aru, high_delivered, received_flg)
        for old_rep, old_seq, aru, high_delivered, received_flg in entry.iter_unpack(
            frame[entries_at:]
        )
    ]
    return CommitToken(
        nodeid,
        token_seq,
        RingId(rep, ring_seq),
        retrans_flg,
        memb_index,
        list(nodeids_struct(entries, big_endian).unpack_from(frame, COMMIT_TOKEN.size)),
        memb_list,
        target,
        big_endian,
    )


def _decode_merge_detect(frame: Buffer, big_endian: bool) -> MergeDetect:
    if len(frame) < MERGE_DETECT.size:
        raise MalformedFrame("merge_detect too short")
    *_, nodeid, target, system_from, rep, ring_seq = (
        MERGE_DETECT_BIG if big_endian else MERGE_DETECT
    ).unpack_from(frame)
    claims = decode_claims(frame[MERGE_DETECT.size :])
    return MergeDetect(nodeid, system_from, RingId(rep, ring_seq), target, big_endian, claims)


def _decode_hold_cancel(frame: Buffer, big_endian: bool) -> TokenHoldCancel:
    if len(frame) != HOLD_CANCEL.size:
        raise MalformedFrame("token_hold_cancel of wrong length")
    *_, nodeid, target, rep, ring_seq = (
        HOLD_CANCEL_BIG if big_endian else HOLD_CANCEL
    ).unpack_from(frame)
    return TokenHoldCancel(nodeid, RingId(rep, ring_seq), target, big_endian)


_DECODERS: Final[dict[int, Callable[[Buffer, bool], Message]]] = {
    int(MessageType.ORF_TOKEN): _decode_orf_token,
    int(MessageType.MCAST): _decode_mcast,
    int(MessageType.MEMB_MERGE_DETECT): _decode_merge_detect,
    int(MessageType.MEMB_JOIN): _decode_memb_join,
    int(MessageType.MEMB_COMMIT_TOKEN): _decode_commit_token,
    int(MessageType.TOKEN_HOLD_CANCEL): _decode_hold_cancel,
}
