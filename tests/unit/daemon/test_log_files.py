"""Log files that stand still when they are opened: nobody waits for long."""

import errno
import queue
import threading

import pytest
from twisted.internet.task import Clock

from corosync_tw.daemon import log_files
from corosync_tw.daemon.log_files import LogOpener, open_in_time
from corosync_tw.logsys.attempts import THREADS_MAX
from corosync_tw.logsys.settings import LogSettings, SubsysSettings
from corosync_tw.logsys.sinks import FdSink
from corosync_tw.logsys.system import LogFileError, Logsys

WITHIN_S = 10


class Reactor(Clock):
    """Virtual time; what threads want done is done when the test says so."""

    def __init__(self):
        super().__init__()
        self.wanted = queue.Queue()

    def callFromThread(self, call, *args):
        self.wanted.put((call, args))

    def turn(self):
        call, args = self.wanted.get(timeout=WITHIN_S)
        call(*args)


class Slow:
    """
    A file system that does not answer.

    :ivar server: lets the calls go on.
    """

    def __init__(self, monkeypatch):
        self.server = threading.Event()
        self.entered = threading.Semaphore(0)
        self.closed = threading.Semaphore(0)
        opens, closes = FdSink._open, FdSink.close

        def slow_open(path):
            self.entered.release()
            assert self.server.wait(WITHIN_S)
            return opens(path)

        def close(sink):
            closes(sink)
            self.closed.release()

        monkeypatch.setattr(FdSink, "_open", staticmethod(slow_open))
        monkeypatch.setattr(FdSink, "close", close)


@pytest.fixture
def slow(monkeypatch):
    slow = Slow(monkeypatch)
    yield slow
    slow.server.set()


def settings(path):
    return LogSettings(SubsysSettings(False, False, True, str(path)))


def outcome_of(deferred):
    said = []
    deferred.addCallbacks(said.append, lambda failure: said.append(failure.value))
    return said


def test_files_are_opened_elsewhere_and_given_here(tmp_path):
    reactor = Reactor()
    said = outcome_of(LogOpener(reactor).open(settings(tmp_path / "log")))
    assert said == []
    reactor.turn()
    (logsys,) = said
    assert (tmp_path / "log").exists()
    assert reactor.getDelayedCalls() == []
    logsys.close()


def test_a_file_that_cannot_be_opened_is_named(tmp_path):
    reactor = Reactor()
    said = outcome_of(LogOpener(reactor).open(settings(tmp_path)))
    reactor.turn()
    assert isinstance(said[0], LogFileError)
    assert (said[0].path, said[0].number) == (str(tmp_path), errno.EISDIR)


def test_a_file_that_does_not_open_is_given_up_and_closed_should_it_open_later(tmp_path, slow):
    reactor = Reactor()
    said = outcome_of(LogOpener(reactor).open(settings(tmp_path / "log")))
    assert slow.entered.acquire(timeout=WITHIN_S)
    reactor.advance(1.9)
    assert reactor.wanted.empty()
    reactor.advance(0.1)
    reactor.turn()
    assert str(said[0]) == (
        f"Can't open logfile '{tmp_path}/log' for reason: it does not open within 2 s"
    )
    slow.server.set()
    assert slow.closed.acquire(timeout=WITHIN_S)
    assert reactor.wanted.empty()


def test_few_threads_stand_still(tmp_path, slow):
    reactor = Reactor()
    opener = LogOpener(reactor)
    for _ in range(THREADS_MAX):
        opener.open(settings(tmp_path / "log")).addErrback(lambda _: None)
    said = outcome_of(opener.open(settings(tmp_path / "another")))
    reactor.turn()
    assert str(said[0]) == (
        f"Can't open logfile '{tmp_path}/another' for reason: "
        "files that were to be opened earlier do not open yet"
    )


def test_a_reopening_is_answered_when_done_or_given_up(tmp_path, monkeypatch):
    reactor = Reactor()
    opener = LogOpener(reactor)
    path = tmp_path / "log"
    logsys = Logsys(settings(path))
    path.rename(tmp_path / "log.1")
    said = outcome_of(opener.reopen(logsys))
    reactor.turn()
    assert said == [None]
    assert path.exists()
    slow = Slow(monkeypatch)
    first, second = (outcome_of(opener.reopen(logsys)) for _ in range(2))
    assert slow.entered.acquire(timeout=WITHIN_S)
    reactor.advance(2)
    reactor.turn()
    (error,) = first
    assert (error.errno, error.filename) == (errno.ETIMEDOUT, str(path))
    # The next one begins when that one is over.
    assert slow.entered.acquire(timeout=WITHIN_S)
    assert second == []
    slow.server.set()
    reactor.turn()
    assert second == [None]
    logsys.close()


def test_a_start_does_not_wait_for_long_either(tmp_path, slow, monkeypatch):
    monkeypatch.setattr(log_files, "OPEN_TIMEOUT_S", 0.0)
    with pytest.raises(LogFileError, match="does not open within"):
        open_in_time(settings(tmp_path / "log"))
    slow.server.set()
    monkeypatch.setattr(log_files, "OPEN_TIMEOUT_S", WITHIN_S)
    open_in_time(settings(tmp_path / "log")).close()
