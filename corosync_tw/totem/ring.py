"""
All state of one node's single ring, grouped by concept; the modules beside this one act on it.

Each variable has one writer: membership sets in ``membership``, links in ``hearing``, message marks
in ``ordering``, flow counters in ``flow``, ``state`` in ``transitions``, token variables in
``orf_token``, recovery variables in ``recovery`` and ``transitions``.
Source: Corosync exec/totemsrp.c struct totemsrp_instance.
"""

from dataclasses import dataclass, field

from corosync_tw.corotypes import Buffer, RingId
from corosync_tw.prng import generator
from corosync_tw.totem.acceleration import Acceleration
from corosync_tw.totem.const import RING_SEQ_JUMP_MAX, RING_SEQ_MAX, MembState
from corosync_tw.totem.deadlines import Deadline, Deadlines
from corosync_tw.totem.effects import Effect, MessageSource, SendMcast, SendToken, Trace
from corosync_tw.totem.flow import FlowControl
from corosync_tw.totem.hearing import Hearing
from corosync_tw.totem.membership import Membership
from corosync_tw.totem.ordering import RingLog
from corosync_tw.totem.params import TotemParams
from corosync_tw.totem.runs import Datagrams
from corosync_tw.totem.seqno import seq_add
from corosync_tw.totem.stats import SrpStats
from corosync_tw.totem.trace import TraceCode
from corosync_tw.totem.wire import CommitToken


@dataclass(slots=True)
class TokenState:
    """
    What we remember of the token.

    :ivar my_token_seq: of the last token taken; older ones are duplicates.
    :ivar my_last_aru: aru of the token at its last visit.
    :ivar safe_to: every member of the installed ring has everything up to it.
    :ivar my_last_seq: seq of the token at its last visit, None before the first.
    :ivar my_prior_seq: seq of the token at the visit before that.
    :ivar my_seq_unchanged: visits without a new message.
    :ivar my_token_held: the ring rests: we hold the token, or believe that the representative does.
    :ivar my_token_rests: the token is here and was not passed on since it came.
    :ivar my_aru_count: visits without progress of the aru.
    :ivar retransmit_frame: the last token sent, to be repeated until the ring shows life.
    :ivar repeats: how often the token with ``repeated_seq`` was sent again unasked.
    :ivar target: who follows us on the ring.
    :ivar originated: the representative has started the token of this ring.
    """

    my_token_seq: int = 0
    my_last_aru: int = 0
    safe_to: int = 0
    my_last_seq: int | None = None
    my_prior_seq: int | None = None
    my_seq_unchanged: int = 0
    my_token_held: bool = False
    my_token_rests: bool = False
    my_aru_count: int = 0
    retransmit_frame: bytes = b""
    repeats: int = 0
    repeated_seq: int | None = None
    target: int = 0
    originated: bool = False


@dataclass(slots=True)
class RecoveryState:
    """
    Progress of recovery on the ring being formed.

    :ivar retrans_seqs: old ring messages that are still to be sent again, lowest first; the keys of
        a dict, for those that others send are taken out.
    :ivar commit_token_seq: of the commit token as we sent it on its second rotation.
    :ivar my_set_retrans_flg: we raised the token's retrans_flg.
    :ivar my_retrans_flg_count: visits in a row with retrans_flg down.
    :ivar my_rotation_counter: visits in a row at which everybody had everything.
    :ivar my_install_seq: seq of the ring when nobody had anything left to send.
    :ivar my_high_ring_delivered: highest delivery of any of deliver_memb on the old ring.
    """

    retrans_seqs: dict[int, None] = field(default_factory=dict)
    commit_token_seq: int = 0
    my_set_retrans_flg: bool = False
    my_retrans_flg_count: int = 0
    my_rotation_counter: int = 0
    my_install_seq: int = 0
    my_high_ring_delivered: int = 0


class Ring:
    """
    The whole of it.

    :ivar my_ring_id: of the ring we are in or last tried to form; what our Joins announce.
    :ivar installed: messages of the last ring that became operational (the old ring while another
        forms).
    :ivar forming: messages of the ring in recovery, else None.
    :ivar obligated: a recovery from ``installed`` went so far that others may have installed its
        outcome.
    :ivar of_ours: every member of ``installed`` runs corosync_tw.
    :ivar token_ring_id_seq: highest ring seq seen anywhere; the next ring's is above it.
    :ivar self_frames: frames addressed to ourselves, due at once.
    :ivar joins_flushed_until_ns: Joins before this time may be stale, because the process had
        paused.
    :ivar alive_ns: when we last had the processor.
    :ivar traces_visits: visits of the token are recorded.
    """

    def __init__(
        self, params: TotemParams, source: MessageSource, ring_seq: int, now_ns: int
    ) -> None:
        self.params = params
        self.source = source
        self.my_id = params.my_id
        self.random = generator(params.seed, f"srp/{params.my_id}")
        self.state = MembState.IDLE
        # One above the stored number: a ring id of our own that no earlier life has used
        # (main_iface_change_fn).
        self.my_ring_id = RingId(params.my_id, ring_seq + 1)
        self.token_ring_id_seq = self.my_ring_id.seq
        self.installed = RingLog(self.my_ring_id, params.seqno_start)
        self.forming: RingLog | None = None
        self.obligated = False
        self.of_ours = False
        self.memb = Membership(params.my_id)
        self.hearing = Hearing(params.my_id)
        self.flow = FlowControl()
        self.acceleration = Acceleration()
        self.token = TokenState()
        self.recovery = RecoveryState()
        self.commit_token: CommitToken | None = None
        self.deadlines = Deadlines()
        self.stats = SrpStats()
        self.effects: list[Effect] = []
        self.self_frames: list[Buffer] = []
        self.this_seqno = 0
        self.joins_flushed_until_ns = 0
        self.alive_ns = now_ns
        self.traces_visits = True

    @property
    def am_rep(self) -> bool:
        """Tell whether we are the representative of the present ring."""
        return self.my_ring_id.rep == self.my_id

    def log(self) -> RingLog:
        """Give the log that the token works on."""
        return self.installed if self.forming is None else self.forming

    def is_credible(self, ring_seq: int) -> bool:
        """Tell whether a ring of this number may exist."""
        return ring_seq <= min(RING_SEQ_MAX, self.token_ring_id_seq + RING_SEQ_JUMP_MAX)

    def trace(self, code: TraceCode, *values: int) -> None:
        """Record something."""
        self.effects.append(Trace(code, values))

    def first_token_seq(self) -> int:
        """Give the value before the first token_seq of a ring."""
        return seq_add(self.params.token_seq_start, -1)

    def send_token_frame(self, frame: bytes, now_ns: int) -> None:
        """Pass a token to our successor, which on a ring of one is us."""
        if self.token.target == self.my_id:
            self.hear_self(frame, now_ns)
        else:
            self.effects.append(SendToken(self.token.target, frame))

    def send_mcast_frames(self, frames: Datagrams) -> None:
        """Multicast ordered messages to the ring."""
        if frames:
            self.effects.append(SendMcast(frames, to_members_only=True))

    def send_to_all(self, frame: bytes) -> None:
        """Multicast a frame that strangers should hear too."""
        self.effects.append(SendMcast([(frame,)], to_members_only=False))

    def hear_self(self, frame: Buffer, now_ns: int) -> None:
        """Handle a frame as if it came from the network, once the present input is done."""
        self.self_frames.append(frame)
        self.deadlines.set(Deadline.SELF_FRAMES, now_ns)

    def arm(self, which: Deadline, now_ns: int, after_ns: int) -> None:
        """Arm a deadline relative to now."""
        self.deadlines.set(which, now_ns + after_ns)
