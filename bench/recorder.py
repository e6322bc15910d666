"""
``make bench ARGS='--parts recorder'``: what one record costs, and all of them at full load.

Nanoseconds of processor time a record, of what a node records most: a visit of the token, a time
and four integers. Ours writes numbers; a logger writes a line of text, and libqb's blackbox the
format and its arguments. "All in all" is ours with what the node does for it from the ring's trace
on. Then rings of three nodes with the recorder and without it are flooded by turns; the share of a
core is the number of records at that load by what one costs all in all.
"""

import logging
import mmap
import subprocess
import tempfile
import time
import timeit
from functools import partial
from importlib import import_module
from pathlib import Path
from types import SimpleNamespace

from twisted.internet.task import Clock
from twisted.logger import Logger, LogPublisher, textFileLogObserver

from bench import figures as f
from bench.asked import CLIENTS, ClientError
from bench.ring import standing
from corosync_tw.daemon.journal import Journal
from corosync_tw.logsys.flight.events import TRACES
from corosync_tw.logsys.flight.keeping import live_path
from corosync_tw.logsys.flight.layout import SLOTS, Lane
from corosync_tw.logsys.flight.reading import Recording
from corosync_tw.logsys.levels import Level
from corosync_tw.net.driver import Driver
from corosync_tw.totem.effects import Trace
from corosync_tw.totem.trace import TraceCode
from tests.interop.nodes import built

BED = "one process"
LOAD_BED = "3 nodes, recorder"
ALL_IN_ALL = "ours compiled, all in all"
RECORDED, UNRECORDED = "ours udpu", "ours udpu, no recorder"
SIZES = (64, 1600, 40_000)
# Records of one round; loggers are slower.
RECORDS, LINES = 400_000, 4_000
ROUNDS = 5
STAND_S = 8.0
VISIT = TRACES + TraceCode.TOKEN_RECEIVED
_TEXT = "token %x is here: seq %x aru %x fcc %d"
_TWISTED_TEXT = "token {token_seq:x} is here: seq {seq:x} aru {aru:x} fcc {fcc}"


def measure_recorder(figures, timing, progress):
    """Measure both."""
    rounds = max(timing.runs, ROUNDS)
    with tempfile.TemporaryDirectory(prefix="corosync-tw-bench-") as directory:
        progress.step("a record: libqb's blackbox", 1.0)
        for cost_ns in _libqb(directory, rounds):
            figures.add(BED, f.RECORD, "libqb blackbox, C", "", cost_ns)
        for _ in range(rounds):
            for name, make in WRITERS.items():
                progress.step(f"a record: {name}", 0.3)
                figures.add(BED, f.RECORD, name, "", make(directory))
    _load(figures, timing, progress)


def _cost_ns(statement, names, records):
    """Time a statement, the loop around it with it."""
    took_s = timeit.timeit(statement, globals=names, timer=time.process_time, number=records)
    return took_s / records * 1e9


def _ours(twin, directory):
    """Of a kernel, on a mapped file."""
    path = Path(directory) / "ring"
    length = SLOTS[Lane.VISITS] * 64
    with path.open("w+b") as file:
        file.truncate(length)
        mapped = mmap.mmap(file.fileno(), length, flags=mmap.MAP_SHARED)
    kernel = import_module(f"corosync_tw.kernels.{twin}.recording")
    put = kernel.lane_writer(memoryview(mapped), Lane.VISITS, 1, time.monotonic_ns).put
    names = {"put": put, "code": VISIT}
    return _cost_ns("put(code, 4711, 4712, 4713, 17)", names, RECORDS)


def _logging(directory):
    """Of Python's logging with a time, to a file."""
    logger = logging.getLogger("bench.recorder")
    logger.setLevel(logging.INFO)
    logger.propagate = False
    handler = logging.FileHandler(Path(directory) / "logging.log", "w")
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger.addHandler(handler)
    names = {"info": logger.info, "text": _TEXT}
    cost_ns = _cost_ns("info(text, 4711, 4712, 4713, 17)", names, LINES)
    logger.removeHandler(handler)
    handler.close()
    return cost_ns


def _twisted(directory):
    """Of twisted.logger, to a file."""
    with (Path(directory) / "twisted.log").open("w", encoding="utf-8") as file:
        logger = Logger("bench", observer=textFileLogObserver(file))
        names = {"info": logger.info, "text": _TWISTED_TEXT}
        call = "info(text, token_seq=4711, seq=4712, aru=4713, fcc=17)"
        return _cost_ns(call, names, LINES)


def _all_in_all(directory):
    """Of a visit from the ring's trace on: through the driver and the journal to the file."""
    journal = Journal(1, time.monotonic_ns, publisher=LogPublisher())
    journal.totem.level_max = Level.DEBUG
    journal.flight.open(Clock(), directory, 1, lambda *_: None)
    nobody = SimpleNamespace(loop_paused=None, effects_emitted=None)
    driver = Driver(Clock(), None, None, None, nobody)
    driver.visited = journal.visit
    names = {"execute": driver._execute, "Trace": Trace, "code": TraceCode.TOKEN_RECEIVED}
    with_one = _cost_ns("execute([Trace(code, (4711, 4712, 4713, 17))])", names, RECORDS)
    journal.flight.end(0)
    return with_one - _cost_ns("execute([])", names, RECORDS)


WRITERS = {
    ALL_IN_ALL: _all_in_all,
    "ours compiled": partial(_ours, "compiled"),
    "ours plain": partial(_ours, "plain"),
    "Python logging to a file": _logging,
    "twisted.logger to a file": _twisted,
}


def _libqb(directory, rounds):
    argv = [str(built(CLIENTS / "blackbox_bench.c")), str(RECORDS), str(rounds), f"{directory}/bb"]
    outcome = subprocess.run(argv, capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise ClientError(f"blackbox_bench: {outcome.stderr}")
    # Behind the figures, libqb tells about the file.
    return [float(word) for word in outcome.stdout.split()[:rounds]]


def _load(figures, timing, progress):
    """Flood rings with the recorder and without, by turns."""
    record_ns = figures.median(BED, f.RECORD, ALL_IN_ALL)
    progress.step("3 nodes with a recorder and without: rings form", STAND_S)
    with standing([RECORDED, UNRECORDED], 3) as rings:
        for ring in rings:
            ring.freeze()
        for run in range(max(timing.runs, ROUNDS)):
            for size in SIZES:
                # The one that begins is another one each time.
                turn = rings if run % 2 else rings[::-1]
                progress.step(f"recorder, run {run + 1}: {size} B", _both_s(timing))
                _flood_both(figures, timing, turn, size, record_ns)


def _flood_both(figures, timing, rings, size, record_ns):
    column = f.size_column(size)
    for ring in rings:
        with ring.thawed():
            before, began = _records(ring), time.monotonic()
            flood = ring.flood(size, 2 * timing.flood_s, timing.warm_s)
            per_s = (_records(ring) - before) / (time.monotonic() - began)
        name = ring.system.name
        if flood is None:
            return
        figures.add(LOAD_BED, f"{f.ONE}: {f.MESSAGES}", name, column, flood.messages_per_s)
        figures.add(LOAD_BED, f"{f.ONE}: {f.DAEMONS_MILLION}", name, column, flood.daemon_s)
        if name == RECORDED:
            figures.add(LOAD_BED, f.RECORDS_PER_S, name, column, per_s)
            figures.add(LOAD_BED, f.RECORDING, name, column, per_s * record_ns / 1e9 * 100)


def _records(ring):
    """Count the slots that node 1 wrote so far; none without a recorder."""
    path = live_path(str(ring.state_dir(1)), 1)
    return sum(Recording.open(path).written().values()) if Path(path).exists() else 0


def _both_s(timing):
    """Tell about how long the floods of both rings take."""
    return 4 * timing.flood_s + 1.0


def cost_s(timing):
    """Tell about how long it takes."""
    rounds = max(timing.runs, ROUNDS)
    floods = rounds * len(SIZES) * _both_s(timing)
    return 1.0 + rounds * len(WRITERS) * 0.3 + STAND_S + floods
