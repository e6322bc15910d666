"""
Measures what the mon service asks for, from /proc.

Source: Corosync exec/mon.c percent_mem_used_get, min15_loadavg_get; libstatgrab memory_stats.c,
which counts the page cache as free.
"""

import re
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from corosync_tw.services.mon.effects import SampleWanted
from corosync_tw.services.mon.engine import MonEngine

PROC: Final = Path("/proc")
_FIELD: Final = re.compile(r"^(\w+):\s+(\d+) kB$", re.MULTILINE)


def memory_used_percent(meminfo: str) -> int:
    """
    Tell how much of memory and swap is used, from the text of /proc/meminfo.

    :return: percent, rounded down; -1 when the text does not say it.
    """
    kib = {name: int(number) for name, number in _FIELD.findall(meminfo)}
    total = kib.get("MemTotal", 0) + kib.get("SwapTotal", 0)
    if not total:
        return -1
    free = kib.get("MemFree", 0) + kib.get("Cached", 0) + kib.get("SwapFree", 0)
    return (total - free) * 100 // total


def load_15min(loadavg: str) -> float:
    """Give the load of 15 minutes from the text of /proc/loadavg; -1 when it does not say it."""
    fields = loadavg.split()
    try:
        return float(fields[2])
    except (IndexError, ValueError):
        return -1.0


_SAMPLES: Final[Mapping[str, tuple[str, Callable[[str], float]]]] = {
    "memory_used": ("meminfo", memory_used_percent),
    "load_15min": ("loadavg", load_15min),
}


class Monitors:
    """
    Answers the mon engine.

    :param now_ns: monotonic clock.
    :param proc: where the files are.
    """

    def __init__(self, engine: MonEngine, now_ns: Callable[[], int], proc: Path = PROC) -> None:
        self._engine = engine
        self._now_ns = now_ns
        self._proc = proc

    def effect_handlers(self) -> Mapping[type, Callable[[object], None]]:
        """Name the effects that are answered here."""
        return {SampleWanted: self._on_sample_wanted}

    def _on_sample_wanted(self, effect: object) -> None:
        assert isinstance(effect, SampleWanted)
        file, measure = _SAMPLES[effect.resource]
        try:
            value = measure((self._proc / file).read_text())
        except OSError:
            value = -1
        self._engine.sampled(effect.resource, value, self._now_ns())
