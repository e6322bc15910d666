"""Making, removing and sweeping the directories of connections."""

import os
import subprocess
import sys

import pytest

from corosync_tw.ipc.qb.directory import ConnectionDirectory, sweep, sweep_own
from corosync_tw.ipc.qb.layout import Peer

SERVICES = {"cpg", "cmap"}
ME = Peer(os.getpid(), os.getuid(), os.getgid())


@pytest.fixture
def dead_pid():
    ended = subprocess.Popen([sys.executable, "-c", ""])
    ended.wait()
    return ended.pid


def make(directory, name, *files):
    path = directory / name
    path.mkdir()
    for file in files:
        (path / file).touch()
    return path


def test_made_and_removed(tmp_path):
    made = ConnectionDirectory(str(tmp_path), 42, 7)
    [path] = tmp_path.iterdir()
    assert path.name.startswith(f"qb-{os.getpid()}-42-7-")
    assert len(path.name) == len(f"qb-{os.getpid()}-42-7-abc123")
    made.give(ME)
    for name in ("qb-request-cpg-header", "qb-event-cpg-data", "qb-control-cpg"):
        (path / name).touch()
    made.remove()
    made.remove()
    assert list(tmp_path.iterdir()) == []


def test_what_a_client_puts_there_is_not_touched(tmp_path):
    made = ConnectionDirectory(str(tmp_path / ""), 42, 7)
    [path] = tmp_path.iterdir()
    (path / "precious").touch()
    made.remove()
    assert (path / "precious").exists()


def test_what_the_client_removes_meanwhile_is_no_hindrance(tmp_path, monkeypatch):
    made = ConnectionDirectory(str(tmp_path), 42, 7)
    [path] = tmp_path.iterdir()
    (path / "qb-request-cpg-header").touch()
    names = ["qb-event-cpg-header", "qb-request-cpg-header"]
    monkeypatch.setattr(os, "listdir", lambda _: names)
    made.remove()
    assert not path.exists()


def test_a_link_in_place_of_the_directory_is_not_followed(tmp_path):
    made = ConnectionDirectory(str(tmp_path), 42, 7)
    [path] = tmp_path.iterdir()
    victim = make(tmp_path, "victim", "qb-request-cpg-header")
    path.rmdir()
    path.symlink_to(victim)
    made.remove()
    assert (victim / "qb-request-cpg-header").exists()


def test_the_dead_are_swept(tmp_path, dead_pid):
    make(tmp_path, f"qb-{dead_pid}-1-2-abc123", "qb-request-cpg-header", "qb-event-cpg-data")
    make(tmp_path, f"qb-{dead_pid}-1-3-abc123", "qb-control-cmap")
    make(tmp_path, f"qb-{dead_pid}-1-4-abc123")
    make(tmp_path, f"qb-{os.getpid()}-1-4-abc123", "qb-control-cmap")
    assert sweep(str(tmp_path), SERVICES) == 4
    assert list(tmp_path.iterdir()) == []


def test_the_living_and_strangers_stay(tmp_path, dead_pid):
    kept = {
        make(tmp_path, f"qb-{os.getppid()}-1-2-abc123", "qb-request-cpg-header"),
        make(tmp_path, f"qb-{dead_pid}-1-2-abc123", "qb-request-cib_rw-header"),
        make(tmp_path, f"qb-{dead_pid}-1-2", "qb-request-cpg-header"),
        make(tmp_path, "other", "qb-request-cpg-header"),
    }
    assert sweep(str(tmp_path), SERVICES) == 0
    assert set(tmp_path.iterdir()) == kept
    assert sweep(str(tmp_path / "missing"), SERVICES) == 0


def test_our_own_are_swept_at_a_sudden_end(tmp_path):
    ConnectionDirectory(str(tmp_path), 42, 7)
    other = make(tmp_path, f"qb-{os.getppid()}-1-2-abc123", "qb-request-cpg-header")
    sweep_own(str(tmp_path))
    assert list(tmp_path.iterdir()) == [other]
