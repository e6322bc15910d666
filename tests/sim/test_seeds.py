"""Runs of the simulator: fixed seeds, each kind of fault alone, the same seed twice, big rings."""

import subprocess
import sys

import pytest

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.sim.__main__ import swarm_options
from corosync_tw.sim.cluster import Cluster
from corosync_tw.sim.options import SEQNO_STARTS, Fault, Options

FAULT_PHASE_NS = 6 * NS_PER_S
SEEDS = 120
SEEDS_A_TEST = 10
# Each of these once showed a bug of the core.
FORMER_FAILURES = (
    (14, True, 6.0),  # membership: strangers who fail each other kept each other from healing
    (14, False, 9.0),  # a storm of Joins
    (21, True, 9.0),  # totempg: a leaver's half message was dropped too early
    (145, True, 9.0),  # membership: the same, by waiting for each other's consensus
    (111, True, 6.0),
    # membership: strangers in turns, each giving up on those who had just begun anew
    (1581, False, 6.0),
    (1581, False, 15.0),
    (985, True, 9.0),  # a retransmit request that nobody could answer stayed in the token
)


def run(options):
    result = Cluster(options).run()
    assert result.violation is None, f"seed {options.seed}: {result.violation}"
    return result


def small(seed, **changes):
    options = Options(seed, 3, FAULT_PHASE_NS)
    for name, value in changes.items():
        setattr(options, name, value)
    return options


@pytest.mark.parametrize("first", range(0, SEEDS, SEEDS_A_TEST))
def test_swarm(first):
    for seed in range(first, first + SEEDS_A_TEST):
        run(swarm_options(seed, None, FAULT_PHASE_NS))


@pytest.mark.parametrize("seed", range(6))
def test_quorum_by_ykd(seed):
    options = swarm_options(seed, None, FAULT_PHASE_NS)
    options.full_stack = options.ykd = True
    run(options)


@pytest.mark.parametrize(("seed", "full_stack", "seconds"), FORMER_FAILURES)
def test_seeds_that_failed_once(seed, full_stack, seconds):
    options = swarm_options(seed, None, int(seconds * NS_PER_S))
    options.full_stack = full_stack
    run(options)


@pytest.mark.parametrize("full_stack", [False, True])
@pytest.mark.parametrize("fault", list(Fault))
def test_one_kind_of_fault_alone(fault, full_stack):
    every = {fault: NS_PER_S // 2}
    result = run(small(1, nodes=5, full_stack=full_stack, fault_every_ns=every))
    assert result.faults[fault.value] > 5
    assert result.deliveries > 0


@pytest.mark.parametrize(
    "name", ["loss", "duplication", "reorder", "corruption", "truncation", "token_loss"]
)
def test_one_kind_of_bad_link_alone(name):
    changes = {"kind_loss": {0: 0.3}} if name == "token_loss" else {name: 0.1}
    result = run(small(2, links_fifo=False, full_stack=True, **changes))
    assert sum(result.faults.values()) > 20
    assert result.deliveries > 0


@pytest.mark.parametrize("start", SEQNO_STARTS[::3])
def test_sequence_numbers_that_start_at_a_boundary(start):
    changes = {"seqno_start": start, "token_seq_start": start, "loss": 0.05}
    every = {Fault.CRASH: NS_PER_S, Fault.PARTITION: NS_PER_S}
    result = run(small(3, fault_every_ns=every, workload_gap_ns=3_000_000, **changes))
    assert result.messages > 1000


def test_clocks_that_drift_apart():
    run(small(4, clock_offset_ns=1 << 50, clock_drift_ppm=50_000, full_stack=True))


def test_a_quiet_cluster_forms_one_ring_and_keeps_it():
    result = run(small(5, workload_gap_ns=1 << 62))
    assert result.heal_ns == 0
    assert sum(result.faults.values()) == 0


@pytest.mark.parametrize("full_stack", [False, True])
def test_a_ring_of_twenty(full_stack):
    every = {Fault.CRASH: 2 * NS_PER_S}
    options = Options(6, 20, 4 * NS_PER_S, fault_every_ns=every, full_stack=full_stack)
    result = run(options)
    assert result.deliveries > 1000


def test_the_same_seed_gives_the_same_run():
    results = [Cluster(swarm_options(7, None, FAULT_PHASE_NS)).run() for _ in range(2)]
    assert results[0].trace_hash == results[1].trace_hash
    assert results[0].unseed == results[1].unseed
    other = Cluster(swarm_options(8, None, FAULT_PHASE_NS)).run()
    assert other.trace_hash != results[0].trace_hash


def command(*arguments, hash_seed="0"):
    return subprocess.run(
        [sys.executable, "-m", "corosync_tw.sim", *arguments],
        capture_output=True,
        text=True,
        check=False,
        env={"PYTHONHASHSEED": hash_seed, "PYTHONPATH": "."},
    )


def test_the_command_prints_the_same_hash_in_another_process():
    arguments = ("--seed", "9", "--swarm", "--minutes", "0.05")
    runs = [command(*arguments, hash_seed=str(hash_seed)) for hash_seed in (1, 2)]
    assert [done.returncode for done in runs] == [0, 0]
    hashes = [
        [line for line in done.stdout.splitlines() if line.startswith(("trace hash", "unseed"))]
        for done in runs
    ]
    assert len(hashes[0]) == 2
    assert hashes[0] == hashes[1]
