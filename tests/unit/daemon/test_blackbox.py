"""Blackbox files of the daemon: where they are, and what becomes of failures."""

import os

import pytest
from twisted.internet.defer import Deferred

from corosync_tw.daemon import blackbox
from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.qb_blackbox import BlackboxEntry, read_blackbox

ENTRIES = [BlackboxEntry(1_000_000_000, Level.INFO, 1, "MAIN", 0, "hello")]


def test_a_file_and_its_link(tmp_path):
    first = blackbox.store(str(tmp_path), ENTRIES, 0.0, 7)
    second = blackbox.store(str(tmp_path), [], 86_400.0, 7)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        ["fdata", os.path.basename(first), os.path.basename(second)]
    )
    assert first.endswith("-7")
    assert os.readlink(tmp_path / "fdata") == second
    with open(first, "rb") as file:
        assert list(read_blackbox(file.read())) == ENTRIES
    assert os.stat(first).st_mode & 0o777 == 0o600


def test_a_failure_leaves_nothing_but_what_was_there(tmp_path):
    first = blackbox.store(str(tmp_path), ENTRIES, 0.0, 7)
    # The second file cannot take the place of a directory.
    os.mkdir(first.removesuffix("-7") + "-8")
    with pytest.raises(OSError, match="directory"):
        blackbox.store(str(tmp_path), ENTRIES, 0.0, 8)
    assert os.readlink(tmp_path / "fdata") == first
    assert not [path for path in tmp_path.iterdir() if path.name.endswith(".new")]


class Log:
    def __init__(self):
        self.lines = []
        self.main = self

    def info(self, text, **fields):
        self.lines.append(text.format(**fields))

    error = info


class Reactor:
    def getThreadPool(self):
        return None


@pytest.fixture
def running(monkeypatch, tmp_path):
    """A store whose thread is this one, when it is let."""
    waiting = []

    def later(reactor, pool, call):
        done = Deferred()
        done.addCallback(lambda _: call())
        waiting.append(done)
        return done

    monkeypatch.setattr(blackbox, "deferToThreadPool", later)
    log = Log()
    return blackbox.BlackboxStore(Reactor(), str(tmp_path), log, lambda: ENTRIES), log, waiting


def test_orders_meanwhile_make_one_more_file(running):
    store, log, waiting = running
    for _ in range(3):
        store.dump()
    assert len(waiting) == 1
    waiting[0].callback(None)
    assert len(waiting) == 2
    waiting[1].callback(None)
    assert len(waiting) == 2
    assert [line.partition(" to ")[0] for line in log.lines] == ["Blackbox written"] * 2


def test_a_failure_is_told_and_the_next_order_is_carried_out(running, tmp_path):
    store, log, waiting = running
    tmp_path.rmdir()
    store.dump()
    waiting[0].callback(None)
    assert "Can't store blackbox file: " in log.lines[0]
    assert "No such file or directory (2)" in log.lines[0]
    store.dump()
    assert len(waiting) == 2
