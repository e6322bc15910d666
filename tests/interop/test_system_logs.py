"""Lines for the system log, as systemd's journal and as the C library's syslog have them."""

import json
import re
import sys
from pathlib import Path

import pytest

from tests.interop.netbed import NetBed, require, wait_until

pytestmark = pytest.mark.interop

ROOT = Path(__file__).resolve().parents[2]
JOURNALD = "/lib/systemd/systemd-journald"
WITHIN_S = 60.0
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
    socket = "/run/systemd/journal/socket"
    wait_until(
        "the journal",
        lambda: machine.run("test", "-S", socket, check=False).returncode == 0,
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
