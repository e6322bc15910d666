"""
One run: a safety phase full of faults, then everything is healed and the cluster must come to rest
as one ring.

The same options give the same run, down to the last frame: the hash of everything that was sent
and delivered and the
last random number ("unseed") tell whether that holds.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from corosync_tw.corotypes import NS_PER_MS, RingId
from corosync_tw.prng import generator
from corosync_tw.services.announcing import own_hello
from corosync_tw.services.hello import Capabilities, encode_hello
from corosync_tw.services.params import ServiceParams
from corosync_tw.sim import liveness
from corosync_tw.sim.app_record import AppLog
from corosync_tw.sim.checkers.application import check_application
from corosync_tw.sim.checkers.every import check_all
from corosync_tw.sim.clock import ARRIVE, LINK_ARRIVE, PROCESS, TIMER, EventQueue, NodeClock
from corosync_tw.sim.faults import FaultInjector
from corosync_tw.sim.history import Violation
from corosync_tw.sim.hosts import Host, RingHost, StackHost
from corosync_tw.sim.layers import keep_alive_frames, make_checks, make_linked, make_networks
from corosync_tw.sim.link_checks import LinkTally
from corosync_tw.sim.link_options import KNET_LAYERS, LinkOptions
from corosync_tw.sim.linked import Linked, LinkSurroundings
from corosync_tw.sim.network_faults import NetworkFaults, recovery_time_ns
from corosync_tw.sim.node import SimNode
from corosync_tw.sim.options import Options
from corosync_tw.sim.queue_checks import check_queues
from corosync_tw.sim.recorder import Recorder, ViolationError
from corosync_tw.sim.ring_checks import RingChecks
from corosync_tw.sim.surroundings import Inhabitant, Surroundings
from corosync_tw.sim.turn_checks import TurnChecks
from corosync_tw.sim.workload import Workload
from corosync_tw.totem.params import TotemParams
from corosync_tw.totem.window import Agreement

POLL_NS: Final = 50 * NS_PER_MS
# For each pair of nodes between two polls; a busy ring of two sends about 2,000.
STORM_FRAMES_MAX: Final = 5000
QUIET_NS: Final = 3_000 * NS_PER_MS


@dataclass(slots=True)
class Result:
    """
    What came out of a run.

    :ivar heal_ns: simulated time from healing to one ring.
    :ivar links: what came of several networks.
    :ivar unseed: last random number; equal for equal runs.
    """

    options: Options
    violation: Violation | None
    faults: Counter[str]
    simulated_ns: int
    heal_ns: int
    events: int
    frames: int
    deliveries: int
    messages: int
    rings: int
    trace_hash: int
    unseed: int
    links: LinkTally


class Cluster:
    """The nodes of one run and everything around them."""

    def __init__(self, options: Options, link_options: LinkOptions | None = None) -> None:
        """
        Put a cluster together.

        :param link_options: what several networks are like; None for one, and no link layer.
        """
        self.options = options
        self.link_options = link_options
        seed = options.seed
        self.queue = EventQueue()
        self.rng = generator(seed, "cluster")
        self.recorder = Recorder()
        self.counts: Counter[str] = Counter()
        self.networks = make_networks(self.queue, options, link_options)
        self.link_checks = make_checks(options, link_options)
        self.app_logs: list[AppLog] = []
        self.around = Surroundings(
            options,
            self.queue,
            self.networks,
            self.recorder,
            RingChecks(options, self._are_deaf),
            TurnChecks(options),
            self.link_checks,
            generator(seed, "nodes"),
            self._make_host,
            self._make_links,
        )
        self.nodes = [self._make_node(index) for index in range(options.nodes)]
        fault_rng = generator(seed, "faults")
        self.faults = FaultInjector(self.around, self.nodes, fault_rng, self.counts)
        self.network_faults: NetworkFaults | None = None
        if link_options is not None:
            rng = generator(seed, "network faults")
            self.network_faults = NetworkFaults(
                link_options, self.around, self.nodes, rng, self.counts
            )
        self.workload = Workload(options, self.queue, self.nodes, generator(seed, "workload"))
        self.heal_ns = 0
        self.frames_seen = 0

    def _are_deaf(self, nodeids: tuple[int, ...]) -> bool:
        indices = [self.around.index_of[nodeid] for nodeid in nodeids]
        return any(network.is_cut(indices) for network in self.networks)

    def _make_node(self, index: int) -> SimNode:
        options, rng = self.options, self.rng
        clock = NodeClock(options.clock_start_ns)
        if options.clock_offset_ns:
            clock.offset_ns += rng.randrange(options.clock_offset_ns)
        if options.clock_drift_ppm:
            clock.drift_ppm = rng.randint(-options.clock_drift_ppm, options.clock_drift_ppm)
        # Not in the order of the network's indices, and not small.
        nodeid = 1 + (index * 7919 + options.seed) % options.nodes + (options.seed % 3) * 0x1000
        self.around.index_of[nodeid] = index
        return SimNode(index, nodeid, clock, self.around)

    def _make_links(self, node: Inhabitant) -> Linked | None:
        if self.link_options is None or node.host is None:
            return None
        around = LinkSurroundings(
            self.options,
            self.queue,
            self.networks,
            self.recorder,
            self.link_checks,
            self.around.index_of,
            self.link_options.layer in KNET_LAYERS,
        )
        return make_linked(self.link_options, node, node.host.srp.missing, around)

    def _make_host(self, node: Inhabitant, ring_seq: int, now_ns: int) -> Host:
        log = AppLog(node.nodeid, node.incarnation)
        self.app_logs.append(log)
        params = self.totem_params(node)
        if not self.options.full_stack:
            return RingHost(params, log, ring_seq, now_ns, self._agreement)
        services = ServiceParams(
            nodeid=node.nodeid,
            expected_votes=self.options.nodes,
            wait_for_all=self.options.wait_for_all,
            expected_votes_tracking=self.options.expected_votes_tracking,
            votequorum=not self.options.ykd,
            ykd=self.options.ykd,
            receive_msgs_max=self.options.receive_msgs(node.nodeid),
        )
        clock = self._simulated_now_ns
        return StackHost(params, services, log, ring_seq, now_ns, simulated_now_ns=clock)

    def _agreement(self, members: tuple[int, ...], params: TotemParams) -> Agreement:
        """Work out what members would find out by their announcements."""
        capabilities = Capabilities()
        ring_id = RingId(0, 0)
        capabilities.begin(ring_id)
        for nodeid in members:
            hello = own_hello(ring_id, params, self.options.receive_msgs(nodeid))
            capabilities.deliver(nodeid, encode_hello(hello), big_endian=False)
        return capabilities.agreement(members)

    def _simulated_now_ns(self) -> int:
        return self.queue.now_ns

    def totem_params(self, node: Inhabitant) -> TotemParams:
        """Give a node its parameters."""
        options = self.options
        token, retransmit, hold, join, consensus, merge = options.ring_timeouts_ns
        return TotemParams(
            my_id=node.nodeid,
            token_timeout_ns=token,
            token_retransmit_timeout_ns=retransmit,
            token_hold_timeout_ns=hold,
            join_timeout_ns=join,
            send_join_timeout_ns=options.send_join_timeout_ns,
            consensus_timeout_ns=consensus,
            merge_timeout_ns=merge,
            fail_to_recv_const=options.fail_to_recv_const,
            seqno_unchanged_const=options.seqno_unchanged_const,
            window_size_msgs=options.window_size_msgs,
            max_messages=options.max_messages,
            accelerated_ring=options.accelerated_ring,
            accelerated_window_msgs=options.accelerated_window_msgs,
            miss_count_const=options.miss_count_const,
            cancel_token_hold_on_retransmit=options.cancel_token_hold_on_retransmit,
            frame_len_bytes_max=options.frame_len_bytes_max,
            seqno_start=options.seqno_start,
            token_seq_start=options.token_seq_start,
            seed=options.seed * 1000 + node.incarnation,
        )

    # -- the run

    def run(self, progress: Callable[[int], None] | None = None) -> Result:
        """Run both phases and judge."""
        violation: Violation | None = None
        try:
            self._run_phases(progress)
        except ViolationError as error:
            violation = error.args[0]
        except AssertionError as error:
            violation = _broken_invariant(error, self.queue.now_ns)
        if violation is None:
            violation = self._judge()
        return self._result(violation)

    def _run_phases(self, progress: Callable[[int], None] | None) -> None:
        options = self.options
        for node in self.nodes:
            self.queue.call_at(self.rng.randrange(options.ring_timeouts_ns[0]), node.start_if_down)
        self.workload.begin()
        self.faults.begin()
        if self.network_faults is not None:
            self.network_faults.begin()
        self._run_until(options.fault_phase_ns, progress)
        self._heal_and_rest(progress)

    def _heal_and_rest(self, progress: Callable[[int], None] | None) -> None:
        if self.network_faults is not None:
            self.network_faults.heal()
        self.faults.heal()
        healed_ns = self.queue.now_ns
        self._run_while(liveness.not_one_ring, liveness.heal_time_ns(self.options))
        self.heal_ns = self.queue.now_ns - healed_ns
        self._run_until(self.queue.now_ns + self.options.heal_work_ns, progress)
        self.workload.active = False
        self._run_to_rest()
        self._run_until_all_networks_are_used(healed_ns)
        self._run_quiet()

    def _run_until(self, end_ns: int, progress: Callable[[int], None] | None = None) -> None:
        queue, nodes, heap = self.queue, self.nodes, self.queue.heap
        next_check_ns = queue.now_ns
        while heap and heap[0][0] <= end_ns:
            now_ns, _, kind, node, payload = queue.pop()
            if kind == ARRIVE:
                nodes[node].arrive(payload)
            elif kind == LINK_ARRIVE:
                nodes[node].arrive_on(*payload)
            elif kind == TIMER:
                nodes[node].on_timer(payload)
            elif kind == PROCESS:
                nodes[node].on_process(payload)
            else:
                payload()
            if now_ns >= next_check_ns:
                next_check_ns = now_ns + POLL_NS
                check_queues(nodes, now_ns)
                if self.link_options is not None:
                    running = [node.nodeid for node in nodes if self.link_checks.settled]
                    self.link_checks.look(self.networks, running, now_ns)
                self._check_storm()
                if progress is not None:
                    progress(now_ns)
        queue.now_ns = max(queue.now_ns, end_ns)

    def _check_storm(self) -> None:
        """Frames must not breed frames."""
        frames = self._frames_sent()
        sent, self.frames_seen = frames - self.frames_seen, frames
        limit = STORM_FRAMES_MAX * len(self.nodes) ** 2 * len(self.networks)
        if sent > limit:
            text = f"{sent} frames within {POLL_NS // NS_PER_MS} ms"
            raise ViolationError(Violation("no storm", self.queue.now_ns, (), text))

    def _frames_sent(self) -> int:
        return sum(network.frames_sent for network in self.networks)

    def _run_until_all_networks_are_used(self, healed_ns: int) -> None:
        if self.link_options is None:
            return
        limit_ns = recovery_time_ns(self.link_options, len(self.nodes))
        while what := self.link_checks.not_used():
            now_ns = self.queue.now_ns
            if now_ns - healed_ns > 2 * limit_ns:
                text = f"{(now_ns - healed_ns) // NS_PER_MS} ms after healing: {what}"
                raise ViolationError(Violation("healed networks come back", now_ns, (), text))
            self._run_until(now_ns + POLL_NS)

    def _run_while(self, lacking: Callable[[list[SimNode]], str], limit_ns: int) -> None:
        """Run until nothing is lacking, but not for longer than the limit."""
        end_ns = self.queue.now_ns + limit_ns
        while True:
            what = lacking(self.nodes)
            if not what:
                break
            if self.queue.now_ns >= end_ns:
                text = f"{limit_ns // NS_PER_MS} ms after healing: {what}"
                raise ViolationError(Violation("liveness (2.1)", self.queue.now_ns, (), text))
            self._run_until(self.queue.now_ns + POLL_NS)

    def _run_to_rest(self) -> None:
        """Run until all is sent and synchronized; the backlog must not stop shrinking before."""
        least, shrunk_ns = liveness.backlog_frames(self.nodes), self.queue.now_ns
        while what := liveness.not_at_rest(self.nodes):
            backlog = liveness.backlog_frames(self.nodes)
            if backlog < least:
                least, shrunk_ns = backlog, self.queue.now_ns
            if self.queue.now_ns - shrunk_ns > liveness.STALL_NS:
                text = f"no progress for {liveness.STALL_NS // NS_PER_MS} ms: {what}"
                raise ViolationError(Violation("liveness (2.1)", self.queue.now_ns, (), text))
            self._run_until(self.queue.now_ns + POLL_NS)

    def _run_quiet(self) -> None:
        """At rest nothing changes any more, and the ring is quiet: mostly its token is held."""
        conf_before = self.recorder.last_conf_ns
        self._run_until(self.queue.now_ns + QUIET_NS // 3)
        frames_before = self._frames_sent()
        self._run_until(self.queue.now_ns + QUIET_NS)
        now_ns = self.queue.now_ns
        if self.recorder.last_conf_ns != conf_before:
            text = "a configuration change after the cluster had come to rest"
            raise ViolationError(Violation("liveness: quiet", now_ns, (), text))
        missing = liveness.undelivered(self.recorder.run, self.nodes)
        missing = missing or liveness.unequal_services(self.nodes)
        if missing is not None:
            raise ViolationError(missing._replace(time_ns=now_ns))
        frames = self._frames_sent() - frames_before
        allowed = self._quiet_frames_max()
        if frames > allowed:
            text = f"{frames} frames in {QUIET_NS // NS_PER_MS} ms of rest, {allowed} would do"
            raise ViolationError(Violation("liveness: quiet", now_ns, (), text))

    def _quiet_frames_max(self) -> int:
        """
        Frames of a resting ring: a token rotation each hold interval, merge detection to all.

        Twice that much is allowed, and before resting come the rotations that notice that nothing
        happens.
        """
        options = self.options
        count = options.nodes
        _, _, hold, _, _, merge = options.ring_timeouts_ns
        rotations = QUIET_NS // hold + 1
        detections = QUIET_NS // merge + 1
        settling = (options.seqno_unchanged_const + 2) * count
        own = 2 * (rotations * count + detections * count * (count - 1)) + settling
        networks = len(self.networks)
        return own * networks + networks * keep_alive_frames(options, self.link_options, QUIET_NS)

    def _judge(self) -> Violation | None:
        for violation in check_all(self.recorder.run):
            return violation
        if self.options.full_stack:
            for log, history in zip(self.app_logs, self.recorder.run.histories, strict=True):
                log.failed_at_ns = history.failed_at_ns
            for violation in check_application(self.app_logs, ykd=self.options.ykd):
                return violation
        return None

    def _result(self, violation: Violation | None) -> Result:
        run = self.recorder.run
        faults = self.counts.copy()
        for network in self.networks:
            faults.update(network.counts)
        return Result(
            options=self.options,
            violation=violation,
            faults=faults,
            simulated_ns=self.queue.now_ns,
            heal_ns=self.heal_ns,
            events=self.queue.count,
            frames=self._frames_sent(),
            deliveries=self.recorder.delivered_count,
            messages=len(run.messages),
            rings=len({w.conf.ring_id for h in run.histories for w in run.windows(h)}),
            trace_hash=self.recorder.hash,
            unseed=self.networks[0].rng.randrange(1 << 32),
            links=self.link_checks.tally,
        )


def _broken_invariant(error: AssertionError, now_ns: int) -> Violation:
    places = []
    trace = error.__traceback__
    while trace is not None:
        code = trace.tb_frame.f_code
        places.append(f"{code.co_filename.rsplit('/', 1)[-1]}:{trace.tb_lineno} {code.co_name}")
        trace = trace.tb_next
    return Violation("invariant", now_ns, (), f"{error}; {' < '.join(reversed(places[-4:]))}")
