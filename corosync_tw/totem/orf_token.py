"""
What a node does when the token arrives.

Source: Totem95 section 5, Fig. 3; Corosync exec/totemsrp.c message_handler_orf_token,
orf_token_rtr, orf_token_mcast, token_send, orf_token_send_initial.
Deviation: as in Corosync, a node that fails to receive expels itself (the paper's figure), it is
not expelled (the paper's prose).
"""

from collections.abc import Sequence
from itertools import islice

from corosync_tw.corotypes import Guarantee, Slices
from corosync_tw.totem import recovery, wire
from corosync_tw.totem.acceleration import split
from corosync_tw.totem.const import (
    QUEUE_RTR_ITEMS_SIZE_MAX,
    RETRANSMIT_ENTRIES_MAX,
    Encapsulated,
    GatherFrom,
    MembState,
)
from corosync_tw.totem.deadlines import Deadline
from corosync_tw.totem.effects import TokenSent
from corosync_tw.totem.flow import sort_queue_has_room
from corosync_tw.totem.ordering import RingLog
from corosync_tw.totem.ring import Ring
from corosync_tw.totem.runs import Datagrams, SentRun
from corosync_tw.totem.seqno import (
    SEQ_MASK,
    THIS_SEQNO_MASK,
    seq_add,
    seq_diff,
    seq_lt,
    seq_lte,
)
from corosync_tw.totem.timeouts import (
    reset_heartbeat,
    reset_token_retransmit_timeout,
    reset_token_timeout,
    start_merge_detect_timeout,
)
from corosync_tw.totem.trace import TraceCode
from corosync_tw.totem.transitions import deliver_ready, enter_gather, enter_operational
from corosync_tw.totem.wire import OrfToken, RtrItem


def on_orf_token(ring: Ring, token: OrfToken, now_ns: int) -> None:
    """
    Take the token, speak, pass it on, deliver.

    Emits: retransmissions, new messages, the token, more new messages on an accelerated ring,
    deliveries, TokenSent, in this order.
    Pre: the state is OPERATIONAL or RECOVERY.
    """
    if token.ring_id != ring.my_ring_id or seq_lte(token.token_seq, ring.token.my_token_seq):
        return
    log = ring.log()
    if not _is_sound(log, token):
        ring.trace(
            TraceCode.TOKEN_REFUSED, token.seq, token.aru, token.token_seq, log.high_seq_received
        )
        return
    _note_activity(ring, token, now_ns)
    forward_token = not (ring.am_rep and ring.token.my_token_held)
    last_aru = _take_aru(ring, token)
    window = ring.flow.window
    window.note_visit(token.seq, token.aru, requests=bool(token.rtr_list))
    ring.acceleration.note_visit(ring.token.safe_to)
    allowed = ring.flow.allowance(ring.params, token, _backlog(ring))
    retransmitted = _answer_rtr(ring, log, token, allowed)
    _ask_for_holes(ring, log, token)
    if (
        ring.params.cancel_token_hold_on_retransmit
        and ring.token.my_token_held
        and (token.rtr_list or retransmitted)
    ):
        ring.token.my_token_held = False
        forward_token = True
    allowed -= retransmitted
    if not sort_queue_has_room(
        window.size_msgs(ring.params), log.last_released, token.seq, allowed
    ):
        allowed = 0
    batches = _mcast(ring, log, token, allowed)
    ahead, behind = split(batches, behind_token_msgs(ring) if forward_token else 0)
    _send(ring, ahead)
    ring.flow.update_token(token, retransmitted + sum(map(len, batches)))
    window.note_sent(token.seq)
    _update_token_aru(ring, log, token, last_aru)
    if ring.token.my_aru_count > ring.params.fail_to_recv_const and token.aru_addr == ring.my_id:
        _send(ring, behind)
        _give_up_on_self(ring, log, now_ns)
    else:
        _pass_on(ring, token, now_ns, behind, forward_token=forward_token)
        reset_heartbeat(ring, now_ns, forward_token=forward_token)


def _is_sound(log: RingLog, token: OrfToken) -> bool:
    """
    Tell whether a token fits what we know of the ring.

    Any other, passed on, would abort a stock node (assertion in orf_token_rtr).
    """
    ahead = seq_diff(token.seq, log.my_aru)
    return (
        0 <= ahead < QUEUE_RTR_ITEMS_SIZE_MAX
        and seq_lte(log.high_seq_received, token.seq)
        and 0 <= seq_diff(token.seq, token.aru) <= QUEUE_RTR_ITEMS_SIZE_MAX
    )


def _note_activity(ring: Ring, token: OrfToken, now_ns: int) -> None:
    """Decide whether the ring rests: then its representative holds the token for a while."""
    state, stats, params = ring.token, ring.stats, ring.params
    if stats.token_last_received_ns:
        stats.token_rotation_ns = now_ns - stats.token_last_received_ns
    stats.token_last_received_ns = now_ns
    if ring.traces_visits:
        ring.trace(TraceCode.TOKEN_RECEIVED, token.seq, token.aru, token.token_seq, token.fcc)
    start_merge_detect_timeout(ring, now_ns)
    if token.seq == state.my_last_seq:
        state.my_seq_unchanged += 1
    else:
        ring.deadlines.cancel(Deadline.TOKEN_HOLD)
        state.my_seq_unchanged = 0
    state.my_prior_seq, state.my_last_seq = state.my_last_seq, token.seq
    visits = params.seqno_unchanged_const + (1 if ring.am_rep else 0)
    state.my_token_held = state.my_seq_unchanged >= visits


def _take_aru(ring: Ring, token: OrfToken) -> int:
    """
    Learn what everybody has: what two visits in a row said.

    :return: the token's aru at the visit before.
    Source: Totem95 section 5.2 (safe delivery); messages_free.
    """
    state = ring.token
    last_aru = state.my_last_aru
    state.my_last_aru = token.aru
    if ring.state is MembState.OPERATIONAL:
        state.safe_to = last_aru if seq_lt(last_aru, token.aru) else token.aru
        ring.installed.release(state.safe_to)
    return last_aru


def _backlog(ring: Ring) -> int:
    if ring.forming is None:
        return ring.source.backlog_frames()
    return len(ring.recovery.retrans_seqs)


def _answer_rtr(ring: Ring, log: RingLog, token: OrfToken, allowed: int) -> int:
    """
    Send again what the token asks for and we have.

    :return: number of messages sent.
    Deviation: what everybody has by now is no longer asked for. A request that was not answered
    while its message was here would otherwise stay in the token for ever, take the room of others
    and, with cancel_token_hold_on_retransmit, never let the ring rest.
    """
    if not token.rtr_list:
        return 0
    ring.trace(TraceCode.RETRANSMIT_LIST, *[item.seq for item in token.rtr_list])
    frames: list[Slices] = []
    unanswered: list[RtrItem] = []
    for item in token.rtr_list:
        ours = item.ring_id == ring.my_ring_id
        if ours and seq_lte(item.seq, log.last_released):
            continue
        message = log.get(item.seq) if ours else None
        if message is None or len(frames) >= allowed:
            unanswered.append(item)
        else:
            frames.append(message[2])
    token.rtr_list = unanswered
    ring.stats.mcast_retx += len(frames)
    ring.send_mcast_frames(frames)
    return len(frames)


def _ask_for_holes(ring: Ring, log: RingLog, token: OrfToken) -> None:
    askable_seq = ring.acceleration.askable_seq(token.seq, ring.token.my_prior_seq)
    if askable_seq is None or seq_lte(askable_seq, log.my_aru):
        return
    room = RETRANSMIT_ENTRIES_MAX - len(token.rtr_list)
    asked = {item.seq for item in token.rtr_list}
    # Those asked for by others take none of our room.
    holes = log.holes(askable_seq, ring.params.miss_count_const, room + len(asked))
    ours = [seq for seq in holes if seq not in asked][:room]
    token.rtr_list.extend(RtrItem(ring.my_ring_id, seq) for seq in ours)


def behind_token_msgs(ring: Ring) -> int:
    """Count the messages that may follow the token; none in recovery."""
    if ring.forming is not None:
        return 0
    window_size_msgs = ring.flow.window.size_msgs(ring.params)
    return ring.acceleration.behind_msgs(ring.params, window_size_msgs, len(ring.memb.memb))


def _send(ring: Ring, batches: list[Datagrams]) -> None:
    for frames in batches:
        ring.send_mcast_frames(frames)


def _mcast(ring: Ring, log: RingLog, token: OrfToken, allowed: int) -> list[Datagrams]:
    """
    Give the token new messages, or in recovery those of the old ring.

    :return: what is to be sent; it bears its numbers and is in the log.
    """
    if allowed <= 0:
        return []
    sent: Sequence[Datagrams]
    if ring.forming is None:
        sent = _mcast_new(ring, log, token, allowed)
    else:
        sent = (_mcast_recovery(ring, log, token, allowed),)
    log.update_aru()
    return [frames for frames in sent if frames]


def _mcast_new(ring: Ring, log: RingLog, token: OrfToken, allowed: int) -> list[SentRun]:
    header = _mcast_header(ring, seq_add(token.seq, 1), Encapsulated.NOT_ENCAPSULATED)
    runs = ring.source.take(allowed, header)
    count = 0
    for run in runs:
        count += run.count
        kept = log.add_run(run)
        assert kept, "a message of our own is not the next one"
    assert count <= allowed, "the source gave more than was asked for"
    token.seq = seq_add(token.seq, count)
    ring.this_seqno = (ring.this_seqno + count) & THIS_SEQNO_MASK
    ring.stats.mcast_tx += count
    return runs


def _mcast_recovery(ring: Ring, log: RingLog, token: OrfToken, allowed: int) -> list[Slices]:
    frames: list[Slices] = []
    seqs = ring.recovery.retrans_seqs
    for old_seq in list(islice(seqs, allowed)):
        del seqs[old_seq]
        message = ring.installed.get(old_seq)
        assert message is not None, "a message of the old ring vanished during recovery"
        seq = token.seq = (token.seq + 1) & SEQ_MASK
        header = _mcast_header(ring, seq, Encapsulated.ENCAPSULATED)
        ring.this_seqno = (ring.this_seqno + 1) & THIS_SEQNO_MASK
        frame = (header, *message[2])
        log.add(seq, (None, False, frame))
        frames.append(frame)
    return frames


def _mcast_header(ring: Ring, seq: int, encapsulated: int) -> bytes:
    return wire.encode_mcast_header(
        ring.my_id,
        ring.my_id,
        seq,
        ring.my_ring_id,
        Guarantee.AGREED,
        encapsulated=encapsulated,
        this_seqno=ring.this_seqno,
    )


def _update_token_aru(ring: Ring, log: RingLog, token: OrfToken, last_aru: int) -> None:
    """
    Lower the aru to ours, or raise it if we were the one who had lowered it.

    Source: Totem95 section 5.1; aru_addr 0 is the paper's invalid aru_id.
    """
    if seq_lt(log.my_aru, token.aru) or token.aru_addr in {ring.my_id, 0}:
        token.aru = log.my_aru
        token.aru_addr = 0 if token.aru == token.seq else ring.my_id
    if token.aru == last_aru and token.aru_addr != 0:
        ring.token.my_aru_count += 1
    else:
        ring.token.my_aru_count = 0


def _give_up_on_self(ring: Ring, log: RingLog, now_ns: int) -> None:
    """Tell the others to go on without us: we keep missing what they send."""
    ring.trace(TraceCode.FAILED_TO_RECEIVE, log.my_aru)
    ring.memb.failed_to_recv = True
    ring.memb.fail_set.add(ring.my_id)
    if ring.of_ours:
        # The others find out from whom nothing comes before they have us back.
        ring.hearing.distrust(set(ring.memb.memb) - {ring.my_id}, now_ns, ring.params)
    enter_gather(ring, GatherFrom.FAILED_TO_RECEIVE, now_ns)


def _pass_on(
    ring: Ring,
    token: OrfToken,
    now_ns: int,
    behind: list[Datagrams],
    *,
    forward_token: bool,
) -> None:
    state = ring.token
    state.my_token_seq = token.token_seq
    token.token_seq = seq_add(token.token_seq, 1)
    if ring.state is MembState.RECOVERY and recovery.progress(ring, token):
        enter_operational(ring)
    send_orf_token(ring, token, now_ns, forward_token=forward_token)
    _send(ring, behind)
    if ring.state is MembState.OPERATIONAL:
        deliver_ready(ring)
    reset_token_timeout(ring, now_ns)
    reset_token_retransmit_timeout(ring, now_ns)
    if ring.am_rep and state.my_token_held:
        ring.arm(Deadline.TOKEN_HOLD, now_ns, ring.params.token_hold_timeout_ns)
    ring.effects.append(TokenSent())


def send_orf_token(ring: Ring, token: OrfToken, now_ns: int, *, forward_token: bool) -> None:
    """Keep the token for retransmission; pass it on unless it is held."""
    token.nodeid = ring.my_id
    token.target_nodeid = ring.token.target
    ring.token.retransmit_frame = wire.encode_orf_token(token)
    ring.token.my_token_rests = not forward_token
    if forward_token:
        retransmit_token(ring, now_ns)


def speak_with_resting_token(ring: Ring, now_ns: int) -> bool:
    """
    Send at once what waits, for the token is here; what follows is as if it had waited before.

    :return: False when the token is not here, or brought requests or losses, when we have spoken at
        this visit or have nothing to say; then nothing has changed.
    """
    log, state = ring.installed, ring.token
    if not state.my_token_rests or ring.state is not MembState.OPERATIONAL:
        return False
    token = wire.decode(state.retransmit_frame)
    assert isinstance(token, OrfToken), "something else rests here"
    backlog_frames = _backlog(ring)
    if (
        not backlog_frames
        or ring.flow.my_trc
        or token.rtr_list
        or not token.seq == token.aru == log.my_aru
    ):
        return False
    # The sort queue is empty: everybody has had everything for many visits.
    allowed = ring.flow.allowance(ring.params, token, backlog_frames)
    batches = _mcast(ring, log, token, allowed)
    ring.flow.update_token(token, sum(map(len, batches)))
    _update_token_aru(ring, log, token, state.my_last_aru)
    state.my_seq_unchanged = 0
    state.my_token_held = False
    ring.deadlines.cancel(Deadline.TOKEN_HOLD)
    ahead, behind = split(batches, behind_token_msgs(ring))
    _send(ring, ahead)
    send_orf_token(ring, token, now_ns, forward_token=True)
    _send(ring, behind)
    deliver_ready(ring)
    reset_token_retransmit_timeout(ring, now_ns)
    # Not another rotation: the visit goes on.
    ring.stats.token_rotation_ns = 0
    ring.effects.append(TokenSent())
    return True


def retransmit_token(ring: Ring, now_ns: int) -> None:
    """Send the token last kept, be it the first time or again."""
    ring.token.my_token_rests = False
    ring.stats.orf_token_tx += 1
    ring.send_token_frame(ring.token.retransmit_frame, now_ns)


def originate_orf_token(ring: Ring, now_ns: int) -> None:
    """
    Start the token of a new ring.

    Source: orf_token_send_initial.
    """
    ring.token.originated = True
    ring.recovery.my_set_retrans_flg = bool(ring.recovery.retrans_seqs)
    ring.trace(TraceCode.TOKEN_ORIGINATED, int(ring.recovery.my_set_retrans_flg))
    token = OrfToken(
        nodeid=ring.my_id,
        seq=ring.params.seqno_start,
        token_seq=ring.params.token_seq_start,
        aru=seq_add(ring.params.seqno_start, -1),
        aru_addr=ring.my_id,
        ring_id=ring.my_ring_id,
        backlog=0,
        fcc=0,
        retrans_flg=int(ring.recovery.my_set_retrans_flg),
        rtr_list=[],
    )
    send_orf_token(ring, token, now_ns, forward_token=True)
    reset_token_timeout(ring, now_ns)
    reset_token_retransmit_timeout(ring, now_ns)
