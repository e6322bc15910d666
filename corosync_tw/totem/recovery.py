"""
Recovery: members that come from one old ring give each other its messages, encapsulated in messages
of the new ring.

Source: Totem95 section 6.2.4 and 7 (Figs. 6, 7); Corosync exec/totemsrp.c
memb_state_recovery_enter, message_handler_orf_token, deliver_messages_from_recovery_to_regular.
Deviation: a recovered message is put into the old ring's log when it arrives, not when the ring is
installed, so that a recovery that fails leaves nothing to be recovered again. What another member
has sent again is not sent once more; in Corosync every member sends all, and recovery never ends
when that is more than a sort queue holds.
"""

from corosync_tw.errors import MalformedFrame
from corosync_tw.totem import wire
from corosync_tw.totem.commit import OBLIGATED
from corosync_tw.totem.const import QUEUE_RTR_ITEMS_SIZE_MAX, Encapsulated
from corosync_tw.totem.ring import RecoveryState, Ring
from corosync_tw.totem.runs import DeliveredFrame
from corosync_tw.totem.seqno import SEQ_MASK, seq_diff, seq_lt, seq_lte
from corosync_tw.totem.trace import TraceCode
from corosync_tw.totem.wire import CommitEntry, CommitToken, OrfToken


def plan_recovery(ring: Ring, token: CommitToken) -> None:
    """
    Find out who comes along from our old ring and which messages we owe them.

    Post: memb.trans_memb, memb.deliver_memb and recovery are those of the ring being formed.
    """
    memb = ring.memb
    old = ring.installed
    entries = [
        (nodeid, entry)
        for nodeid, entry in zip(token.addr, token.memb_list, strict=True)
        if entry.ring_id == old.ring_id and nodeid in memb.memb
    ]
    memb.trans_memb = tuple(nodeid for nodeid, _ in entries)
    ring.trace(TraceCode.RECOVERY_TRANSITIONAL, *memb.trans_memb)
    for at, (nodeid, entry) in enumerate(zip(token.addr, token.memb_list, strict=True)):
        marks = (entry.aru, entry.high_delivered, entry.received_flg)
        ring.trace(TraceCode.RECOVERY_MEMBER, at, nodeid, *entry.ring_id, *marks)
    # Only if all of them went as far may somebody have installed, and then all owe what they
    # promised together.
    ring.obligated = bool(entries) and all(entry.received_flg & OBLIGATED for _, entry in entries)
    if not ring.obligated:
        memb.deliver_memb = memb.trans_memb
    ring.recovery = RecoveryState(my_install_seq=ring.params.seqno_start)
    low_ring_aru, ring.recovery.my_high_ring_delivered = _marks(ring, [e for _, e in entries])
    ring.recovery.retrans_seqs = _seqs_to_originate(ring, low_ring_aru)
    ring.trace(
        TraceCode.RECOVERY_ORIGINATED,
        len(ring.recovery.retrans_seqs),
        low_ring_aru,
        old.high_seq_received,
    )


def _marks(ring: Ring, entries: list[CommitEntry]) -> tuple[int, int]:
    """Give the lowest aru and the highest delivery among our old ring's members."""
    old = ring.installed
    low_ring_aru = old.my_aru
    high_ring_delivered = old.high_delivered
    for entry in entries:
        # No sane member is further away: such an entry is a lie.
        if abs(seq_diff(entry.aru, old.my_aru)) >= QUEUE_RTR_ITEMS_SIZE_MAX:
            continue
        if seq_lt(entry.aru, low_ring_aru):
            low_ring_aru = entry.aru
        if seq_lt(high_ring_delivered, entry.high_delivered):
            high_ring_delivered = entry.high_delivered
    return low_ring_aru, high_ring_delivered


def _seqs_to_originate(ring: Ring, low_ring_aru: int) -> dict[int, None]:
    old = ring.installed
    count = seq_diff(old.high_seq_received, low_ring_aru)
    seqs = [(low_ring_aru + i) & SEQ_MASK for i in range(1, count + 1)]
    return {seq: None for seq in seqs if old.get(seq) is not None}


def keep_recovered(ring: Ring, payload: memoryview) -> None:
    """
    Put a message of the old ring, found inside one of the new ring, where it belongs; it needs no
    sending by us any more.

    :param payload: of an encapsulated mcast; anything that is not a message of our old ring is
        passed over.
    """
    try:
        inner = wire.decode(payload)
    except MalformedFrame:
        ring.stats.rx_msg_dropped += 1
        return
    old = ring.installed
    if not isinstance(inner, wire.Mcast) or inner.ring_id != old.ring_id:
        return
    ring.recovery.retrans_seqs.pop(inner.seq, None)
    if not old.wants(inner.seq):
        return
    frame = (
        None
        if inner.encapsulated == Encapsulated.ENCAPSULATED
        else DeliveredFrame(inner.nodeid, inner.seq, inner.payload, inner.big_endian)
    )
    old.add(inner.seq, (frame, bool(inner.guarantee), (payload,)))
    old.update_aru()


def progress(ring: Ring, token: OrfToken) -> bool:
    """
    Count the rotations that end recovery.

    :return: True when the ring is to be installed now.
    Source: Totem95 Fig. 7; message_handler_orf_token, branch MEMB_STATE_RECOVERY.
    """
    recovery = ring.recovery
    assert ring.forming is not None, "progress of a recovery that is not under way"
    my_aru = ring.forming.my_aru
    if recovery.retrans_seqs:
        if token.retrans_flg == 0:
            token.retrans_flg = 1
            recovery.my_set_retrans_flg = True
    elif token.retrans_flg == 1 and recovery.my_set_retrans_flg:
        token.retrans_flg = 0
        recovery.my_set_retrans_flg = False
    if token.retrans_flg == 0:
        recovery.my_retrans_flg_count += 1
    else:
        recovery.my_retrans_flg_count = 0
    count = recovery.my_retrans_flg_count
    if count == 2:
        recovery.my_install_seq = token.seq
    if count >= 2 and not ring.obligated and seq_lte(recovery.my_install_seq, my_aru):
        ring.obligated = True
        ring.memb.deliver_memb = ring.memb.trans_memb
    if count >= 3 and seq_lte(recovery.my_install_seq, token.aru):
        recovery.my_rotation_counter += 1
    else:
        recovery.my_rotation_counter = 0
    return recovery.my_rotation_counter == 2
