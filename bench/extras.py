"""What was measured before rings were: the protocol alone, connections, the map, the simulator."""

import time

from bench import core, links, recorder, ring
from bench.figures import size_column
from corosync_tw.corotypes import NS_PER_S
from corosync_tw.sim.cluster import Cluster
from corosync_tw.sim.options import Options

CORE_SIZES = (64, 1600, 40_000)
CORE_BED = "3 nodes in one process"
SIMULATOR_BED = "no faults"
SERVED = ("stock udpu", "ours udpu")
# Nodes, whether they send messages, simulated minutes.
SIMULATIONS = {
    "3 nodes, at rest": (3, False, 10),
    "3 nodes, sending": (3, True, 0.3),
    "50 nodes, at rest": (50, False, 2),
    "50 nodes, sending": (50, True, 0.05),
}


def measure_core(figures, timing, progress):
    """Messages a second through three stacks that lists join."""
    for run in range(timing.runs):
        for size in CORE_SIZES:
            progress.step(f"core alone, run {run + 1}: {size} B", timing.flood_s)
            rate = core.messages_per_second(size, timing.flood_s)
            figures.add(
                CORE_BED, "messages through the core alone", "ours", size_column(size), rate
            )


def measure_clients(figures, timing, progress):
    """Connections and listings, on rings of one node."""
    progress.step("1 node: clients", 2.0)
    with ring.standing(SERVED, 1) as rings:
        for run in range(timing.runs):
            for one in rings:
                name = one.system.name
                progress.step(f"1 node, run {run + 1}: {name}", 2.0)
                rate = one.connects_per_second()
                figures.add("1 node", "connections made and closed", name, "", rate)
                took_ms = one.listing_ms()
                figures.add("1 node", "10000 keys and values listed", name, "", took_ms)


def measure_simulator(figures, _timing, progress):
    """Simulated seconds a second."""
    for row, (nodes, sending, minutes) in SIMULATIONS.items():
        progress.step(f"simulator: {row}", 5.0)
        options = Options(1, nodes, int(minutes * 60 * NS_PER_S))
        if not sending:
            options.workload_gap_ns = 1 << 62
        began = time.perf_counter()
        result = Cluster(options).run()
        took = time.perf_counter() - began
        assert result.violation is None, result.violation
        speed = result.simulated_ns / NS_PER_S / took
        figures.add(SIMULATOR_BED, "simulator's speed", row, "", speed)


# What it measures, and the seconds that it takes, beside those of each run.
EXTRAS = {
    "core": (measure_core, lambda timing: timing.runs * len(CORE_SIZES) * timing.flood_s),
    "clients": (measure_clients, lambda timing: 2.0 + timing.runs * len(SERVED) * 2.0),
    "links": (links.measure_links, links.cost_s),
    "recorder": (recorder.measure_recorder, recorder.cost_s),
    "simulator": (measure_simulator, lambda _: 5.0 * len(SIMULATIONS)),
}
