"""
``make bench ARGS='--parts links'``: encryption, several links, redundant rings, and a network cut.

Rings of one link, and those over two networks, stand side by side each; for the cut each ring over
two networks stands alone, with links that notice it soon.
"""

import time

from bench import figures as f
from bench.measure import BETWEEN_S
from bench.plan import ONE_LINK, SLOW_MBIT_PER_S, SLOW_NETWORKS, TWO_NETWORKS
from bench.ring import BRISK_LINKS, running, standing

NODES = 3
SIZES = (1600, 8000, 40_000)
CUT_SIZE = 8000
CUT_FLOOD_S = 1.0
# Until the cut is noticed and what had to be sent again was sent.
NOTICED_S = 3.0
# Until a network that healed is trusted again.
TRUSTED_S = 12.0
STAND_S = 8.0
# On slow networks much is under way that only its sender has: floods last so much longer.
SLOW_TIMES = 8
CUT_S = 25.0


def measure_links(figures, timing, progress):
    """Measure all of it."""
    one, two = ([system.name for system in systems] for systems in (ONE_LINK, TWO_NETWORKS))
    slow = f"3 nodes, networks of {SLOW_MBIT_PER_S} Mbit/s"
    for bed, names in (
        ("3 nodes, one link", one),
        ("3 nodes, two networks", two),
        (slow, SLOW_NETWORKS),
    ):
        progress.step(f"{bed}: rings form", STAND_S)
        with standing(names, NODES) as rings:
            for ring in rings:
                if bed == slow:
                    ring.slow(SLOW_MBIT_PER_S)
                ring.freeze()
            lasts = SLOW_TIMES if bed == slow else 1
            for run in range(timing.runs):
                for size in SIZES:
                    for ring in rings:
                        what = f"{bed}, run {run + 1}: {ring.system.name}, {size} B"
                        progress.step(what, _flood_s(timing, lasts))
                        _flood(figures, timing, bed, ring, size, lasts)
    for system in TWO_NETWORKS:
        if system.networks > 1:
            progress.step(f"3 nodes, two networks: {system.name}, one cut", CUT_S)
            _cut(figures, system.name)


def _flood(figures, timing, bed, ring, size, lasts):  # noqa: PLR0917
    with ring.thawed():
        flood = ring.flood(size, lasts * timing.flood_s, lasts * timing.warm_s)
    if flood is not None:
        figures.add_flood(bed, f.ONE, ring.system.name, size, flood)


def _cut(figures, name):
    """Cut each network once."""
    bed = "3 nodes, two networks"
    with running(name, NODES, links=BRISK_LINKS) as ring:
        for network in (0, 1):
            for measure, cut, wait_s in (
                (f.BEFORE_CUT, (), TRUSTED_S if network else 0.0),
                (f.DURING_CUT, (network,), NOTICED_S),
            ):
                ring.cut(*cut)
                time.sleep(wait_s)
                ring.flood(CUT_SIZE, CUT_FLOOD_S)
                flood = ring.flood(CUT_SIZE, CUT_FLOOD_S)
                if flood is not None:
                    figures.add(bed, measure, name, f"network {network}", flood.messages_per_s)


def _flood_s(timing, lasts):
    """Tell about how long one takes."""
    return lasts * (timing.warm_s + timing.flood_s) + BETWEEN_S


def cost_s(timing):
    """Tell about how long it takes: the same as all steps together."""
    brisk = (len(ONE_LINK) + len(TWO_NETWORKS)) * _flood_s(timing, 1)
    slow = len(SLOW_NETWORKS) * _flood_s(timing, SLOW_TIMES)
    cuts = sum(system.networks > 1 for system in TWO_NETWORKS)
    return 3 * STAND_S + len(SIZES) * timing.runs * (brisk + slow) + cuts * CUT_S
