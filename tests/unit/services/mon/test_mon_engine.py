"""Monitors of memory and load."""

from itertools import product

import pytest

from corosync_tw.corotypes import NS_PER_MS
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.cmap.wire import ValueType
from corosync_tw.services.log_line import LogLine
from corosync_tw.services.mon.effects import SampleWanted
from corosync_tw.services.mon.engine import MonEngine
from corosync_tw.services.mon.machine import (
    TRANSITIONS,
    ResourceEvent,
    ResourceMachine,
    ResourceState,
)
from tests.unit.services.ordered_bus import FakeBus

MEMORY = "resources.system.memory_used."
LOAD = "resources.system.load_15min."
string, u64 = TypedValue.string, TypedValue.u64


@pytest.fixture
def store():
    return CmapStore()


@pytest.fixture
def bus():
    return FakeBus()


@pytest.fixture
def engine(store, bus):
    return MonEngine(store, bus)


def take(bus, kind=object):
    effects, bus.effects[:] = bus.effects[:], []
    return [effect for effect in effects if isinstance(effect, kind)]


def texts(bus):
    return [line.text for line in take(bus, LogLine)]


def tree(store, prefix):
    return {key[len(prefix) :]: store.get(key).value for key in store.keys(prefix)}


@pytest.mark.parametrize("state", ResourceState)
@pytest.mark.parametrize(("event", "target"), list(product(ResourceEvent, ResourceState)))
def test_every_event_in_every_state(state, event, target):
    machine = ResourceMachine()
    machine.state = state
    allowed = TRANSITIONS.get((state, event), frozenset())
    assert machine.accepts(event) is bool(allowed)
    if target in allowed:
        assert machine.enter(event, target) is (target is not state)
        assert machine.state is target
    else:
        with pytest.raises(AssertionError):
            machine.enter(event, target)
        assert machine.state is state


def test_the_keys_of_a_node_without_limits(store, engine, bus):
    engine.start()
    assert {key: store.get(key) for key in store.keys(MEMORY)} == {
        MEMORY + "current": TypedValue.i32(0),
        MEMORY + "last_updated": u64(0),
        MEMORY + "poll_period": u64(3000),
        MEMORY + "state": string("stopped"),
    }
    assert tree(store, LOAD)["current"] == 0.0
    assert engine.next_deadline() is None
    assert bus.effects == []


def test_a_limit_starts_the_monitor(store, engine, bus):
    store.set(MEMORY + "max", string("80"))
    store.set(MEMORY + "poll_period", u64(1000))
    engine.start()
    assert take(bus) == [
        LogLine(
            "MON", "info", 'Fsm:memory_used event "config_changed", state "stopped" --> "running"'
        ),
        SampleWanted("memory_used"),
    ]
    assert engine.next_deadline() == 1000 * NS_PER_MS
    engine.sampled("memory_used", 80, 77)
    assert tree(store, MEMORY) == {
        "current": 80,
        "last_updated": 77,
        "max": "80",
        "poll_period": 1000,
        "state": "running",
    }
    assert store.get(MEMORY + "current") == TypedValue.u32(80)
    engine.advance(1000 * NS_PER_MS)
    assert take(bus) == [SampleWanted("memory_used")]
    assert engine.next_deadline() == 2000 * NS_PER_MS


def test_above_the_limit_it_fails_once(store, engine, bus):
    store.set(LOAD + "max", string("1.5"))
    engine.start()
    take(bus)
    engine.sampled("load_15min", 1.5, 1)
    assert bus.effects == []
    engine.sampled("load_15min", 1.75, 2)
    engine.sampled("load_15min", 1.85, 3)
    assert texts(bus) == ['Fsm:load_15min event "failure", state "running" --> "failed"']
    assert tree(store, LOAD) == {
        "current": 1.85,
        "last_updated": 3,
        "max": "1.5",
        "poll_period": 3000,
        "state": "failed",
    }


def test_a_failed_monitor_runs_again_with_another_limit(store, engine, bus):
    store.set(MEMORY + "max", string("5"))
    engine.start()
    engine.sampled("memory_used", 6, 1)
    assert tree(store, MEMORY)["state"] == "failed"
    take(bus)
    store.set(MEMORY + "max", string("99%"))
    assert tree(store, MEMORY)["state"] == "running"
    assert take(bus, SampleWanted) == [SampleWanted("memory_used")]


def test_a_limit_may_come_and_go(store, engine, bus):
    engine.start()
    store.set(MEMORY + "max", string("5"))
    assert tree(store, MEMORY)["state"] == "running"
    take(bus)
    store.delete(MEMORY + "max")
    assert texts(bus) == [
        'resource "memory_used" deleted from cmap!',
        'Fsm:memory_used event "config_changed", state "running" --> "stopped"',
    ]
    assert engine.next_deadline() is None
    engine.sampled("memory_used", 50, 9)
    assert tree(store, MEMORY)["last_updated"] == 0


@pytest.mark.parametrize("text", ["", "much", "-", "nan", "inf"])
def test_a_limit_that_is_no_number_stops(store, engine, text):
    store.set(LOAD + "max", string(text))
    engine.start()
    assert tree(store, LOAD)["state"] == "stopped"


@pytest.mark.parametrize(
    "period",
    [
        u64(499),
        u64(120_001),
        u64(2**64 - 1),
        string("often"),
        TypedValue(ValueType.DOUBLE, float("inf")),
        TypedValue(ValueType.DOUBLE, float("nan")),
        TypedValue(ValueType.BINARY, b"\xff\0"),
    ],
)
def test_an_unusable_period_is_not_used(store, engine, bus, period):
    store.set(MEMORY + "max", string("80"))
    store.set(MEMORY + "poll_period", period)
    engine.start()
    assert any("Could NOT use poll_period" in text for text in texts(bus))
    assert engine.next_deadline() == 3000 * NS_PER_MS


def test_no_value_changes_nothing(store, engine):
    store.set(MEMORY + "max", string("80"))
    engine.start()
    engine.sampled("memory_used", -1, 5)
    assert tree(store, MEMORY)["last_updated"] == 0
