"""
Clusters in which some links are cut for long, one way or both, and what must come of it.

After a while every node is in a ring, one of the rings is at least as large as the largest set of
nodes that hear each other, and no ring changes any more, or fails to deliver what it is given,
until the links are mended. Then all nodes must become one ring, as in every run. A ring may have a
bad link inside, as long as neither the token nor what is sent again has to take it.
"""

from collections.abc import Callable, Collection, Iterable
from itertools import combinations, permutations
from random import Random
from typing import Final

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.sim import liveness
from corosync_tw.sim.cluster import Cluster
from corosync_tw.sim.history import Violation
from corosync_tw.sim.options import Options
from corosync_tw.sim.recorder import ViolationError
from corosync_tw.totem.const import MembState
from corosync_tw.totem.hearing import window_ns

# (place of the sender, place of the receiver) in the network, in the order of nodeids
Cut = tuple[int, int]

# Token and consensus timeouts that a cut costs before rings are settled, and windows in which the
# evidence is weighed; sets are left one by one.
SETTLING_ROUNDS: Final = 6
SETTLING_WINDOWS: Final = 12
# A link that only messages take is noticed when they are missed so many rotations in a row; fewer
# than the checker of starvation allows.
FAIL_TO_RECV_CONST: Final = 100
SLOW_ROTATIONS_PER_S: Final = 20
STEADY_NS: Final = 30 * NS_PER_S
EMPTYING_NS: Final = 5 * NS_PER_S

STORIES: Final[dict[str, Callable[[int], list[Cut]]]] = {
    "the second is deaf to the first": lambda _: [(0, 1)],
    "the last is deaf to the first": lambda count: [(0, count - 1)],
    "the first is deaf to the last": lambda count: [(count - 1, 0)],
    "the first two are apart": lambda _: [(0, 1), (1, 0)],
    "the ends are apart": lambda count: [(0, count - 1), (count - 1, 0)],
    "the first is deaf": lambda count: [(n, 0) for n in range(1, count)],
    "the last is deaf": lambda count: [(n, count - 1) for n in range(count - 1)],
    "the first is mute": lambda count: [(0, n) for n in range(1, count)],
    "the last is mute": lambda count: [(count - 1, n) for n in range(count - 1)],
    "chain": lambda count: [(a, b) for a, b in _pairs(count) if abs(a - b) > 1],
    "star": lambda count: [(a, b) for a, b in _pairs(count) if a and b],
    "two halves and a bridge": lambda count: [
        (a, b) for a, b in _pairs(count) if min(a, b) < count // 2 < max(a, b)
    ],
}


def _pairs(count: int) -> Iterable[Cut]:
    return permutations(range(count), 2)


def draw_cuts(rng: Random, count: int) -> list[Cut]:
    """Draw links to be cut: few or many, in one direction or in both."""
    share = rng.choice((0.1, 0.2, 0.4))
    cuts = {pair for pair in _pairs(count) if rng.random() < share}
    if rng.random() < 0.5:
        cuts |= {(b, a) for a, b in cuts}
    return sorted(cuts)


class PartialCluster(Cluster):
    """A cluster whose only fault is that links are cut from some time on, for long."""

    def __init__(self, options: Options, cuts: Collection[Cut]) -> None:
        options.fail_to_recv_const = min(options.fail_to_recv_const, FAIL_TO_RECV_CONST)
        super().__init__(options)
        places = sorted(range(options.nodes), key=lambda place: self.nodes[place].nodeid)
        self.cuts = [(places[sender], places[receiver]) for sender, receiver in cuts]
        self.settled_ns = 0

    def _run_phases(self, progress: Callable[[int], None] | None) -> None:
        options = self.options
        for node in self.nodes:
            node.start_if_down()
        self.workload.begin()
        self._run_until(options.fault_phase_ns, progress)
        for sender, receiver in self.cuts:
            self.networks[0].links[sender][receiver].cuts += 1
        cut_ns = self.queue.now_ns
        self._run_until(cut_ns + self.settling_ns(), progress)
        self.settled_ns = self.recorder.last_conf_ns - cut_ns
        changed_ns = self.recorder.last_conf_ns
        self._run_until(self.queue.now_ns + STEADY_NS, progress)
        self.workload.active = False
        self._run_until(self.queue.now_ns + EMPTYING_NS, progress)
        if self.recorder.last_conf_ns != changed_ns:
            self._stop("a configuration change while nothing changed on the network")
        if waiting := liveness.backlog_frames(self.nodes):
            self._stop(f"{waiting} frames wait on rings that do not change")
        self._check_rings()
        self.workload.active = True
        self.workload.begin()
        self._heal_and_rest(progress)

    def settling_ns(self) -> int:
        """How long it may take until no ring changes any more."""
        token, _, _, _, consensus, _ = self.options.ring_timeouts_ns
        window = window_ns(self.totem_params(self.nodes[0]))
        failing_ns = self.options.fail_to_recv_const * NS_PER_S // SLOW_ROTATIONS_PER_S
        return SETTLING_ROUNDS * (token + consensus) + SETTLING_WINDOWS * window + failing_ns

    def _check_rings(self) -> None:
        rings = set()
        for node in self.nodes:
            assert node.host is not None, "nobody was stopped"
            srp = node.host.srp
            if srp.state is not MembState.OPERATIONAL:
                self._stop(f"node {node.nodeid} is in {srp.state.name}")
            rings.add((srp.ring_id, srp.members))
        sizes = [len(members) for _, members in rings]
        if sum(sizes) != len(self.nodes):
            self._stop(f"rings overlap: {sorted(rings)}")
        if max(sizes) < self._largest():
            self._stop(f"the largest of {sorted(rings)} should have {self._largest()} members")

    def _all_hear(self, places: list[int]) -> bool:
        cuts = set(self.cuts)
        return not any((a, b) in cuts or (b, a) in cuts for a, b in combinations(places, 2))

    def _largest(self) -> int:
        """Find the size of the largest set of which all hear each other, by trying all."""
        everybody = range(len(self.nodes))
        for size in range(len(self.nodes), 0, -1):
            if any(self._all_hear(list(places)) for places in combinations(everybody, size)):
                return size
        return 0

    def _stop(self, text: str) -> None:
        what = Violation("partial connectivity", self.queue.now_ns, (), text)
        raise ViolationError(what)
