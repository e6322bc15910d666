"""Steps of the wall clock and sleep of the machine, with clocks of our own."""

import pytest
from twisted.internet.task import Clock

from corosync_tw.timers.steps import ClockWatch

S = 1_000_000_000
MS = 1_000_000


class Noticed:
    def __init__(self):
        self.told = []

    def looked(self, offset_ns):
        self.told.append(("looked", offset_ns))

    def stepped(self, step_ns):
        self.told.append(("stepped", step_ns))

    def suspended(self, length_ns):
        self.told.append(("suspended", length_ns))


class Clocks:
    """Wall and awake clocks, as what they are ahead of the monotonic one."""

    def __init__(self):
        self.reactor = Clock()
        self.wall = 1000 * S
        self.awake = 0
        self.read_ns = 0
        self.late_ns = 0
        self.noticed = Noticed()
        self.watch = ClockWatch(
            self.reactor,
            self.noticed,
            now_ns=self.now,
            wall_ns=lambda: self.true() + self.wall,
            awake_ns=lambda: self.true() + self.awake,
        )

    def true(self):
        return round(self.reactor.seconds() * S) + self.late_ns

    def now(self):
        # Whoever reads twice is interrupted in between.
        self.late_ns += self.read_ns
        return self.true()

    def second(self):
        before = len(self.noticed.told)
        self.reactor.advance(1)
        return self.noticed.told[before:]


@pytest.fixture
def clocks():
    made = Clocks()
    made.watch.start()
    yield made
    made.watch.stop()


def test_a_clock_that_nobody_touches_is_looked_at(clocks):
    assert clocks.second() == [("looked", 1000 * S)]
    assert clocks.second() == [("looked", 1000 * S)]


@pytest.mark.parametrize("step_ns", [3600 * S, -3600 * S, 100 * MS, -150 * MS])
def test_a_step_is_told_once(clocks, step_ns):
    clocks.wall += step_ns
    assert clocks.second() == [("stepped", step_ns), ("looked", 1000 * S + step_ns)]
    assert clocks.second() == [("looked", 1000 * S + step_ns)]


def test_a_clock_that_is_bent_is_no_step(clocks):
    for _ in range(100):
        clocks.wall += 99 * MS
        assert [what for what, _ in clocks.second()] == ["looked"]


def test_sleep_is_no_step_of_the_clock(clocks):
    clocks.wall += 60 * S
    clocks.awake += 60 * S
    assert clocks.second() == [("suspended", 60 * S), ("looked", 1060 * S)]


def test_a_clock_set_during_sleep_is_both(clocks):
    clocks.wall += 61 * S
    clocks.awake += 60 * S
    assert clocks.second()[:2] == [("suspended", 60 * S), ("stepped", 1 * S)]


def test_an_interruption_between_readings_is_no_step(clocks):
    clocks.read_ns = 400 * MS
    for _ in range(5):
        assert [what for what, _ in clocks.second()] == ["looked"]


def test_nothing_is_told_after_the_end(clocks):
    clocks.watch.stop()
    assert clocks.second() == []
