"""
How a faulty network comes back: it is tested until so many tests in a row have come back clean,
then all are told.

Whoever holds a network for faulty tests it every autorecovery_check_timeout; of several the one
with the lowest nodeid does, for the others hear its tests. A member that still holds the network
down lets no test end. Word of a recovery is believed by those who have passed on that very test; it
is multicast on all networks, several times.

Source: Corosync 1.4 exec/totemrrp.c timer_function_test_ring_timeout, rrp_deliver_fn; the paper has
no recovery.
Deviation: Corosync 1.x puts a network back when one test has gone round by unicast, and believes
whoever says so.
"""

from collections.abc import Sequence
from typing import Final

from corosync_tw.corotypes import Buffer, RingId
from corosync_tw.prng import generator
from corosync_tw.totem.links import (
    LinkEffect,
    LinkEvent,
    LinkEventKind,
    LinkRecoveryCause,
    LinkSend,
    ProbeFault,
)
from corosync_tw.totem.rrp.frames import KIND_RING_ACTIVATE, KIND_RING_TEST, kind_of
from corosync_tw.totem.rrp.health import Health, LinkState
from corosync_tw.totem.rrp.params import RrpParams
from corosync_tw.totem.rrp.probe import (
    LAP_MULTICAST,
    LAP_UNICAST,
    Authenticator,
    Probe,
    claimed_sender,
    decode_probe,
    encode_probe,
)
from corosync_tw.totem.rrp.stats import RrpStats
from corosync_tw.totem.rrp.trials import LinkTests, Recovered, Trial, successor
from corosync_tw.totem.seqno import seq_add

# How often all are told.
ACTIVATE_REPEATS: Final = 3
# A fault of probes is reported so often at most, for each kind and network.
REFUSAL_INTERVAL_NS: Final = 10_000_000_000
_STAMP_BITS: Final = 64


class Recovery:
    """
    Tests of all networks.

    :ivar ring_id: of the last token; None before the first one.
    :ivar effects: what is to be sent and told; taken by our owner.
    :ivar recovered: networks that work again, likewise.
    """

    def __init__(
        self, params: RrpParams, health: Health, authenticator: Authenticator, stats: RrpStats
    ) -> None:
        """Begin without a ring."""
        self._params = params
        self._health = health
        self._authenticator = authenticator
        self._stats = stats
        self._random = generator(params.seed, f"rrp/recovery/{params.my_id}")
        start = params.test_start
        self._tests = [LinkTests(start, start) for _ in range(params.networks)]
        self._members: tuple[int, ...] = ()
        self._refusals_ns: dict[tuple[int, ProbeFault], int] = {}
        self.ring_id: RingId | None = None
        self.effects: list[LinkEffect] = []
        self.recovered: list[Recovered] = []

    def reconfigure(self, params: RrpParams) -> None:
        """Go on with another number of tests and interval."""
        self._params = params

    def set_members(self, members: frozenset[int] | None) -> None:
        """Test with the members of a ring; not at all while one forms."""
        known = members is not None and self._params.my_id in members
        self._members = tuple(sorted(members)) if members is not None and known else ()
        for tests in self._tests:
            tests.trials.clear()
            tests.clean = 0
            tests.pending = tests.led = False
            tests.tell_ns = None

    def begin(self, link: int, now_ns: int) -> None:
        """A network became faulty."""
        tests = self._tests[link]
        tests.generation = seq_add(tests.generation, 1)
        tests.stamp = self._random.getrandbits(_STAMP_BITS)
        tests.clean = 0
        tests.pending = tests.led = False
        tests.check_ns = now_ns + self._params.autorecovery_check_timeout_ns
        tests.tell_ns = None
        tests.trials.pop(self._params.my_id, None)

    def end(self, link: int) -> None:
        """A network is used again."""
        self._tests[link].check_ns = None

    def clean_tests(self, link: int) -> int:
        """Count the tests in a row that came back."""
        return self._tests[link].clean

    def next_deadline(self) -> int | None:
        """Tell when something is due."""
        due = [tests.check_ns for tests in self._tests if tests.check_ns is not None]
        due += [tests.tell_ns for tests in self._tests if tests.tell_ns is not None]
        return min(due, default=None)

    def advance(self, now_ns: int) -> None:
        """Test and tell what is due."""
        for link, tests in enumerate(self._tests):
            if tests.check_ns is not None and tests.check_ns <= now_ns:
                tests.check_ns = now_ns + self._params.autorecovery_check_timeout_ns
                self._health.release_held(link, now_ns)
                self._check(link, tests, now_ns)
            if tests.tell_ns is not None and tests.tell_ns <= now_ns:
                self._tell(tests, now_ns)

    def _check(self, link: int, tests: LinkTests, now_ns: int) -> None:
        """Judge the last test and begin the next one."""
        if tests.pending:
            tests.clean = 0
            tests.pending = False
        led, tests.led = tests.led, False
        if led:
            # What others test while we do not is not in our row.
            tests.clean = 0
        if not self._members or self.ring_id is None:
            return
        if len(self._members) == 1:
            self._passed(link, tests, now_ns)
        elif not led:
            self._test(link, tests, self.ring_id)

    def _test(self, link: int, tests: LinkTests, ring_id: RingId) -> None:
        tests.number = seq_add(tests.number, 1)
        my_id = self._params.my_id
        probe = Probe(
            KIND_RING_TEST,
            my_id,
            link,
            LAP_MULTICAST,
            my_id,
            tests.generation,
            tests.number,
            tests.stamp,
            ring_id,
        )
        tests.pending = True
        trial = tests.trials[my_id] = successor(tests.trials.get(my_id), probe)
        trial.first_lap_sent = True
        self._send((link,), probe)

    def _passed(self, link: int, tests: LinkTests, now_ns: int) -> None:
        """Count a clean test; tell, when there were enough and the hold-down is over."""
        tests.pending = False
        tests.clean += 1
        if tests.clean < self._params.clean_tests:
            return
        if self._health.links[link].state is not LinkState.FAULTY:
            return
        my_id = self._params.my_id
        self.recovered.append(Recovered(link, LinkRecoveryCause.TESTED, my_id, tests.clean))
        if len(self._members) > 1:
            tests.tellings = ACTIVATE_REPEATS
            self._tell(tests, now_ns)

    def _tell(self, tests: LinkTests, now_ns: int) -> None:
        """Tell on all networks that one is used again."""
        trial = tests.trials.get(self._params.my_id)
        tests.tellings -= 1
        tests.tell_ns = now_ns + self._params.token_expired_timeout_ns
        if trial is None or tests.tellings <= 0:
            tests.tell_ns = None
        if trial is not None:
            probe = trial.probe._replace(kind=KIND_RING_ACTIVATE)
            self._send(range(self._params.networks), probe)

    def _send(self, links: Sequence[int], probe: Probe, target: int | None = None) -> None:
        frame = encode_probe(probe, self._authenticator, target or 0)
        targets = None if target is None else (target,)
        for link in links:
            self.effects.append(LinkSend(link, targets, [(frame,)], to_members_only=True))

    # -- what comes in

    def receive(self, link: int, frame: Buffer, now_ns: int) -> None:
        """Take a probe that a network brought; while a ring forms it is nobody's fault."""
        if not self._members:
            return
        probe = decode_probe(frame, self._authenticator)
        if isinstance(probe, ProbeFault):
            nodeid = claimed_sender(frame) if probe is ProbeFault.UNAUTHENTICATED else 0
            self._refuse(link, probe, nodeid, (kind_of(frame), 0, 0), now_ns)
            return
        fault = self._fault_of(link, probe)
        if fault is None and probe.kind == KIND_RING_TEST:
            fault = self._on_test(link, probe, now_ns)
        elif fault is None:
            fault = self._on_activate(probe)
        if fault is not None:
            expected = self._expected_generation(probe)
            evidence = (probe.kind, probe.generation, expected)
            if fault is ProbeFault.WRONG_NETWORK:
                evidence = (probe.kind, probe.network, link)
            self._refuse(link, fault, probe.sender, evidence, now_ns)

    def _expected_generation(self, probe: Probe) -> int:
        if probe.network >= len(self._tests):
            return 0
        trial = self._tests[probe.network].trials.get(probe.activator)
        return trial.probe.generation if trial is not None else 0

    def _fault_of(self, link: int, probe: Probe) -> ProbeFault | None:
        """Tell what speaks against a probe, whatever it says."""
        if probe.sender == self._params.my_id:
            return ProbeFault.REFLECTED
        if probe.network != link and (
            probe.kind == KIND_RING_TEST or probe.network >= len(self._tests)
        ):
            return ProbeFault.WRONG_NETWORK
        if probe.ring_id != self.ring_id:
            return ProbeFault.STALE
        if probe.sender not in self._members or probe.activator not in self._members:
            return ProbeFault.STRANGER
        return None

    def _refuse(
        self,
        link: int,
        fault: ProbeFault,
        nodeid: int,
        evidence: tuple[int, int, int],
        now_ns: int,
    ) -> None:
        self._stats.probes_refused += 1
        last_ns = self._refusals_ns.get((link, fault))
        if last_ns is None or now_ns - last_ns >= REFUSAL_INTERVAL_NS:
            self._refusals_ns[link, fault] = now_ns
            self.effects.append(
                LinkEvent(LinkEventKind.PROBE_REFUSED, link, nodeid, (fault, *evidence))
            )

    def _neighbours(self) -> tuple[int, int]:
        """Give the members before and after us on the ring."""
        at = self._members.index(self._params.my_id)
        return self._members[at - 1], self._members[(at + 1) % len(self._members)]

    def _on_test(self, link: int, probe: Probe, now_ns: int) -> ProbeFault | None:
        tests = self._tests[link]
        trial = tests.trials.get(probe.activator)
        if trial is not None and trial.take_late(probe):
            self._stats.probes_late += 1
            return None
        trial = self._trial(tests, probe)
        if trial is None:
            return ProbeFault.STALE
        if probe.lap == LAP_MULTICAST:
            self._on_first_lap(link, tests, trial, probe)
            return None
        before, _ = self._neighbours()
        mine = probe.activator == self._params.my_id
        over = trial.second_lap_from is not None if mine else trial.second_lap_sent
        if over or probe.sender != before or (mine and not trial.second_lap_sent):
            return ProbeFault.STALE
        trial.second_lap_from = before
        if not mine:
            self._on_second_lap(link, trial, probe)
        elif tests.pending:
            self._passed(link, tests, now_ns)
        return None

    def _on_second_lap(self, link: int, trial: Trial, probe: Probe) -> None:
        """Pass a test on by unicast when all first laps are here: it may have overtaken some."""
        if (
            trial.second_lap_from is not None
            and not trial.second_lap_sent
            and self._all_heard(trial)
            and self._health.links[link].state is not LinkState.HELD_DOWN
        ):
            trial.second_lap_sent = True
            self._pass_on(link, probe, LAP_UNICAST, self._neighbours()[1])

    def _on_first_lap(self, link: int, tests: LinkTests, trial: Trial, probe: Probe) -> None:
        before, after = self._neighbours()
        trial.heard.add(probe.sender)
        if probe.activator == self._params.my_id:
            if self._all_heard(trial) and not trial.second_lap_sent:
                trial.second_lap_sent = True
                self._pass_on(link, probe, LAP_UNICAST, after)
        elif probe.sender == before and not trial.first_lap_sent:
            trial.first_lap_sent = True
            tests.led = tests.led or probe.activator < self._params.my_id
            self._pass_on(link, probe, LAP_MULTICAST, None)
        if probe.activator != self._params.my_id:
            self._on_second_lap(link, trial, probe)

    def _all_heard(self, trial: Trial) -> bool:
        return len(trial.heard) == len(self._members) - 1

    def _trial(self, tests: LinkTests, probe: Probe) -> Trial | None:
        """Find the test that a probe belongs to, a new one if need be; None if it is over."""
        trial = tests.trials.get(probe.activator)
        if trial is not None:
            known = trial.probe
            if (known.generation, known.number) == (probe.generation, probe.number):
                return trial if known.stamp == probe.stamp else None
            if not trial.precedes(probe):
                return None
        if probe.activator == self._params.my_id:
            return None
        trial = tests.trials[probe.activator] = successor(trial, probe)
        return trial

    def _pass_on(self, link: int, probe: Probe, lap: int, target: int | None) -> None:
        self._send((link,), probe._replace(sender=self._params.my_id, lap=lap), target)

    def _on_activate(self, probe: Probe) -> ProbeFault | None:
        trial = self._tests[probe.network].trials.get(probe.activator)
        if (
            trial is None
            or not trial.second_lap_sent
            or probe.sender != probe.activator
            or probe.activator == self._params.my_id
            or probe._replace(kind=KIND_RING_TEST) != trial.probe._replace(sender=probe.sender)
        ):
            return ProbeFault.STALE
        if not trial.told:
            trial.told = True
            self.recovered.append(
                Recovered(probe.network, LinkRecoveryCause.TOLD, probe.activator, 0)
            )
        return None
