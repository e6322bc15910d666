"""The simulator finds planted bugs, and the sound core passes the very same seeds."""

import pytest

from corosync_tw.corotypes import NS_PER_MS, NS_PER_S
from corosync_tw.sim.__main__ import swarm_options
from corosync_tw.sim.cluster import Cluster
from corosync_tw.sim.options import Fault
from tests.sim.planted import MUTATIONS, NEEDS_STACK, planted

SEEDS_MAX = 60
FAULT_PHASE_NS = 6 * NS_PER_S
# A recovery has to fail after one member has installed the ring: such runs are drawn on purpose.
RARE = "forget_the_promises_of_a_failed_recovery"
RARE_FIRST_SEED = 5050
RARE_SEEDS_MAX = 200
# Some member has to hear of the agreement late, and soon ask for a message.
LATE = "begin_to_accelerate_before_all_have_heard_of_it"


def late_options(seed):
    options = swarm_options(seed, None, FAULT_PHASE_NS)
    options.nodes = max(3, min(options.nodes, 5))
    options.full_stack = options.accelerated_ring = True
    options.miss_count_const = 1
    options.kind_loss = {1: 0.3}
    options.fault_every_ns = {Fault.PARTITION: 400_000_000}
    options.fault_length_ns = 150_000_000
    options.workload_gap_ns = 5_000_000
    options.message_bytes_max = 1000
    options.process_churn = 0.05
    return options


def drawn_options(seed, name):
    if name == LATE:
        return late_options(seed)
    if name != RARE:
        options = swarm_options(seed, None, FAULT_PHASE_NS)
        options.full_stack = name in NEEDS_STACK
        return options
    options = swarm_options(seed + RARE_FIRST_SEED, None, 9 * NS_PER_S)
    options.full_stack = False
    options.ring_timeouts_ns = tuple(ms * NS_PER_MS for ms in (200, 47, 27, 20, 240, 50))
    options.nodes = min(options.nodes, 4)
    options.kind_loss = {0: 0.2, 1: 0.2}
    options.fault_every_ns = {Fault.PARTITION: 300_000_000, Fault.CRASH: 700_000_000}
    options.fault_length_ns = 150_000_000
    options.workload_gap_ns = 20_000_000
    options.message_bytes_max = 100
    options.burst_messages_max = 10
    options.safe_share = 1.0
    options.senders = 64
    return options


def verdict(seed, name):
    try:
        violation = Cluster(drawn_options(seed, name)).run().violation
    except Exception as error:  # noqa: BLE001 - whatever stops a node is a find
        return f"{type(error).__name__}: {error}"
    return None if violation is None else f"{violation.rule}: {violation.text}"


@pytest.mark.parametrize("name", sorted(MUTATIONS))
def test_a_planted_bug_is_found(name):
    seeds_max = RARE_SEEDS_MAX if name == RARE else SEEDS_MAX
    for seed in range(seeds_max):
        with planted(name):
            found = verdict(seed, name)
        if found is not None:
            assert verdict(seed, name) is None, "the sound core fails as well"
            print(f"{name}: seed {seed}: {found}")
            return
    pytest.fail(f"{name} was not found in {seeds_max} seeds")
