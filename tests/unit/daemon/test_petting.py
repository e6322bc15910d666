"""The service manager's watchdog: petted while the ring makes progress, and not otherwise."""

import socket

import pytest
from twisted.internet.task import Clock

from corosync_tw.corotypes import NS_PER_MS, NS_PER_S
from corosync_tw.daemon import notify
from corosync_tw.daemon.petting import Petting, ring_progress
from corosync_tw.totem.stats import SrpStats
from tests.unit.services.memory_ring import MemoryRing


class Ring:
    """A ring that goes, or does not, and who looks after it."""

    def __init__(self, interval_s=30.0):
        self.clock = Clock()
        self.steps = 0
        self.disk_busy = False
        self.words = []
        self.petting = Petting(
            self.clock,
            interval_s,
            progress=lambda: self.steps,
            blocked=lambda: self.disk_busy,
            now_ns=lambda: int(self.clock.seconds() * NS_PER_S),
            silence_max_ns=lambda: 6 * NS_PER_S,
            say=self.words.append,
        )

    def run(self, seconds, *, goes):
        self.words.clear()
        for _ in range(seconds):
            self.steps += goes
            self.clock.advance(1)
        return len(self.words)


def test_a_ring_that_goes_is_petted_within_the_interval():
    ring = Ring()
    ring.petting.start()
    assert ring.words == ["WATCHDOG=1"]
    assert ring.run(60, goes=True) == 6


def test_a_ring_that_is_stuck_is_not_petted():
    ring = Ring()
    ring.petting.start()
    ring.run(60, goes=True)
    assert ring.run(120, goes=False) <= 1
    assert ring.run(30, goes=True) == 3


def test_a_ring_that_waits_for_its_disk_is_not_petted():
    ring = Ring()
    ring.petting.start()
    ring.run(30, goes=True)
    ring.disk_busy = True
    assert ring.run(120, goes=True) <= 1
    ring.disk_busy = False
    assert ring.run(30, goes=True) == 3


def test_counters_that_are_cleared_are_progress():
    ring = Ring()
    ring.petting.start()
    ring.run(30, goes=True)
    ring.steps = 0
    assert ring.run(10, goes=False) == 1


def test_nothing_is_said_when_nobody_asks():
    ring = Ring(interval_s=None)
    ring.petting.start()
    assert ring.run(60, goes=True) == 0
    assert ring.clock.getDelayedCalls() == []
    ring.petting.stop()


def test_it_stops():
    ring = Ring()
    ring.petting.start()
    ring.petting.stop()
    assert ring.clock.getDelayedCalls() == []
    ring.petting.stop()


@pytest.mark.parametrize("nodeids", [(1,), (1, 2, 3)])
def test_a_healthy_ring_makes_progress_in_each_token_timeout(nodeids):
    """Alone, with others, resting, and after the others are gone."""
    ring = MemoryRing(nodeids)
    ring.form()
    stack = ring.nodes[1]
    timeout_ms = stack.params.token_timeout_ns // NS_PER_MS
    for moment in range(6):
        if moment == 3:
            for nodeid in nodeids[1:]:
                ring.crash(nodeid)
        before = ring_progress(stack.srp.stats)
        ring.run_for(timeout_ms + 100)
        assert ring_progress(stack.srp.stats) > before


def test_what_others_send_is_no_progress():
    stats = SrpStats(orf_token_rx=5, memb_join_rx=6, mcast_rx=7, memb_merge_detect_rx=8)
    assert ring_progress(stats) == 0


class TestInterval:
    @pytest.mark.parametrize("environ", [{}, {"WATCHDOG_USEC": ""}, {"WATCHDOG_USEC": "0"}])
    def test_nobody_asks(self, environ):
        assert notify.watchdog_interval_s(environ, 77) is None

    @pytest.mark.parametrize("text", ["-1", "30s", "1e6"])
    def test_nonsense(self, text):
        assert notify.watchdog_interval_s({"WATCHDOG_USEC": text}, 77) is None

    def test_we_are_meant(self):
        environ = {"WATCHDOG_USEC": "30000000"}
        assert notify.watchdog_interval_s(environ, 77) == 30
        assert notify.watchdog_interval_s({**environ, "WATCHDOG_PID": "77"}, 77) == 30

    def test_another_process_is_meant(self):
        environ = {"WATCHDOG_USEC": "30000000", "WATCHDOG_PID": "76"}
        assert notify.watchdog_interval_s(environ, 77) is None


def test_the_words_on_a_real_socket(tmp_path, monkeypatch):
    name = str(tmp_path / "notify")
    clock, stats = Clock(), SrpStats()
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name)
        sock.setblocking(False)
        monkeypatch.setenv("NOTIFY_SOCKET", name)
        notify.notify_status("two\nlines")
        petting = Petting(
            clock,
            3.0,
            progress=lambda: ring_progress(stats),
            blocked=lambda: False,
            now_ns=lambda: int(clock.seconds() * NS_PER_S),
            silence_max_ns=lambda: 0,
        )
        petting.start()
        clock.advance(1)
        stats.orf_token_tx += 1
        clock.advance(1)
        petting.stop()
        assert sock.recv(100) == b"STATUS=two lines"
        assert [sock.recv(100) for _ in range(2)] == [b"WATCHDOG=1"] * 2
        with pytest.raises(BlockingIOError):
            sock.recv(100)
