"""Paths, the exit status, and the words of the journal."""

import subprocess
import sys

import pytest
from twisted.logger import LogPublisher, formatEvent

from corosync_tw.config.schema_services import SystemConfig
from corosync_tw.corotypes import ConfChangeType, RingId
from corosync_tw.daemon.exitcodes import DaemonError
from corosync_tw.daemon.journal import Journal
from corosync_tw.daemon.settings import CommandLine, TlsSettings, resolve
from corosync_tw.daemon.troubles import Troubles
from corosync_tw.services.effects import QuorumChange, SyncDone, TotemConfchg
from corosync_tw.totem.effects import Trace
from corosync_tw.totem.trace import TraceCode


def test_defaults_are_stocks():
    settings = resolve(CommandLine(), SystemConfig(), {})
    assert settings.config_file == "/etc/corosync/corosync.conf"
    assert settings.state_dir == "/var/lib/corosync"
    assert settings.lock_file == "/run/corosync.pid"
    assert settings.pb_socket.startswith("/run/")


def test_command_line_wins_and_becomes_absolute(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)
    line = CommandLine("a.conf", "state", "run", "sock")
    system = SystemConfig(state_dir="/s", run_dir="/r", lines={"state_dir": 1, "run_dir": 2})
    environ = {"STATE_DIRECTORY": "/e", "COROSYNC_RUN_DIR": "/e"}
    settings = resolve(line, system, environ)
    assert settings.config_file == str(tmp_path / "a.conf")
    assert settings.state_dir == str(tmp_path / "state")
    assert settings.run_dir == str(tmp_path / "run")
    assert settings.pb_socket == str(tmp_path / "sock")


def test_file_wins_over_environment_and_environment_over_default():
    environ = {
        "STATE_DIRECTORY": "/env/state:/env/more",
        "COROSYNC_RUN_DIR": "/env/run",
        "COROSYNC_MAIN_CONFIG_FILE": "/env/conf",
    }
    given = SystemConfig(state_dir="/s", run_dir="/r", lines={"state_dir": 1, "run_dir": 2})
    assert resolve(CommandLine(), given, environ).state_dir == "/s"
    assert resolve(CommandLine(), given, environ).run_dir == "/r"
    settings = resolve(CommandLine(), SystemConfig(), environ)
    assert (settings.state_dir, settings.run_dir) == ("/env/state", "/env/run")
    assert settings.config_file == "/env/conf"


def test_tls_is_off_unless_asked_for():
    assert resolve(CommandLine(), SystemConfig(), {}).tls is None


@pytest.mark.parametrize(
    ("where", "address", "port"),
    [("5999", "", 5999), ("127.0.0.1:5999", "127.0.0.1", 5999), ("[::1]:5999", "::1", 5999)],
)
def test_tls_has_an_address_a_port_and_two_files(where, address, port):
    line = CommandLine(pb_tls=where, pb_certificate="/c.pem", pb_authority="/a.pem")
    tls = resolve(line, SystemConfig(), {}).tls
    assert tls == TlsSettings(address, port, "/c.pem", "/a.pem")


@pytest.mark.parametrize(
    "options",
    [
        {"pb_tls": "5999"},
        {"pb_tls": "5999", "pb_certificate": "c"},
        {"pb_certificate": "c", "pb_authority": "a"},
        {"pb_tls": "x", "pb_certificate": "c", "pb_authority": "a"},
        {"pb_tls": "70000", "pb_certificate": "c", "pb_authority": "a"},
    ],
)
def test_half_of_tls_is_refused(options):
    with pytest.raises(DaemonError, match="need all three"):
        resolve(CommandLine(**options), SystemConfig(), {})


ENDING = """
import atexit
from corosync_tw.daemon.ending import Ending
from corosync_tw.daemon.exitcodes import ExitCode
ending = Ending()
atexit.register(print, "never after us")
ending.because(ExitCode.STORE_RINGID)
ending.because(ExitCode.FATAL_ERR)
ending.settle()
print("text")
"""


def test_first_reason_is_the_exit_status():
    done = subprocess.run(
        [sys.executable, "-c", ENDING], capture_output=True, text=True, timeout=20, check=False
    )
    assert (done.returncode, done.stdout) == (21, "text\n")


@pytest.fixture
def journal():
    events = []
    journal = Journal(7, lambda: 0, publisher=LogPublisher(events.append))
    journal.lines = lambda: [f"{e['corosync_subsys']} {formatEvent(e)}" for e in events]
    return journal


def change(kind, members, left=(), joined=()):
    return TotemConfchg(kind, RingId(1, 8), members, left, joined)


def test_a_ring_is_told_in_stocks_words(journal):
    journal.name_members({2: ["10.0.0.2", "10.0.1.2"], 3: []}.__getitem__)
    journal.effect(change(ConfChangeType.TRANSITIONAL, (1,), left=(3,)))
    journal.effect(change(ConfChangeType.REGULAR, (1, 2), joined=(2,)))
    journal.effect(SyncDone(RingId(1, 8), (1, 2), safe_supported=True))
    journal.effect(QuorumChange(True, (1, 2), RingId(1, 8)))
    journal.effect(QuorumChange(True, (1, 2), RingId(1, 8)))
    journal.effect(QuorumChange(False, (1,), RingId(1, 12)))
    assert journal.lines() == [
        "MAIN Member left: no interface found for nodeid",
        "TOTEM waiting_trans_ack changed to 1",
        "MAIN Member joined: r(0) ip(10.0.0.2) r(1) ip(10.0.1.2) ",
        "QUORUM Sync members[2]: 1 2",
        "QUORUM Sync joined[1]: 2",
        "QUORUM Sync left[1]: 3",
        "TOTEM A new membership (1.8) was formed. Members joined: 2 left: 3",
        "MAIN Completed service synchronization, ready to provide service.",
        "TOTEM waiting_trans_ack changed to 0",
        "QUORUM This node is within the primary component and will provide service.",
        "QUORUM Members[2]: 1 2",
        "QUORUM Members[2]: 1 2",
        "QUORUM This node is within the non-primary component and will NOT provide any services.",
        "QUORUM Members[1]: 1",
    ]


def test_neighbours_cannot_flood_the_log(journal):
    for _ in range(1000):
        journal.effect(Trace(TraceCode.NODEID_IN_USE, (3,)))
    warnings = [line for line in journal.lines() if "Another node uses our node id 7" in line]
    assert len(warnings) == 1


def test_unknown_traces_are_printed(journal):
    journal.effect(Trace(9999, (1,)))
    assert journal.lines() == ["TOTEM trace 9999 (1,)"]


def test_troubles_are_limited_and_counted():
    lines = []
    now = [0]
    troubles = Troubles(lines.append, lambda: now[0], interval_ns=10)
    troubles.add("a", "first")
    troubles.add("a", "second", 5)
    troubles.add("b", "other", 3)
    now[0] = 9
    troubles.add("a", "third")
    now[0] = 10
    troubles.add("a", "fourth")
    assert lines == ["first", "other (2 more like it)", "fourth (6 more like it)"]
