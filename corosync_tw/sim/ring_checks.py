"""
Checks on what leaves a node while the ring runs: tokens, flow control, starvation.

A stock node aborts on a token whose seq or token_seq goes back, so ours must never make one. Flow
control: the members' latest visits together never exceed the window, none exceeds max_messages, and
a member with a backlog gets its turn. The window is the one that is configured or, where nodes
announce what they take in, what the slowest member of the ring has said.
Source: Totem95 section 8; Corosync exec/totemsrp.c fcc_calculate, token sanity checks in
message_handler_orf_token.
"""

from collections.abc import Callable
from typing import Final

from corosync_tw.corotypes import RingId
from corosync_tw.sim.history import serial_distance
from corosync_tw.sim.options import Options
from corosync_tw.sim.recorder import stop
from corosync_tw.sim.snoop import token_facts
from corosync_tw.totem.window import VISIT_MSGS_MAX

STARVED_VISITS_MAX: Final = 200


def never_deaf(_members: tuple[int, ...]) -> bool:
    """Tell of nodes that all of them hear each other."""
    return False


class RingChecks:
    """
    Watches the tokens of all nodes.

    :param deaf: tells whether some of these nodes do not hear others of them. A ring that lives on
        retransmissions gives its room to whoever has the token next after one.
    """

    def __init__(
        self, options: Options, deaf: Callable[[tuple[int, ...]], bool] = never_deaf
    ) -> None:
        self.options = options
        self._deaf = deaf
        self.tokens: dict[tuple[RingId, int], bytes] = {}
        self.last_token: dict[tuple[int, RingId], tuple[int, int]] = {}
        self.fresh: dict[int, int] = {}  # messages since the node last passed the token
        self.ring_of: dict[int, RingId] = {}  # of the last token or message
        self.visits: dict[RingId, dict[int, int]] = {}
        self.starved: dict[int, int] = {}
        self.members: dict[RingId, tuple[int, ...]] = {}
        self.rotations = 0

    def installed(self, ring_id: RingId, members: tuple[int, ...]) -> None:
        """Learn who is in a ring."""
        self.members[ring_id] = members

    def forget(self, nodeid: int) -> None:
        """Forget a node's turn: it failed, perhaps between its messages and its token."""
        self.fresh[nodeid] = 0
        self.starved[nodeid] = 0
        ring_id = self.ring_of.pop(nodeid, None)
        if ring_id is not None:
            self.visits.get(ring_id, {}).pop(nodeid, None)

    def sent_messages(self, nodeid: int, fresh: int, ring_id: RingId) -> None:
        """Count new messages of a node; a retransmission of a recovered one counts as well."""
        if self.ring_of.get(nodeid) != ring_id:
            # What it sent before it gave up on its last ring counts there.
            self.fresh[nodeid] = 0
        self.fresh[nodeid] = self.fresh.get(nodeid, 0) + fresh
        self.ring_of[nodeid] = ring_id

    def sent_token(self, nodeid: int, frame: bytes, time_ns: int) -> None:
        """Compare a token with those before it."""
        facts = token_facts(frame)
        ring_id = facts.ring_id
        known = self.tokens.setdefault((ring_id, facts.token_seq), frame)
        if known != frame:
            text = f"two tokens of {ring_id} with token_seq {facts.token_seq}"
            stop("one token", time_ns, (nodeid,), text)
        last = self.last_token.get((nodeid, ring_id))
        if last is not None:
            if serial_distance(facts.seq, last[0]) < 0:
                text = f"token seq {facts.seq} after {last[0]} on {ring_id}"
                stop("token seq grows", time_ns, (nodeid,), text)
            if serial_distance(facts.token_seq, last[1]) < 0:
                text = f"token_seq {facts.token_seq} after {last[1]} on {ring_id}"
                stop("token_seq grows", time_ns, (nodeid,), text)
        if serial_distance(facts.seq, facts.aru) < 0:
            text = f"token seq {facts.seq} below aru {facts.aru} on {ring_id}"
            stop("aru below seq", time_ns, (nodeid,), text)
        self.ring_of[nodeid] = ring_id
        self.last_token[nodeid, ring_id] = (facts.seq, facts.token_seq)

    def passed_token(self, nodeid: int, backlog: Callable[[], int], time_ns: int) -> None:
        """Judge one visit of the token: what the node sent, and whether it got its turn."""
        fresh = self.fresh.get(nodeid, 0)
        self.fresh[nodeid] = 0
        most = self._visit_msgs_max()
        if fresh > most:
            text = f"{fresh} messages in one visit, {most} are allowed"
            stop("flow control", time_ns, (nodeid,), text)
        ring_id = self.ring_of.get(nodeid)
        if ring_id is None:
            return
        visits = self.visits.setdefault(ring_id, {})
        visits[nodeid] = fresh
        total = sum(visits.values())
        if total > self._window_size_msgs(ring_id):
            text = f"{total} messages on a rotation of {ring_id}: {visits}"
            stop("flow control", time_ns, (nodeid,), text)
        self.rotations += 1
        if fresh or backlog() == 0:
            self.starved[nodeid] = 0
            return
        self.starved[nodeid] = self.starved.get(nodeid, 0) + 1
        if self.starved[nodeid] > STARVED_VISITS_MAX:
            if self._deaf(self.members.get(ring_id, ())):
                self.starved[nodeid] = 0
                return
            text = f"a backlog of {backlog()} frames and no turn in {STARVED_VISITS_MAX} visits"
            stop("no starvation", time_ns, (nodeid,), text)

    def _visit_msgs_max(self) -> int:
        configured = self.options.max_messages
        return max(configured, VISIT_MSGS_MAX) if self.options.adaptive_window else configured

    def _window_size_msgs(self, ring_id: RingId) -> int:
        """Give what is configured, which counts until all have announced themselves, or more."""
        options = self.options
        slowest = min(map(options.receive_msgs, self.members.get(ring_id, ())), default=0)
        return max(options.window_size_msgs, slowest)
