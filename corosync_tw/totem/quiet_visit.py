"""
The common visit of the token: nothing is missing, nobody asks for anything, we have nothing to say.

Most visits on a ring with little traffic are so, and each adds to everybody's round trip. What has
to be done is the same as in ``orf_token.on_orf_token``, to which all other visits are left; a test
compares the two.
"""

from typing import Final

from corosync_tw.corotypes import Buffer
from corosync_tw.totem.const import (
    QUEUE_RTR_ITEMS_SIZE_MAX,
    TOTEM_MAGIC,
    TOTEM_VERSION,
    Encapsulated,
    MembState,
    MessageType,
)
from corosync_tw.totem.deadlines import Deadline
from corosync_tw.totem.effects import TokenSent
from corosync_tw.totem.messages import ORF_TOKEN
from corosync_tw.totem.orf_token import retransmit_token
from corosync_tw.totem.ring import Ring
from corosync_tw.totem.seqno import SEQ_MASK
from corosync_tw.totem.timeouts import (
    reset_token_retransmit_timeout,
    reset_token_timeout,
    start_merge_detect_timeout,
)
from corosync_tw.totem.trace import TraceCode
from corosync_tw.totem.transitions import deliver_ready

# A little-endian token that asks for no retransmission.
QUIET_LEN_BYTES: Final = ORF_TOKEN.size
_HEAD: Final = (TOTEM_MAGIC, TOTEM_VERSION, int(MessageType.ORF_TOKEN), int(Encapsulated.NONE))
_HALF: Final = 0x80000000
_TOKEN_SENT: Final = TokenSent()


def quiet_visit(ring: Ring, frame: Buffer, now_ns: int) -> bool:
    """
    Take the token and pass it on, if that is all there is to do.

    :param frame: QUIET_LEN_BYTES long.
    :return: False when it is no token or asks for more; then nothing has changed.
    """
    fields = ORF_TOKEN.unpack_from(frame)
    if ring.state is not MembState.OPERATIONAL or fields[:4] != _HEAD:
        return False
    sender, _, seq, token_seq, aru, aru_addr, rep, ring_seq, backlog, fcc, flg, entries = fields[4:]
    my_id, log, state = ring.my_id, ring.installed, ring.token
    unchanged = state.my_seq_unchanged + 1 if seq == state.my_last_seq else 0
    held = unchanged >= ring.params.seqno_unchanged_const
    if (
        entries
        or flg
        or sender == my_id
        or (rep, ring_seq) != ring.my_ring_id
        or not 0 < ((token_seq - state.my_token_seq) & SEQ_MASK) < _HALF
        or seq != log.my_aru
        or seq != log.high_seq_received
        or ((seq - aru) & SEQ_MASK) > QUEUE_RTR_ITEMS_SIZE_MAX
        or (held and rep == my_id)
        or ring.params.heartbeat_failures_allowed
        or ring.source.backlog_frames()
    ):
        return False
    _note(ring, (seq, aru, token_seq, fcc), unchanged, now_ns)
    state.my_token_held = held
    last_aru = state.my_last_aru
    state.my_last_aru = aru
    state.safe_to = last_aru if 0 < ((aru - last_aru) & SEQ_MASK) < _HALF else aru
    log.release(state.safe_to)
    ring.flow.window.note_visit(seq, aru, requests=False)
    ring.flow.window.note_sent(seq)
    ring.acceleration.note_visit(state.safe_to)
    if not aru_addr or aru_addr == my_id:
        aru, aru_addr = seq, 0
    state.my_aru_count = state.my_aru_count + 1 if aru_addr and aru == last_aru else 0
    flow = ring.flow
    fcc = (fcc - flow.my_trc) & SEQ_MASK
    backlog = (backlog - flow.my_pbl) & SEQ_MASK
    flow.my_cbl = flow.my_trc = flow.my_pbl = 0
    state.my_token_seq = token_seq
    token_seq = (token_seq + 1) & SEQ_MASK
    state.retransmit_frame = ORF_TOKEN.pack(
        *(*_HEAD, my_id, state.target, seq, token_seq, aru, aru_addr, rep, ring_seq),
        *(backlog, fcc, 0, 0),
    )
    retransmit_token(ring, now_ns)
    if log.high_delivered != seq:
        deliver_ready(ring)
    reset_token_timeout(ring, now_ns)
    reset_token_retransmit_timeout(ring, now_ns)
    ring.deadlines.cancel(Deadline.HEARTBEAT)
    ring.effects.append(_TOKEN_SENT)
    return True


def _note(ring: Ring, values: tuple[int, int, int, int], unchanged: int, now_ns: int) -> None:
    """Note that the token is here and that the ring does not rest."""
    state, stats = ring.token, ring.stats
    if stats.token_last_received_ns:
        stats.token_rotation_ns = now_ns - stats.token_last_received_ns
    stats.token_last_received_ns = now_ns
    if ring.traces_visits:
        ring.trace(TraceCode.TOKEN_RECEIVED, *values)
    start_merge_detect_timeout(ring, now_ns)
    if not unchanged:
        ring.deadlines.cancel(Deadline.TOKEN_HOLD)
    state.my_seq_unchanged = unchanged
    state.my_prior_seq, state.my_last_seq = state.my_last_seq, values[0]
