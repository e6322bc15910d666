"""Directories, lock, signals, notification, scheduling: the parts that touch the system."""

import errno
import os
import signal
import socket
import subprocess
import sys

import pytest

from corosync_tw.daemon import directories, scheduling
from corosync_tw.daemon.exitcodes import DaemonError, ExitCode
from corosync_tw.daemon.lockfile import LockFile
from corosync_tw.daemon.notify import notify
from corosync_tw.daemon.signals import EXIT_SIGNALS, install


def test_exit_codes_are_stocks():
    assert {code.name: code.value for code in ExitCode} == {
        "EXIT": 0,
        "FORK": 4,
        "LOGCONFIGREAD": 7,
        "MAINCONFIGREAD": 8,
        "LOGSETUP": 9,
        "ICMAP": 12,
        "INIT_SERVICES": 13,
        "FATAL_ERR": 15,
        "DIR_NOT_PRESENT": 16,
        "ACQUIRE_LOCK": 17,
        "ALREADY_RUNNING": 18,
        "STD_TO_NULL_REDIR": 19,
        "SERVICE_ENGINE_INIT": 20,
        "STORE_RINGID": 21,
        "STATS": 22,
        "PLOAD": 99,
        "KILLED": 255,
    }


def test_missing_directory_is_made_private(tmp_path):
    path = tmp_path / "a" / "b"
    directories.prepare_directory(str(path), 0o750, "state", "--state-dir")
    assert path.is_dir()
    assert path.stat().st_mode & 0o777 == 0o750
    assert list(path.iterdir()) == []


def test_unusable_directory_is_explained(tmp_path):
    blocker = tmp_path / "file"
    blocker.write_text("")
    with pytest.raises(DaemonError) as caught:
        directories.prepare_directory(str(blocker / "state"), 0o750, "state", "--state-dir")
    assert caught.value.code == ExitCode.DIR_NOT_PRESENT
    (message,) = caught.value.messages
    assert f"Cannot use state directory {blocker}/state: Not a directory." in message
    assert "--state-dir DIR" in message


def test_full_directory_is_explained(tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(directories.tempfile, "TemporaryFile", full)
    with pytest.raises(DaemonError, match="No space left on device"):
        directories.prepare_directory(str(tmp_path), 0o750, "state", "--state-dir")


HOLDER = """
import sys
from corosync_tw.daemon.lockfile import LockFile
LockFile(sys.argv[1]).acquire()
print("held", flush=True)
sys.stdin.read()
"""


@pytest.fixture
def held(tmp_path):
    path = str(tmp_path / "corosync.pid")
    process = subprocess.Popen(
        [sys.executable, "-c", HOLDER, path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "held\n"
    yield path, process
    process.stdin.close()
    process.wait(10)
    process.stdout.close()


def test_lock_holds_our_pid_and_disappears(tmp_path):
    path = tmp_path / "corosync.pid"
    lock = LockFile(str(path))
    lock.acquire()
    assert path.read_text() == f"{os.getpid()}\n"
    lock.release()
    lock.release()
    assert not path.exists()


@pytest.mark.parametrize("method", ["acquire", "probe"])
def test_second_daemon_is_told_who_runs(held, method):
    path, process = held
    with pytest.raises(DaemonError) as caught:
        getattr(LockFile(path), method)()
    assert caught.value.code == ExitCode.ALREADY_RUNNING
    assert f"process {process.pid} holds {path}" in str(caught.value)


def test_lock_dies_with_its_process(held):
    path, process = held
    process.kill()
    process.wait(10)
    lock = LockFile(path)
    lock.acquire()
    lock.release()


def test_probe_leaves_nothing_behind(tmp_path):
    LockFile(str(tmp_path / "corosync.pid")).probe()
    assert list(tmp_path.iterdir()) == []


def test_unmakable_lock_is_explained(tmp_path):
    with pytest.raises(DaemonError) as caught:
        LockFile(str(tmp_path / "none" / "corosync.pid")).acquire()
    assert caught.value.code == ExitCode.ACQUIRE_LOCK
    assert "--run-dir" in str(caught.value)


class Threads:
    """Calls at once what a thread asks for."""

    def __init__(self):
        self.calls = 0

    def callFromThread(self, function, *args):
        self.calls += 1
        function(*args)


def test_signals_wake_the_reactor():
    before = {number: signal.getsignal(number) for number in EXIT_SIGNALS}
    seen = []
    threads = Threads()
    install(threads, {number: (lambda n=number: seen.append(n)) for number in EXIT_SIGNALS})
    install(threads, {signal.SIGTERM: lambda: seen.append("again")})
    try:
        for number in EXIT_SIGNALS:
            os.kill(os.getpid(), number)
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
    assert seen == ["again", signal.SIGINT, signal.SIGQUIT]
    assert threads.calls == 3


@pytest.mark.parametrize("abstract", [False, True])
def test_service_manager_is_told(tmp_path, monkeypatch, abstract):
    name = str(tmp_path / "notify")
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as sock:
        sock.bind("\0" + name if abstract else name)
        sock.settimeout(5)
        monkeypatch.setenv("NOTIFY_SOCKET", "@" + name if abstract else name)
        notify("READY=1")
        assert sock.recv(100) == b"READY=1"


@pytest.mark.parametrize("value", ["", "/nonexistent/socket", "relative"])
def test_absent_service_manager_does_not_matter(monkeypatch, value):
    monkeypatch.setenv("NOTIFY_SOCKET", value)
    notify("READY=1")


def refuse(*args):
    raise PermissionError(errno.EPERM, os.strerror(errno.EPERM))


def test_refused_scheduling_is_a_warning_with_remedy(monkeypatch):
    monkeypatch.setattr(os, "sched_setscheduler", refuse)
    assert "system.sched_rr: no" in scheduling.set_round_robin()


def test_refused_priority_is_a_warning(monkeypatch):
    monkeypatch.setattr(os, "setpriority", refuse)
    assert scheduling.set_priority(-100).startswith("Could not set priority -20: ")


@pytest.mark.needs("memlock")
def test_refused_memory_lock_is_a_warning(monkeypatch):
    monkeypatch.setattr(scheduling.resource, "setrlimit", refuse)
    assert scheduling.lock_memory().startswith("Could not increase RLIMIT_MEMLOCK")
