"""
``python -m corosync_tw.sim --seed S --nodes N [--minutes M] [--swarm]``: one run, and what
happened in it.

Exit code 0 when every rule held, 1 when one was broken.
"""

import argparse
import os
import sys

from corosync_tw.prng import generator
from corosync_tw.sim.cluster import Cluster, Result
from corosync_tw.sim.options import NS_PER_S, Fault, Options, draw_nodes, draw_options
from corosync_tw.sim.timeline import render

BAR_WIDTH = 40


def parse_arguments(arguments: list[str]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(prog="python -m corosync_tw.sim", description=__doc__)
    parser.add_argument("--seed", type=int, default=0, help="of everything random")
    parser.add_argument("--nodes", type=int, help="size of the cluster (3; with --swarm drawn)")
    parser.add_argument("--minutes", type=float, default=0.5, help="simulated, full of faults")
    parser.add_argument("--swarm", action="store_true", help="draw options and faults by the seed")
    parser.add_argument("--idle", action="store_true", help="neither faults nor messages")
    parser.add_argument("--stack", action="store_true", help="with sync, CPG and quorum on top")
    parser.add_argument("--ring", action="store_true", help="the ring alone, also with --swarm")
    return parser.parse_args(arguments)


def make_options(arguments: argparse.Namespace) -> Options:
    """Turn the command line into options."""
    fault_phase_ns = int(arguments.minutes * 60 * NS_PER_S)
    if arguments.swarm:
        options = swarm_options(arguments.seed, arguments.nodes, fault_phase_ns)
    else:
        options = Options(arguments.seed, arguments.nodes or 3, fault_phase_ns)
        if arguments.idle:
            options.workload_gap_ns = 1 << 62
        else:
            options.fault_every_ns = dict.fromkeys(Fault, 5 * NS_PER_S)
            options.loss = 0.01
    if arguments.stack:
        options.full_stack = True
    if arguments.ring:
        options.full_stack = False
    return options


def swarm_options(seed: int, nodes: int | None, fault_phase_ns: int) -> Options:
    """Draw the options that belong to a seed."""
    rng = generator(seed, "swarm")
    drawn_nodes = draw_nodes(rng)
    options = draw_options(rng, seed, nodes or drawn_nodes, fault_phase_ns)
    options.full_stack = seed % 2 == 1
    return options


def report(result: Result, real_s: float) -> str:
    """Say what happened."""
    simulated_s = result.simulated_ns / NS_PER_S
    speed = simulated_s / max(real_s, 0.01)
    faults = ", ".join(f"{name} {count}" for name, count in sorted(result.faults.items()))
    rows = [
        f"faults injected      {faults or 'none'}",
        f"simulated            {simulated_s:.1f} s in {real_s:.2f} s: {speed:.0f} times real time",
        f"rings                {result.rings}",
        f"messages             {result.messages} sent, {result.deliveries} delivered",
        f"events and frames    {result.events}, {result.frames}",
        f"healed after         {result.heal_ns / 1e6:.0f} ms",
        f"trace hash           {result.trace_hash:016x}",
        f"unseed               {result.unseed:08x}",
    ]
    return "\n".join(rows)


def main(arguments: list[str]) -> int:
    """Run once."""
    options = make_options(parse_arguments(arguments))
    print("options")
    print(options.text(), flush=True)
    cluster = Cluster(options)
    # The simulator itself never looks at a real clock; this is for the report alone.
    begin_s = os.times().elapsed
    result = cluster.run(_progress(options))
    print(report(result, os.times().elapsed - begin_s))
    if result.violation is None:
        print("no violation")
        return 0
    violation = result.violation
    print(render(cluster.recorder.timeline, violation.time_ns))
    print(f"VIOLATION of {violation.rule} at {violation.time_ns / 1e9:.6f} s, seed {options.seed}")
    print(f"  nodes {violation.nodes}: {violation.text}")
    return 1


class _Bar:
    """A progress bar on a terminal."""

    def __init__(self, end_ns: int) -> None:
        self.end_ns = end_ns
        self.drawn = -1

    def __call__(self, now_ns: int) -> None:
        """Draw when it has grown."""
        filled = min(BAR_WIDTH, now_ns * BAR_WIDTH // max(1, self.end_ns))
        if filled != self.drawn:
            self.drawn = filled
            bar = "#" * filled + "." * (BAR_WIDTH - filled)
            print(f"\r[{bar}] {now_ns / 1e9:8.1f} s simulated", end="", file=sys.stderr, flush=True)
            if filled == BAR_WIDTH:
                print(file=sys.stderr)


def _progress(options: Options) -> _Bar | None:
    return _Bar(options.fault_phase_ns) if sys.stderr.isatty() else None


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
