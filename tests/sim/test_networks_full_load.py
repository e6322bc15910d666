"""Redundant rings at full load: hundreds of messages a visit, in parts, merged by the kernel."""

import pytest

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.sim.cluster import Cluster
from corosync_tw.sim.link_options import (
    Layer,
    LinkOptions,
    NetworkFault,
    Promise,
    calm,
    plain_link_options,
)
from corosync_tw.sim.options import Options

MS = 1_000_000
TURNS = (Layer.PASSIVE, Layer.ACTIVE_PASSIVE)
# What the monitors' threshold of 100 messages does not allow for.
BURST_MSGS = 200


def full_load(seed, layer, every, **changes):
    """Give three nodes, one of which submits more than the ring takes."""
    options = Options(seed, 3, NS_PER_S, heal_work_ns=100 * MS)
    calm(options)
    options.adaptive_window = options.receive_offload = True
    options.workload_gap_ns = 20 * MS
    options.burst_messages_max = 3000
    options.message_bytes_max = 1400
    options.delay_ns = MS
    options.senders = 1
    links: LinkOptions = plain_link_options(layer, 2 + (layer is not Layer.PASSIVE), Promise.ONE)
    links.fault_every_ns = every
    for name, value in changes.items():
        setattr(links, name, value)
    return options, links


def run(options, links):
    """Run, and give the result and the largest burst that any monitor has seen."""
    cluster = Cluster(options, links)
    bursts = [0]

    def look(_now_ns):
        for node in cluster.nodes:
            if node.links is not None:
                senders = node.links.layer._judge._messages.senders.values()
                bursts.extend(monitor.burst_msgs for monitor in senders)

    result = cluster.run(look)
    assert result.violation is None, f"seed {options.seed}: {result.violation}"
    return result, max(bursts)


@pytest.mark.parametrize("slowness", [(1.0, 1.0, 1.0), (1.0, 3.0, 2.0), (3.0, 1.0, 1.0)])
@pytest.mark.parametrize("layer", TURNS)
def test_sound_networks_are_not_accused(layer, slowness):
    result, burst_msgs = run(*full_load(1, layer, {}, slowness=slowness))
    assert burst_msgs > BURST_MSGS
    assert result.links.events == {}


@pytest.mark.parametrize("layer", TURNS)
def test_a_dead_network_is_noticed_in_time(layer):
    changes = {"fault_length_ns": 20 * NS_PER_S}
    options, links = full_load(2, layer, {NetworkFault.CUT: 50 * MS}, **changes)
    options.fault_phase_ns = 1500 * MS
    result, burst_msgs = run(options, links)
    assert burst_msgs > BURST_MSGS
    assert len(result.links.detected_ns) >= 3
    assert max(result.links.detected_ns) < 2 * NS_PER_S
