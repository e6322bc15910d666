"""
The four states and how they are entered; nobody else writes ``ring.state``.

Source: Totem95 section 6.2; Corosync exec/totemsrp.c memb_state_*_enter.
"""

from typing import Final

from corosync_tw.corotypes import NS_PER_MS, ConfChangeType
from corosync_tw.totem import commit, recovery
from corosync_tw.totem.asymmetry import plan_probe
from corosync_tw.totem.const import GatherFrom, MembState
from corosync_tw.totem.deadlines import Deadline
from corosync_tw.totem.effects import ConfigurationChange, Deliver, StoreRingId
from corosync_tw.totem.joining import send_join, send_leave
from corosync_tw.totem.ordering import RingLog
from corosync_tw.totem.ring import Ring, TokenState
from corosync_tw.totem.runs import Delivered
from corosync_tw.totem.timeouts import (
    cancel_token_timeout,
    reset_token_retransmit_timeout,
    reset_token_timeout,
)
from corosync_tw.totem.trace import TraceCode
from corosync_tw.totem.wire import CommitToken

# Reasons that mean one more Gather without a ring in between.
_CONTINUOUS: Final = GatherFrom.THE_CONSENSUS_TIMEOUT_EXPIRED

# state: the states it may be entered from
_PREDECESSORS: Final = {
    MembState.IDLE: frozenset(MembState),
    MembState.GATHER: frozenset(MembState),
    MembState.COMMIT: frozenset({MembState.GATHER}),
    MembState.RECOVERY: frozenset({MembState.COMMIT}),
    MembState.OPERATIONAL: frozenset({MembState.RECOVERY}),
}


def _set_state(ring: Ring, state: MembState, reason: int = 0) -> None:
    assert ring.state in _PREDECESSORS[state], f"{ring.state.name} to {state.name}"
    ring.trace(TraceCode.STATE_ENTERED, ring.state, state, reason)
    ring.state = state


def enter_gather(ring: Ring, reason: GatherFrom, now_ns: int) -> None:
    """
    Give up the present ring attempt and collect Join messages.

    :param reason: traced; only THE_CONSENSUS_TIMEOUT_EXPIRED changes behaviour (it is counted).
    Emits: a Join with our sets.
    Post: the only one known to agree with us is ourselves.
    Source: Totem95 section 6.2.2; memb_state_gather_enter.
    """
    if ring.state is MembState.OPERATIONAL:
        _trace_trail(ring, now_ns)
    ring.memb.proc_set.add(ring.my_id)
    ring.forming = None
    ring.token.originated = False
    ring.token.my_token_held = False
    send_join(ring, now_ns)
    ring.arm(Deadline.JOIN, now_ns, ring.params.join_timeout_ns)
    ring.arm(Deadline.CONSENSUS, now_ns, ring.params.consensus_timeout_ns)
    for which in (
        Deadline.TOKEN_RETRANSMIT,
        Deadline.TOKEN_HOLD,
        Deadline.MERGE_DETECT,
        Deadline.HEARTBEAT,
    ):
        ring.deadlines.cancel(which)
    cancel_token_timeout(ring)
    ring.memb.reset_consensus()
    _set_state(ring, MembState.GATHER, reason)
    ring.stats.gather_entered += 1
    if reason == _CONTINUOUS:
        ring.stats.continuous_gather += 1


def _trace_trail(ring: Ring, now_ns: int) -> None:
    """Tell how far the token came here: of several nodes, that shows where it was lost."""
    token, last_ns = ring.token, ring.stats.token_last_received_ns
    if token.target == ring.my_id:
        return
    repeats = token.repeats if token.repeated_seq == token.my_token_seq else 0
    since_ms = (now_ns - last_ns) // NS_PER_MS if last_ns else 0
    ring.trace(TraceCode.TOKEN_TRAIL, token.my_token_seq, token.target, repeats, since_ms)


def enter_commit(ring: Ring, token: CommitToken, now_ns: int) -> None:
    """
    Take part in the ring that a commit token forms.

    :param token: with memb_index at our entry; changed and passed on.
    Emits: StoreRingId, then the commit token to our successor.
    Source: Totem95 section 6.2.3; memb_state_commit_enter.
    """
    commit.write_own_entry(ring, token)
    ring.commit_token = token
    ring.memb.new_memb = tuple(token.addr)
    ring.token = TokenState(
        my_token_seq=ring.first_token_seq(),
        my_last_aru=ring.params.seqno_start,
        target=token.addr[token.memb_index % len(token.addr)],
    )
    for which in (Deadline.JOIN, Deadline.SEND_JOIN, Deadline.CONSENSUS):
        ring.deadlines.cancel(which)
    ring.my_ring_id = token.ring_id
    ring.token_ring_id_seq = token.ring_id.seq
    old = ring.installed
    ring.trace(TraceCode.RING_COMMITTED, old.my_aru, old.high_seq_received, token.ring_id.seq)
    ring.effects.append(StoreRingId(token.ring_id.seq))
    _set_state(ring, MembState.COMMIT)
    ring.flow.reset()
    ring.acceleration.close()
    ring.stats.commit_entered += 1
    ring.stats.continuous_gather = 0
    reset_token_timeout(ring, now_ns)
    commit.send_commit_token(ring, token, now_ns)


def enter_recovery(ring: Ring, token: CommitToken, now_ns: int) -> None:
    """
    Everybody has written itself into the commit token: exchange what is left of the old rings.

    :param token: complete; passed on unchanged but for token_seq.
    Source: Totem95 section 6.2.4, Fig. 6; memb_state_recovery_enter.
    """
    ring.commit_token = None
    ring.forming = RingLog(ring.my_ring_id, ring.params.seqno_start)
    recovery.plan_recovery(ring, token)
    _set_state(ring, MembState.RECOVERY)
    ring.stats.recovery_entered += 1
    ring.stats.continuous_gather = 0
    commit.send_commit_token(ring, token, now_ns)
    ring.recovery.commit_token_seq = token.token_seq
    reset_token_timeout(ring, now_ns)
    reset_token_retransmit_timeout(ring, now_ns)


def enter_operational(ring: Ring) -> None:
    """
    Install the ring: end the old configuration, pass through the transitional one, begin the new.

    Emits: old messages up to the first hole or unacknowledged SAFE message, the transitional
    configuration, the rest that the obligation set allows, the regular configuration.
    Source: Totem95 section 7; memb_state_operational_enter.
    """
    assert ring.forming is not None, "no ring to install"
    old, new, memb = ring.installed, ring.forming, ring.memb
    transitional_members = memb.trans_memb
    ring.trace(TraceCode.RECOVERY_ENDED, new.my_aru, old.high_delivered, old.high_seq_received)
    # Delivered in the regular configuration by one of us: then by all of us.
    _deliver(ring, old, old.take_deliverable(ring.recovery.my_high_ring_delivered))
    left, joined = memb.install()
    ring.effects.append(
        ConfigurationChange(
            ConfChangeType.TRANSITIONAL,
            transitional_members,
            left,
            (),
            new.ring_id,
            old.ring_id,
        )
    )
    _deliver(ring, old, old.take_remaining(memb.deliver_memb))
    ring.effects.append(
        ConfigurationChange(ConfChangeType.REGULAR, memb.memb, (), joined, new.ring_id, old.ring_id)
    )
    _install_log(ring, new)
    ring.source.hold_ordinary()
    failed = memb.left_without_leave(left)
    if failed:
        ring.trace(TraceCode.LEFT_WITHOUT_LEAVE, *failed)
    _set_state(ring, MembState.OPERATIONAL)
    plan_probe(ring, ring.alive_ns)
    ring.stats.operational_entered += 1
    ring.stats.continuous_gather = 0


def _install_log(ring: Ring, new: RingLog) -> None:
    # The first messages of a ring are recovery's own; everybody has them, as the install condition
    # says.
    new.skip_to(ring.recovery.my_install_seq)
    ring.installed = new
    ring.forming = None
    ring.obligated = False
    ring.of_ours = False
    ring.token.my_last_aru = ring.params.seqno_start
    ring.token.safe_to = ring.params.seqno_start


def _deliver(ring: Ring, log: RingLog, delivered: list[Delivered]) -> None:
    if delivered:
        ring.effects.append(Deliver(log.ring_id, delivered))


def deliver_ready(ring: Ring) -> None:
    """Deliver what has come into order on the installed ring."""
    log = ring.installed
    _deliver(ring, log, log.take_deliverable(ring.token.safe_to))


def enter_idle(ring: Ring) -> None:
    """
    Leave the ring cleanly and fall silent for good.

    Source: totemsrp_finalize.
    """
    if ring.state is not MembState.IDLE:
        send_leave(ring)
    ring.deadlines.cancel_all()
    ring.self_frames.clear()
    ring.forming = None
    _set_state(ring, MembState.IDLE)
