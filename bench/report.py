"""Figures as a table for people and as JSON for programs, with the machine they were taken on."""

import json
import os
import platform
import statistics
import subprocess
import time
from pathlib import Path

RESULTS = Path(__file__).resolve().parent / "results"


def machine():
    """Describe what the figures depend on."""
    cpu = ""
    cpuinfo = Path("/proc/cpuinfo")
    if cpuinfo.exists():
        lines = cpuinfo.read_text().splitlines()
        cpu = next((x.partition(":")[2].strip() for x in lines if x.startswith("model name")), "")
    return {
        "cpu": cpu,
        "cores": os.cpu_count(),
        "kernel": platform.release(),
        "python": platform.python_version(),
        "corosync": _first_line(["corosync", "-v"]),
        "commit": _first_line(["git", "describe", "--always", "--dirty"]),
        "load_before": os.getloadavg()[0],
    }


def _first_line(command):
    try:
        text = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""
    return text.partition("\n")[0]


class Figures:
    """Measurements by name; every name may be measured many times."""

    def __init__(self):
        self._values = {}
        self._units = {}

    def add(self, section, row, column, value, unit):
        """Take one measurement."""
        self._values.setdefault((section, row, column), []).append(value)
        self._units[section] = unit

    def table(self):
        """Give a text table a section: median [min-max]."""
        parts = []
        for section, unit in self._units.items():
            cells = {(r, c): v for (s, r, c), v in self._values.items() if s == section}
            rows, columns = _unique(r for r, _ in cells), _unique(c for _, c in cells)
            lines = [["", *columns]]
            lines += [[r, *(_cell(cells.get((r, c), [])) for c in columns)] for r in rows]
            widths = [max(len(line[i]) for line in lines) for i in range(len(columns) + 1)]
            parts.append(f"{section} ({unit})")
            for line in lines:
                first = line[0].ljust(widths[0])
                rest = (x.rjust(w) for x, w in zip(line[1:], widths[1:], strict=True))
                parts.append("  ".join([f"  {first}", *rest]))
            parts.append("")
        return "\n".join(parts)

    def save(self, about):
        """Write JSON beside the table; give the path of the former."""
        RESULTS.mkdir(exist_ok=True)
        path = RESULTS / f"{time.strftime('%Y-%m-%d-%H%M', time.gmtime())}.json"
        rows = [
            {"section": s, "row": r, "column": c, "unit": self._units[s], "values": v}
            for (s, r, c), v in self._values.items()
        ]
        path.write_text(json.dumps({"machine": about, "figures": rows}, indent=1) + "\n")
        text = "".join(f"{name}: {value}\n" for name, value in about.items())
        path.with_suffix(".txt").write_text(f"{text}\n{self.table()}")
        return path


def _unique(names):
    return list(dict.fromkeys(names))


def _cell(values):
    if not values:
        return "-"
    middle = statistics.median(values)
    if len(values) == 1:
        return _short(middle)
    return f"{_short(middle)} [{_short(min(values))}-{_short(max(values))}]"


def _short(value):
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.3g}"
