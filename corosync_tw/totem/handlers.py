"""
What each frame but the token does in each state; together with ``orf_token`` and ``expiry`` the
whole state machine.

Every handler writes out the states in which a frame is discarded, too.
Source: Totem95 section 6.2; Corosync exec/totemsrp.c message_handler_*.
Deviation: a message or merge detection of an older ring, sent by a member of our present ring, is a
late packet and does not make the ring gather, as Corosync already holds for Joins
(ignore_join_under_operational).
"""

from typing import assert_never

from corosync_tw.corotypes import Buffer, RingId
from corosync_tw.totem import wire
from corosync_tw.totem.asymmetry import hear, is_torn, stays_out
from corosync_tw.totem.commit import create_commit_token, is_for_us
from corosync_tw.totem.const import (
    LEAVE_DUMMY_NODEID,
    PROCESSOR_COUNT_MAX,
    Encapsulated,
    GatherFrom,
    MembState,
)
from corosync_tw.totem.deadlines import Deadline
from corosync_tw.totem.membership import JoinVerdict
from corosync_tw.totem.ordering import RingLog
from corosync_tw.totem.orf_token import originate_orf_token, retransmit_token
from corosync_tw.totem.recovery import keep_recovered
from corosync_tw.totem.ring import Ring
from corosync_tw.totem.runs import DeliveredFrame
from corosync_tw.totem.seqno import seq_lte
from corosync_tw.totem.timeouts import reset_token_retransmit_timeout
from corosync_tw.totem.trace import TraceCode
from corosync_tw.totem.transitions import enter_commit, enter_gather, enter_recovery
from corosync_tw.totem.wire import CommitToken, Mcast, MembJoin, MergeDetect, TokenHoldCancel


def on_mcast(ring: Ring, mcast: Mcast, frame: Buffer, now_ns: int) -> None:
    """
    Keep a message of our ring; learn of strangers by theirs.

    Post: the caller runs ``update_aru`` and delivers at the end of the batch.
    """
    state = ring.state
    if state is MembState.OPERATIONAL:
        if mcast.ring_id == ring.my_ring_id:
            _keep(ring, ring.installed, mcast, frame)
        else:
            _on_foreign(
                ring,
                mcast.system_from,
                mcast.ring_id,
                GatherFrom.FOREIGN_MESSAGE_IN_OPERATIONAL_STATE,
                now_ns,
            )
    elif state is MembState.GATHER:
        if mcast.ring_id == ring.installed.ring_id:
            _keep(ring, ring.installed, mcast, frame)
        elif mcast.ring_id != ring.my_ring_id:
            _on_foreign(
                ring,
                mcast.system_from,
                mcast.ring_id,
                GatherFrom.FOREIGN_MESSAGE_IN_GATHER_STATE,
                now_ns,
            )
    elif state is MembState.COMMIT:
        ring.stats.rx_msg_dropped += 1
    elif state is MembState.RECOVERY:
        if mcast.ring_id == ring.my_ring_id and ring.forming is not None:
            _keep(ring, ring.forming, mcast, frame)
            if mcast.encapsulated == Encapsulated.ENCAPSULATED:
                keep_recovered(ring, memoryview(mcast.payload))
        else:
            ring.stats.rx_msg_dropped += 1
    elif state is MembState.IDLE:
        pass
    else:
        assert_never(state)


def _keep(ring: Ring, log: RingLog, mcast: Mcast, frame: Buffer) -> None:
    if not log.wants(mcast.seq):
        ring.stats.rx_msg_dropped += 1
        return
    delivered = (
        None
        if mcast.encapsulated == Encapsulated.ENCAPSULATED
        else DeliveredFrame(mcast.nodeid, mcast.seq, mcast.payload, mcast.big_endian)
    )
    log.add(mcast.seq, (delivered, bool(mcast.guarantee), (frame,)))


def _on_foreign(ring: Ring, sender: int, ring_id: RingId, reason: GatherFrom, now_ns: int) -> None:
    """Consider the sender of a frame of another ring for our next one."""
    memb = ring.memb
    ring.hearing.sense(sender, now_ns)
    if ring.state is MembState.OPERATIONAL:
        if sender in memb.memb and ring_id.seq < ring.my_ring_id.seq:
            return
        if stays_out(ring, sender, now_ns):
            return
        memb.learn(sender)
        enter_gather(ring, reason, now_ns)
    elif sender not in memb.proc_set and not stays_out(ring, sender, now_ns) and memb.learn(sender):
        enter_gather(ring, reason, now_ns)


def on_merge_detect(ring: Ring, message: MergeDetect, now_ns: int) -> None:
    """Another ring is within reach: gather, unless a new ring is on its way already."""
    hear(ring, message, now_ns)
    if message.ring_id == ring.my_ring_id:
        return
    state = ring.state
    if state is MembState.OPERATIONAL:
        reason = GatherFrom.MERGE_DURING_OPERATIONAL_STATE
        _on_foreign(ring, message.system_from, message.ring_id, reason, now_ns)
    elif state is MembState.GATHER:
        reason = GatherFrom.MERGE_DURING_GATHER_STATE
        _on_foreign(ring, message.system_from, message.ring_id, reason, now_ns)
    elif state is MembState.COMMIT or state is MembState.RECOVERY or state is MembState.IDLE:
        pass
    else:
        assert_never(state)


def on_memb_join(ring: Ring, join: MembJoin, now_ns: int) -> None:
    """
    Weigh somebody's proposal of a membership.

    Source: Totem95 Fig. 4; message_handler_memb_join.
    """
    if not ring.is_credible(join.ring_seq):
        ring.stats.rx_msg_dropped += 1
        return
    if now_ns < ring.joins_flushed_until_ns and join.system_from != ring.my_id:
        ring.trace(TraceCode.JOIN_FLUSHED, join.system_from)
        return
    ring.token_ring_id_seq = max(ring.token_ring_id_seq, join.ring_seq)
    hear(ring, join, now_ns)
    _note_leave(ring, join)
    state = ring.state
    if state is MembState.OPERATIONAL:
        if not _ignored_while_operational(ring, join, now_ns):
            _join_in_operational(ring, join, now_ns)
    elif state is MembState.GATHER:
        _join_in_gather(ring, join, now_ns)
    elif state is MembState.COMMIT:
        if _is_about_this_attempt(ring, join):
            _merge(ring, join)
            enter_gather(ring, GatherFrom.JOIN_DURING_COMMIT_STATE, now_ns)
    elif state is MembState.RECOVERY:
        if _is_about_this_attempt(ring, join):
            _merge(ring, join)
            enter_gather(ring, GatherFrom.JOIN_DURING_RECOVERY, now_ns)
    elif state is MembState.IDLE:
        pass
    else:
        assert_never(state)


def _note_leave(ring: Ring, join: MembJoin) -> None:
    if join.nodeid == LEAVE_DUMMY_NODEID and join.failed_list:
        leaver = join.failed_list[-1]
        if leaver in ring.memb.proc_set and leaver not in ring.memb.said_leave:
            ring.memb.said_leave.add(leaver)
            ring.trace(TraceCode.LEAVE_RECEIVED, leaver)


def _ignored_while_operational(ring: Ring, join: MembJoin, now_ns: int) -> bool:
    """
    Tell whether a Join is a late one, or from somebody who does not want us.

    Source: ignore_join_under_operational.
    Deviation: nor is a stranger followed who gives up on anybody at all. We would not agree, for
    neither takes over what the other fails; once its own ring is formed, the rings merge.
    """
    if join.system_from in ring.memb.memb:
        return ring.my_id in join.failed_list or join.ring_seq < ring.my_ring_id.seq
    return len(join.failed_list) > 0 or stays_out(ring, join.system_from, now_ns)


def _is_about_this_attempt(ring: Ring, join: MembJoin) -> bool:
    return (
        join.system_from in ring.memb.new_memb
        and join.system_from != ring.my_id
        and join.ring_seq >= ring.my_ring_id.seq
    )


def _merge(ring: Ring, join: MembJoin) -> JoinVerdict:
    verdict = ring.memb.receive_join(join)
    if verdict is JoinVerdict.TOO_MANY:
        ring.trace(TraceCode.PROCESSORS_TOO_MANY, PROCESSOR_COUNT_MAX)
    return verdict


def _join_in_operational(ring: Ring, join: MembJoin, now_ns: int) -> None:
    verdict = _merge(ring, join)
    if verdict is JoinVerdict.MERGED:
        enter_gather(ring, GatherFrom.MERGE_DURING_JOIN, now_ns)
    elif verdict is not JoinVerdict.TOO_MANY:
        enter_gather(ring, GatherFrom.JOIN_DURING_OPERATIONAL_STATE, now_ns)


def _join_in_gather(ring: Ring, join: MembJoin, now_ns: int) -> None:
    verdict = _merge(ring, join)
    if verdict is JoinVerdict.MERGED:
        enter_gather(ring, GatherFrom.MERGE_DURING_JOIN, now_ns)
    elif verdict is JoinVerdict.AGREES:
        if ring.deadlines.is_set(Deadline.CONSENSUS) and ring.memb.agrees_more_than_ever():
            ring.arm(Deadline.CONSENSUS, now_ns, ring.params.consensus_timeout_ns)
        _maybe_represent(ring, now_ns)


def _maybe_represent(ring: Ring, now_ns: int) -> None:
    """Form the ring if all agree and we are its lowest member."""
    memb = ring.memb
    if not memb.agreed() or is_torn(ring):
        return
    if memb.failed_to_recv:
        # The others know and go on without us: a ring of our own lets us merge with them afresh.
        memb.alone()
    elif not memb.am_lowest():
        return
    token = create_commit_token(ring)
    ring.trace(TraceCode.COMMIT_TOKEN_CREATED, len(token.addr))
    enter_commit(ring, token, now_ns)


def on_commit_token(ring: Ring, token: CommitToken, now_ns: int) -> None:
    """
    Take part in the forming of a ring.

    Source: Totem95 section 6.2.3; message_handler_memb_commit_token.
    """
    state = ring.state
    ring.trace(TraceCode.COMMIT_TOKEN_RECEIVED, token.memb_index, token.token_seq)
    if state is MembState.OPERATIONAL:
        pass
    elif state is MembState.GATHER:
        if is_for_us(ring, token):
            enter_commit(ring, token, now_ns)
    elif state is MembState.COMMIT:
        if _is_complete(ring, token):
            enter_recovery(ring, token, now_ns)
    elif state is MembState.RECOVERY:
        # A repetition from the first rotation looks alike but for its number.
        second_rotation = seq_lte(ring.recovery.commit_token_seq, token.token_seq)
        if (
            ring.am_rep
            and not ring.token.originated
            and second_rotation
            and _is_complete(ring, token)
        ):
            originate_orf_token(ring, now_ns)
    elif state is MembState.IDLE:
        pass
    else:
        assert_never(state)


def _is_complete(ring: Ring, token: CommitToken) -> bool:
    return (
        token.ring_id == ring.my_ring_id
        and token.memb_index == len(token.addr)
        and tuple(token.addr) == ring.memb.new_memb
    )


def on_token_hold_cancel(ring: Ring, message: TokenHoldCancel, now_ns: int) -> None:
    """Somebody wants to speak: let go of a held token."""
    if message.ring_id != ring.my_ring_id:
        return
    state = ring.state
    if state is MembState.OPERATIONAL or state is MembState.RECOVERY:
        release_held_token(ring, now_ns)
    elif state is MembState.GATHER or state is MembState.COMMIT or state is MembState.IDLE:
        pass
    else:
        assert_never(state)


def release_held_token(ring: Ring, now_ns: int) -> None:
    """Stop resting; the representative passes a held token on."""
    held = ring.token.my_token_held
    ring.token.my_seq_unchanged = 0
    ring.token.my_token_held = False
    if ring.am_rep and held:
        ring.deadlines.cancel(Deadline.TOKEN_HOLD)
        retransmit_token(ring, now_ns)
        reset_token_retransmit_timeout(ring, now_ns)


def handle(ring: Ring, message: wire.Message, frame: Buffer, now_ns: int) -> None:
    """Dispatch by kind; orf tokens are ``srp``'s own affair."""
    stats = ring.stats
    if isinstance(message, Mcast):
        stats.mcast_rx += 1
        on_mcast(ring, message, frame, now_ns)
    elif isinstance(message, MembJoin):
        stats.memb_join_rx += 1
        on_memb_join(ring, message, now_ns)
    elif isinstance(message, CommitToken):
        stats.memb_commit_token_rx += 1
        on_commit_token(ring, message, now_ns)
    elif isinstance(message, MergeDetect):
        stats.memb_merge_detect_rx += 1
        on_merge_detect(ring, message, now_ns)
    elif isinstance(message, TokenHoldCancel):
        stats.token_hold_cancel_rx += 1
        on_token_hold_cancel(ring, message, now_ns)
