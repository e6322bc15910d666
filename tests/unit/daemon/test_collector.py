"""Garbage is looked for when nobody speaks, in bounded portions otherwise."""

import gc

import pytest
from twisted.internet.task import Clock

from corosync_tw.daemon import collector
from corosync_tw.daemon.collector import (
    CHECK_INTERVAL_S,
    FULL_INTERVAL_BUSY_S,
    FULL_INTERVAL_S,
    YOUNG_OBJECTS_MAX,
    YOUNG_OBJECTS_MIN,
    Collector,
)
from corosync_tw.services.stats.histogram import Histogram

FULL = "full"


class World:
    """A clock, a count of new objects, and what was collected."""

    def __init__(self, patch):
        self.collected = []
        self.young = 0
        self.activity = 0
        self.clock = Clock()
        self.times = Histogram()
        patch.setattr(collector, "gc", self)
        self.collector = Collector(self.clock, lambda: self.activity, self.times)
        self.collector.start()
        self.collected.clear()

    def collect(self, generation=FULL):
        self.collected.append(generation)

    def get_count(self):
        return (self.young, 0, 0)

    def freeze(self):
        self.collected.append("freeze")

    def enable(self):
        self.collected.append("enable")

    def disable(self):
        self.collected.append("disable")

    def check(self, *, busy):
        """Let one check come, and give what it collected."""
        self.activity += busy
        self.clock.advance(CHECK_INTERVAL_S)
        collected, self.collected = self.collected, []
        return collected


@pytest.fixture
def world(monkeypatch):
    world = World(monkeypatch)
    world.check(busy=False)
    return world


def test_few_new_objects_are_left_alone(world):
    world.young = YOUNG_OBJECTS_MIN - 1
    assert world.check(busy=False) == []


def test_new_objects_are_looked_at_when_nobody_speaks(world):
    world.young = YOUNG_OBJECTS_MIN
    assert world.check(busy=True) == []
    assert world.check(busy=False) == [0]
    assert world.times.count == 1


def test_many_new_objects_are_looked_at_in_any_case(world):
    world.young = YOUNG_OBJECTS_MAX
    assert world.check(busy=True) == [0]


def test_all_is_looked_at_now_and_then_when_nobody_speaks(world):
    checks = int(FULL_INTERVAL_S / CHECK_INTERVAL_S)
    assert [world.check(busy=False) for _ in range(checks)].count([FULL]) == 1


def test_a_node_that_never_rests_looks_at_all_rarely(world):
    checks = int(FULL_INTERVAL_BUSY_S / CHECK_INTERVAL_S)
    looks = [world.check(busy=True) for _ in range(checks)]
    assert looks.count([FULL]) == 1
    assert looks.index([FULL]) > checks - 3


def test_the_interpreter_takes_over_again_at_the_end(world):
    world.collector.stop()
    world.collector.stop()
    assert world.collected == ["enable"]
    assert not world.clock.getDelayedCalls()


def test_what_is_there_at_the_start_is_never_looked_at_again():
    times = Histogram()
    taken_over = Collector(Clock(), lambda: 0, times)
    was_frozen = gc.get_freeze_count()
    try:
        taken_over.start()
        assert not gc.isenabled()
        assert gc.get_freeze_count() > was_frozen
    finally:
        taken_over.stop()
        gc.unfreeze()
    assert gc.isenabled()
