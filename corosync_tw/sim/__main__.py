"""
``python -m corosync_tw.sim --seed S --nodes N [--minutes M] [--swarm] [--networks [N]]``: one run,
and what happened in it.

Exit code 0 when every rule held, 1 when one was broken.
"""

import argparse
import os
import sys

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.prng import generator
from corosync_tw.sim.cluster import Cluster, Result
from corosync_tw.sim.link_checks import LinkTally
from corosync_tw.sim.link_options import (
    NETWORKS_MAX,
    Layer,
    LinkOptions,
    Promise,
    calm,
    draw_link_options,
    plain_link_options,
)
from corosync_tw.sim.options import Fault, Options, as_text, draw_nodes, draw_options
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
    networks = parser.add_argument_group("several networks")
    networks.add_argument(
        "--networks",
        type=int,
        nargs="?",
        const=0,
        choices=range(NETWORKS_MAX + 1),
        metavar="N",
        help="2 to 8; without a number 2, with --swarm drawn",
    )
    networks.add_argument("--links", type=Layer, help=f"one of {_names(Layer)}")
    networks.add_argument("--whole", type=Promise, help=f"which network is: {_names(Promise)}")
    return parser.parse_args(arguments)


def _names(words: type[Layer] | type[Promise]) -> str:
    return ", ".join(word.value for word in words)


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


def make_link_options(arguments: argparse.Namespace, options: Options) -> LinkOptions | None:
    """Turn the command line into options of several networks, and fit the others to them."""
    if arguments.networks is None and arguments.links is None:
        return None
    layer, networks, promise = arguments.links, arguments.networks or None, arguments.whole
    if arguments.swarm:
        links = swarm_link_options(options, layer, networks, promise)
    else:
        links = plain_link_options(layer or Layer.PASSIVE, networks or 2, promise or Promise.ONE)
        if links.promise is not Promise.NONE:
            calm(options)
            options.loss = 0.0
    return links


def swarm_link_options(
    options: Options,
    layer: Layer | None = None,
    networks: int | None = None,
    promise: Promise | None = None,
) -> LinkOptions:
    """Draw what belongs to a seed besides its options, which are fitted to that."""
    links = draw_link_options(generator(options.seed, "links"), layer, networks)
    links.promise = promise or links.promise
    if links.promise is not Promise.NONE:
        calm(options)
        if options.seed % 3:
            options.loss = options.duplication = options.reorder = 0.0
            options.corruption = options.truncation = 0.0
    return links


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
    if result.links.events:
        rows.extend(_report_links(result.links))
    return "\n".join(rows)


def _report_links(tally: LinkTally) -> list[str]:
    events = ", ".join(f"{name} {count}" for name, count in sorted(tally.events.items()))
    return [
        f"events of links      {events}",
        f"faults noticed       {_times(tally.detected_ns)}",
        f"networks back        {_times(tally.recovered_ns)}",
    ]


def _times(times_ns: list[int]) -> str:
    if not times_ns:
        return "never"
    times_ms = sorted(time_ns // 1_000_000 for time_ns in times_ns)
    return f"after {times_ms[len(times_ms) // 2]} ms (median), {times_ms[-1]} ms (longest)"


def main(arguments: list[str]) -> int:
    """Run once."""
    chosen = parse_arguments(arguments)
    options = make_options(chosen)
    link_options = make_link_options(chosen, options)
    print("options")
    print(options.text(), flush=True)
    if link_options is not None:
        print(as_text(link_options), flush=True)
    cluster = Cluster(options, link_options)
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
