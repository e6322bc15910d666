"""
Faults that strike at random moments: each kind comes as a Poisson process of its own and ends by
itself. They strike all networks alike; for those of single ones see ``network_faults``.

Everything stops at ``heal``; effects of faults that were to end later are then ended at once.
"""

from collections import Counter
from collections.abc import Callable
from itertools import permutations
from random import Random
from typing import Final

from corosync_tw.sim.node import SimNode
from corosync_tw.sim.options import Fault
from corosync_tw.sim.surroundings import Surroundings

CRASH_AMID_EFFECTS_SHARE: Final = 0.5
CRASH_EFFECTS_MAX: Final = 12
LENGTH_MIN_NS: Final = 1_000_000


class FaultInjector:
    """Draws and applies faults until it is told to stop."""

    def __init__(
        self,
        around: Surroundings,
        nodes: list[SimNode],
        rng: Random,
        counts: Counter[str],
    ) -> None:
        self.around = around
        self.options = around.options
        self.queue = around.queue
        self.networks = around.networks
        self.nodes = nodes
        self.rng = rng
        self.counts = counts
        self.active = True
        self._strike: dict[Fault, Callable[[], None]] = {
            Fault.CRASH: self.crash,
            Fault.LEAVE: self.leave,
            Fault.PAUSE: self.pause,
            Fault.PARTITION: self.partition,
            Fault.ONE_WAY: self.cut_one_way,
            Fault.CLOG: self.clog,
            Fault.TOKEN_STORM: self.token_storm,
        }

    def begin(self) -> None:
        """Plan the first fault of each kind that exists in this run."""
        for fault in self.options.fault_every_ns:
            self._plan(fault)

    def _plan(self, fault: Fault) -> None:
        every_ns = self.options.fault_every_ns[fault]
        gap_ns = int(self.rng.expovariate(1.0 / every_ns))

        def strike() -> None:
            if self.active:
                self._strike[fault]()
                self._plan(fault)

        self.queue.call_at(self.queue.now_ns + gap_ns, strike)

    def heal(self) -> None:
        """End all faults: links open, nodes run."""
        self.active = False
        for network in self.networks:
            network.heal()
        for node in self.nodes:
            node.crash_countdown = None
            node.start_if_down()
            if node.paused:
                node.resume()

    def _length(self) -> int:
        return LENGTH_MIN_NS + int(self.rng.expovariate(1.0 / self.options.fault_length_ns))

    def _later(self, function: Callable[[], None]) -> None:
        def end() -> None:
            if self.active:
                function()

        self.queue.call_at(self.queue.now_ns + self._length(), end)

    def _pick(self) -> SimNode | None:
        running = [node for node in self.nodes if node.host is not None and not node.paused]
        return self.rng.choice(running) if running else None

    def _count(self, fault: Fault) -> None:
        self.counts[fault.value] += 1

    # -- the kinds

    def crash(self) -> None:
        """Kill a node at once or amid the effects of its next inputs; restart it later."""
        node = self._pick()
        if node is None:
            return
        self._count(Fault.CRASH)
        if self.rng.random() < CRASH_AMID_EFFECTS_SHARE:
            node.crash_countdown = self.rng.randrange(CRASH_EFFECTS_MAX)
        else:
            node.crash()
        self._restart_later(node)

    def leave(self) -> None:
        """Stop a node cleanly; restart it later."""
        node = self._pick()
        if node is None:
            return
        self._count(Fault.LEAVE)
        node.leave()
        self._restart_later(node)

    def _restart_later(self, node: SimNode) -> None:
        self._later(node.start_if_down)

    def pause(self) -> None:
        """Stop a node's processing for a while."""
        node = self._pick()
        if node is None:
            return
        self._count(Fault.PAUSE)
        node.pause()
        self._later(node.resume)

    def partition(self) -> None:
        """Split the nodes into groups that do not hear each other."""
        groups = self.rng.choice((2, 2, 2, 3))
        side = [self.rng.randrange(groups) for _ in self.nodes]
        pairs = [
            (one, two)
            for one, two in permutations(range(len(self.nodes)), 2)
            if side[one] != side[two]
        ]
        self._count(Fault.PARTITION)
        self._cut(pairs, "partition " + "".join(map(str, side)))

    def cut_one_way(self) -> None:
        """Cut some links in one direction only: a deaf node, a mute node, or any set."""
        count = len(self.nodes)
        victim = self.rng.randrange(count)
        others = [node for node in range(count) if node != victim]
        kind = self.rng.randrange(3)
        if kind == 0:
            pairs = [(victim, other) for other in others]
        elif kind == 1:
            pairs = [(other, victim) for other in others]
        else:
            every = list(permutations(range(count), 2))
            pairs = [pair for pair in every if self.rng.random() < 0.2]
        self._count(Fault.ONE_WAY)
        self._cut(pairs, f"one-way cut {pairs[:12]}")

    def _cut(self, pairs: list[tuple[int, int]], text: str) -> None:
        if not pairs:
            return
        links = [net.links[sender][receiver] for net in self.networks for sender, receiver in pairs]
        self.around.recorder.note(self.queue.now_ns, 0, "fault", text)
        for link in links:
            link.cuts += 1

        def mend() -> None:
            self.around.recorder.note(self.queue.now_ns, 0, "fault", "mended: " + text)
            for link in links:
                link.cuts -= 1

        self._later(mend)

    def clog(self) -> None:
        """Hold back what some links carry; it arrives in one go afterwards."""
        until_ns = self.queue.now_ns + self._length()
        share = self.rng.random()
        self._count(Fault.CLOG)
        for network in self.networks:
            for row in network.links:
                for link in row:
                    if self.rng.random() < share:
                        link.clogged_until_ns = until_ns

    def token_storm(self) -> None:
        """Lose regular tokens, and nothing else, for a while."""
        self._count(Fault.TOKEN_STORM)
        share = self.rng.choice((0.3, 0.7, 1.0))
        for network in self.networks:
            network.token_loss = share

        def end() -> None:
            for network in self.networks:
                network.token_loss = 0.0

        self._later(end)
