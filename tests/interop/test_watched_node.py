"""A node under a service manager and over a watchdog, a pipe that records what is written to it."""

import os
import re
import socket
import tempfile
import time
from pathlib import Path

import pytest

from tests.interop.netbed import NetBed, Process, wait_until
from tests.interop.nodes import Cluster

pytestmark = pytest.mark.interop
PATIENCE_S = 20.0
WATCHDOG_S = 2
RESOURCES = """
resources {
    watchdog_device: %s
    watchdog_timeout: 2
    system {
        memory_used {
            max: 100
            poll_period: 500
        }
    }
}
"""
PROCESS = "resources.process.77."


class Watched:
    """The node, what it says, and what its watchdog is fed."""

    def __init__(self, bed, directory, short):
        self.machine = bed.machines[1]
        self.cluster = Cluster(bed.machines, [], [1], directory, token_ms=1000)
        self.node = self.cluster.nodes[1]
        pipe = directory / "dog"
        os.mkfifo(pipe)
        self.dog = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
        self.node.conf.write_text(self.node.conf.read_text() + RESOURCES % pipe)
        # A path of pytest's would be too long for a socket.
        name = str(Path(short) / "notify")
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.sock.bind(name)
        self.sock.setblocking(False)
        self.words = []
        environment = {"NOTIFY_SOCKET": name, "WATCHDOG_USEC": str(WATCHDOG_S * 1_000_000)}
        self.node.process = Process(
            self.machine, self.node.argv(), self.node.log, self.node.workdir, environment
        )

    def close(self):
        self.node.running.kill()
        self.sock.close()
        os.close(self.dog)

    def said(self, word):
        """Count a word so far."""
        while True:
            try:
                self.words.append(self.sock.recv(4096).decode())
            except BlockingIOError:
                return self.words.count(word)

    def fed(self):
        try:
            return os.read(self.dog, 4096)
        except BlockingIOError:
            return b""

    def keys(self):
        text = self.machine.run("corosync-cmapctl", "resources.").stdout
        return dict(re.findall(r"^(\S+) \(\w+\) = (.*)$", text, re.MULTILINE))

    def set(self, key, kind, value):
        self.machine.run("corosync-cmapctl", "-s", PROCESS + key, kind, value)

    def logged(self, text):
        wait_until(f"{text!r} in the log", lambda: text in self.node.log_text(), PATIENCE_S)


@pytest.fixture(scope="module")
def watched(tmp_path_factory):
    with NetBed([1]) as bed, tempfile.TemporaryDirectory() as short:
        node = Watched(bed, tmp_path_factory.mktemp("watched"), short)
        try:
            wait_until("READY", lambda: node.said("READY=1"), PATIENCE_S)
            yield node
        finally:
            node.close()


def test_the_first_ring_is_told(watched):
    watched.said("")
    assert watched.words.index("STATUS=Looking for other nodes") < watched.words.index("READY=1")
    quorate = re.compile(r"STATUS=Ring 1\.\w+, quorate, node 1 alone")
    assert any(map(quorate.fullmatch, watched.words))


def test_memory_is_monitored(watched):
    memory = "resources.system.memory_used."
    before = watched.keys()
    assert before[memory + "state"] == "running"
    assert 0 <= int(before[memory + "current"]) <= 100
    updated = int(before[memory + "last_updated"])
    wait_until(
        "a new value", lambda: int(watched.keys()[memory + "last_updated"]) > updated, PATIENCE_S
    )


def test_a_frozen_daemon_pets_and_feeds_nobody(watched):
    before = watched.said("WATCHDOG=1")
    wait_until("petting", lambda: watched.said("WATCHDOG=1") > before, PATIENCE_S)
    wait_until("tickling", watched.fed, PATIENCE_S)
    watched.node.freeze()
    try:
        time.sleep(0.2)
        before = watched.said("WATCHDOG=1")
        watched.fed()
        time.sleep(2 * WATCHDOG_S)
        assert watched.said("WATCHDOG=1") == before
        assert watched.fed() == b""
    finally:
        watched.node.thaw()
    wait_until("petting again", lambda: watched.said("WATCHDOG=1") > before, PATIENCE_S)
    assert watched.node.running.exit_status is None


def test_a_process_that_fell_silent_starves_the_dog(watched):
    watched.set("recovery", "str", "watchdog")
    watched.set("poll_period", "u64", "500")
    watched.set("last_updated", "u64", "1")
    watched.set("state", "str", "running")
    watched.set("state", "str", "at work")
    watched.logged('[WD    ] watchdog resource "77" failed!')
    watched.logged("[WD    ] NOT tickling the watchdog!")
    watched.fed()
    time.sleep(WATCHDOG_S)
    assert watched.fed() == b""


def test_the_stock_tool_shuts_it_down_and_the_dog_is_disarmed(watched):
    outcome = watched.machine.run("corosync-cfgtool", "-H")
    assert outcome.stdout == "Shutting down corosync\n"
    assert watched.node.running.wait(PATIENCE_S) == 0
    watched.logged("Node 1 was shut down by sysadmin")
    watched.logged("magically closing the watchdog.")
    assert watched.fed() == b"V"
    assert watched.said("STOPPING=1") == 1
