"""Lines for the system log, as systemd's journal and as the C library's syslog have them, and a
daemon whose listeners come, go and stand still, and whose disk does not answer."""

import json
import os
import re
import socket
import sys
from pathlib import Path

import pytest

from tests.interop.netbed import NetBed, Process, require, wait_until
from tests.interop.nodes import Cluster

pytestmark = pytest.mark.interop

ROOT = Path(__file__).resolve().parents[2]
JOURNALD = "/lib/systemd/systemd-journald"
JOURNAL = "/run/systemd/journal/socket"
SYSLOG = "/dev/log"
WITHIN_S = 60.0
FORMED = "stats.srp.operational_entered"
LOST = "stats.corosync_tw.log.lines_lost"
COMMON = """
import time
from corosync_tw.logsys.format import LineFormat, Record
from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.settings import LogSettings
from corosync_tw.logsys.sinks import system_log_sink
sink = system_log_sink(LineFormat(LogSettings()), "local3")
def write(level, text):
    assert sink.write([Record(time.time(), level, "TOTEM", text, "ring.py:3", "form")]) == 0
"""
BESIDE_JOURNALD = """
write(Level.DEBUG, "hello \\u2714")
write(Level.ERROR, "bad")
"""
BESIDE_GLIBC = """
import os, socket, syslog
syslog.openlog("corosync", syslog.LOG_PID, syslog.LOG_LOCAL3)
for level, priority in ((Level.NOTICE, 5), (Level.DEBUG, 6), (Level.CRIT, 2)):
    write(level, "hello")
    syslog.syslog(priority, "  [TOTEM ] ring.py:form:3 hello")
    for _ in range(2):
        print(daemon.recv(4096).decode())
"""
LISTEN = """
import socket
daemon = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
daemon.bind("/dev/log")
"""


@pytest.fixture
def machine():
    with NetBed([1]) as bed:
        yield bed.machines[1]


def python(machine, *code):
    said = machine.run("env", f"PYTHONPATH={ROOT}", sys.executable, "-c", "".join(code))
    return said.stdout


def test_the_journal_finds_lines_by_their_fields(machine):
    require("journalctl")
    assert Path(JOURNALD).exists(), "systemd's journal is missing: `make deps` installs it"
    machine.run("mount", "-t", "tmpfs", "tmpfs", "/run")
    machine.run("mkdir", "-p", "/run/systemd/journal", "/run/log/journal")
    # It ends with the name space.
    machine.run("sh", "-c", f"{JOURNALD} >/run/journald.log 2>&1 &")
    wait_until(
        "the journal",
        lambda: machine.run("test", "-S", JOURNAL, check=False).returncode == 0,
        WITHIN_S,
    )
    python(machine, COMMON, BESIDE_JOURNALD)

    def found():
        command = ("journalctl", "-D", "/run/log/journal", "-o", "json", "COROSYNC_SUBSYSTEM=TOTEM")
        said = machine.run(*command, check=False).stdout
        return [json.loads(line) for line in said.splitlines() if line.startswith("{")]

    wait_until("both lines", lambda: len(found()) == 2, WITHIN_S)
    first, second = found()
    assert first["MESSAGE"] == "  [TOTEM ] ring.py:form:3 hello \u2714"
    assert (first["PRIORITY"], second["PRIORITY"]) == ("6", "3")
    assert (first["SYSLOG_IDENTIFIER"], first["SYSLOG_FACILITY"]) == ("corosync", "19")
    assert (first["CODE_FILE"], first["CODE_LINE"], first["CODE_FUNC"]) == ("ring.py", "3", "form")


def test_lines_of_syslog_are_the_c_librarys(machine):
    for directory in ("/run", "/dev"):
        machine.run("mount", "-t", "tmpfs", "tmpfs", directory)
    lines = python(machine, LISTEN, COMMON, BESIDE_GLIBC).splitlines()
    stamp = re.compile(r"\d\d:\d\d:\d\d")
    assert len(lines) == 6
    plain = [stamp.sub("", line) for line in lines]
    assert plain[::2] == plain[1::2]
    assert plain[0].startswith("<157>")


# A /dev in which a socket can be made without making it on this host.
OWN_DEV = """
mkdir /run/dev
mount -t tmpfs tmpfs /run/dev
for name in fuse full null random urandom zero; do
    touch /run/dev/$name
    mount --bind /dev/$name /run/dev/$name
done
mkdir /run/dev/shm
mount --bind /dev/shm /run/dev/shm
mount --rbind /run/dev /dev
mkdir -p /run/systemd/journal
"""
# A file system whose server never answers.
DEAD_DISK = """
import ctypes, os, sys
libc = ctypes.CDLL(None, use_errno=True)
server = os.open("/dev/fuse", os.O_RDWR)
options = f"fd={server},rootmode=40000,user_id=0,group_id=0".encode()
os.mkdir(sys.argv[1])
if libc.mount(b"dead", sys.argv[1].encode(), b"fuse", 0, options):
    raise OSError(ctypes.get_errno(), "mount")
print("mounted", flush=True)
sys.stdin.read()
"""
LOGGING = """    logger_subsys {
        subsys: TOTEM
        debug: trace
        to_stderr: no
    }
"""


class Listener:
    """Whoever reads a machine's system log: a socket in its file system."""

    def __init__(self, machine, path):
        self.path = f"/proc/{machine.pid}/root{path}"
        self.begin()

    def begin(self):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(self.path)
        self.socket.setblocking(False)

    def end(self):
        self.socket.close()
        os.unlink(self.path)

    def heard(self, words):
        """Read what is there; tell whether the words are in it."""
        found = False
        while True:
            try:
                found |= words in self.socket.recv(65536)
            except BlockingIOError:
                return found


@pytest.fixture
def ring(tmp_path):
    """Two nodes whose token's visits go to syslog and to the journal."""
    assert Path("/dev/fuse").exists(), "FUSE is missing: `modprobe fuse` brings it"
    require("corosync-cmapctl", "corosync-cfgtool", "corosync-quorumtool")
    with NetBed([1, 2]) as bed:
        for machine in bed.machines.values():
            machine.run("sh", "-ec", OWN_DEV)
        with Cluster(bed.machines, [], [1, 2], tmp_path, logging_extra=LOGGING) as ring:
            for node in ring.nodes.values():
                text = node.conf.read_text().replace("to_syslog: no", "to_syslog: yes")
                node.conf.write_text(text)
            yield ring


def stat(node, key):
    told = node.machine.run("corosync-cmapctl", "-m", "stats", "-g", key).stdout
    return int(told.rpartition("= ")[2])


def wait_for_losses(node):
    before = stat(node, LOST)
    wait_until("lost lines", lambda: stat(node, LOST) > before + 10, WITHIN_S)


def test_listeners_that_stand_still_go_and_come_back_cost_lines_and_no_membership(ring):
    nodes = list(ring.nodes.values())
    listeners = [Listener(nodes[0].machine, SYSLOG), Listener(nodes[1].machine, JOURNAL)]
    both = list(zip(nodes, listeners, strict=True))
    ring.start()
    ring.wait_quorate(timeout_s=WITHIN_S)
    formed = [stat(node, FORMED) for node in nodes]
    for node, listener in both:
        wait_until("lines", lambda one=listener: one.heard(b"Received token seq"), WITHIN_S)
        wait_for_losses(node)
        told = re.compile("Log messages are lost at syslog daemon: /.* takes no more[.]")
        wait_until("a word", lambda one=node, told=told: told.search(one.log_text()), WITHIN_S)
        # It reads on, and hears of the loss.
        wait_until("the loss", lambda one=listener: one.heard(b"messages lost: "), WITHIN_S)
        listener.end()
        wait_for_losses(node)
        listener.begin()
        wait_until("the loss", lambda one=listener: one.heard(b"messages lost: "), WITHIN_S)
        wait_until("lines again", lambda one=listener: one.heard(b"Received token seq"), WITHIN_S)
    assert [stat(node, FORMED) for node in nodes] == formed
    assert all(sorted(node.quorate_members()) == [1, 2] for node in nodes)


def test_a_disk_that_does_not_answer_is_refused_by_name_and_holds_up_nobody(ring):
    node, other = ring.nodes.values()
    good = node.conf.read_text()
    ring.start()
    ring.wait_quorate(timeout_s=WITHIN_S)
    formed = stat(node, FORMED)
    server = Process(
        node.machine,
        [sys.executable, "-c", DEAD_DISK, "/run/dead"],
        node.workdir / "disk.log",
        node.workdir,
    )
    said = node.workdir / "disk.log"
    wait_until("a dead disk", lambda: "mounted" in said.read_text(), WITHIN_S)
    wanted = "logging {\n    to_logfile: yes\n    logfile: /run/dead/x.log\n"
    bad = good.replace("token: 1000", "token: 1500").replace("logging {\n", wanted)
    node.conf.write_text(bad)
    refused = node.machine.run("corosync-cfgtool", "-R", check=False)
    assert refused.returncode != 0
    line_no = bad.splitlines().index("    logfile: /run/dead/x.log") + 1
    fault = (
        f"{node.conf}:{line_no}: logging.logfile: Can't open logfile '/run/dead/x.log' for reason:"
        " it does not open within 2 s, see to its file system, or name a file of a local disk"
    )
    assert f"Unable to reload config file: {fault}" in node.log_text()
    shown = node.machine.run("corosync-cmapctl", "-g", "runtime.config.totem.token").stdout
    assert shown.endswith("= 1000\n")
    assert "not scheduled" not in node.log_text()
    assert stat(node, FORMED) == formed
    assert sorted(other.quorate_members()) == [1, 2]
    # A start says the same, and its end waits for nobody either.
    assert node.leave() == 0
    node.start()
    assert node.running.wait(WITHIN_S) == 7
    assert f"parse error in config: {fault}" in node.log_text()
    server.kill()
