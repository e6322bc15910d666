"""The simulator finds planted bugs of link layers, and the sound ones pass the very same seeds."""

from functools import cache

import pytest

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.sim.cluster import Cluster
from corosync_tw.sim.link_options import Layer, NetworkFault, Promise, calm, plain_link_options
from corosync_tw.sim.options import Options
from tests.sim.planted import planted
from tests.sim.planted_links import LINK_MUTATIONS

SEEDS_MAX = 6
MS = 1_000_000


def drawn(seed, layer):
    """Make busy rings; in every other seed the first network is slow."""
    options = Options(seed, 4, 5 * NS_PER_S, heal_work_ns=200 * MS)
    calm(options)
    options.workload_gap_ns = 20 * MS
    options.message_bytes_max = 1000
    options.miss_count_const = 1
    # A token that nobody else sends again is late enough to be noticed.
    token, _, *others = options.ring_timeouts_ns
    options.ring_timeouts_ns = (token, 450 * MS, *others)
    networks = 3 if layer is Layer.ACTIVE_PASSIVE else 2
    links = plain_link_options(layer, networks, Promise.ONE)
    links.slowness = ((8.0, 1.0, 2.0) if seed % 2 else (1.0, 8.0, 2.0))[:networks]
    links.fault_every_ns = {
        NetworkFault.CUT: 2 * NS_PER_S,
        NetworkFault.MUTE: 4 * NS_PER_S,
        NetworkFault.SPLIT: 4 * NS_PER_S,
    }
    links.fault_length_ns = 3 * NS_PER_S // 2
    links.check_ns = 200 * MS
    links.hold_down_ns, links.hold_down_max_ns = 100 * MS, NS_PER_S
    links.count_start = 0xFF00
    return options, links


def layer_of(seed, name):
    layers, _ = LINK_MUTATIONS[name]
    return Layer(layers[seed % len(layers)])


def verdict(seed, layer):
    try:
        violation = Cluster(*drawn(seed, layer)).run().violation
    except (TypeError, AttributeError):
        # The mutation itself does not fit the code any more.
        raise
    except Exception as error:  # noqa: BLE001 - whatever stops a node is a find
        return f"{type(error).__name__}: {error}"
    return None if violation is None else f"{violation.rule}: {violation.text}"


@cache
def sound_verdict(seed, layer):
    return verdict(seed, layer)


@pytest.mark.parametrize("name", sorted(LINK_MUTATIONS))
def test_a_planted_bug_is_found(name):
    for seed in range(SEEDS_MAX):
        layer = layer_of(seed, name)
        with planted(name, LINK_MUTATIONS[name][1]):
            found = verdict(seed, layer)
        if found is not None:
            assert sound_verdict(seed, layer) is None, "the sound link layer fails as well"
            print(f"{name}: seed {seed}: {found}")
            return
    pytest.fail(f"{name} was not found in {SEEDS_MAX} seeds")
