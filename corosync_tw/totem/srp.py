"""
The Totem single ring protocol as a value: fed with frames and time, polled for effects.

Contract:

* ``receive(frames, now_ns)`` takes a batch, messages before tokens; on an accelerated ring a token
  may be handled first. ``advance(now_ns)`` fires the deadlines that are due, in the order of
  ``Deadline``, each at most once. ``next_deadline()`` is one absolute time. Time never goes back.
* ``poll()`` gives the effects since the last poll; the driver executes them strictly in order and
  polls after each input.
* ``wake`` tells that the source has something to send. Nothing here sends, sleeps, logs or draws
  randomness by itself.
* The same parameters, seed and inputs give the same effects, byte for byte.
* Every queue is bounded: sort queues by QUEUE_RTR_ITEMS_SIZE_MAX, sets by PROCESSOR_COUNT_MAX,
  token lists by RETRANSMIT_ENTRIES_MAX, a batch by the driver.
* Whatever a peer sends is handled or counted; the only exceptions out of here are broken invariants
  of our own.

Source: Amir, Moser, Melliar-Smith, Agarwal, Ciarfella, "The Totem Single-Ring Ordering and
Membership Protocol", ACM TOCS 13(4), 1995 (Totem95); Corosync exec/totemsrp.c.
"""

from collections.abc import Sequence
from typing import Final

from corosync_tw.corotypes import Buffer, RingId
from corosync_tw.errors import MalformedFrame
from corosync_tw.kernels.framing import scan_run
from corosync_tw.totem import wire
from corosync_tw.totem.const import Encapsulated, GatherFrom, MembState, MessageType
from corosync_tw.totem.deadlines import Deadline
from corosync_tw.totem.effects import Effect, MessageSource
from corosync_tw.totem.expiry import (
    EXPIRY,
    note_alive,
    on_pause_timeout,
    on_token_loss_timeout,
)
from corosync_tw.totem.handlers import handle, release_held_token
from corosync_tw.totem.joining import send_hold_cancel
from corosync_tw.totem.orf_token import behind_token_msgs, on_orf_token, speak_with_resting_token
from corosync_tw.totem.params import TotemParams
from corosync_tw.totem.quiet_visit import QUIET_LEN_BYTES, quiet_visit
from corosync_tw.totem.reconfigure import reconfigure
from corosync_tw.totem.ring import Ring
from corosync_tw.totem.runs import DeliveredFrame, FrameBlob, Received, ReceivedRun
from corosync_tw.totem.seqno import seq_lt, seq_lte
from corosync_tw.totem.stats import SrpStats
from corosync_tw.totem.trace import TraceCode
from corosync_tw.totem.transitions import deliver_ready, enter_gather, enter_idle
from corosync_tw.totem.window import Agreement, Window

# The first five bytes of every plain message of a little-endian peer.
_PLAIN_MCAST: Final = wire.MCAST.pack(
    *(0xC070, 3, MessageType.MCAST, Encapsulated.NOT_ENCAPSULATED), *([0] * 9)
)[:5]
_ORF_TOKEN: Final = bytes((MessageType.ORF_TOKEN,))
# So few messages are kept in less time than a token takes that finds them missing.
OVERTAKEN_MIN: Final = 4
_LIVE: Final = frozenset({MembState.OPERATIONAL, MembState.RECOVERY})


class Srp:
    """One node's end of the single ring."""

    def __init__(
        self, params: TotemParams, source: MessageSource, ring_seq: int, now_ns: int
    ) -> None:
        """
        Make a silent core.

        :param source: gives the payloads to send when we hold the token.
        :param ring_seq: stored ring sequence number, 0 on the very first start.
        """
        self._ring = Ring(params, source, ring_seq, now_ns)

    @property
    def state(self) -> MembState:
        """State of the membership protocol."""
        return self._ring.state

    @property
    def ring_id(self) -> RingId:
        """Id of the installed ring; before the first one, an id that no ring has."""
        return self._ring.installed.ring_id

    @property
    def members(self) -> tuple[int, ...]:
        """Nodeids of the installed ring, ascending; empty before the first."""
        return self._ring.memb.memb

    @property
    def stats(self) -> SrpStats:
        """Counters."""
        return self._ring.stats

    @property
    def params(self) -> TotemParams:
        """Parameters the core was made with."""
        return self._ring.params

    @property
    def bad_links(self) -> frozenset[tuple[int, int]]:
        """Directions that are known not to work, as (nodeid that speaks, nodeid that is deaf)."""
        return self._ring.hearing.bad_links

    @property
    def backlog_frames(self) -> int:
        """Frames that waited at the last visit of the token."""
        return self._ring.flow.my_cbl

    @property
    def window(self) -> Window:
        """Windows of flow control, for observers."""
        return self._ring.flow.window

    @property
    def behind_token_msgs(self) -> int:
        """Messages that may follow the token now; 0 while the ring is not accelerated."""
        return behind_token_msgs(self._ring)

    @property
    def marks(self) -> tuple[int, int]:
        """Highest sequence number of the installed ring that was seen, and that was delivered."""
        log = self._ring.installed
        return log.high_seq_received, log.high_delivered

    def missing(self, ring_id: RingId, token_seq: int) -> int | None:
        """
        Tell whether the next visit of a token would find messages missing.

        :param token_seq: seq of that token.
        :return: the last message before the first hole; None when there is none.
        Source: the redundant ring protocol's anyMessagesMissing (Koch, Moser, Melliar-Smith, ICDCS
            2002, Fig. 4), which is a stub in Corosync (main_msgs_missing).
        """
        ring = self._ring
        if ring.state not in _LIVE or ring_id != ring.my_ring_id:
            return None
        askable_seq = ring.acceleration.askable_seq(token_seq, ring.token.my_last_seq)
        my_aru = ring.log().my_aru
        return my_aru if askable_seq is not None and seq_lt(my_aru, askable_seq) else None

    def start(self, now_ns: int) -> None:
        """Begin to look for a ring."""
        assert self._ring.state is MembState.IDLE, "started twice"
        self._ring.alive_ns = now_ns
        on_pause_timeout(self._ring, now_ns)
        enter_gather(self._ring, GatherFrom.INTERFACE_CHANGE, now_ns)

    def leave(self, now_ns: int) -> None:
        """Say good-bye and fall silent for good."""
        del now_ns
        enter_idle(self._ring)

    def ring_of_ours(self) -> None:
        """Say that all members of the installed ring run corosync_tw; true until the next ring."""
        self._ring.of_ours = True

    def agree(self, agreement: Agreement) -> None:
        """Go by what all members of the installed ring announced; true until the next ring."""
        ring = self._ring
        if ring.my_ring_id == ring.installed.ring_id:
            ring.flow.window.agree(agreement)
            ring.acceleration.agree(agreement.accelerated, ring.installed.high_delivered)

    def reconfigure(self, params: TotemParams, now_ns: int) -> None:
        """
        Go on with other timeouts and limits; frames keep their length, and we our nodeid.

        What is waited for now is due as if the wait had begun now, or when it was due, whichever
        comes first; with longer timeouts the later of the two.
        """
        reconfigure(self._ring, params, now_ns)

    def trace_visits(self, wanted: bool) -> None:
        """Record each visit of the token, as is the default, or spare the work."""
        self._ring.traces_visits = wanted

    def force_gather(self, now_ns: int) -> None:
        """Act as if the token was lost. Source: totemsrp_force_gather."""
        on_token_loss_timeout(self._ring, now_ns)

    def wake(self, now_ns: int) -> None:
        """The source has something to send: a resting ring has to move."""
        ring = self._ring
        if speak_with_resting_token(ring, now_ns):
            return
        if ring.token.my_token_held and ring.state in _LIVE:
            if not (ring.am_rep and len(ring.memb.memb) == 1):
                send_hold_cancel(ring)
            release_held_token(ring, now_ns)

    @property
    def resting(self) -> bool:
        """Whether the token rests here until there is something to send."""
        return self._ring.token.my_token_held

    def poll(self) -> list[Effect]:
        """Give up the effects since the last poll."""
        effects = self._ring.effects
        self._ring.effects = []
        return effects

    def next_deadline(self) -> int | None:
        """Absolute time at which ``advance`` has something to do; None when silent."""
        return self._ring.deadlines.next()

    def advance(self, now_ns: int) -> None:
        """Fire what is due."""
        ring = self._ring
        if ring.state is MembState.IDLE:
            return
        note_alive(ring, now_ns)
        for which in Deadline:
            if ring.deadlines.take(which, now_ns):
                if which is Deadline.SELF_FRAMES:
                    self._hear_self(now_ns)
                else:
                    EXPIRY[which](ring, now_ns)

    def receive(self, frames: Sequence[Received], now_ns: int) -> None:
        """
        Handle a batch of datagrams.

        :param frames: one datagram each, or many in one piece; kept until the ring has forgotten
            the messages, so they must not change.
        """
        ring = self._ring
        if ring.state is MembState.IDLE:
            return
        note_alive(ring, now_ns)
        if len(frames) > OVERTAKEN_MIN and self.may_overtake(frames[-1]):
            frames = (frames[-1], *frames[:-1])
        dirty = False
        for received in frames:
            singles: Sequence[Buffer]
            if isinstance(received, FrameBlob):
                kept, singles = self._keep_runs(received)
                dirty = dirty or kept
            else:
                singles = (received,)
            for frame in singles:
                if frame[:5] == _PLAIN_MCAST and self._keep_fast(frame):
                    dirty = True
                    continue
                if frame[3:4] == _ORF_TOKEN:
                    # It delivers what is in order by itself, once it was passed on.
                    ring.log().update_aru()
                elif dirty:
                    self._settle()
                    dirty = False
                self._handle_checked(frame, now_ns)
        if dirty:
            self._settle()

    def may_overtake(self, last: Received) -> bool:
        """
        Tell whether a token goes before the messages that came with it or wait in a socket.

        On an accelerated ring it does when all is here that it told of at its visit before: then
        the messages are newer, and whoever is next need not wait until we have put them in order.
        Source: the priority rule of the accelerated ring.
        """
        ring = self._ring
        last_seq = ring.token.my_last_seq
        return (
            ring.acceleration.active
            and last_seq is not None
            and not isinstance(last, FrameBlob)
            and last[3:4] == _ORF_TOKEN
            and seq_lte(last_seq, ring.installed.my_aru)
        )

    def _keep_runs(self, received: FrameBlob) -> tuple[bool, Sequence[Buffer]]:
        """
        Keep what is new and in order, as far as datagrams of the operational ring belong together.

        :return: whether there was any, and the datagrams behind it.
        """
        ring = self._ring
        blob, stride = received
        whole = len(blob)
        while blob and ring.state is MembState.OPERATIONAL:
            found = scan_run(blob, stride, *ring.my_ring_id)
            if found is None:
                break
            nodeid, first_seq, count, guarantee = found
            end = count * stride
            run = ReceivedRun(nodeid, first_seq, count, guarantee != 0, blob[:end], stride)
            if not ring.installed.add_run(run):
                break
            ring.stats.mcast_rx += count
            blob = blob[end:]
        return len(blob) < whole, FrameBlob(blob, stride).frames() if blob else ()

    def _keep_fast(self, frame: Buffer) -> bool:
        """
        Keep a plain message of the operational ring; everything else takes the way through
        ``handlers``.

        :return: False when the frame is something else.
        """
        ring = self._ring
        if ring.state is not MembState.OPERATIONAL or len(frame) < wire.MCAST_LEN_BYTES:
            return False
        _, _, _, _, nodeid, _, _, seq, _, rep, ring_seq, _, guarantee = wire.MCAST.unpack_from(
            frame
        )
        if ring_seq != ring.my_ring_id.seq or rep != ring.my_ring_id.rep:
            return False
        ring.stats.mcast_rx += 1
        log = ring.installed
        if log.wants(seq):
            payload = memoryview(frame)[wire.MCAST_LEN_BYTES :]
            log.add(seq, (DeliveredFrame(nodeid, seq, payload, False), guarantee != 0, (frame,)))
        else:
            ring.stats.rx_msg_dropped += 1
        return True

    def _settle(self) -> None:
        """Bring order into what a run of messages has changed."""
        ring = self._ring
        ring.log().update_aru()
        if ring.state is MembState.OPERATIONAL:
            deliver_ready(ring)

    def _handle_checked(self, frame: Buffer, now_ns: int) -> None:
        ring = self._ring
        if len(frame) == QUIET_LEN_BYTES and quiet_visit(ring, frame, now_ns):
            ring.stats.orf_token_rx += 1
            return
        try:
            message = wire.decode(frame)
        except MalformedFrame:
            ring.stats.rx_msg_dropped += 1
            ring.trace(TraceCode.FRAME_MALFORMED, frame[3] if len(frame) > 3 else -1, len(frame))
            return
        nodeid = message.nodeid
        if isinstance(message, wire.MembJoin):
            # A good-bye has a dummy in its header; one of a namesake would have us fail ourselves.
            nodeid = message.system_from
        if nodeid == ring.my_id and not isinstance(message, wire.Mcast):
            # A transport never brings us our own frames back: somebody else uses our nodeid.
            ring.stats.rx_msg_dropped += 1
            ring.trace(TraceCode.NODEID_IN_USE, frame[3])
            return
        self._handle(message, frame, now_ns)

    def _handle(self, message: wire.Message, frame: Buffer, now_ns: int) -> None:
        ring = self._ring
        if isinstance(message, wire.OrfToken):
            ring.stats.orf_token_rx += 1
            if ring.state in _LIVE:
                on_orf_token(ring, message, now_ns)
            return
        handle(ring, message, frame, now_ns)
        if isinstance(message, wire.Mcast):
            self._settle()

    def _hear_self(self, now_ns: int) -> None:
        frames = self._ring.self_frames
        self._ring.self_frames = []
        for frame in frames:
            self._handle(wire.decode(frame), frame, now_ns)
