"""
Real rings, stock nodes and ours, killed, frozen, left and starved at random for as long as asked.

    python -m tests.soak.kill_campaign [--minutes M] [--seed S] [--rounds R]

Needs root and a stock corosync. Each round makes a ring in network namespaces, tells one story of
``tests.interop.stories`` with a random layout and victim, and checks the order of all messages. The
same seed gives the same rounds. Ends with 1 at the first round that fails, and keeps its files.
"""

import argparse
import os
import random
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from tests.interop import stories
from tests.interop.netbed import NetBed
from tests.interop.nodes import Cluster

NODES_MAX = 4
LOSS_PERCENT_MAX = 10
BAR_WIDTH = 30

Story = Callable[[Cluster, random.Random], str]


def _killed(cluster: Cluster, draw: random.Random) -> str:
    victim = draw.choice(sorted(cluster.nodes))
    stories.killed(cluster, victim)
    return f"node {victim} ({cluster.nodes[victim].kind}) killed"


def _frozen(cluster: Cluster, draw: random.Random) -> str:
    victim = draw.choice(sorted(cluster.nodes))
    stories.frozen(cluster, victim)
    return f"node {victim} ({cluster.nodes[victim].kind}) frozen"


def _left(cluster: Cluster, draw: random.Random) -> str:
    victim = draw.choice(sorted(cluster.nodes))
    stories.left(cluster, victim)
    return f"node {victim} ({cluster.nodes[victim].kind}) left"


def _loss(cluster: Cluster, draw: random.Random) -> str:
    percent = draw.randint(1, LOSS_PERCENT_MAX)
    stories.loss(cluster, percent)
    return f"{percent} % lost at every node"


STORIES: dict[str, Story] = {
    "killed": _killed,
    "frozen": _frozen,
    "left": _left,
    "loss": _loss,
}


def draw_layout(draw: random.Random) -> tuple[list[int], list[int]]:
    """Draw which nodes are stock and which ours; at least one of ours, two or more in all."""
    nodeids = list(range(1, draw.randint(3, NODES_MAX) + 1))
    ours = sorted(draw.sample(nodeids, draw.randint(1, len(nodeids))))
    return [n for n in nodeids if n not in ours], ours


def run_round(seed: int, directory: Path) -> tuple[str, str]:
    """
    Tell one story.

    :return: its name and what was done; raises what the story's checks raise.
    """
    draw = random.Random(seed)
    stock, ours = draw_layout(draw)
    name = draw.choice(sorted(STORIES))
    with (
        NetBed([*stock, *ours]) as bed,
        Cluster(bed.machines, stock, ours, directory, token_ms=stories.TOKEN_MS) as cluster,
    ):
        cluster.start()
        return name, f"stock {stock}, ours {ours}: {STORIES[name](cluster, draw)}"


def show(began: float, limit_s: float, rounds: int, text: str) -> None:
    """Print one round; on a terminal with a bar of the time used."""
    share = min(1.0, (time.monotonic() - began) / limit_s)
    bar = "#" * int(share * BAR_WIDTH)
    print(f"[{bar:<{BAR_WIDTH}}] {share:4.0%}  round {rounds}: {text}", flush=True)


def main(argv: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description="Kill nodes of real rings at random.")
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(4), "little"))
    parser.add_argument("--rounds", type=int, help="stop after so many, whatever the time")
    options = parser.parse_args(argv)
    print(f"kill_campaign: --minutes {options.minutes} --seed {options.seed}")
    began, limit_s = time.monotonic(), options.minutes * 60
    told: Counter[str] = Counter()
    while time.monotonic() - began < limit_s and told.total() != options.rounds:
        seed = options.seed + told.total()
        directory = Path(tempfile.mkdtemp(prefix="kill-campaign-"))
        try:
            name, text = run_round(seed, directory)
        except Exception as error:  # noqa: BLE001 - reported with the way to repeat it
            print(f"round with seed {seed} failed: {error}\nfiles: {directory}", file=sys.stderr)
            print(f"repeat: python -m tests.soak.kill_campaign --rounds 1 --seed {seed}")
            return 1
        shutil.rmtree(directory)
        told[name] += 1
        show(began, limit_s, told.total(), text)
    summary = ", ".join(f"{count} {name}" for name, count in sorted(told.items()))
    print(f"{told.total()} rounds, none failed: {summary}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
