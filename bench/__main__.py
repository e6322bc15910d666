"""
``make bench``: the protocol alone, and rings beside stock corosync, all in one run.

Throughput is what one client on node 1 is delivered of its own messages. The clients are the same C
programs on both sides, linked to the distribution's libcpg and libcmap, one message a call.
"""

import argparse
import sys
import time

from bench import core, ring
from bench.report import Figures, machine
from corosync_tw.sim.cluster import Cluster
from corosync_tw.sim.options import NS_PER_S, Options

CORE_SIZES = (64, 1600, 40000)
SIZES = (64, 1600, 40000, 1_000_000)
QUICK_SIZES = (64, 1600, 40000)
NODE_COUNTS = (1, 3)
# Nodes, whether they send messages, simulated minutes.
SIMULATIONS = {
    "3 nodes, at rest": (3, False, 10),
    "3 nodes, sending": (3, True, 0.3),
    "50 nodes, at rest": (50, False, 2),
    "50 nodes, sending": (50, True, 0.05),
}


class Progress:
    """Says what is being measured and how far we are."""

    def __init__(self, steps):
        self._steps, self._step, self._began = steps, 0, time.monotonic()

    def say(self, what):
        self._step += 1
        took = time.monotonic() - self._began
        end = "\r" if sys.stderr.isatty() else "\n"
        text = f"[{self._step:3}/{self._steps}] {took:4.0f} s  {what:<40}"
        print(text, end=end, file=sys.stderr, flush=True)


def measure_core(figures, seconds):
    for size in CORE_SIZES:
        rate = core.messages_per_second(size, seconds)
        figures.add("core alone, 3 nodes in one process", "messages", f"{size} B", rate, "1/s")


def measure_ring(figures, system, node_count, *, sizes, seconds, idle_s):
    nodes = "1 node" if node_count == 1 else f"{node_count} nodes"
    with ring.running(system, node_count) as bench:
        if idle_s:
            share = bench.idle_percent(idle_s)
            figures.add(f"{nodes}: idle, per node", system, "core", share, "%")
        p50_us, p99_us = bench.trip_us(64)
        figures.add(f"{nodes}: round trip of 64 B", system, "p50", p50_us, "us")
        figures.add(f"{nodes}: round trip of 64 B", system, "p99", p99_us, "us")
        for size in sizes:
            rate, cpu_s = bench.flood(size, seconds)
            figures.add(f"{nodes}: throughput", system, f"{size} B", rate, "messages/s")
            figures.add(f"{nodes}: payload", system, f"{size} B", rate * size / 1e6, "MB/s")
            cpu = f"{nodes}: daemons' processor time"
            figures.add(cpu, system, f"{size} B", cpu_s, "s/million")
        if node_count == 1:
            rate = bench.connects_per_second()
            figures.add("connections made and closed", system, "cpg", rate, "1/s")
            took_ms = bench.listing_ms()
            figures.add("keys and values listed", system, f"{ring.KEYS} keys", took_ms, "ms")
        figures.add(f"{nodes}: memory after load", system, "largest node", bench.rss_mb(), "MB RSS")


def measure_simulator(figures, row, share):
    nodes, sending, minutes = SIMULATIONS[row]
    options = Options(1, nodes, int(minutes * share * 60 * NS_PER_S))
    if not sending:
        options.workload_gap_ns = 1 << 62
    began = time.perf_counter()
    result = Cluster(options).run()
    took = time.perf_counter() - began
    assert result.violation is None, result.violation
    speed = result.simulated_ns / NS_PER_S / took
    figures.add("simulator, no faults", row, "speed", speed, "x real time")


def main():
    """Measure all, print the table, keep it."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="one short run of each, not kept")
    parser.add_argument("--runs", type=int, help="runs of each (5; with --quick 1)")
    arguments = parser.parse_args()
    quick = arguments.quick
    runs = arguments.runs or (1 if quick else 5)
    seconds = 0.7 if quick else 1.5
    about, figures = machine(), Figures()
    sizes = QUICK_SIZES if quick else SIZES
    rings = [(system, count) for count in NODE_COUNTS for system in ring.SYSTEMS]
    progress = Progress(runs * (1 + len(rings)) + len(SIMULATIONS))
    for run in range(runs):
        progress.say(f"run {run + 1}: core alone")
        measure_core(figures, seconds)
        for system, count in rings:
            progress.say(f"run {run + 1}: {system}, nodes: {count}")
            idle_s = (2 if quick else 5) if run == 0 else 0
            measure_ring(figures, system, count, sizes=sizes, seconds=seconds, idle_s=idle_s)
    for row in SIMULATIONS:
        progress.say(f"simulator: {row}")
        measure_simulator(figures, row, 0.5 if quick else 1)
    print(f"\n{__doc__.partition(chr(10) * 2)[2]}")
    print(figures.table())
    if not quick:
        print(f"kept in {figures.save(about)}")


main()
