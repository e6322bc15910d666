"""What is read from /proc for the monitors."""

import pytest

from corosync_tw.daemon.monitors import Monitors, load_15min, memory_used_percent
from corosync_tw.services.mon.effects import SampleWanted

MEMINFO = """MemTotal:       24684096 kB
MemFree:        23657844 kB
MemAvailable:   23895584 kB
Buffers:            4656 kB
Cached:           460940 kB
SwapCached:            0 kB
SwapTotal:             0 kB
SwapFree:              0 kB
HugePages_Total:       0
"""


class Engine:
    def __init__(self):
        self.samples = []

    def sampled(self, name, value, now_ns):
        self.samples.append((name, value, now_ns))


def test_memory_as_stock_showed_it_at_that_moment():
    assert memory_used_percent(MEMINFO) == 2


def test_swap_counts_as_memory():
    text = "MemTotal: 100 kB\nMemFree: 20 kB\nCached: 30 kB\nSwapTotal: 100 kB\nSwapFree: 50 kB\n"
    assert memory_used_percent(text) == 50


@pytest.mark.parametrize("text", ["", "MemTotal: 0 kB\n", "nonsense"])
def test_no_memory(text):
    assert memory_used_percent(text) == -1


def test_load():
    assert load_15min("1.70 0.90 0.66 2/141 7765\n") == 0.66
    assert load_15min("") == load_15min("a b c") == -1


def test_the_engine_is_answered(tmp_path):
    engine = Engine()
    monitors = Monitors(engine, lambda: 5, tmp_path)
    handler = monitors.effect_handlers()[SampleWanted]
    handler(SampleWanted("memory_used"))
    (tmp_path / "loadavg").write_text("0.1 0.2 0.3 1/1 1")
    handler(SampleWanted("load_15min"))
    assert engine.samples == [("memory_used", -1, 5), ("load_15min", 0.3, 5)]


def test_this_machine(tmp_path):
    engine = Engine()
    handler = Monitors(engine, lambda: 1).effect_handlers()[SampleWanted]
    for name in ("memory_used", "load_15min"):
        handler(SampleWanted(name))
    assert all(value >= 0 for _, value, _ in engine.samples)
