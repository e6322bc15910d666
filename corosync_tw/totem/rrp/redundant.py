"""
The redundant ring: what the ring sends is spread over the networks, what they bring is put in order
for it, and who of them is faulty is told.

* none: one network, nothing is done.
* active: everything on every network that is not faulty; a token goes up when all have brought it.
* passive: each packet on one network, in turns; a token goes up when nothing before it is missing.
* active-passive: each packet on the next K networks; a token goes up when K copies have come.

A faulty network is not sent on, but heard. When all are faulty, all are used. Frames that seek
strangers take every network, faulty or not.

Source: Koch, Moser, Melliar-Smith, "The Totem Redundant Ring Protocol", ICDCS 2002; Corosync 1.4
exec/totemrrp.c.
Deviation: Corosync 1.x has no active-passive, sends to strangers as it sends messages, and uses the
first network when all are faulty.
"""

from collections.abc import Iterable, Sequence
from typing import Final

from corosync_tw.corotypes import Buffer
from corosync_tw.kernels.framing import only_mcasts
from corosync_tw.totem.links import (
    Arrival,
    LinkEffect,
    LinkEvent,
    LinkEventKind,
    LinkRecoveryCause,
    PassUp,
)
from corosync_tw.totem.rrp.frames import (
    KIND_MCAST,
    KIND_ORF_TOKEN,
    PROBE_KINDS,
    TOKEN_KINDS,
    Token,
    is_out_of_turn,
    kind_of,
    message_of,
    token_of,
)
from corosync_tw.totem.rrp.gate import Arrived, Missing, TokenGate
from corosync_tw.totem.rrp.health import Health, LinkHealth
from corosync_tw.totem.rrp.judge import Judge, Verdict
from corosync_tw.totem.rrp.params import RrpMode, RrpParams
from corosync_tw.totem.rrp.probe import Authenticator, NoAuthenticator
from corosync_tw.totem.rrp.recovery import Recovery
from corosync_tw.totem.rrp.spread import Spread
from corosync_tw.totem.rrp.stats import LinkStats, RrpStats
from corosync_tw.totem.runs import Datagrams, FrameBlob, Received
from corosync_tw.totem.seqno import seq_add

_TRUSTING: Final = NoAuthenticator()


class RedundantRing:
    """
    One node's networks; a ``totem.links.LinkLayer``.

    :ivar stats: counters.
    :ivar link_stats: counters of each network.
    """

    def __init__(
        self, params: RrpParams, missing: Missing, authenticator: Authenticator = _TRUSTING
    ) -> None:
        """
        Make a silent one.

        :param missing: the ring's answer to whether messages are missing (``Srp.missing``).
        :param authenticator: tags the packets that test a faulty network.
        """
        self._params = params
        self.stats = RrpStats()
        self.link_stats = [LinkStats() for _ in range(params.networks)]
        self._all = tuple(range(params.networks))
        self._health = Health(params)
        self._judge = Judge(params)
        self._gate = TokenGate(params, missing)
        self._spread = Spread(params, self._health, self.link_stats, self.stats)
        self._recovery = Recovery(params, self._health, authenticator, self.stats)
        self._forgive_ns: int | None = None
        # The last token that came out of turn alone: it counts for every network that brings it,
        # or else the fastest ones would lead.
        self._needed_again: Token | None = None
        self._effects: list[LinkEffect] = []

    @property
    def params(self) -> RrpParams:
        """Parameters it goes by."""
        return self._params

    def link_health(self, link: int) -> LinkHealth:
        """Give the state of a network."""
        return self._health.links[link]

    def faulty(self, link: int) -> bool:
        """Tell whether a network is faulty."""
        return not self._health.is_sound(link)

    def problem_count(self, link: int) -> int:
        """Count what speaks against a network."""
        return self._judge.problem_count(link)

    def clean_tests(self, link: int) -> int:
        """Count the tests of a faulty network that came back in a row."""
        return self._recovery.clean_tests(link)

    def start(self, now_ns: int) -> None:
        """Begin with all networks in use."""
        self._health.start(now_ns)
        if self._params.mode is not RrpMode.NONE:
            self._forgive_ns = now_ns + self._params.problem_count_timeout_ns

    def reconfigure(self, params: RrpParams, now_ns: int) -> None:
        """Go on with other timeouts and thresholds; networks and mode stay as they are."""
        assert (params.networks, params.mode) == (self._params.networks, self._params.mode)
        self._params = params
        for part in (self._health, self._judge, self._gate, self._recovery, self._spread):
            part.reconfigure(params)
        if self._forgive_ns is not None:
            self._forgive_ns = min(self._forgive_ns, now_ns + params.problem_count_timeout_ns)

    def set_ring_members(self, nodeids: frozenset[int] | None) -> None:
        """Say who is in the ring; None while one forms."""
        self._judge.set_members(nodeids)
        self._recovery.set_members(nodeids)

    def reenable(self, link: int | None, now_ns: int) -> None:
        """
        Use a network again whatever its tests say, and forget its faults.

        :param link: None for all.
        """
        for one in self._all if link is None else (link,):
            self._put_back(one, LinkRecoveryCause.FORCED, self._params.my_id, 0, now_ns)

    def poll(self) -> list[LinkEffect]:
        """Give up the effects since the last poll."""
        effects = self._effects
        self._effects = []
        return effects

    def next_deadline(self) -> int | None:
        """Absolute time at which ``advance`` has something to do."""
        due = [self._forgive_ns, self._spread.resend.due_ns, self._recovery.next_deadline()]
        if self._gate.waiting:
            due.append(self._gate.deadline_ns)
        return min((at_ns for at_ns in due if at_ns is not None), default=None)

    def advance(self, now_ns: int) -> None:
        """Fire what is due."""
        gate, resend = self._gate, self._spread.resend
        if gate.waiting and gate.deadline_ns <= now_ns:
            gate.expire()
            self.stats.tokens_expired += 1
            self._effects.append(PassUp([self._take_token(now_ns, expired=True)]))
        if resend.due_ns is not None and resend.due_ns <= now_ns:
            self._effects += self._spread.token_again(now_ns)
        if self._forgive_ns is not None and self._forgive_ns <= now_ns:
            self._forgive_ns = now_ns + self._params.problem_count_timeout_ns
            self._judge.forgive()
        self._recovery.advance(now_ns)
        self._finish_probes(now_ns)

    # -- from the networks

    def receive(self, link: int, arrivals: Sequence[Arrival], now_ns: int) -> None:
        """Take what one network brought."""
        if self._params.mode is RrpMode.NONE:
            self._effects.append(PassUp([arrival.frame for arrival in arrivals]))
            return
        upwards: list[Received] = []
        tokens: list[Buffer] = []
        probed = False
        for arrival in arrivals:
            frame = arrival.frame
            singles: Iterable[Buffer]
            if isinstance(frame, FrameBlob):
                if only_mcasts(frame.blob, frame.stride):
                    self._count_messages(
                        link, frame.blob, -(-len(frame.blob) // frame.stride), now_ns
                    )
                    upwards.append(frame)
                    continue
                singles = frame.frames()
            else:
                singles = (frame,)
            for single in singles:
                kind = kind_of(single)
                if kind in TOKEN_KINDS:
                    tokens.append(single)
                elif kind in PROBE_KINDS:
                    self._recovery.receive(link, single, now_ns)
                    probed = True
                else:
                    if kind == KIND_MCAST:
                        self._count_messages(link, single, 1, now_ns)
                    upwards.append(single)
        for frame in tokens:
            self._on_token(link, frame, upwards, now_ns)
        if upwards:
            self._effects.append(PassUp(upwards))
        if probed:
            self._finish_probes(now_ns)

    def _count_messages(self, link: int, first: Buffer, count: int, now_ns: int) -> None:
        """
        Count messages in a row.

        :param first: the first of them, with whatever follows.
        """
        found = message_of(first)
        if found is None:
            return
        nodeid, seq = found
        self.link_stats[link].messages_rx += count
        resend = self._spread.resend
        if resend.due_ns is not None:
            resend.message_heard(seq_add(seq, count - 1), now_ns)
        if self._params.mode is not RrpMode.ACTIVE:
            self._judge.count_messages(link, nodeid, seq, count)

    def _on_token(self, link: int, frame: Buffer, upwards: list[Received], now_ns: int) -> None:
        token = token_of(frame)
        if token is None:
            upwards.append(frame)
            return
        gate, stats = self._gate, self.stats
        self.link_stats[link].tokens_rx += 1
        arrived = gate.arrive(link, token, frame, now_ns)
        again = is_out_of_turn(frame)
        if again and arrived is Arrived.NEW:
            self._needed_again = token
        if not again or token == self._needed_again:
            self._judge.count_token(link, overtaken=gate.overtaken)
        if arrived is Arrived.STALE:
            # The ring knows better what it has had: no damaged or forged number stops its tokens.
            upwards.append(frame)
            stats.tokens_stale += 1
        elif arrived is Arrived.FOREIGN:
            upwards.append(frame)
        elif arrived is Arrived.LATE:
            stats.tokens_late += 1
            if gate.in_time(now_ns):
                self._judge.take_back(link)
        elif gate.ready(self._health.judged(now_ns)):
            upwards.append(self._take_token(now_ns, expired=False))
        elif arrived is Arrived.NEW:
            stats.tokens_waited += 1
        if arrived is Arrived.NEW:
            self._spread.resend.token_heard(now_ns)

    def ring_advanced(self, now_ns: int) -> None:
        """Let a token go that waited for messages, if the last of them has come."""
        if self._gate.waiting and self._gate.ready(self._health.judged(now_ns)):
            self._effects.append(PassUp([self._take_token(now_ns, expired=False)]))

    def _take_token(self, now_ns: int, *, expired: bool) -> Buffer:
        """
        Take the token that goes up, and look at the networks.

        :param expired: its timer has fired.
        """
        token = self._gate.token
        assert token is not None, "no token has come"
        health = self._health
        judged = health.judged(now_ns)
        lacks = expired and not self._gate.again
        if lacks and self._params.mode is RrpMode.ACTIVE:
            for link in self._all:
                self.link_stats[link].tokens_missed += (judged & ~self._gate.copies) >> link & 1
        verdicts = self._judge.token_taken(
            token.seq, self._gate.copies, judged, health.settling(now_ns), expired=lacks
        )
        self._note_ring(token)
        for verdict in verdicts:
            self._mark(verdict, now_ns)
        return self._gate.take(expired=expired, now_ns=now_ns)

    def _note_ring(self, token: Token) -> None:
        if token.kind == KIND_ORF_TOKEN:
            self._recovery.ring_id = token.ring_id

    # -- from the ring

    def send_token(self, target: int, frame: bytes, now_ns: int) -> None:
        """Send a token to one node."""
        token = token_of(frame)
        assert token is not None, "a token of our own is none"
        self._note_ring(token)
        self._effects += self._spread.token(target, frame, token.seq, now_ns)

    def send_mcast(self, frames: Datagrams, to_members_only: bool, now_ns: int) -> None:
        """Send datagrams to every other node."""
        del now_ns
        self._effects += self._spread.mcast(frames, to_members_only)

    # -- faults and recovery

    def _mark(self, verdict: Verdict, now_ns: int) -> None:
        """Stop sending on a network."""
        link = verdict.link
        if not self._health.is_sound(link):
            return
        self._health.fault(link, now_ns)
        self._recovery.begin(link, now_ns)
        self._spread.rotation.reset()
        self.link_stats[link].faults += 1
        evidence = (verdict.cause, verdict.lacking, verdict.best, verdict.threshold)
        self._tell(LinkEventKind.FAULTY, link, verdict.nodeid, *evidence)
        if not self._health.sound:
            self._tell(LinkEventKind.ALL_FAULTY, link, 0, len(self._all))

    def _finish_probes(self, now_ns: int) -> None:
        """Send and tell what came of tests."""
        recovery = self._recovery
        for done in recovery.recovered:
            self._put_back(done.link, done.cause, done.nodeid, done.clean, now_ns)
        recovery.recovered.clear()
        self._effects += recovery.effects
        recovery.effects.clear()

    def _put_back(
        self, link: int, cause: LinkRecoveryCause, nodeid: int, clean: int, now_ns: int
    ) -> None:
        """Use a network again; if it was not faulty, others may have thought so."""
        health = self._health
        faulty_ns = now_ns - health.links[link].since_ns
        forced = cause is LinkRecoveryCause.FORCED
        self._judge.level(link)
        if not health.recover(link, now_ns, forced=forced):
            return
        self._recovery.end(link)
        self._spread.rotation.reset()
        self.link_stats[link].recoveries += 1
        hold_ns = health.next_hold_down_ns(link)
        self._tell(LinkEventKind.RECOVERED, link, nodeid, cause, clean, faulty_ns, hold_ns)

    def _tell(self, kind: LinkEventKind, link: int, nodeid: int, *values: int) -> None:
        self._effects.append(LinkEvent(kind, link, nodeid, values))
