"""
``make bench``: rings of nodes beside stock corosync, all in one run.

Throughput is what one client on node 1, or a client on every node, is delivered in order; the
clients are the same C programs on both sides, one message a call. Figures are medians, ± how far a
run lay from it at most.
"""

import argparse
import sys
import time
from dataclasses import replace
from pathlib import Path

from bench import compare, hotspots, plots, tables
from bench import figures as f
from bench.extras import EXTRAS
from bench.measure import Measurement, thought_s
from bench.plan import ALL, QUICK, QUICK_TIMING, WHOLE, WHOLE_TIMING, chosen, named
from bench.progress import Progress
from tests.interop.netbed import BedError

RINGS = "rings"
PROFILED_SIZE = 1600


def arguments():
    """Say what can be asked for."""
    parser = argparse.ArgumentParser(prog="make bench", description=__doc__)
    add = parser.add_argument
    add("--quick", action="store_true", help="one bed, few sizes and runs; within a minute")
    add("--runs", type=int, help="runs of each (5; with --quick 2)")
    add("--flood", type=float, metavar="SECONDS", help="how long a flood is counted")
    add("--nodes", type=_numbers, default=(), metavar="N,N", help="beds of so many nodes alone")
    add("--mtu", type=_numbers, default=(), metavar="N,N", help="beds of this MTU alone")
    add("--sizes", type=_numbers, default=(), metavar="N,N", help="bytes a message")
    add(
        "--systems",
        type=lambda text: tuple(text.split(",")),
        default=(),
        metavar="NAME,NAME",
        help=f"these alone, or all whose names begin so: {', '.join(ALL)}",
    )
    add(
        "--parts",
        type=lambda text: tuple(text.split(",")),
        default=(RINGS,),
        metavar="PART,PART",
        help=f"{RINGS}, which is the default, and {', '.join(EXTRAS)}",
    )
    add("--keep", action="store_true", help="keep the figures of a narrowed run, too")
    add("--profile", action="store_true", help="where node 1's time goes in a flood, instead")
    add("--compare", action="store_true", help="a quick run with the last kept result, instead")
    add("results", nargs="*", type=Path, help="with --compare: the result before and the one after")
    return parser


def _numbers(text):
    return tuple(int(word) for word in text.split(","))


def main():
    """Do what was asked for; the exit status is 1 when a system failed."""
    parser = arguments()
    asked = parser.parse_args()
    if asked.results and not asked.compare:
        parser.error("results are for --compare")
    try:
        if asked.profile:
            return profile(asked)
        return compared(asked) if asked.compare else bench(asked)
    except (BedError, hotspots.NoProfiler) as error:
        print(error, file=sys.stderr)
        return 1


def measured(asked, *, quick):
    """Measure what was asked for; the figures, what is known of them, what failed."""
    timing = QUICK_TIMING if quick else WHOLE_TIMING
    timing = replace(timing, runs=asked.runs or timing.runs, flood_s=asked.flood or timing.flood_s)
    beds = ()
    if RINGS in asked.parts:
        narrowing = {"systems": asked.systems, "sizes": asked.sizes}
        beds = chosen(QUICK if quick else WHOLE, nodes=asked.nodes, mtus=asked.mtu, **narrowing)
    extras = [EXTRAS[part] for part in asked.parts if part != RINGS]
    about = {"machine": f.machine()}
    began = time.monotonic()
    expected_s = sum(thought_s(bed, timing) for bed in beds)
    expected_s += sum(cost(timing) for _, cost in extras)
    progress = Progress(expected_s)
    measurement = Measurement(timing, progress)
    for bed in beds:
        measurement.bed(bed)
    for measure, _ in extras:
        measure(measurement.figures, timing, progress)
    progress.end()
    about["run"] = {
        "runs": timing.runs,
        "flood_s": timing.flood_s,
        "took_s": round(time.monotonic() - began),
        "not counted, the ring was not whole": ", ".join(
            f"{count} floods of {name}" for name, count in sorted(measurement.apart.items())
        )
        or "none",
        "failures": measurement.failures,
    }
    return measurement.figures, about, measurement.failures


def bench(asked):
    """Measure, print tables, keep them with drawings."""
    figures, about, failures = measured(asked, quick=asked.quick)
    text = written(figures, about)
    print(text)
    narrowed = asked.quick or asked.nodes or asked.mtu or asked.sizes or asked.systems
    if asked.keep or not narrowed:
        path = f.save(figures, about)
        path.with_suffix(".txt").write_text(text)
        title = "{cpu}, {cores} cores, Linux {kernel}, {corosync}".format(**about["machine"])
        drawn = plots.draw(figures, path.with_suffix(""), title)
        print(f"kept in {path}, .txt and {len(drawn)} drawings")
    return 1 if failures else 0


def written(figures, about):
    """Write all that a person may want to read, the goals last."""
    head = {**about["machine"], **about["run"]}
    failures = head.pop("failures")
    parts = ["".join(f"{name}: {value}\n" for name, value in head.items())]
    parts += [__doc__.partition("\n\n")[2], tables.everything(figures), tables.goals(figures)]
    parts += [f"failed: {text}" for text in failures]
    return "\n".join(parts)


def compared(asked):
    """Compare two results, or the last one kept with what is measured now."""
    paths = asked.results or [path for path in [f.last_kept()] if path]
    if not paths:
        print("no result was kept yet: `make bench` makes one", file=sys.stderr)
        return 1
    sides = [f.load(path) for path in paths[:2]]
    failures = []
    if len(sides) == 1:
        figures, about, failures = measured(asked, quick=True)
        sides.append((figures, about))
    names = " with ".join([*map(str, paths[:2]), *(["now"] if len(paths) == 1 else [])])
    print(f"{names}\n\n{compare.report(*sides)}")
    print("".join(f"failed: {text}\n" for text in failures), end="")
    return 1 if failures else 0


def profile(asked):
    """Profile each of the systems that were asked for."""
    names = named(asked.systems or ("ours udpu",))
    size = asked.sizes[0] if asked.sizes else PROFILED_SIZE
    text = "\n".join(
        hotspots.report(name, size, *(asked.nodes or (3,))[:1], *(asked.mtu or (1500,))[:1])
        for name in names
    )
    print(text)
    if asked.keep:
        print(f"kept in {hotspots.keep(text, time.strftime('%Y-%m-%d-%H%M', time.gmtime()))}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
