"""
Faults of single networks, while another is whole if that was promised.

They begin when all nodes are one ring, for until then nothing is promised. With turns the whole
network changes when all have been healed and every node uses every network again.
"""

from collections import Counter
from collections.abc import Callable
from itertools import permutations
from random import Random
from typing import Final

from corosync_tw.corotypes import NS_PER_MS
from corosync_tw.sim import liveness
from corosync_tw.sim.link_options import KNET_LAYERS, LinkOptions, NetworkFault, Promise
from corosync_tw.sim.network import Link, Network
from corosync_tw.sim.node import SimNode
from corosync_tw.sim.recorder import stop
from corosync_tw.sim.surroundings import Surroundings

LENGTH_MIN_NS: Final = NS_PER_MS
POLL_NS: Final = 20 * NS_PER_MS
LOSSES: Final = (0.02, 0.1, 0.3, 0.3, 0.6, 0.9)
FLAP_PERIODS_NS: Final = (20 * NS_PER_MS, 200 * NS_PER_MS, 2000 * NS_PER_MS)
_TEST_ROUNDS: Final = 10


def recovery_time_ns(options: LinkOptions, nodes: int) -> int:
    """
    How long a healed network may stay out of use.

    It is held down, then tested until enough tests are clean; a test that was under way when the
    network was healed fails and is counted anew. Clocks may be slow by a twentieth.
    """
    tests_ns = (options.clean_tests + _TEST_ROUNDS + nodes) * options.check_ns
    return (options.hold_down_max_ns + tests_ns) * 11 // 10


class NetworkFaults:
    """Draws and applies faults of networks until it is told to stop."""

    def __init__(
        self,
        options: LinkOptions,
        around: Surroundings,
        nodes: list[SimNode],
        rng: Random,
        counts: Counter[str],
    ) -> None:
        self.options = options
        self.around = around
        self.queue = around.queue
        self.checks = around.link_checks
        self.nodes = nodes
        self.rng = rng
        self.counts = counts
        self.active = True
        self.struck_ns = 0  # last time that a fault began
        self.epoch = 0  # faults of an earlier one were all ended at once
        self.ailing: Counter[int] = Counter()  # faults by network
        self._strike: dict[NetworkFault, Callable[[Network], None]] = {
            NetworkFault.CUT: self.cut,
            NetworkFault.MUTE: self.mute,
            NetworkFault.DEAF: self.deafen,
            NetworkFault.SPLIT: self.split,
            NetworkFault.ONE_WAY: self.cut_one_way,
            NetworkFault.LOSS: self.lose,
            NetworkFault.LINK_LOSS: self.lose_on_one_link,
            NetworkFault.TOKEN_LOSS: self.lose_tokens,
            NetworkFault.CLOG: self.clog,
            NetworkFault.FLAP: self.flap,
        }

    def begin(self) -> None:
        """Wait for the ring, then plan the first fault of each kind."""
        if self.options.promise is Promise.NONE:
            self._plan_all()
        else:
            self._await_ring()

    def heal(self) -> None:
        """Stop; the networks are healed by whoever calls this."""
        self.active = False
        for number in list(self.ailing):
            self._note_end(number)
        self.ailing.clear()

    def _at(self, delay_ns: int, function: Callable[[], None]) -> None:
        def call() -> None:
            if self.active:
                function()

        self.queue.call_at(self.queue.now_ns + delay_ns, call)

    def _await_ring(self) -> None:
        if liveness.not_one_ring(self.nodes):
            self._at(POLL_NS, self._await_ring)
            return
        self.checks.settled = True
        self.checks.tally.settled_ns = self.queue.now_ns
        self.checks.whole = self.rng.randrange(self.options.networks)
        self._plan_all()
        if self.options.promise is Promise.TURNS:
            self._plan_turn()

    # -- turns

    def _plan_turn(self) -> None:
        gap_ns = int(self.rng.expovariate(1.0 / self.options.turn_every_ns))
        self._at(gap_ns, self._begin_turn)

    def _begin_turn(self) -> None:
        """End all faults, and wait until all networks are in use."""
        self.epoch += 1
        for network in self.around.networks:
            network.mend()
        for number in list(self.ailing):
            self._note_end(number)
        self.ailing.clear()
        self._await_use(self.queue.now_ns, self.queue.now_ns)

    def _await_use(self, since_ns: int, last_use_ns: int) -> None:
        """
        Wait until every network has been used for as long as its healing takes.

        Else an alarm about what was before could strike the network that is whole from now on.
        """
        now_ns = self.queue.now_ns
        what = self.checks.not_used()
        limit_ns = recovery_time_ns(self.options, len(self.nodes))
        if what:
            if now_ns - since_ns > 2 * limit_ns:
                text = f"{(now_ns - since_ns) // NS_PER_MS} ms after healing: {what}"
                stop("healed networks come back", now_ns, (), text)
            last_use_ns = now_ns
        if now_ns - last_use_ns < 2 * self.options.problem_count_ns:
            self._at(POLL_NS, lambda: self._await_use(since_ns, last_use_ns))
            return
        self.checks.whole = self.rng.randrange(self.options.networks)
        text = f"network {self.checks.whole} is whole"
        self.around.recorder.note(now_ns, 0, "turn", text)
        self.epoch += 1
        self._plan_all()
        self._plan_turn()

    # -- planning

    def _plan_all(self) -> None:
        for fault in self.options.fault_every_ns:
            self._plan(fault, self.epoch)

    def _plan(self, fault: NetworkFault, epoch: int) -> None:
        gap_ns = int(self.rng.expovariate(1.0 / self.options.fault_every_ns[fault]))

        def strike() -> None:
            if epoch != self.epoch:
                return
            network = self.rng.choice(self._mortal())
            if self._may_strike():
                self.counts[fault.value] += 1
                self._strike[fault](network)
            self._plan(fault, epoch)

        self._at(gap_ns, strike)

    def _may_strike(self) -> bool:
        """
        Tell whether it is not too soon after another fault.

        Links of knet notice a fault within half a token timeout, when hops wait for the next one.
        """
        options = self.options
        if options.layer not in KNET_LAYERS or options.promise is Promise.NONE:
            return True
        spacing_ns = 2 * self.around.options.ring_timeouts_ns[0]
        if self.struck_ns and self.queue.now_ns - self.struck_ns < spacing_ns:
            return False
        self.struck_ns = self.queue.now_ns
        return True

    def _mortal(self) -> list[Network]:
        return [net for net in self.around.networks if net.number != self.checks.whole]

    def _last(self, network: Network, text: str, end: Callable[[], None]) -> None:
        """Let a fault last for a while."""
        number, epoch = network.number, self.epoch
        assert number is not None
        self.ailing[number] += 1
        self.checks.fault_began(number, self.queue.now_ns)
        self.around.recorder.note(self.queue.now_ns, 0, "fault", f"network {number} {text}")

        def mend() -> None:
            if epoch != self.epoch:
                return
            end()
            self.ailing[number] -= 1
            note = f"mended: network {number} {text}"
            self.around.recorder.note(self.queue.now_ns, 0, "fault", note)
            if self.ailing[number] == 0:
                self._note_end(number)

        length_ns = int(self.rng.expovariate(1.0 / self.options.fault_length_ns))
        self._at(LENGTH_MIN_NS + length_ns, mend)

    def _note_end(self, number: int) -> None:
        self.checks.fault_ended(number, self.queue.now_ns)

    # -- the kinds

    def cut(self, network: Network) -> None:
        """Let nothing pass."""
        self._cut(network, self._pairs(lambda *_: True), "cut")

    def mute(self, network: Network) -> None:
        """Let nothing pass from one node."""
        victim = self.rng.randrange(len(self.nodes))
        self._cut(network, self._pairs(lambda one, _: one == victim), f"mute for {victim}")

    def deafen(self, network: Network) -> None:
        """Let nothing pass to one node."""
        victim = self.rng.randrange(len(self.nodes))
        self._cut(network, self._pairs(lambda _, two: two == victim), f"deaf for {victim}")

    def split(self, network: Network) -> None:
        """Let nothing pass between two sets of nodes."""
        side = [self.rng.randrange(2) for _ in self.nodes]
        pairs = self._pairs(lambda one, two: side[one] != side[two])
        self._cut(network, pairs, "split " + "".join(map(str, side)))

    def cut_one_way(self, network: Network) -> None:
        """Let nothing pass on some links."""
        share = self.rng.choice((0.1, 0.5))
        pairs = self._pairs(lambda *_: self.rng.random() < share)
        self._cut(network, pairs, f"cut one way {pairs[:8]}")

    def lose(self, network: Network) -> None:
        """Lose a share of all frames."""
        self._lose(network, self._pairs(lambda *_: True), "loses")

    def lose_on_one_link(self, network: Network) -> None:
        """Lose a share of one link's frames."""
        pairs = self._pairs(lambda *_: True)
        chosen = [self.rng.choice(pairs)] if pairs else []
        self._lose(network, chosen, f"on {chosen} loses")

    def lose_tokens(self, network: Network) -> None:
        """Lose tokens alone."""
        network.token_loss = self.rng.choice(LOSSES)

        def end() -> None:
            network.token_loss = 0.0

        self._last(network, f"loses {network.token_loss} of all tokens", end)

    def clog(self, network: Network) -> None:
        """Hold back all frames; they come in one go afterwards."""
        links = _links(network, self._pairs(lambda *_: True))
        until_ns = self.queue.now_ns + int(self.rng.expovariate(1.0 / self.options.fault_length_ns))
        for link in links:
            link.clogged_until_ns = until_ns
        self._last(network, f"clogged until {until_ns / 1e9:.3f} s", lambda: None)

    def flap(self, network: Network) -> None:
        """Cut and mend in turns."""
        links = _links(network, self._pairs(lambda *_: True))
        period_ns, epoch = self.rng.choice(FLAP_PERIODS_NS), self.epoch
        state = {"cut": False, "over": False}

        def turn() -> None:
            if epoch != self.epoch or state["over"]:
                return
            state["cut"] = not state["cut"]
            for link in links:
                link.cuts += 1 if state["cut"] else -1
            self._at(period_ns, turn)

        def end() -> None:
            state["over"] = True
            if state["cut"]:
                for link in links:
                    link.cuts -= 1

        turn()
        self._last(network, f"flaps every {period_ns // NS_PER_MS} ms", end)

    def _pairs(self, chosen: Callable[[int, int], bool]) -> list[tuple[int, int]]:
        every = permutations(range(len(self.nodes)), 2)
        return [(one, two) for one, two in every if chosen(one, two)]

    def _cut(self, network: Network, pairs: list[tuple[int, int]], text: str) -> None:
        links = _links(network, pairs)
        for link in links:
            link.cuts += 1

        def end() -> None:
            for link in links:
                link.cuts -= 1

        self._last(network, text, end)

    def _lose(self, network: Network, pairs: list[tuple[int, int]], text: str) -> None:
        links = _links(network, pairs)
        loss = self.rng.choice(LOSSES)
        for link in links:
            link.loss += loss

        def end() -> None:
            for link in links:
                link.loss = round(max(0.0, link.loss - loss), 6)

        self._last(network, f"{text} {loss}", end)


def _links(network: Network, pairs: list[tuple[int, int]]) -> list[Link]:
    return [network.links[sender][receiver] for sender, receiver in pairs]
