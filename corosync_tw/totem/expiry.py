"""
What a node does when a deadline passes, in each state.

Source: Totem95 section 6.2 (Token-Loss, Token-Retransmit, Join, Consensus timeouts); Corosync
exec/totemsrp.c timer_function_*, memb_timer_function_*.
"""

from collections.abc import Callable
from typing import Final, assert_never

from corosync_tw.corotypes import NS_PER_MS
from corosync_tw.totem.asymmetry import fail_unreachable, look, plan_probe
from corosync_tw.totem.const import GatherFrom, MembState
from corosync_tw.totem.deadlines import Deadline
from corosync_tw.totem.joining import send_join, send_join_now, send_merge_detect
from corosync_tw.totem.orf_token import retransmit_token
from corosync_tw.totem.ring import Ring, TokenState
from corosync_tw.totem.timeouts import reset_token_retransmit_timeout, reset_token_timeout
from corosync_tw.totem.trace import TraceCode
from corosync_tw.totem.transitions import enter_gather

# Shares of token_timeout: how often we look at the clock, and which gap means that we were not
# scheduled.
PAUSE_CHECKS_PER_TOKEN_TIMEOUT: Final = 5
PAUSES_PER_TOKEN_TIMEOUT: Final = 2


def on_token_loss_timeout(ring: Ring, now_ns: int) -> None:
    """The token did not come (timer_function_orf_token_timeout)."""
    state, params, stats = ring.state, ring.params, ring.stats
    ring.deadlines.cancel(Deadline.TOKEN_WARNING)
    ring.trace(
        TraceCode.TOKEN_LOST,
        state,
        params.token_timeout_ns // NS_PER_MS,
        params.consensus_timeout_ns // NS_PER_MS,
    )
    if state is MembState.OPERATIONAL:
        stats.operational_token_lost += 1
        reason = GatherFrom.THE_TOKEN_WAS_LOST_IN_THE_OPERATIONAL_STATE
    elif state is MembState.GATHER:
        stats.gather_token_lost += 1
        on_consensus_timeout(ring, now_ns)
        reason = GatherFrom.THE_CONSENSUS_TIMEOUT_EXPIRED
    elif state is MembState.COMMIT:
        stats.commit_token_lost += 1
        reason = GatherFrom.THE_TOKEN_WAS_LOST_IN_THE_COMMIT_STATE
    elif state is MembState.RECOVERY:
        stats.recovery_token_lost += 1
        reason = GatherFrom.THE_TOKEN_WAS_LOST_IN_THE_RECOVERY_STATE
    elif state is MembState.IDLE:
        return
    else:
        assert_never(state)
    enter_gather(ring, reason, now_ns)


def on_consensus_timeout(ring: Ring, now_ns: int) -> None:
    """
    Gather took too long: go on without those who do not agree.

    Source: memb_state_consensus_timeout_expired.
    """
    if ring.state is not MembState.GATHER:
        return
    ring.stats.consensus_timeouts += 1
    if fail_unreachable(ring, now_ns):
        enter_gather(ring, GatherFrom.CONSENSUS_TIMEOUT, now_ns)
    elif ring.memb.agreed():
        # All agree but the representative's commit token does not come.
        ring.memb.reset_consensus()
        reset_token_timeout(ring, now_ns)
    else:
        ring.trace(TraceCode.CONSENSUS_TIMED_OUT, *ring.memb.fail_silent())
        enter_gather(ring, GatherFrom.CONSENSUS_TIMEOUT, now_ns)


def on_token_retransmit_timeout(ring: Ring, now_ns: int) -> None:
    """Nothing was heard of the token we sent: send it again."""
    state = ring.state
    if state is MembState.COMMIT or state is MembState.OPERATIONAL or state is MembState.RECOVERY:
        _count_repeat(ring.token)
        retransmit_token(ring, now_ns)
        reset_token_retransmit_timeout(ring, now_ns)
    elif state is MembState.GATHER or state is MembState.IDLE:
        pass
    else:
        assert_never(state)


def _count_repeat(token: TokenState) -> None:
    if token.repeated_seq != token.my_token_seq:
        token.repeated_seq, token.repeats = token.my_token_seq, 0
    token.repeats += 1


def on_token_hold_timeout(ring: Ring, now_ns: int) -> None:
    """The token was held long enough: it goes round once more."""
    state = ring.state
    if state is MembState.OPERATIONAL or state is MembState.RECOVERY:
        retransmit_token(ring, now_ns)
    elif state is MembState.GATHER or state is MembState.COMMIT or state is MembState.IDLE:
        pass
    else:
        assert_never(state)


def on_token_warning_timeout(ring: Ring, now_ns: int) -> None:
    """The token is late."""
    after_ns = ring.params.token_timeout_ns * ring.params.token_warning_percent // 100
    # None came yet in a first ring.
    last_ns = ring.stats.token_last_received_ns or now_ns - after_ns
    ring.trace(TraceCode.TOKEN_LATE, (now_ns - last_ns) // NS_PER_MS)
    ring.arm(Deadline.TOKEN_WARNING, now_ns, after_ns)


def on_merge_detect_timeout(ring: Ring, now_ns: int) -> None:
    """
    The representative looks for strangers.

    Deviation: Corosync's does so when the ring rests. Ring traffic spares nodes outside, so that
    two busy rings would hear of each other as late as that.
    """
    state = ring.state
    if state is MembState.OPERATIONAL:
        if ring.am_rep:
            send_merge_detect(ring, now_ns)
    elif (
        state is MembState.GATHER
        or state is MembState.COMMIT
        or state is MembState.RECOVERY
        or state is MembState.IDLE
    ):
        pass
    else:
        assert_never(state)


def on_probe_timeout(ring: Ring, now_ns: int) -> None:
    """Links are bad: say whom we hear."""
    state = ring.state
    if state is MembState.OPERATIONAL:
        look(ring, now_ns)
        if ring.hearing.bad_links:
            send_merge_detect(ring, now_ns)
            plan_probe(ring, now_ns)
    elif (
        state is MembState.GATHER
        or state is MembState.COMMIT
        or state is MembState.RECOVERY
        or state is MembState.IDLE
    ):
        pass
    else:
        assert_never(state)


def on_join_timeout(ring: Ring, now_ns: int) -> None:
    """Repeat our proposal."""
    state = ring.state
    assert state is MembState.GATHER, f"join deadline armed in {state.name}"
    send_join(ring, now_ns)
    ring.arm(Deadline.JOIN, now_ns, ring.params.join_timeout_ns)


def on_pause_timeout(ring: Ring, now_ns: int) -> None:
    """Keep looking at the clock."""
    ring.arm(Deadline.PAUSE, now_ns, ring.params.token_timeout_ns // PAUSE_CHECKS_PER_TOKEN_TIMEOUT)


def note_alive(ring: Ring, now_ns: int) -> None:
    """
    Notice that the process was not scheduled: Joins that queued up meanwhile are stale.

    Source: pause_flush. Joins are repeated every join_timeout, so dropping them for that long loses
    nothing.
    """
    gap_ns = now_ns - ring.alive_ns
    if gap_ns > ring.params.token_timeout_ns // PAUSES_PER_TOKEN_TIMEOUT:
        ring.trace(TraceCode.PROCESS_PAUSED, gap_ns // NS_PER_MS)
        ring.joins_flushed_until_ns = now_ns + ring.params.join_timeout_ns
    ring.alive_ns = now_ns


EXPIRY: Final[dict[Deadline, Callable[[Ring, int], None]]] = {
    Deadline.TOKEN_LOSS: on_token_loss_timeout,
    Deadline.HEARTBEAT: on_token_loss_timeout,
    Deadline.TOKEN_RETRANSMIT: on_token_retransmit_timeout,
    Deadline.TOKEN_HOLD: on_token_hold_timeout,
    Deadline.TOKEN_WARNING: on_token_warning_timeout,
    Deadline.MERGE_DETECT: on_merge_detect_timeout,
    Deadline.JOIN: on_join_timeout,
    Deadline.SEND_JOIN: send_join_now,
    Deadline.CONSENSUS: on_consensus_timeout,
    Deadline.PAUSE: on_pause_timeout,
    Deadline.PROBE: on_probe_timeout,
}
