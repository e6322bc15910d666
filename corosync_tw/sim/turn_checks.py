"""
Checks on one visit of the token at one node: what it sends before and behind the token, what it
asks for, what it counts.

A message may follow its token only on a ring that is accelerated, never in recovery, and bears a
number that the token tells of. Once any message has followed a token, a node asks only for what the
token told of at its visit before. Each visit changes fcc by what the node really sent.
Source: Totem95 section 8; Babay, Amir, "Fast Total Ordering for Modern Data Centers", ICDCS 2016.
"""

from dataclasses import dataclass
from typing import Final

from corosync_tw.corotypes import RingId
from corosync_tw.sim.history import serial_distance
from corosync_tw.sim.options import Options
from corosync_tw.sim.recorder import stop
from corosync_tw.sim.snoop import MCAST, TYPE_OFFSET, TokenFacts, mcast_facts, rtr_seqs, token_facts

_MASK: Final = 0xFFFFFFFF


@dataclass(slots=True)
class Turn:
    """
    What a node did on one ring.

    :ivar frames: messages since it last passed the token, retransmissions included.
    :ivar frames_before: likewise at the visit before.
    :ivar token: that it sent in this visit, None before.
    :ivar rested_before: ``frames_before`` of a visit that goes on while the token rests here.
    :ivar heard_seq: seq of the token as it came; None before the first.
    """

    ring_id: RingId
    frames: int = 0
    frames_before: int = 0
    token: TokenFacts | None = None
    rested_before: int | None = None
    heard_seq: int | None = None


class TurnChecks:
    """Watches the visits of all nodes."""

    def __init__(self, options: Options) -> None:
        self.options = options
        self.turns: dict[int, Turn] = {}
        self.tokens: dict[tuple[RingId, int], bytes] = {}
        self.accelerated: set[RingId] = set()

    def forget(self, nodeid: int) -> None:
        """Forget the turn of a node that failed."""
        self.turns.pop(nodeid, None)

    def begin(self, nodeid: int) -> None:
        """Begin with what a node does after one input: a token that was held is no visit."""
        turn = self.turns.get(nodeid)
        if turn is not None and turn.token is not None:
            # It went on by itself: the visit is over.
            turn.token = turn.rested_before = None

    def sent_frames(self, nodeid: int, frames: tuple[bytes, ...], fresh: int, now_ns: int) -> None:
        """Count messages, and look at those behind the token."""
        messages = [frame for frame in frames if frame[TYPE_OFFSET] == MCAST]
        if not messages:
            return
        facts = [mcast_facts(frame) for frame in messages]
        turn = self._turn(nodeid, facts[0].ring_id)
        turn.frames += len(messages)
        token = turn.token
        if token is None or token.ring_id != turn.ring_id:
            return
        if not fresh:
            text = f"retransmissions of {facts[0].seq} on follow the token of {turn.ring_id}"
            stop("retransmissions first", now_ns, (nodeid,), text)
        if facts[0].encapsulated:
            text = f"recovered messages follow the token of {turn.ring_id}"
            stop("no acceleration in recovery", now_ns, (nodeid,), text)
        if not self.options.accelerated_ring:
            text = f"messages follow the token of {turn.ring_id}, and nobody agreed to that"
            stop("acceleration is agreed", now_ns, (nodeid,), text)
        for fact in facts:
            if serial_distance(fact.seq, token.seq) > 0:
                text = f"message {fact.seq} follows a token of seq {token.seq}"
                stop("numbered before the token", now_ns, (nodeid,), text)
        self.accelerated.add(turn.ring_id)

    def sent_token(self, nodeid: int, frame: bytes, now_ns: int) -> None:
        """Look at what a new token asks for."""
        facts = token_facts(frame)
        ring_id = facts.ring_id
        if (ring_id, facts.token_seq) in self.tokens:
            # Sent again, perhaps just before the next visit.
            return
        turn = self._turn(nodeid, ring_id)
        turn.token = facts
        self.tokens[ring_id, facts.token_seq] = frame
        heard = self.tokens.get((ring_id, (facts.token_seq - 1) & _MASK))
        if heard is None:
            return
        asked = set(rtr_seqs(frame)) - set(rtr_seqs(heard))
        limit, turn.heard_seq = turn.heard_seq, token_facts(heard).seq
        if ring_id not in self.accelerated:
            return
        for seq in sorted(asked):
            if limit is None or serial_distance(seq, limit) > 0:
                text = f"asks for {seq}, the token came with {limit} the time before"
                stop("nothing newer is asked for", now_ns, (nodeid,), text)

    def passed_token(self, nodeid: int, now_ns: int) -> None:
        """Compare what a visit added to fcc with what was sent."""
        turn = self.turns.get(nodeid)
        if turn is None:
            return
        token = turn.token
        before = turn.frames_before if turn.rested_before is None else turn.rested_before
        if token is not None and token.ring_id == turn.ring_id:
            heard = self.tokens.get((turn.ring_id, (token.token_seq - 1) & _MASK))
            if heard is not None:
                added = serial_distance(token.fcc, token_facts(heard).fcc)
                if added != turn.frames - before:
                    text = f"fcc by {added}, sent {turn.frames}, before {before}"
                    stop("fcc tells the truth", now_ns, (nodeid,), text)
        turn.rested_before = turn.frames_before if token is None else None
        turn.frames_before, turn.frames = turn.frames, 0
        turn.token = None

    def _turn(self, nodeid: int, ring_id: RingId) -> Turn:
        turn = self.turns.get(nodeid)
        if turn is None or turn.ring_id != ring_id:
            turn = self.turns[nodeid] = Turn(ring_id)
        return turn
