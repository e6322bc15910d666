"""
Many seeds of the simulator: ``python -m tests.soak.sim_campaign --seeds N [--first S] [--minutes
M]``.
With --networks, runs of several networks; with --links and --whole only of some kinds. Of several
values given the seed picks one.
Uses every core, shows progress, and ends with a summary. Seeds already judged are kept in a file,
so that an interrupted
campaign goes on where it was; the file belongs to one state of the code and one length of run.
"""

import argparse
import json
import multiprocessing
import os
import sys
import time
from collections import Counter
from pathlib import Path
from typing import Any, NamedTuple

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.sim.__main__ import swarm_link_options, swarm_options
from corosync_tw.sim.cluster import Cluster, Result
from corosync_tw.sim.link_options import Layer, Promise

BAR_WIDTH = 30


class Verdict(NamedTuple):
    """One seed's outcome, small enough for a line of the resume file."""

    seed: int
    rule: str
    text: str
    simulated_s: float
    real_s: float
    nodes: int
    messages: int
    deliveries: int
    rings: int
    heal_ms: int
    faults: dict[str, int]
    links: str = ""
    link_events: dict[str, int] | None = None
    detected_ms: tuple[int, ...] = ()
    recovered_ms: tuple[int, ...] = ()
    kept_s: float = 0
    ring_losses: int = 0


class Job(NamedTuple):
    """What one seed is to be run with."""

    seed: int
    minutes: float
    several_networks: bool
    networks: int | None
    layer: Layer | None
    promise: Promise | None


def judge(job: Job) -> Verdict:
    """Run one seed."""
    seed = job.seed
    begin_s = time.monotonic()
    options = swarm_options(seed, None, int(job.minutes * 60 * NS_PER_S))
    link_options, links = None, ""
    if job.several_networks:
        link_options = swarm_link_options(options, job.layer, job.networks, job.promise)
        what = link_options
        links = f"{what.layer.value} over {what.networks}, whole: {what.promise.value}"
    rule = text = ""
    try:
        result = Cluster(options, link_options).run()
    except Exception as error:  # noqa: BLE001 - a crash of the core is a finding like any other
        real_s = time.monotonic() - begin_s
        text = f"{type(error).__name__}: {error}"
        return Verdict(seed, "exception", text, 0, real_s, options.nodes, 0, 0, 0, 0, {}, links)
    if result.violation is not None:
        rule, text = result.violation.rule, result.violation.text
    return Verdict(
        seed,
        rule,
        text,
        result.simulated_ns / NS_PER_S,
        time.monotonic() - begin_s,
        options.nodes,
        result.messages,
        result.deliveries,
        result.rings,
        result.heal_ns // 1_000_000,
        dict(result.faults),
        links,
        dict(result.links.events),
        tuple(time_ns // 1_000_000 for time_ns in result.links.detected_ns),
        tuple(time_ns // 1_000_000 for time_ns in result.links.recovered_ns),
        _kept_s(result),
        result.links.ring_losses,
    )


def _kept_s(result: Result) -> float:
    """Tell how long the ring had to last because a network was whole."""
    since_ns = result.links.settled_ns
    return 0.0 if since_ns is None else (result.simulated_ns - since_ns) / NS_PER_S


def load(path: Path | None) -> dict[int, Verdict]:
    """Read the verdicts of an earlier part of the campaign."""
    if path is None or not path.exists():
        return {}
    rows = [Verdict(*json.loads(line)) for line in path.read_text().splitlines()]
    return {row.seed: row for row in rows}


def show(done: int, total: int, found: int, begin_s: float) -> None:
    """Draw the progress bar, or a line now and then when nobody looks."""
    filled = done * BAR_WIDTH // total
    bar = "#" * filled + "." * (BAR_WIDTH - filled)
    rate = done / max(time.monotonic() - begin_s, 0.001)
    text = f"[{bar}] {done}/{total} seeds, {found} violations, {rate:.1f} seeds/s"
    if sys.stderr.isatty():
        print("\r" + text, end="\n" if done == total else "", file=sys.stderr, flush=True)
    elif done == total or done % max(1, total // 20) == 0:
        print(text, file=sys.stderr, flush=True)


def summarize(verdicts: list[Verdict]) -> None:
    """Print totals and every seed that failed."""
    faults: Counter[str] = Counter()
    for verdict in verdicts:
        faults.update(verdict.faults)
    simulated_h = sum(v.simulated_s for v in verdicts) / 3600
    real_h = sum(v.real_s for v in verdicts) / 3600
    heal = sorted(v.heal_ms for v in verdicts if not v.rule)
    print(f"seeds            {len(verdicts)}")
    print(f"simulated        {simulated_h:.1f} h in {real_h:.2f} h of processor time")
    print(f"rings            {sum(v.rings for v in verdicts)}")
    sent, delivered = sum(v.messages for v in verdicts), sum(v.deliveries for v in verdicts)
    print(f"messages         {sent} sent, {delivered} delivered")
    if heal:
        print(f"healed within    {heal[len(heal) // 2]} ms (median), {heal[-1]} ms (longest)")
    for name, count in sorted(faults.items()):
        print(f"  {name:34} {count}")
    summarize_links(verdicts)
    failed = [v for v in verdicts if v.rule]
    print(f"violations       {len(failed)}")
    for verdict in failed:
        who = ", ".join(filter(None, (f"{verdict.nodes} nodes", verdict.links)))
        print(f"  seed {verdict.seed} ({who}): {verdict.rule}: {verdict.text[:160]}")
    if failed:
        command = "python -m corosync_tw.sim --swarm --seed"
        more = " --networks" if failed[0].links else ""
        print(f"repeat one with: {command} {failed[0].seed} --minutes M{more}")


def summarize_links(verdicts: list[Verdict]) -> None:
    """Print what became of several networks, each kind of link layer by itself."""
    events: Counter[str] = Counter()
    kinds: Counter[str] = Counter()
    times: dict[str, tuple[list[int], list[int]]] = {}
    for verdict in verdicts:
        if not verdict.links:
            continue
        kinds[verdict.links.split(" over ")[0]] += 1
        events.update(verdict.link_events or {})
        detected, recovered = times.setdefault(verdict.links.split(" over ")[0], ([], []))
        detected.extend(verdict.detected_ms)
        recovered.extend(verdict.recovered_ms)
    for kind, count in sorted(kinds.items()):
        detected, recovered = times[kind]
        print(f"{kind:16} {count} seeds")
        print(f"  faults noticed   {quantiles(detected)}")
        print(f"  networks back    {quantiles(recovered)}")
    for name, count in sorted(events.items()):
        print(f"  {name:34} {count}")
    if kinds:
        kept_s = sum(v.kept_s for v in verdicts)
        lost = sum(v.ring_losses for v in verdicts)
        print(f"a network whole  {kept_s:.0f} s; in this time {lost} membership changes")


def quantiles(values_ms: list[int]) -> str:
    """Show the median, the slowest hundredth and the slowest of all."""
    if not values_ms:
        return "never"
    ranked = sorted(values_ms)
    most, hundredth = ranked[-1], ranked[len(ranked) * 99 // 100]
    return (
        f"after {ranked[len(ranked) // 2]} ms (median), {hundredth} ms (1 %), {most} ms (longest)"
    )


def _of(seed: int, choices: list[Any] | None) -> Any:
    return choices[seed % len(choices)] if choices else None


def main(arguments: list[str]) -> int:
    """Run the campaign."""
    parser = argparse.ArgumentParser(prog="python -m tests.soak.sim_campaign", description=__doc__)
    parser.add_argument("--seeds", type=int, default=2000, help="how many")
    parser.add_argument("--first", type=int, default=0, help="the first one")
    parser.add_argument("--minutes", type=float, default=0.25, help="simulated with faults, each")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--state", type=Path, help="file to resume from")
    parser.add_argument("--networks", type=int, nargs="*", help="several; 2 to 8, else drawn")
    parser.add_argument("--links", type=Layer, nargs="+", help="the link layer, else drawn")
    parser.add_argument("--whole", type=Promise, nargs="+", help="which network is, else drawn")
    chosen = parser.parse_args(arguments)

    verdicts = load(chosen.state)
    every = range(chosen.first, chosen.first + chosen.seeds)
    several = chosen.networks is not None or chosen.links is not None
    jobs = [
        Job(
            seed,
            chosen.minutes,
            several,
            _of(seed, chosen.networks),
            _of(seed, chosen.links),
            _of(seed, chosen.whole),
        )
        for seed in every
        if seed not in verdicts
    ]
    begin_s = time.monotonic()
    with multiprocessing.Pool(chosen.jobs) as pool:
        for done, verdict in enumerate(pool.imap_unordered(judge, jobs), 1):
            verdicts[verdict.seed] = verdict
            if chosen.state is not None:
                with chosen.state.open("a") as out:
                    out.write(json.dumps(verdict) + "\n")
            show(done, len(jobs), sum(bool(v.rule) for v in verdicts.values()), begin_s)
    chosen_verdicts = [verdicts[seed] for seed in every]
    summarize(chosen_verdicts)
    return int(any(verdict.rule for verdict in chosen_verdicts))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
