"""
The six frames of the Totem single ring protocol: values to bytes.

Every message is sent as it stands: limits that the caller must keep are asserted. The byte order is
little-endian unless a test plays a foreign peer.

Source: Corosync exec/totemsrp.c (structures).
"""

from corosync_tw.corotypes import RingId
from corosync_tw.totem.const import (
    NODEID_ALL,
    PROCESSOR_COUNT_MAX,
    RETRANSMIT_ENTRIES_MAX,
    TOTEM_MAGIC,
    TOTEM_VERSION,
    Encapsulated,
    MessageType,
)
from corosync_tw.totem.messages import (
    COMMIT_ENTRY,
    COMMIT_ENTRY_BIG,
    COMMIT_TOKEN,
    COMMIT_TOKEN_BIG,
    HOLD_CANCEL,
    HOLD_CANCEL_BIG,
    MCAST,
    MCAST_BIG,
    MEMB_JOIN,
    MEMB_JOIN_BIG,
    MERGE_DETECT,
    MERGE_DETECT_BIG,
    ORF_TOKEN,
    ORF_TOKEN_BIG,
    RTR_ITEM,
    RTR_ITEM_BIG,
    CommitToken,
    Mcast,
    MembJoin,
    MergeDetect,
    OrfToken,
    TokenHoldCancel,
    nodeids_struct,
)


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
    return head + nodeids_struct(len(nodes), big_endian).pack(*nodes)


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
            nodeids_struct(len(token.addr), big_endian).pack(*token.addr),
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
