"""What the nodes' clients do: bursts of messages of mixed sizes, with either guarantee."""

from math import log
from random import Random
from typing import Final

from corosync_tw.corotypes import Guarantee
from corosync_tw.sim.clock import EventQueue
from corosync_tw.sim.node import SimNode
from corosync_tw.sim.options import Options

SETTLE_EVERY_NS: Final = 20_000_000


class Workload:
    """Makes some of the nodes send at random moments until it is told to stop."""

    def __init__(
        self, options: Options, queue: EventQueue, nodes: list[SimNode], rng: Random
    ) -> None:
        self.options = options
        self.queue = queue
        self.nodes = nodes
        self.rng = rng
        self.active = True
        self.submitted = 0
        self.refused = 0

    def begin(self) -> None:
        """Plan the first burst of each sender."""
        senders = self.nodes[:]
        self.rng.shuffle(senders)
        for node in senders[: self.options.senders]:
            self._plan(node)
        if self.options.full_stack:
            self._settle()

    def _plan(self, node: SimNode) -> None:
        gap_ns = int(self.rng.expovariate(1.0 / self.options.workload_gap_ns))

        def burst() -> None:
            if self.active:
                self.burst(node)
                self._plan(node)

        self.queue.call_at(self.queue.now_ns + gap_ns, burst)

    def burst(self, node: SimNode) -> None:
        """Submit several messages at once."""
        count = self.rng.randint(1, self.options.burst_messages_max)
        plan = [(self._size(), self._guarantee()) for _ in range(count)]
        host = node.host
        if host is None or node.paused:
            return
        now_ns = node.local_now()
        taken = 0
        for len_bytes, guarantee in plan:
            if not host.submit(len_bytes, guarantee, now_ns):
                self.refused += 1
                break
            taken += 1
        self.submitted += taken
        if taken:
            node.wake()

    def _size(self) -> int:
        """Any size from one byte up, each order of magnitude as likely as the others."""
        return int(2.0 ** (self.rng.random() * log(self.options.message_bytes_max, 2)))

    def _guarantee(self) -> Guarantee:
        safe = self.rng.random() < self.options.safe_share
        return Guarantee.SAFE if safe else Guarantee.AGREED

    def _settle(self) -> None:
        """Let each node's processes repeat what was refused: joining their groups."""
        for node in self.nodes:
            if node.host is not None and not node.paused:
                node.host.settle(node.local_now())
                if self.active and self.rng.random() < self.options.process_churn:
                    node.host.churn(self.rng)
                node.wake()
        self.queue.call_at(self.queue.now_ns + SETTLE_EVERY_NS, self._settle)
