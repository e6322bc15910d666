"""
The six frames of the Totem single ring protocol: bytes to values and back.

Every field is packed without padding, in the byte order of the sender; the magic number at the
start tells which. We send little-endian on every machine, so that equal inputs give equal bytes.

``decode`` is total: whatever the bytes are it returns a message or raises MalformedFrame. Counts
are checked against their limits before they are multiplied, and a frame must be exactly as long as
its counts say. Stock Corosync ignores bytes after the last list, but no version of it ever sent
any; here they are a sign of damage.

``target_nodeid`` is uninitialised memory in frames that stock sends over udpu: it is kept, and
nothing depends on it.

Source: Corosync exec/totemsrp.c (structures and check_*_sanity), include/corosync/totem/totem.h
(header).
"""

from dataclasses import dataclass
from struct import Struct
from typing import Final, NamedTuple

from corosync_tw.corotypes import Buffer, RingId
from corosync_tw.errors import MalformedFrame
from corosync_tw.totem.const import (
    NODEID_ALL,
    PROCESSOR_COUNT_MAX,
    RETRANSMIT_ENTRIES_MAX,
    TOTEM_MAGIC,
    TOTEM_VERSION,
    Encapsulated,
    MessageType,
)

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

_NODEID_LEN_BYTES: Final = 4
_MAGIC_LITTLE: Final = TOTEM_MAGIC.to_bytes(2, "little")
_MAGIC_BIG: Final = TOTEM_MAGIC.to_bytes(2, "big")


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
    """A representative tells strangers of its ring."""

    nodeid: int
    system_from: int
    ring_id: RingId
    target_nodeid: int = NODEID_ALL
    big_endian: bool = False


class MembJoin(NamedTuple):
    """
    A proposal of a membership; the good-bye of a leaver when ``nodeid`` is LEAVE_DUMMY_NODEID.

    :ivar proc_list: proposed members; ``failed_list`` is who of them should stay out.
    """

    nodeid: int
    system_from: int
    proc_list: tuple[int, ...]
    failed_list: tuple[int, ...]
    ring_seq: int
    target_nodeid: int = NODEID_ALL
    big_endian: bool = False


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


def is_big_endian(frame: Buffer) -> bool:
    """
    Tell the byte order of a frame's sender.

    :raises MalformedFrame: not a Totem frame of our version.
    """
    if len(frame) < HEADER_LEN_BYTES:
        raise MalformedFrame("shorter than a header")
    magic = frame[:2]
    if magic == _MAGIC_LITTLE:
        big_endian = False
    elif magic == _MAGIC_BIG:
        big_endian = True
    else:
        raise MalformedFrame("wrong magic")
    if frame[2] != TOTEM_VERSION:
        raise MalformedFrame("wrong version")
    return big_endian


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
    kind = frame[3]
    if kind == MessageType.MCAST:
        return _decode_mcast(frame, big_endian)
    if kind == MessageType.ORF_TOKEN:
        return _decode_orf_token(frame, big_endian)
    if kind == MessageType.MEMB_JOIN:
        return _decode_memb_join(frame, big_endian)
    if kind == MessageType.MEMB_COMMIT_TOKEN:
        return _decode_commit_token(frame, big_endian)
    if kind == MessageType.MEMB_MERGE_DETECT:
        return _decode_merge_detect(frame, big_endian)
    if kind == MessageType.TOKEN_HOLD_CANCEL:
        return _decode_hold_cancel(frame, big_endian)
    raise MalformedFrame("unknown type")


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
    if encapsulated not in {Encapsulated.ENCAPSULATED, Encapsulated.NOT_ENCAPSULATED}:
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
    if len(frame) != MEMB_JOIN.size + (procs + failed) * _NODEID_LEN_BYTES:
        raise MalformedFrame("memb_join length and counts disagree")
    nodes = _nodeids(procs + failed, big_endian).unpack_from(frame, MEMB_JOIN.size)
    return MembJoin(nodeid, system_from, nodes[:procs], nodes[procs:], ring_seq, target, big_endian)


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
    entries_at = COMMIT_TOKEN.size + entries * _NODEID_LEN_BYTES
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
        list(_nodeids(entries, big_endian).unpack_from(frame, COMMIT_TOKEN.size)),
        memb_list,
        target,
        big_endian,
    )


def _decode_merge_detect(frame: Buffer, big_endian: bool) -> MergeDetect:
    if len(frame) != MERGE_DETECT.size:
        raise MalformedFrame("merge_detect of wrong length")
    *_, nodeid, target, system_from, rep, ring_seq = (
        MERGE_DETECT_BIG if big_endian else MERGE_DETECT
    ).unpack_from(frame)
    return MergeDetect(nodeid, system_from, RingId(rep, ring_seq), target, big_endian)


def _decode_hold_cancel(frame: Buffer, big_endian: bool) -> TokenHoldCancel:
    if len(frame) != HOLD_CANCEL.size:
        raise MalformedFrame("token_hold_cancel of wrong length")
    *_, nodeid, target, rep, ring_seq = (
        HOLD_CANCEL_BIG if big_endian else HOLD_CANCEL
    ).unpack_from(frame)
    return TokenHoldCancel(nodeid, RingId(rep, ring_seq), target, big_endian)


def encode_mcast_header(
    nodeid: int,
    system_from: int,
    seq: int,
    ring_id: RingId,
    guarantee: int,
    *,
    encapsulated: int = Encapsulated.NOT_ENCAPSULATED,
    this_seqno: int = 0,
    node_id: int = 0,
    target_nodeid: int = NODEID_ALL,
    big_endian: bool = False,
) -> bytes:
    """
    Make the MCAST_LEN_BYTES before a payload; the payload travels behind it as slices of its own.

    :param nodeid: originator; ``system_from`` is the same in all that stock sends.
    """
    return (MCAST_BIG if big_endian else MCAST).pack(
        TOTEM_MAGIC,
        TOTEM_VERSION,
        1,
        encapsulated,
        nodeid,
        target_nodeid,
        system_from,
        seq,
        this_seqno,
        ring_id[0],
        ring_id[1],
        node_id,
        guarantee,
    )


def encode_mcast(mcast: Mcast, *, big_endian: bool = False) -> bytes:
    """Make a whole frame, payload copied; encode_mcast_header is the way that copies nothing."""
    header = encode_mcast_header(
        mcast.nodeid,
        mcast.system_from,
        mcast.seq,
        mcast.ring_id,
        mcast.guarantee,
        encapsulated=mcast.encapsulated,
        this_seqno=mcast.this_seqno,
        node_id=mcast.node_id,
        target_nodeid=mcast.target_nodeid,
        big_endian=big_endian,
    )
    return b"".join((header, mcast.payload))


def encode_orf_token(token: OrfToken, *, big_endian: bool = False) -> bytes:
    """Make a token's frame."""
    assert len(token.rtr_list) <= RETRANSMIT_ENTRIES_MAX, "retransmit list overflows the token"
    head = (ORF_TOKEN_BIG if big_endian else ORF_TOKEN).pack(
        TOTEM_MAGIC,
        TOTEM_VERSION,
        MessageType.ORF_TOKEN,
        Encapsulated.NONE,
        token.nodeid,
        token.target_nodeid,
        token.seq,
        token.token_seq,
        token.aru,
        token.aru_addr,
        *token.ring_id,
        token.backlog,
        token.fcc,
        token.retrans_flg,
        len(token.rtr_list),
    )
    if not token.rtr_list:
        return head
    pack = (RTR_ITEM_BIG if big_endian else RTR_ITEM).pack
    return head + b"".join([pack(*item.ring_id, item.seq) for item in token.rtr_list])


def encode_merge_detect(message: MergeDetect, *, big_endian: bool = False) -> bytes:
    """Make a merge detection's frame."""
    return (MERGE_DETECT_BIG if big_endian else MERGE_DETECT).pack(
        TOTEM_MAGIC,
        TOTEM_VERSION,
        MessageType.MEMB_MERGE_DETECT,
        Encapsulated.NONE,
        message.nodeid,
        message.target_nodeid,
        message.system_from,
        *message.ring_id,
    )


def encode_memb_join(join: MembJoin, *, big_endian: bool = False) -> bytes:
    """Make a Join's frame."""
    nodes = (*join.proc_list, *join.failed_list)
    assert len(join.proc_list) <= PROCESSOR_COUNT_MAX, "proc_list overflows the Join"
    assert len(join.failed_list) <= PROCESSOR_COUNT_MAX, "failed_list overflows the Join"
    head = (MEMB_JOIN_BIG if big_endian else MEMB_JOIN).pack(
        TOTEM_MAGIC,
        TOTEM_VERSION,
        MessageType.MEMB_JOIN,
        Encapsulated.NONE,
        join.nodeid,
        join.target_nodeid,
        join.system_from,
        len(join.proc_list),
        len(join.failed_list),
        join.ring_seq,
    )
    return head + _nodeids(len(nodes), big_endian).pack(*nodes)


def encode_commit_token(token: CommitToken, *, big_endian: bool = False) -> bytes:
    """Make a commit token's frame."""
    assert len(token.addr) == len(token.memb_list), "commit token's lists differ in length"
    assert 1 <= len(token.addr) <= PROCESSOR_COUNT_MAX, "commit token for nobody or for too many"
    head = (COMMIT_TOKEN_BIG if big_endian else COMMIT_TOKEN).pack(
        TOTEM_MAGIC,
        TOTEM_VERSION,
        MessageType.MEMB_COMMIT_TOKEN,
        Encapsulated.NONE,
        token.nodeid,
        token.target_nodeid,
        token.token_seq,
        *token.ring_id,
        token.retrans_flg,
        token.memb_index,
        len(token.addr),
    )
    pack = (COMMIT_ENTRY_BIG if big_endian else COMMIT_ENTRY).pack
    return b"".join(
        (
            head,
            _nodeids(len(token.addr), big_endian).pack(*token.addr),
            *[
                pack(*entry.ring_id, entry.aru, entry.high_delivered, entry.received_flg)
                for entry in token.memb_list
            ],
        )
    )


def encode_token_hold_cancel(message: TokenHoldCancel, *, big_endian: bool = False) -> bytes:
    """Make a hold cancellation's frame."""
    return (HOLD_CANCEL_BIG if big_endian else HOLD_CANCEL).pack(
        TOTEM_MAGIC,
        TOTEM_VERSION,
        MessageType.TOKEN_HOLD_CANCEL,
        Encapsulated.NONE,
        message.nodeid,
        message.target_nodeid,
        *message.ring_id,
    )


def _nodeids(count: int, big_endian: bool) -> Struct:
    return Struct(f"{'>' if big_endian else '<'}{count}I")
