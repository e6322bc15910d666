"""Keys of nodes in a ring in memory."""

import pytest

from corosync_tw.kernels import choice
from corosync_tw.services.cmap.runtime_keys import (
    CANCEL_WAIT_FOR_ALL,
    DUMP_STATE,
    FORCE_GATHER,
    KERNELS,
    RuntimeKeys,
)
from corosync_tw.services.cmap.trackers import Track
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.params import ServiceParams
from corosync_tw.totem.const import MembState
from tests.unit.services.memory_ring import MemoryRing

IDS = (1, 2, 3)


class Shell:
    def __init__(self, ring):
        self.ring = ring
        self.done = []

    def dump_flight_data(self):
        self.done.append("flight data")

    def dump_state(self):
        self.done.append("state")

    def now_ns(self):
        return self.ring.now_ns

    def wall_ms(self):
        return 1_700_000_000_000

    def pump(self):
        self.done.append("pump")


class KeyRing(MemoryRing):
    """A ring whose first node shows itself in cmap."""

    def __init__(self, make=None):
        super().__init__(IDS, make)
        self.shell = Shell(self)
        self.first = self.nodes[1]
        self.keys = RuntimeKeys(
            self.first, lambda nodeid: [f"10.0.0.{nodeid}"], self.shell, self.note_left
        )
        self.store = self.first.cmap.store

    def note_left(self, nodeid, reason):
        self.shell.done.append((nodeid, reason))

    def _execute(self, nodeid, effects):
        super()._execute(nodeid, effects)
        for effect in effects if nodeid == 1 and hasattr(self, "keys") else ():
            route = self.keys.routes().get(type(effect))
            if route is not None:
                route(effect)

    def values(self, prefix):
        return {
            key.removeprefix(prefix): self.store.get(key).value for key in self.store.keys(prefix)
        }


@pytest.fixture
def ring():
    ring = KeyRing()
    ring.form()
    return ring


def test_members_come_and_go(ring):
    assert ring.values("runtime.members.2.") == {
        "config_version": 0,
        "ip": "r(0) ip(10.0.0.2) ",
        "join_count": 1,
        "status": "joined",
    }
    ring.nodes[2].leave(ring.now_ns)
    ring.run_for(1)
    ring.crash(2)
    ring.crash(3)
    ring.form([1])
    assert ring.values("runtime.members.2.")["status"] == "left"
    ours = ring.values("runtime.corosync_tw.members.")
    assert ours["2.left_reason"] == "leave announced"
    assert ours["2.left_time_ms"] == 1_700_000_000_000
    assert "no answer for" in ours["3.left_reason"]
    assert (2, "leave announced") in ring.shell.done
    ring.start(3)
    ring.form([1, 3])
    assert ring.values("runtime.members.3.")["join_count"] == 2
    assert ring.values("runtime.members.3.")["status"] == "joined"


def test_the_kernels_that_run_are_named(ring):
    assert ring.store.get(KERNELS).value == choice.description()
    assert ring.store.is_readonly(KERNELS)


def test_services_count_their_messages(ring):
    before = ring.values("runtime.services.")
    assert before["cpg.service_id"] == 2
    # An enumeration's member is no value that Perspective Broker carries.
    assert {type(value) for value in before.values()} == {int}
    assert before["cmap.0.rx"] >= 3
    assert before["cmap.0.tx"] >= 1
    for nodeid in (1, 2):
        ring.nodes[nodeid].cpg_join(1, b"g", 1)
    ring.run_until(lambda: len(ring.first.cpg_membership(b"g")) == 2)
    after = ring.values("runtime.services.")
    assert after["cpg.0.rx"] - before["cpg.0.rx"] == 2
    assert after["cpg.0.tx"] - before["cpg.0.tx"] == 1
    assert ring.store.is_readonly("runtime.services.cpg.0.rx")


def test_every_service_is_listed(ring):
    listed = ring.values("internal_configuration.service.")
    assert [listed[f"{number}.name"] for number in range(8)] == [
        "corosync_cmap",
        "corosync_cfg",
        "corosync_cpg",
        "corosync_quorum",
        "corosync_pload",
        "corosync_votequorum",
        "corosync_mon",
        "corosync_wd",
    ]
    assert all(listed[f"{number}.ver"] == 0 for number in range(8))


def test_votequorum_shows_what_applies(ring):
    assert ring.values("runtime.votequorum.") == {
        "ev_barrier": 3,
        "highest_node_id": 3,
        "lowest_node_id": 1,
        "this_node_id": 1,
        "two_node": 0,
    }


def test_orders(ring):
    told = []
    ring.store.track_add(DUMP_STATE, Track.MODIFY, lambda *change: told.append(change[0]))
    ring.store.set(DUMP_STATE, TypedValue.string("bogus"))
    assert ring.shell.done == ["state"]
    ring.store.set("runtime.blackbox.dump_flight_data", TypedValue.string("yes"))
    assert ring.shell.done == ["state", "flight data"]
    assert told == [Track.MODIFY]


def test_a_forced_gather(ring):
    ring.store.set(FORCE_GATHER, TypedValue.string("yes"))
    assert ring.store.get(FORCE_GATHER).value == "no"
    assert ring.first.srp.state is MembState.GATHER
    assert ring.shell.done == ["pump"]
    rings = ring.first.ring_id
    ring.run_until(lambda: ring.first.ring_id != rings and not ring.first.sync_in_progress)
    assert ring.first.members == IDS


def test_waiting_for_all_ends_everywhere():
    ring = KeyRing(
        lambda n: ServiceParams(nodeid=n, expected_votes=5, wait_for_all=True, listed_votes=5)
    )
    ring.form()
    assert ring.values("runtime.votequorum.")["wait_for_all_status"] == 1
    ring.store.set(CANCEL_WAIT_FOR_ALL, TypedValue.u8(1))
    assert ring.store.get(CANCEL_WAIT_FOR_ALL).value == 0
    ring.run_until(lambda: all(stack.quorate for stack in ring.nodes.values()))
    ring.keys.refresh()
    assert ring.values("runtime.votequorum.")["wait_for_all_status"] == 0
