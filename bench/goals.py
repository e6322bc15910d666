"""
What was aimed at, on three nodes at MTU 1500 without encryption, and how far it was reached.

Ours is held against the best of stock: whichever transport and window of it did best at that size.
"""

from dataclasses import dataclass

from bench import figures as f
from bench.plan import BARE_SIZE, GOAL_BED, SYSTEMS

MESSAGES_TIMES = {64: 3, 320: 5, 1600: 10, 8000: 10, 40_000: 10, 200_000: 8, 1_000_000: 8}
PLAIN_TIMES = 2
TRIP_IDLE_P50_TIMES = 1.0
TRIP_LOADED_P99_TIMES = 0.5
CPU_PER_GB_TIMES = 0.2
IDLE_PERCENT = 0.5
MEMORY_MB = 120
BARE_SHARE = 0.8
BARE = "sockets"


@dataclass(frozen=True)
class Verdict:
    """
    One goal at one size.

    :ivar ratio: ours / the other; ours itself when ``best`` is None.
    :ivar more: whether the ratio is to be at least what was wanted, rather than at most.
    """

    goal: str
    column: str
    ours: float
    ours_name: str
    best: float | None
    best_name: str
    wanted: float
    more: bool

    @property
    def ratio(self):
        return self.ours if self.best is None else self.ours / self.best

    @property
    def met(self):
        return self.ratio >= self.wanted if self.more else self.ratio <= self.wanted


def verdicts(figures, bed=GOAL_BED):
    """Judge all goals that figures of the bed tell about."""
    judge = _Judge(figures, bed)
    found = []
    for senders in (f.ONE, f.ALL_NODES):
        measure = f"{senders}: {f.MESSAGES}"
        for size, wanted in MESSAGES_TIMES.items():
            found += judge.ratio(measure, measure, f.size_column(size), wanted)
        for size in MESSAGES_TIMES:
            goal = f"{measure}, plain Python"
            found += judge.ratio(goal, measure, f.size_column(size), PLAIN_TIMES, _ours_plain)
    measure = f"{f.ONE}: {f.DAEMONS_GB}"
    for size in MESSAGES_TIMES:
        found += judge.ratio(measure, measure, f.size_column(size), CPU_PER_GB_TIMES)
    found += judge.ratio(f"{f.TRIP_IDLE}, p50", f.TRIP_IDLE, "p50", TRIP_IDLE_P50_TIMES)
    found += judge.ratio(f"{f.TRIP_LOADED}, p99", f.TRIP_LOADED, "p99", TRIP_LOADED_P99_TIMES)
    found += judge.share_of_bare_sockets()
    found += judge.bound(f.IDLE, IDLE_PERCENT)
    found += judge.bound(f.MEMORY, MEMORY_MB)
    return found


def best(figures, bed, measure, column, wanted):
    """Name the system that did best among those wanted, and its median."""
    more = f.MEASURES[measure][1]
    found = [
        (median, name)
        for name in figures.names("system", bed=bed, measure=measure)
        if wanted(name) and (median := figures.median(bed, measure, name, column))
    ]
    if not found:
        return None
    return max(found) if more else min(found)


def is_stock(name):
    """Whether a system is the distribution's."""
    return name.startswith("stock ")


def _ours_plain(name):
    return name.startswith("ours ") and bool(SYSTEMS[name].env)


def _ours(name):
    return name.startswith("ours ") and not SYSTEMS[name].env


class _Judge:
    """Holds figures of one bed against each other; gives a list of one verdict, or of none."""

    def __init__(self, figures, bed):
        self._figures, self._bed = figures, bed

    def ratio(self, goal, measure, column, wanted, ours=_ours):
        """Hold the best of ours against the best of stock."""
        we, they = (
            best(self._figures, self._bed, measure, column, side) for side in (ours, is_stock)
        )
        if we is None or they is None:
            return []
        return [Verdict(goal, column, *we, *they, wanted, f.MEASURES[measure][1])]

    def share_of_bare_sockets(self):
        """Hold each transport of ours against sockets that send as it does."""
        found = []
        measure, column = f"{f.ONE}: {f.PAYLOAD}", f.size_column(BARE_SIZE)
        for name in filter(_ours, self._systems(measure)):
            sockets = name.replace("ours", BARE)
            ours, bare = (self._median(measure, who, column) for who in (name, sockets))
            if ours and bare:
                goal = f"{f.ONE}: share of what bare sockets move"
                found.append(Verdict(goal, column, ours, name, bare, sockets, BARE_SHARE, True))
        return found

    def bound(self, measure, most):
        """Hold the worst of ours against a figure."""
        systems = filter(_ours, self._systems(measure))
        found = [(self._median(measure, name, ""), name) for name in systems]
        return [Verdict(measure, "", *max(found), None, "", most, False)] if found else []

    def _systems(self, measure):
        return self._figures.names("system", bed=self._bed, measure=measure)

    def _median(self, measure, system, column):
        return self._figures.median(self._bed, measure, system, column)
