"""Measures beds as planned: systems stand side by side, each run asks all of them in turn."""

import contextlib
import time
import traceback
from collections import Counter

from bench import figures as f
from bench import goals
from bench.asked import ClientError
from bench.bare import PORTS, receiving
from bench.plan import BARE_SIZE, LOAD_SIZE
from bench.ring import standing

# What is lost between floods, trips and beds, in seconds.
BETWEEN_S = 0.15
LOADED_BETWEEN_S = 0.35
BED_S, DAEMON_S = 1.5, 0.45
SETTLE_S = 0.5
BARE_BETWEEN_S = 0.15


class Measurement:
    """
    One run of the benchmark.

    :ivar failures: what stopped a system, in words; it was left out of what followed.
    :ivar apart: floods of each bed and system that do not count because its ring was not whole.
    """

    def __init__(self, timing, progress):
        self.figures = f.Figures()
        self.failures = []
        self.apart = Counter()
        self._timing, self._progress = timing, progress
        self._rings, self._lost = [], set()

    def bed(self, bed):
        """Measure one bed."""
        daemons = bed.nodes * len(bed.systems)
        self._progress.step(f"{bed.name}: rings form", BED_S + DAEMON_S * daemons)
        with contextlib.ExitStack() as stack:
            bare = stack.enter_context(receiving(bed.nodes, bed.mtu)) if bed.bare else None
            rings = standing(bed.systems, bed.nodes, bed.mtu, self._spared)
            self._rings = stack.enter_context(rings)
            if bed.full:
                self._idle(bed)
            for ring in self._left():
                ring.freeze()
            for run in range(self._timing.runs):
                self._run(bed, bare, f"{bed.name}, run {run + 1} of {self._timing.runs}: ")
                # Nobody is always first, or always behind the same one.
                self._rings = self._rings[1:] + self._rings[:1]
            for ring in self._left():
                self.figures.add(bed.name, f.MEMORY, ring.system.name, "", ring.rss_max_mb())

    def _run(self, bed, bare, where):
        for size in bed.sizes:
            self._floods(bed, f.ONE, size, where)
            if bare and size == BARE_SIZE:
                self._bare(bed, bare, where)
        for size in bed.all_sizes:
            self._floods(bed, f.ALL_NODES, size, where)
        if bed.full:
            self._trips(bed, where)

    def _idle(self, bed):
        self._progress.step(f"{bed.name}: idle", SETTLE_S + self._timing.idle_s)
        time.sleep(SETTLE_S)
        before = {ring: ring.cpu_s() for ring in self._left()}
        time.sleep(self._timing.idle_s)
        for ring, cpu_s in before.items():
            percent = (ring.cpu_s() - cpu_s) / self._timing.idle_s / bed.nodes * 100
            self.figures.add(bed.name, f.IDLE, ring.system.name, "", percent)

    def _floods(self, bed, senders, size, where):
        timing = self._timing
        lasts_s = timing.warm_s + timing.flood_s
        for ring in self._left():
            name = ring.system.name
            self._progress.step(f"{where}{name}, {size} B, {senders}", lasts_s + BETWEEN_S)
            with self._spared(ring), ring.thawed():
                together = senders == f.ALL_NODES
                flood = ring.flood(size, timing.flood_s, timing.warm_s, together=together)
                if flood is None:
                    self.apart[f"{bed.name}, {name}"] += 1
                else:
                    self.figures.add_flood(bed.name, senders, name, size, flood)

    def _bare(self, bed, bare, where):
        for name in PORTS:
            self._progress.step(f"{where}{name}", self._timing.flood_s + BARE_BETWEEN_S)
            try:
                rate = bare.messages_per_s(name, BARE_SIZE, self._timing.flood_s)
            except ClientError as error:
                self.failures.append(f"{bed.name}, {name}: {error}")
                continue
            column = f.size_column(BARE_SIZE)
            self.figures.add(bed.name, f"{f.ONE}: {f.MESSAGES}", name, column, rate)
            payload = rate * BARE_SIZE / 1e6
            self.figures.add(bed.name, f"{f.ONE}: {f.PAYLOAD}", name, column, payload)

    def _trips(self, bed, where):
        timing, throughput = self._timing, f"{f.ONE}: {f.MESSAGES}"
        column = f.size_column(LOAD_SIZE)
        stock = goals.best(self.figures, bed.name, throughput, column, goals.is_stock)
        for ring in self._left():
            name = ring.system.name
            own = self.figures.median(bed.name, throughput, name, column)
            loads = [(f.TRIP_LOADED, own)] if own and bed.nodes > 1 else []
            if loads and stock and not goals.is_stock(name):
                loads.append((f.TRIP_STOCK_LOAD, stock[0]))
            thought_s = timing.trips_s + len(loads) * (timing.loaded_s + LOADED_BETWEEN_S)
            self._progress.step(f"{where}{name}, round trips", thought_s + BETWEEN_S)
            with self._spared(ring), ring.thawed():
                trips_us = ring.trip_us(trips=timing.trips, seconds=timing.trips_s)
                self.figures.add_trip(bed.name, f.TRIP_IDLE, name, trips_us)
                for measure, rate in loads:
                    trips_us, reached = ring.loaded_trip_us(
                        LOAD_SIZE, rate / 2, timing.trips, timing.loaded_s
                    )
                    self.figures.add_trip(bed.name, measure, name, trips_us)
                    self.figures.add(bed.name, f.LOAD_REACHED, name, measure, reached)

    def _left(self):
        """Give the rings that still stand."""
        return [ring for ring in self._rings if ring not in self._lost]

    @contextlib.contextmanager
    def _spared(self, ring):
        """Leave a ring out of what follows when it fails; the others go on."""
        try:
            yield
        except (ClientError, AssertionError, OSError) as error:
            said = str(error) or traceback.format_exc()
            self.failures.append(f"{ring.system.name}: {said}")
            self._lost.add(ring)
            ring.close()


def thought_s(bed, timing):
    """Estimate how long a bed takes."""
    systems = len(bed.systems)
    flood_s = timing.warm_s + timing.flood_s + BETWEEN_S
    run_s = systems * (len(bed.sizes) + len(bed.all_sizes)) * flood_s
    if bed.bare and BARE_SIZE in bed.sizes:
        run_s += len(PORTS) * (timing.flood_s + BARE_BETWEEN_S)
    idle_s = 0.0
    if bed.full:
        ours = sum(not goals.is_stock(name) for name in bed.systems)
        run_s += systems * (timing.trips_s + BETWEEN_S)
        run_s += (systems + ours) * (timing.loaded_s + LOADED_BETWEEN_S)
        idle_s = SETTLE_S + timing.idle_s
    return BED_S + DAEMON_S * bed.nodes * systems + idle_s + timing.runs * run_s
