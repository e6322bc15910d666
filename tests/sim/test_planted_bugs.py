"""The simulator finds planted bugs, and the sound core passes the very same seeds."""

import pytest

from corosync_tw.sim.__main__ import swarm_options
from corosync_tw.sim.cluster import Cluster
from corosync_tw.sim.options import NS_PER_S
from tests.sim.planted import MUTATIONS, NEEDS_STACK, planted

SEEDS_MAX = 60
FAULT_PHASE_NS = 6 * NS_PER_S


def verdict(seed, name):
    options = swarm_options(seed, None, FAULT_PHASE_NS)
    options.full_stack = name in NEEDS_STACK
    try:
        violation = Cluster(options).run().violation
    except Exception as error:  # noqa: BLE001 - whatever stops a node is a find
        return f"{type(error).__name__}: {error}"
    return None if violation is None else f"{violation.rule}: {violation.text}"


@pytest.mark.parametrize("name", sorted(MUTATIONS))
def test_a_planted_bug_is_found(name):
    for seed in range(SEEDS_MAX):
        with planted(name):
            found = verdict(seed, name)
        if found is not None:
            assert verdict(seed, name) is None, "the sound core fails as well"
            print(f"{name}: seed {seed}: {found}")
            return
    pytest.fail(f"{name} was not found in {SEEDS_MAX} seeds")
