"""Monitors, watchdogs and the status line on one node, as the daemon has them."""

import os
import socket

import pytest
from twisted.internet.task import Clock

from corosync_tw.daemon.upkeep import Upkeep
from corosync_tw.services.cmap.values import TypedValue
from tests.unit.services.memory_ring import MemoryRing


class Idle:
    """A driver whose disk is quick."""

    storing = False


@pytest.fixture
def manager(tmp_path, monkeypatch):
    """The service manager's end."""
    name = str(tmp_path / "notify")
    monkeypatch.setenv("NOTIFY_SOCKET", name)
    monkeypatch.setenv("WATCHDOG_USEC", "3000000")
    monkeypatch.setenv("WATCHDOG_PID", str(os.getpid()))
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind(name)
        sock.setblocking(False)
        yield sock


def heard(sock):
    words = []
    while True:
        try:
            words.append(sock.recv(4096).decode())
        except BlockingIOError:
            return words


def test_a_node_is_looked_after(tmp_path, manager):
    pipe = tmp_path / "dog"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    ring = MemoryRing((1,))
    stack, clock, lines = ring.nodes[1], Clock(), []
    store = stack.cmap.store
    store.set("resources.watchdog_device", TypedValue.string(str(pipe)))
    store.set("resources.system.memory_used.max", TypedValue.string("100"))
    upkeep = Upkeep(clock, stack, Idle(), lambda *line: lines.append(line))
    upkeep.start()
    assert heard(manager) == ["STATUS=Looking for other nodes", "WATCHDOG=1"]

    routes = upkeep.effect_handlers()
    done = 0
    for _ in range(10):
        ring.run_for(1000)
        for effect in ring.log[1][done:]:
            if type(effect) in routes:
                routes[type(effect)](effect)
        done = len(ring.log[1])
        clock.advance(1)
    words = heard(manager)
    assert words.count("WATCHDOG=1") >= 9

    assert any(word.endswith(", quorate, node 1 alone") for word in words)
    assert store.get("resources.system.memory_used.last_updated").value > 0
    assert lines[0] == ("info", f"Watchdog {pipe} is now being tickled by corosync.")
    assert os.read(reader, 100) == b"\0\0\0"
    upkeep.stop()
    assert os.read(reader, 100) == b"V"
    os.close(reader)
    assert clock.getDelayedCalls() == []
