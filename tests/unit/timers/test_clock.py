import time

import pytest
from twisted.internet.epollreactor import EPollReactor

from corosync_tw.timers.clock import (
    ClockError,
    assert_monotonic,
    install_monotonic,
    seconds_of,
)

# Long enough that a machine under load cannot reach it, so a timer that fires early is a fault.
HOUR_S = 3600.0


class WallClockReactor(EPollReactor):
    """Looks the wall clock up at every call, so that a test can step it."""

    def seconds(self):
        return time.time()


@pytest.fixture
def reactor():
    reactor = WallClockReactor()
    yield reactor
    for call in reactor.getDelayedCalls():
        call.cancel()
    for reader in reactor.removeAll():
        reader.connectionLost(None)
    reactor._poller.close()


def test_a_fresh_reactor_is_refused_until_the_clock_is_installed(reactor):
    with pytest.raises(ClockError, match="install_monotonic"):
        assert_monotonic(reactor)
    install_monotonic(reactor)
    assert_monotonic(reactor)
    install_monotonic(reactor)


def test_installation_after_a_delayed_call_is_refused(reactor):
    reactor.callLater(HOUR_S, print)
    with pytest.raises(ClockError, match="1 delayed calls are pending"):
        install_monotonic(reactor)


def test_a_later_replacement_is_noticed(reactor):
    install_monotonic(reactor)
    reactor.seconds = time.time
    with pytest.raises(ClockError):
        assert_monotonic(reactor)


@pytest.mark.parametrize("step_s", [-2 * HOUR_S, 2 * HOUR_S])
def test_a_step_of_the_wall_clock_moves_no_timer(reactor, monkeypatch, step_s):
    install_monotonic(reactor)
    fired = []
    reactor.callLater(0.001, fired.append, "short")
    reactor.callLater(HOUR_S, fired.append, "long")
    real_time = time.time
    monkeypatch.setattr(time, "time", lambda: real_time() + step_s)
    for _ in range(1000):
        reactor.runUntilCurrent()
        if fired:
            break
        reactor.doIteration(reactor.timeout())
    assert fired == ["short"]
    assert 0 < reactor.timeout() <= HOUR_S


def test_without_the_monotonic_clock_a_step_fires_what_is_not_due(reactor, monkeypatch):
    fired = []
    reactor.callLater(HOUR_S, fired.append, "an hour early")
    real_time = time.time
    monkeypatch.setattr(time, "time", lambda: real_time() + 2 * HOUR_S)
    reactor.runUntilCurrent()
    assert fired == ["an hour early"]


def test_durations_become_seconds_and_the_past_becomes_now():
    assert seconds_of(1_500_000_000) == 1.5
    assert seconds_of(0) == 0.0
    assert seconds_of(-7) == 0.0
