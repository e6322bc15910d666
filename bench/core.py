"""
The protocol alone: three whole nodes in one process, joined by lists.

One core does the work of all three; there is no socket and no client. Node 1 sends as fast as its
queue takes messages, and what node 3 delivers is counted.
"""

import gc
import time

from corosync_tw.corotypes import Guarantee
from corosync_tw.errors import CsTryAgain
from corosync_tw.services.cpg.effects import CpgDeliverRun
from corosync_tw.services.effects import CpgDeliver
from corosync_tw.services.params import ServiceParams
from corosync_tw.services.stack import Stack
from corosync_tw.totem.effects import SendMcast, SendToken
from corosync_tw.totem.params import TotemParams

NODES = (1, 2, 3)
CONN = 1
STEP_NS = 10_000
BATCH_MSGS = 64


class Wire:
    """Nodes and the frames on their way."""

    def __init__(self):
        self.now_ns = 0
        self.delivered = 0
        self.nodes = {
            n: Stack(TotemParams(my_id=n), ServiceParams(n, expected_votes=3), 0, 0) for n in NODES
        }
        self._inboxes = {n: [] for n in NODES}

    def step(self):
        """Give each node what came in, and pass on what it sends."""
        self.now_ns += STEP_NS
        for nodeid, node in self.nodes.items():
            frames, self._inboxes[nodeid] = self._inboxes[nodeid], []
            if frames:
                node.receive(frames, self.now_ns)
            self._drain(nodeid, node)

    def sleep(self):
        """Let time pass until a node has something to do."""
        self.now_ns = max(self.now_ns, min(n.next_deadline() for n in self.nodes.values()))
        for nodeid, node in self.nodes.items():
            node.advance(self.now_ns)
            self._drain(nodeid, node)

    def _drain(self, nodeid, node):
        while effects := node.poll():
            self._execute(nodeid, effects)

    def _execute(self, nodeid, effects):
        for effect in effects:
            if isinstance(effect, SendToken):
                self._inboxes[effect.target].append(effect.frame)
            elif isinstance(effect, SendMcast):
                frames = [b"".join(slices) for slices in effect.frames]
                for other in NODES:
                    if other != nodeid:
                        self._inboxes[other].extend(frames)
            elif nodeid == NODES[-1] and isinstance(effect, CpgDeliver | CpgDeliverRun):
                self.delivered += effect.count if isinstance(effect, CpgDeliverRun) else 1

    @property
    def silent(self):
        return not any(self._inboxes.values())

    def form(self):
        """Start the nodes and have them in one ring and one group."""
        for node in self.nodes.values():
            node.start(self.now_ns)
        while not self._ready():
            self.step()
            if self.silent:
                self.sleep()
        for nodeid, node in self.nodes.items():
            node.cpg_join(CONN, b"bench", nodeid)
        while len(self.nodes[NODES[-1]].cpg_membership(b"bench")) < len(NODES):
            self.step()
            if self.silent:
                self.sleep()

    def _ready(self):
        nodes = self.nodes.values()
        return all(n.members == NODES and not n.sync_in_progress for n in nodes)


def messages_per_second(size_bytes, seconds):
    """Flood from node 1 for so long; messages a second that node 3 delivered."""
    wire = Wire()
    wire.form()
    sender = wire.nodes[1]
    batch = [(bytes(size_bytes),)] * BATCH_MSGS
    gc.collect()
    wire.delivered = 0
    began = time.perf_counter()
    while (took := time.perf_counter() - began) < seconds:
        try:
            while True:
                sender.cpg_mcast(CONN, batch, Guarantee.AGREED, wire.now_ns)
        except CsTryAgain:
            pass
        wire.step()
        if wire.silent:
            wire.sleep()
    return wire.delivered / took
