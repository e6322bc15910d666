"""The quorum device: registration, polls and their timeouts, the master, the wait in a ring."""

import pytest

from corosync_tw.corotypes import NS_PER_MS, RingId
from corosync_tw.errors import (
    CsAccess,
    CsExist,
    CsInvalidParam,
    CsMessageError,
    CsNotExist,
    CsTryAgain,
)
from corosync_tw.services.log_line import LogLine
from corosync_tw.services.votequorum.effects import QdeviceRegistered
from corosync_tw.services.votequorum.params import DeviceParams
from corosync_tw.services.votequorum.wire import NodeFlags
from tests.unit.services.ordered_bus import Node, OrderedBus

TIMEOUT_NS, SYNC_TIMEOUT_NS = 10_000 * NS_PER_MS, 30_000 * NS_PER_MS
NAME = b"net"


def cluster(count=2, *, device_votes=1, **votes):
    given = {
        "expected_votes": count + device_votes,
        "device": DeviceParams(device_votes, TIMEOUT_NS, SYNC_TIMEOUT_NS),
        **votes,
    }
    bus = OrderedBus(*(Node(n, **given) for n in range(1, count + 1)))
    bus.form(tuple(range(1, count + 1)))
    return bus


def register(bus, nodeid=1, name=NAME, conn=7):
    node = bus.nodes[nodeid]
    known = node.votequorum.qdevice_register(conn, name)
    bus.run()
    return known, [(e.conn, e.error) for e in node.take(QdeviceRegistered)]


def poll(bus, nodeid=1, cast_vote=True, **changes):
    engine = bus.nodes[nodeid].votequorum
    ring_id = changes.pop("ring_id", engine.ring_id)
    now_ns = changes.pop("now_ns", bus.nodes[nodeid].bus.now_ns)
    engine.qdevice_poll(changes.pop("name", NAME), cast_vote, ring_id, now_ns)


def advance(bus, ns, nodeid=1):
    node = bus.nodes[nodeid]
    node.bus.now_ns += ns
    node.votequorum.advance(node.bus.now_ns)


def flags(bus, nodeid=1, of=1):
    return bus.nodes[nodeid].votequorum.nodes[of].flags


def test_a_registration_is_answered_when_it_came_round_the_ring():
    bus = cluster()
    assert register(bus) == (False, [(7, 1)])
    assert flags(bus, 1) & NodeFlags.QDEVICE_REGISTERED
    assert flags(bus, 2, 1) & NodeFlags.QDEVICE_REGISTERED
    assert bus.nodes[2].votequorum.qdevice_name == NAME
    assert register(bus) == (True, [])
    with pytest.raises(CsExist):
        bus.nodes[1].votequorum.qdevice_register(8, b"other")


def test_one_registration_at_a_time():
    engine = cluster().nodes[1].votequorum
    engine.qdevice_register(7, NAME)
    with pytest.raises(CsTryAgain):
        engine.qdevice_register(8, NAME)
    engine.disconnect(7)
    engine.qdevice_register(8, NAME)


def test_a_client_that_went_is_not_answered():
    bus = cluster()
    node = bus.nodes[1]
    node.votequorum.qdevice_register(7, NAME)
    node.votequorum.disconnect(7)
    bus.run()
    assert node.take(QdeviceRegistered) == []
    assert not flags(bus) & NodeFlags.QDEVICE_REGISTERED


def test_all_nodes_have_the_same_device():
    bus = cluster()
    register(bus)
    assert register(bus, 2, b"other") == (False, [(7, 14)])
    assert register(bus, 2) == (False, [(7, 1)])


def test_newcomers_learn_the_name():
    bus = cluster(3)
    bus.form((1, 2), (3,))
    register(bus)
    assert bus.nodes[3].votequorum.qdevice_name == b""
    poll(bus)
    bus.run()
    bus.configure((1, 2, 3))
    run_while_waiting(bus)
    poll(bus)
    bus.run()
    assert bus.nodes[3].votequorum.qdevice_name == NAME


def run_while_waiting(bus):
    """Let the tokens go round a while; the services wait for a device."""
    bus.run(visits_max=60)
    assert bus.nodes[1].sync.in_progress


def test_the_device_s_vote_counts_where_it_is_cast():
    bus = cluster()
    register(bus)
    poll(bus)
    bus.run()
    bus.configure((1,), (2,))
    bus.run(visits_max=40)
    poll(bus)
    bus.run()
    assert bus.nodes[1].quorum.quorate
    assert not bus.nodes[2].quorum.quorate
    poll(bus, cast_vote=False)
    bus.run()
    assert not bus.nodes[1].quorum.quorate


def test_silence_loses_the_device_s_vote():
    bus = cluster()
    register(bus)
    poll(bus)
    bus.run()
    engine = bus.nodes[1].votequorum
    assert engine.getinfo(0).total_votes == 3
    advance(bus, TIMEOUT_NS - 1)
    assert flags(bus) & NodeFlags.QDEVICE_ALIVE
    poll(bus)
    advance(bus, TIMEOUT_NS)
    bus.run()
    assert not flags(bus) & (NodeFlags.QDEVICE_ALIVE | NodeFlags.QDEVICE_CAST_VOTE)
    assert not flags(bus, 2, 1) & NodeFlags.QDEVICE_CAST_VOTE
    assert flags(bus) & NodeFlags.QDEVICE_REGISTERED
    texts = [remark.text for remark in bus.nodes[1].take(LogLine)]
    assert "lost contact with quorum device net" in texts


def test_synchronization_waits_for_a_poll_in_the_new_ring():
    bus = cluster()
    register(bus)
    poll(bus)
    bus.run()
    old = bus.nodes[1].votequorum.ring_id
    bus.configure((1, 2))
    run_while_waiting(bus)
    with pytest.raises(CsMessageError):
        poll(bus, ring_id=old)
    poll(bus)
    bus.run()
    assert not bus.nodes[1].sync.in_progress
    assert bus.nodes[2].votequorum.nodes[1].flags & NodeFlags.QDEVICE_CAST_VOTE


def test_synchronization_waits_no_longer_than_sync_timeout():
    bus = cluster()
    register(bus)
    poll(bus)
    bus.run()
    bus.configure((1, 2))
    run_while_waiting(bus)
    advance(bus, SYNC_TIMEOUT_NS - 1)
    run_while_waiting(bus)
    advance(bus, 1)
    bus.run()
    assert not bus.nodes[1].sync.in_progress
    assert not flags(bus) & NodeFlags.QDEVICE_ALIVE


def test_a_device_that_was_not_polling_is_not_waited_for():
    bus = cluster()
    register(bus)
    bus.form((1, 2))


def test_unregistering_ends_the_wait_and_the_name():
    bus = cluster()
    register(bus)
    poll(bus)
    bus.run()
    bus.configure((1, 2))
    run_while_waiting(bus)
    bus.nodes[1].votequorum.qdevice_unregister(NAME)
    bus.run()
    assert bus.nodes[1].votequorum.qdevice_name == b""
    assert bus.nodes[2].votequorum.qdevice_name == b""
    assert bus.nodes[1].votequorum.next_deadline() is None


def test_the_partition_with_the_master_wins():
    bus = cluster(3, device_votes=0)
    register(bus)
    engine = bus.nodes[1].votequorum
    engine.qdevice_master_wins(NAME, 1)
    assert engine.runtime().qdevice_master_wins == 1
    poll(bus)
    bus.run()
    bus.configure((1,), (2, 3))
    bus.run(visits_max=60)
    poll(bus)
    bus.run()
    assert bus.nodes[1].quorum.quorate
    engine.qdevice_master_wins(NAME, 0)
    bus.run()
    assert not bus.nodes[1].quorum.quorate


def test_a_master_without_a_vote_does_not_win():
    bus = cluster(3, device_votes=0)
    register(bus)
    bus.nodes[1].votequorum.qdevice_master_wins(NAME, 1)
    poll(bus, cast_vote=False)
    bus.run()
    bus.configure((1,), (2, 3))
    bus.run(visits_max=60)
    poll(bus, cast_vote=False)
    bus.run()
    assert not bus.nodes[1].quorum.quorate


def test_a_device_is_renamed_everywhere():
    bus = cluster()
    register(bus)
    bus.nodes[1].votequorum.qdevice_update(NAME, b"new")
    bus.run()
    assert [node.votequorum.qdevice_name for node in bus.nodes.values()] == [b"new", b"new"]
    poll(bus, name=b"new")


@pytest.mark.parametrize("registered", [False, True])
def test_requests_name_the_device_that_is_registered(registered):
    bus = cluster()
    engine = bus.nodes[1].votequorum
    if registered:
        register(bus)
    error = CsInvalidParam if registered else CsNotExist
    for call in (
        lambda: engine.qdevice_unregister(b"other"),
        lambda: engine.qdevice_update(b"other", b"new"),
        lambda: engine.qdevice_master_wins(b"other", 1),
        lambda: poll(bus, name=b"other"),
    ):
        with pytest.raises(error):
            call()


@pytest.mark.parametrize("name", [b"", b"n" * 255, b"a\0b"])
def test_names_are_checked(name):
    engine = cluster().nodes[1].votequorum
    with pytest.raises(CsInvalidParam):
        engine.qdevice_register(7, name)


def test_a_device_is_refused_where_the_configuration_forbids_it():
    bus = cluster(device=DeviceParams(1), allow_downscale=True)
    engine = bus.nodes[1].votequorum
    assert engine.runtime().qdevice_can_operate == 0
    for call in (
        lambda: engine.qdevice_register(7, NAME),
        lambda: engine.qdevice_master_wins(NAME, 1),
        lambda: engine.qdevice_poll(NAME, True, RingId(0, 0), 0),
    ):
        with pytest.raises(CsAccess):
            call()


def test_a_device_needs_no_configuration_to_register():
    bus = OrderedBus(Node(1, expected_votes=1))
    bus.form((1,))
    assert register(bus) == (False, [(7, 1)])
    assert bus.nodes[1].votequorum.runtime().qdevice_can_operate is None


def test_a_full_queue_delays_what_is_said_and_refuses_what_is_asked():
    bus = cluster()
    register(bus)
    poll(bus)
    bus.run()
    node = bus.nodes[1]
    node.bus.full = True
    advance(bus, TIMEOUT_NS)
    with pytest.raises(CsTryAgain):
        poll(bus)
    node.bus.full = False
    node.votequorum.token_sent()
    bus.run()
    assert not flags(bus, 2, 1) & NodeFlags.QDEVICE_ALIVE


def test_other_nodes_cannot_make_us_wait():
    bus = cluster()
    us = bus.nodes[1].votequorum
    us.us.flags |= NodeFlags.QDEVICE_REGISTERED | NodeFlags.QDEVICE_ALIVE
    bus.form((1, 2))
