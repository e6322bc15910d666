"""Measurements by name, their medians, and the files they are kept in."""

import json
import os
import platform
import statistics
import subprocess
import time
from pathlib import Path
from typing import NamedTuple

from corosync_tw.kernels import choice

RESULTS = Path(__file__).resolve().parent / "results"
FORMAT = 2
# Measured as root, in a user's checkout.
GIT = ("git", "-c", "safe.directory=*")

ONE, ALL_NODES = "one sender", "all nodes send"
MESSAGES, PAYLOAD = "messages", "payload"
DAEMONS_GB, DAEMONS_MILLION = "daemons' CPU per GB", "daemons' CPU per million messages"
CLIENTS_GB, CLIENTS_MILLION = "clients' CPU per GB", "clients' CPU per million messages"
ROTATIONS, RETRANSMITS = "token rotations", "retransmitted frames"
TRIP_IDLE, TRIP_LOADED = (
    "round trip of 64 B, idle",
    "round trip of 64 B, at half the own throughput",
)
TRIP_STOCK_LOAD = "round trip of 64 B, at half of stock's throughput"
LOAD_REACHED = "paced load"
BEFORE_CUT, DURING_CUT = "messages before a network is cut", "messages while it is cut"
RECORD = "a record"
RECORDS_PER_S, RECORDING = "records of a node", "writing them, of a core"
IDLE, MEMORY = "idle CPU per node", "peak memory of a node under load"

# Unit, and whether more is better; None: it only explains.
_FLOOD_MEASURES = {
    MESSAGES: ("messages/s", True),
    PAYLOAD: ("MB/s", True),
    DAEMONS_GB: ("s/GB", False),
    DAEMONS_MILLION: ("s/million", False),
    CLIENTS_GB: ("s/GB", False),
    CLIENTS_MILLION: ("s/million", False),
    ROTATIONS: ("1/s", None),
    RETRANSMITS: ("of 1000", False),
}
MEASURES = {
    f"{senders}: {measure}": about
    for senders in (ONE, ALL_NODES)
    for measure, about in _FLOOD_MEASURES.items()
} | {
    TRIP_IDLE: ("us", False),
    TRIP_LOADED: ("us", False),
    TRIP_STOCK_LOAD: ("us", False),
    LOAD_REACHED: ("messages/s", None),
    BEFORE_CUT: ("messages/s", True),
    DURING_CUT: ("messages/s", True),
    RECORD: ("ns of CPU", False),
    RECORDS_PER_S: ("1/s", None),
    RECORDING: ("%", False),
    IDLE: ("% of a core", False),
    MEMORY: ("MB RSS", False),
    "messages through the core alone": ("messages/s", True),
    "connections made and closed": ("1/s", True),
    "10000 keys and values listed": ("ms", False),
    "simulator's speed": ("x real time", True),
}


class Key(NamedTuple):
    """
    The name of a figure.

    :ivar column: a size, a percentile, or empty.
    """

    bed: str
    measure: str
    system: str
    column: str


def size_column(size):
    """Name the column of a size."""
    return f"{size} B"


def unit(measure):
    """Of the measure's figures."""
    return MEASURES[measure][0]


class Figures:
    """What was measured; every figure may be measured many times."""

    def __init__(self):
        self.values = {}

    def add(self, bed, measure, system, column, value):
        """Take one measurement."""
        assert measure in MEASURES, measure
        self.values.setdefault(Key(bed, measure, system, column), []).append(value)

    def add_flood(self, bed, senders, system, size, flood):
        """Take what one flood showed, per message and per byte."""
        per_gb = 1e3 / size
        figures = {
            MESSAGES: flood.messages_per_s,
            PAYLOAD: flood.messages_per_s * size / 1e6,
            DAEMONS_GB: flood.daemon_s * per_gb,
            DAEMONS_MILLION: flood.daemon_s,
            CLIENTS_GB: flood.client_s * per_gb,
            CLIENTS_MILLION: flood.client_s,
            ROTATIONS: flood.rotations_per_s,
            RETRANSMITS: flood.retransmits,
        }
        for measure, value in figures.items():
            self.add(bed, f"{senders}: {measure}", system, size_column(size), value)

    def add_trip(self, bed, measure, system, trips_us):
        """Take the percentiles of round trips."""
        for column, value in zip(("p50", "p99", "p99.9"), trips_us, strict=True):
            self.add(bed, measure, system, column, value)

    def median(self, bed, measure, system, column=""):
        """Give the middle of a figure's measurements; None when there is none."""
        values = self.values.get(Key(bed, measure, system, column))
        return statistics.median(values) if values else None

    def names(self, place, **fixed):
        """List the names in one place of the keys, as they came, of those that match."""
        keys = (k for k in self.values if all(getattr(k, p) == v for p, v in fixed.items()))
        return list(dict.fromkeys(getattr(key, place) for key in keys))


def machine():
    """Describe what the figures depend on."""
    return {
        "cpu": _field("/proc/cpuinfo", "model name"),
        "cores": os.cpu_count(),
        "memory": _field("/proc/meminfo", "MemTotal"),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "kernels": choice.description(),
        "corosync": _first_line(["corosync", "-v"]),
        "commit": _first_line([*GIT, "describe", "--always", "--dirty"]),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _field(path, name):
    lines = Path(path).read_text().splitlines() if Path(path).exists() else []
    return next((x.partition(":")[2].strip() for x in lines if x.startswith(name)), "")


def _first_line(command):
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""
    return text.partition("\n")[0]


def save(figures, about, directory=RESULTS):
    """Write the figures as JSON; give the path, whose name is the time."""
    directory.mkdir(exist_ok=True)
    path = directory / f"{time.strftime('%Y-%m-%d-%H%M', time.gmtime())}.json"
    rows = [
        {**key._asdict(), "unit": unit(key.measure), "values": [_rounded(v) for v in values]}
        for key, values in figures.values.items()
    ]
    lines = ",\n".join(json.dumps(row) for row in rows)
    head = json.dumps({"format": FORMAT, **about}, indent=1).removesuffix("\n}")
    path.write_text(f'{head},\n "figures": [\n{lines}\n]}}\n')
    return path


def _rounded(value):
    return float(f"{value:.6g}")


def load(path):
    """Read a result: its figures and what it says about itself."""
    content = json.loads(Path(path).read_text())
    if content.get("format") != FORMAT:
        raise ValueError(f"{path} is not of format {FORMAT}")
    figures = Figures()
    for row in content.pop("figures"):
        key = Key(row["bed"], row["measure"], row["system"], row["column"])
        figures.values[key] = row["values"]
    return figures, content


def last_kept(directory=RESULTS):
    """Find the newest result that can be read; None: there is none."""
    for path in sorted(directory.glob("*.json"), reverse=True):
        if json.loads(path.read_text()).get("format") == FORMAT:
            return path
    return None
