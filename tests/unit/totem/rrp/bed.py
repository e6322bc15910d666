"""A few rings over a few networks in virtual time; the networks lose what they are told to lose."""

import heapq
from collections.abc import Callable
from itertools import count

from corosync_tw.corotypes import NS_PER_MS, Guarantee
from corosync_tw.sim.payload_runs import payload_runs
from corosync_tw.totem.effects import ConfigurationChange, Deliver, SendMcast, SendToken
from corosync_tw.totem.links import Arrival, LinkEvent, LinkSend, PassUp
from corosync_tw.totem.params import TotemParams
from corosync_tw.totem.rrp.params import RrpParams
from corosync_tw.totem.rrp.redundant import RedundantRing
from corosync_tw.totem.srp import Srp

LATENCY_NS = NS_PER_MS // 10
# (network, sender, receiver) -> lost?
Loss = Callable[[int, int, int], bool]


class Source:
    def __init__(self):
        self.waiting = []

    def backlog_frames(self):
        return len(self.waiting)

    def take(self, frames_max, header):
        taken = self.waiting[:frames_max]
        del self.waiting[:frames_max]
        return payload_runs(header, taken)

    def hold_ordinary(self):
        """Nothing is held."""


class Node:
    """One ring over its networks."""

    def __init__(self, bed, nodeid, totem, rrp):
        self.bed, self.nodeid = bed, nodeid
        self.source = Source()
        self.srp = Srp(TotemParams(nodeid, **totem), self.source, 0, 0)
        self.links = RedundantRing(RrpParams(nodeid, **rrp), self.srp.missing)
        self.events, self.changes, self.delivered = [], [], []

    def start(self):
        self.links.start(self.bed.now)
        self.srp.start(self.bed.now)
        self.settle()

    def send(self, *payloads):
        self.source.waiting += [(Guarantee.AGREED, payload) for payload in payloads]
        self.srp.wake(self.bed.now)
        self.settle()

    def receive(self, link, frame):
        self.links.receive(link, [Arrival(frame, None)], self.bed.now)
        self.settle()

    def advance(self):
        for part in (self.links, self.srp):
            due = part.next_deadline()
            if due is not None and due <= self.bed.now:
                part.advance(self.bed.now)
        self.settle()

    def next_deadline(self):
        due = [self.links.next_deadline(), self.srp.next_deadline()]
        return min(at for at in due if at is not None)

    def settle(self):
        """Execute effects until there are none."""
        while True:
            effects = [*self.srp.poll(), *self.links.poll()]
            if not effects:
                return
            for effect in effects:
                self.execute(effect)

    def execute(self, effect):
        now = self.bed.now
        if isinstance(effect, SendToken):
            self.links.send_token(effect.target, effect.frame, now)
        elif isinstance(effect, SendMcast):
            self.links.send_mcast(effect.frames, effect.to_members_only, now)
        elif isinstance(effect, Deliver):
            self.delivered += [bytes(frame.payload) for frame in effect.expand()]
        elif isinstance(effect, ConfigurationChange):
            if effect.kind == 0:
                self.changes.append(effect.members)
                self.links.set_ring_members(frozenset(effect.members))
        elif isinstance(effect, LinkSend):
            self.bed.carry(self.nodeid, effect)
        elif isinstance(effect, PassUp):
            self.srp.receive(effect.frames, now)
            self.links.ring_advanced(now)
        elif isinstance(effect, LinkEvent):
            self.events.append((now, effect))


class Bed:
    """Nodes 1 to n; time in ns."""

    def __init__(self, nodes=3, totem=None, **rrp):
        self.now = 0
        self.lost: Loss = lambda _link, _sender, _receiver: False
        self.delay_ns = {}
        self._order = count()
        self._under_way = []
        self.carried = []
        self.nodes = {
            nodeid: Node(self, nodeid, totem or {}, rrp) for nodeid in range(1, nodes + 1)
        }

    def carry(self, sender, effect):
        for receiver in self.nodes if effect.targets is None else effect.targets:
            if receiver == sender:
                continue
            for frame in effect.frames:
                if not self.lost(effect.link, sender, receiver):
                    data = b"".join(bytes(piece) for piece in frame)
                    at = self.now + LATENCY_NS + self.delay_ns.get(effect.link, 0)
                    item = (at, next(self._order), receiver, effect.link, data)
                    heapq.heappush(self._under_way, item)
        self.carried.append((self.now, sender, effect.link, len(effect.frames)))

    def form(self):
        for node in self.nodes.values():
            node.start()
        everybody = tuple(self.nodes)
        self.run_until(lambda: all(node.changes[-1:] == [everybody] for node in self.all()))
        return self

    def all(self):
        return self.nodes.values()

    def under_way(self):
        return self._under_way

    def run_ms(self, duration_ms):
        end = self.now + int(duration_ms * NS_PER_MS)
        self.run_until(lambda: self.now >= end, end)

    def run_until(self, done, end=None):
        limit = self.now + 60_000 * NS_PER_MS
        while not done():
            due = min(node.next_deadline() for node in self.all())
            if self._under_way and self._under_way[0][0] <= due:
                due = self._under_way[0][0]
            if end is not None and due > end:
                self.now = end
                return
            assert due <= limit, "nothing came of it"
            self.now = max(self.now, due)
            while self._under_way and self._under_way[0][0] <= self.now:
                *_, receiver, link, frame = heapq.heappop(self._under_way)
                self.nodes[receiver].receive(link, frame)
            for node in self.all():
                if node.next_deadline() <= self.now:
                    node.advance()

    def events(self, kind):
        return [
            (at, node.nodeid, event)
            for node in self.all()
            for at, event in node.events
            if event.kind is kind
        ]
