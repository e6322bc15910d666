"""The daemon's event loop: events, the end of a turn, and the time that callbacks take."""

import os
import sys

import pytest
from twisted.internet import main
from twisted.internet.error import ConnectionLost
from twisted.internet.task import Clock
from twisted.python import log

from corosync_tw.net.epoll_reactor import TurnReactor
from corosync_tw.net.reactor import install, time_callbacks, turn_end_of
from corosync_tw.services.stats.histogram import Histogram


class Pipe:
    """A reader that does what a test says for each byte."""

    def __init__(self, on_byte):
        self.receiving, self.sending = os.pipe()
        os.set_blocking(self.receiving, False)
        self.on_byte = on_byte
        self.lost = []

    def fileno(self):
        return self.receiving

    def doRead(self):
        return self.on_byte(os.read(self.receiving, 1))

    def connectionLost(self, reason):
        self.lost.append(reason.value)

    def logPrefix(self):
        return "pipe"

    def close(self):
        os.close(self.receiving)
        os.close(self.sending)


@pytest.fixture
def reactor():
    reactor = TurnReactor()
    yield reactor
    for reader in reactor.removeAll():
        if isinstance(reader, Pipe):
            reader.close()
    reactor._poller.close()


def turn(reactor, timeout=0):
    """Do what the main loop does once."""
    reactor.runUntilCurrent()
    wanted = reactor.timeout()
    reactor.doIteration(timeout if wanted is None else min(wanted, timeout))


def listening(reactor, on_byte, count=1):
    pipe = Pipe(on_byte)
    reactor.addReader(pipe)
    os.write(pipe.sending, bytes(count))
    return pipe


def test_each_event_is_handled_and_timed(reactor):
    got = []
    times = Histogram()
    time_callbacks(reactor, times)
    listening(reactor, got.append, 2)
    listening(reactor, got.append)
    turn(reactor)
    assert len(got) == 2
    turn(reactor)
    assert len(got) == 3
    assert times.count == 3


def test_a_descriptor_that_says_why_is_lost(reactor):
    pipe = listening(reactor, lambda _: main.CONNECTION_LOST)
    turn(reactor)
    assert [type(reason) for reason in pipe.lost] == [ConnectionLost]
    assert pipe not in reactor.getReaders()
    pipe.close()


def test_a_descriptor_that_raises_is_logged_and_lost_and_the_others_go_on(reactor):
    fault = ValueError("a fault")

    def fail(_byte):
        raise fault

    seen = []
    log.addObserver(seen.append)
    got = []
    try:
        broken = listening(reactor, fail)
        listening(reactor, got.append)
        turn(reactor)
    finally:
        log.removeObserver(seen.append)
    assert broken.lost == [fault]
    assert got
    assert any(event.get("failure") and event["failure"].value is fault for event in seen)
    broken.close()


def test_a_descriptor_that_is_removed_by_another_of_its_turn_is_not_read(reactor):
    got = []
    pipes = []

    def remove_the_others(byte):
        got.append(byte)
        for pipe in pipes:
            reactor.removeReader(pipe)

    pipes += [listening(reactor, remove_the_others) for _ in range(3)]
    turn(reactor)
    assert len(got) == 1
    for pipe in pipes:
        pipe.close()


def test_calls_at_the_turns_end_come_after_its_events_and_before_the_loop_sleeps(reactor):
    order = []
    put_off = turn_end_of(reactor)

    def handle(_byte):
        put_off(lambda: order.append("end"))
        order.append("event")

    listening(reactor, handle)
    listening(reactor, handle)
    turn(reactor)
    assert order == ["event", "event"]
    assert reactor.timeout() is None
    assert order == ["event", "event", "end", "end"]


def test_what_a_call_at_the_turns_end_puts_off_again_waits_for_the_next_turn(reactor):
    order = []
    reactor.at_turn_end(lambda: reactor.at_turn_end(lambda: order.append("next")))
    assert reactor.timeout() == 0.0
    assert order == []
    assert reactor.timeout() is None
    assert order == ["next"]


def test_delayed_calls_are_made_and_timed_together(reactor):
    made = []
    reactor.callLater(0, made.append, 1)
    reactor.callLater(0, made.append, 2)
    reactor.callLater(60, made.append, 3)
    turn(reactor)
    assert made == [1, 2]
    assert reactor.callback_time.count == 1
    turn(reactor)
    assert reactor.callback_time.count == 1
    assert 0 < reactor.timeout() <= 60


def test_calls_of_threads_are_made(reactor):
    made = []
    reactor.callFromThread(made.append, 1)
    turn(reactor)
    assert made == [1]


def test_a_reactor_that_is_there_stays(monkeypatch):
    before = object()
    monkeypatch.setitem(sys.modules, "twisted.internet.reactor", before)
    install()
    assert sys.modules["twisted.internet.reactor"] is before


def test_other_reactors_put_calls_off_to_their_next_turn():
    clock = Clock()
    made = []
    turn_end_of(clock)(lambda: made.append(1))
    time_callbacks(clock, Histogram())
    assert made == []
    clock.advance(0)
    assert made == [1]
