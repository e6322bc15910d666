"""Counters that should stand still."""

import pytest
from twisted.internet.task import Clock

from corosync_tw.daemon.troubles import Troubles
from corosync_tw.daemon.watch import WATCH_INTERVAL_S, Watch
from corosync_tw.net.stats import TransportStats
from corosync_tw.totem.stats import SrpStats


class Bed:
    """A watch over counters that a test turns."""

    def __init__(self):
        self.clock = Clock()
        self.lines = []
        self.srp, self.transport = SrpStats(), TransportStats()
        troubles = Troubles(self.lines.append, lambda: int(self.clock.seconds() * 1e9))
        self.watch = Watch(self.clock, troubles, self.srp, self.transport)
        self.watch.start()

    def look(self):
        self.clock.advance(WATCH_INTERVAL_S)


def test_quiet_counters_are_not_worth_a_word():
    bed = Bed()
    bed.look()
    assert bed.lines == []


@pytest.mark.parametrize(
    ("counter", "remedy"),
    [
        ("rx_rejected", "compare nodelist"),
        ("rx_truncated", "compare totem.netmtu"),
        ("tx_dropped", "lower totem.window_size"),
        ("tx_errors", "check totem.netmtu"),
    ],
)
def test_growth_is_told_once_with_remedy(counter, remedy):
    bed = Bed()
    setattr(bed.transport, counter, 3)
    bed.look()
    bed.look()
    (line,) = bed.lines
    assert remedy in line
    assert line.endswith("(2 more like it)")


def test_a_ring_that_never_forms_names_the_firewall():
    bed = Bed()
    bed.srp.continuous_gather = 4
    bed.look()
    bed.look()
    (line,) = bed.lines
    assert "the local firewall is configured improperly" in line


def test_stopped_watch_looks_no_more():
    bed = Bed()
    bed.watch.stop()
    bed.watch.stop()
    assert bed.clock.getDelayedCalls() == []
