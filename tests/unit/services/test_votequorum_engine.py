"""Quorum: the arithmetic of stock's rules, and nodes that tell each other their votes."""

import pytest

from corosync_tw.corotypes import PROCESSOR_COUNT_MAX
from corosync_tw.errors import MalformedFrame
from corosync_tw.services.exec_wire import decode_id
from corosync_tw.services.votequorum.nodes import NodeState
from corosync_tw.services.votequorum.voting import quorum_needed
from corosync_tw.services.votequorum.wire import (
    NODEINFO_ID,
    QDEVICE_RECONFIGURE,
    QDEVICE_REG,
    NodeFlags,
    NodeInfo,
    Reconfigure,
    ReconfigureParam,
    decode_nodeinfo,
    encode_nodeinfo,
    encode_reconfigure,
)
from tests.unit.services.ordered_bus import Node, OrderedBus

# highest expected, total votes, nodes, two_node, at least -> votes needed
TABLE = [
    (1, 1, 1, False, 0, 1),
    (2, 1, 1, False, 0, 2),
    (2, 2, 2, False, 0, 2),
    (3, 1, 1, False, 0, 2),
    (3, 3, 3, False, 0, 2),
    (4, 4, 4, False, 0, 3),
    (5, 3, 3, False, 0, 3),
    (8, 2, 2, False, 0, 5),
    (3, 5, 5, False, 0, 3),  # more came than were expected
    (3, 6, 3, False, 0, 4),
    (0, 0, 0, False, 0, 1),
    (2, 1, 1, True, 0, 1),
    (2, 2, 2, True, 0, 1),
    (2, 1, 1, True, 2, 1),  # two_node goes before what was needed
    (3, 3, 3, True, 0, 2),  # more than two nodes: no favour
    (2, 2, 2, False, 4, 4),  # never falls by itself
    (384, 384, 384, False, 0, 193),
]


@pytest.mark.parametrize("row", TABLE)
def test_votes_needed(row):
    *given, needed = row
    assert quorum_needed(*given) == needed


def cluster(*nodeids, **votes):
    return OrderedBus(*(Node(n, **votes) for n in nodeids))


def answers(bus):
    return {n: node.quorum.quorate for n, node in bus.nodes.items()}


def test_three_nodes_need_two():
    bus = cluster(1, 2, 3)
    bus.form((1,), (2,), (3,))
    assert answers(bus) == {1: False, 2: False, 3: False}
    bus.form((1, 2), (3,))
    assert answers(bus) == {1: True, 2: True, 3: False}
    bus.form((1, 2, 3))
    assert answers(bus) == {1: True, 2: True, 3: True}
    assert bus.nodes[3].votequorum.total_votes == 3
    bus.form((1,), (2, 3))
    assert answers(bus) == {1: False, 2: True, 3: True}


def test_the_answer_is_reported_after_every_synchronization():
    bus = cluster(1, 2, 3)
    bus.form((1,))
    bus.form((1, 2, 3))
    bus.form((1, 2, 3))
    bus.form((1,))
    assert bus.nodes[1].quorate_changes() == [False, True, True, False]


@pytest.mark.parametrize("count", [1, 2, 3, 4, 5, 6])
def test_more_than_half_is_quorate_and_no_two_sides_are(count):
    for size in range(1, count + 1):
        bus = cluster(*range(1, count + 1), expected_votes=count)
        bus.form(tuple(range(1, count + 1)))
        here, there = tuple(range(1, size + 1)), tuple(range(size + 1, count + 1))
        bus.form(*(side for side in (here, there) if side))
        assert all(bus.nodes[n].quorum.quorate is (2 * size > count) for n in here)
        assert all(bus.nodes[n].quorum.quorate is (2 * len(there) > count) for n in there)


def test_votes_have_weight():
    bus = OrderedBus(
        Node(1, votes=3, expected_votes=5), *(Node(n, expected_votes=5) for n in (2, 3))
    )
    bus.form((1,), (2, 3))
    assert answers(bus) == {1: True, 2: False, 3: False}


def test_a_node_without_votes_changes_nothing():
    bus = OrderedBus(Node(1, votes=0, expected_votes=1), Node(2, votes=1, expected_votes=1))
    bus.form((1,), (2,))
    assert answers(bus) == {1: False, 2: True}
    bus.form((1, 2))
    assert answers(bus) == {1: True, 2: True}


def test_two_node_survives_the_loss_of_the_other():
    bus = cluster(1, 2, expected_votes=2, two_node=True)
    bus.form((1, 2))
    assert answers(bus) == {1: True, 2: True}
    bus.form((1,), (2,))
    assert answers(bus) == {1: True, 2: True}


def test_two_node_with_wait_for_all_waits_at_the_first_start_only():
    bus = cluster(1, 2, expected_votes=2, two_node=True, wait_for_all=True)
    bus.form((1,), (2,))
    assert answers(bus) == {1: False, 2: False}
    bus.form((1, 2))
    assert answers(bus) == {1: True, 2: True}
    bus.form((1,))
    assert bus.nodes[1].quorum.quorate
    bus.nodes[2] = Node(2, expected_votes=2, two_node=True, wait_for_all=True)
    bus.form((1,), (2,))
    assert answers(bus) == {1: True, 2: False}


def test_wait_for_all_holds_a_majority_back_until_all_were_seen():
    bus = cluster(1, 2, 3, wait_for_all=True)
    bus.form((1, 2), (3,))
    assert answers(bus) == {1: False, 2: False, 3: False}
    assert bus.nodes[1].votequorum.us.flags & NodeFlags.WFASTATUS
    bus.form((1, 2, 3))
    assert answers(bus) == {1: True, 2: True, 3: True}
    assert not bus.nodes[1].votequorum.us.flags & NodeFlags.WFASTATUS
    bus.form((1, 2), (3,))
    assert answers(bus) == {1: True, 2: True, 3: False}
    # Quorum lost is waited for again, but a quorate peer ends the wait.
    assert bus.nodes[3].votequorum.wait_for_all_status
    bus.form((1, 2, 3))
    assert answers(bus) == {1: True, 2: True, 3: True}


def test_a_swap_of_peers_in_one_step_makes_wait_for_all_wait_as_stock_does():
    bus = cluster(1, 2, 3, wait_for_all=True)
    bus.form((1, 2, 3))
    bus.form((1, 2), (3,))
    bus.form((1, 3), (2,))
    # Node 1 counts itself alone when its own votes arrive, before those of node 3.
    assert not bus.nodes[1].quorum.quorate
    assert bus.nodes[1].votequorum.wait_for_all_status


def test_expected_votes_grow_with_the_cluster():
    bus = cluster(1, 2, 3, 4, expected_votes=3)
    bus.form((1, 2, 3))
    bus.form((1, 2, 3, 4))
    assert all(node.votequorum.us.expected_votes == 4 for node in bus.nodes.values())
    bus.form((1, 2), (3, 4))
    assert answers(bus) == dict.fromkeys((1, 2, 3, 4), False)


def test_a_newcomer_takes_the_expected_votes_of_a_quorate_cluster():
    bus = OrderedBus(*(Node(n, expected_votes=5) for n in (1, 2, 3)), Node(4, expected_votes=9))
    bus.form((1, 2, 3), (4,))
    assert answers(bus) == {1: True, 2: True, 3: True, 4: False}
    bus.form((1, 2, 3, 4))
    assert answers(bus) == dict.fromkeys((1, 2, 3, 4), True)
    assert bus.nodes[4].votequorum.us.expected_votes == 5


def test_each_node_tells_itself_first_and_then_the_quorum_device():
    bus = cluster(1, 2)
    told = []
    bus.watch = lambda sender, group, data: (
        told.append((sender, decode_nodeinfo(data, False).nodeid))
        if group == b"a" and decode_id(data, False) == NODEINFO_ID
        else None
    )
    bus.form((1, 2))
    assert told == [(1, 1), (1, 0), (2, 2), (2, 0)]


def test_first_is_told_by_a_node_that_was_always_alone():
    bus = cluster(1, 2)
    assert bus.nodes[1].votequorum.us.flags == NodeFlags.FIRST
    bus.form((1,))
    assert bus.nodes[1].votequorum.us.flags & NodeFlags.FIRST
    bus.form((1, 2))
    assert not bus.nodes[1].votequorum.us.flags & NodeFlags.FIRST


def test_a_full_queue_keeps_the_order():
    bus = cluster(1)
    node = bus.nodes[1]
    node.votequorum.sync_init((), (1,), (1, 4))
    node.bus.full = True
    assert not node.votequorum.sync_process()
    node.bus.full = False
    assert node.votequorum.sync_process()
    assert node.votequorum.sync_process()
    assert [decode_nodeinfo(data, False).nodeid for _, data in node.bus.trans] == [1, 0]


def info(node, sender, *fields):
    node.votequorum.on_nodeinfo(sender, 1, encode_nodeinfo(NodeInfo(*fields)), False)


def test_a_quorum_device_before_its_node_is_ignored():
    node = Node(1)
    info(node, 7, 0, 3, 0, 0)
    assert node.votequorum.qdevice_votes == 0


def test_a_quorum_device_s_votes_raise_what_is_expected():
    bus = cluster(1, 2, 3)
    bus.form((1, 2, 3))
    node = bus.nodes[1]
    info(node, 2, 0, 2, 0, 0)
    assert node.votequorum.qdevice_votes == 2
    assert node.votequorum.us.expected_votes == 5
    info(node, 3, 0, 1, 0, 0)
    assert node.votequorum.qdevice_votes == 2


def test_a_leaving_node_lowers_what_is_expected_when_that_is_allowed():
    bus = cluster(1, 2, 3, 4, 5, expected_votes=5)
    bus.form((1, 2, 3, 4, 5))
    bus.nodes[5].votequorum.announce_leave()
    bus.run()
    one = bus.nodes[1].votequorum
    assert one.nodes[5].state is NodeState.LEAVING
    assert (one.quorum, one.us.expected_votes) == (3, 4)
    bus.form((1, 2, 3, 4))
    bus.nodes[4].votequorum.announce_leave()
    bus.run()
    assert (one.quorum, one.us.expected_votes) == (2, 3)


def test_downscale_stops_at_the_configured_number():
    bus = cluster(1, 2, 3, expected_votes=3, allow_downscale=True)
    bus.form((1, 2, 3))
    bus.nodes[3].votequorum.announce_leave()
    bus.run()
    assert bus.nodes[1].votequorum.quorum == 2


def change(node, *fields):
    node.votequorum.on_reconfigure(2, 1, encode_reconfigure(Reconfigure(*fields)), False)


def test_an_administrator_changes_what_is_expected():
    bus = cluster(1, 2, 3, 4, 5, expected_votes=5)
    bus.form((1, 2, 3, 4, 5))
    bus.form((1, 2), (3, 4, 5))
    one = bus.nodes[1]
    one.bus.effects.clear()
    assert not one.quorum.quorate
    change(one, 1, 2, ReconfigureParam.EXPECTED_VOTES)
    assert one.quorum.quorate
    assert one.quorate_changes() == [True]


def test_an_administrator_changes_a_node_s_votes():
    bus = cluster(1, 2, 3)
    bus.form((1, 2))
    one = bus.nodes[1]
    one.bus.effects.clear()
    change(one, 2, 0, ReconfigureParam.NODE_VOTES)
    assert one.quorate_changes() == [False]
    change(one, 2, 1, ReconfigureParam.NODE_VOTES)
    assert one.quorate_changes() == [True]
    change(one, 99, 1, ReconfigureParam.NODE_VOTES)
    change(one, 2, 1, 77)
    assert one.quorate_changes() == []


def test_an_administrator_ends_the_wait_for_all():
    bus = cluster(1, 2, 3, wait_for_all=True)
    bus.form((1, 2))
    one = bus.nodes[1]
    assert not one.quorum.quorate
    change(one, 2, 0, ReconfigureParam.CANCEL_WFA)
    assert one.quorum.quorate


def test_the_name_of_a_quorum_device():
    node = Node(1)
    engine = node.votequorum
    engine.on_qdevice_reg(2, 1, QDEVICE_REG.little.pack(0x50002, 280, 1, b"net"), False)
    assert engine.qdevice_name == b"net"
    rename = QDEVICE_RECONFIGURE.little.pack(0x50003, 528, b"net", b"new")
    engine.on_qdevice_reconfigure(2, 1, rename, False)
    assert engine.qdevice_name == b"new"
    engine.on_qdevice_reconfigure(2, 1, rename, False)
    assert engine.qdevice_name == b"new"
    info(node, 2, 2, 1, 3, NodeFlags.QDEVICE_REGISTERED)
    gone = QDEVICE_REG.little.pack(0x50002, 280, 0, b"new")
    engine.on_qdevice_reg(2, 1, gone, False)
    assert engine.qdevice_name == b"new"
    info(node, 2, 2, 1, 3, 0)
    engine.on_qdevice_reg(2, 1, gone, False)
    assert engine.qdevice_name == b""


def test_flags_of_later_versions_are_kept():
    node = Node(1)
    info(node, 2, 2, 1, 3, 256)
    assert int(node.votequorum.nodes[2].flags) == 256


def test_the_table_of_nodes_is_bounded():
    bus = cluster(1, 2)
    bus.form((1, 2))
    for nodeid in range(10, 3 * PROCESSOR_COUNT_MAX):
        info(bus.nodes[1], nodeid, nodeid, 0, 3, 0)
    nodes = bus.nodes[1].votequorum.nodes
    assert len(nodes) <= PROCESSOR_COUNT_MAX
    assert {1, 2} <= set(nodes)


def test_malformed_messages_are_refused():
    engine = Node(1).votequorum
    for handler in engine.exec_handlers().values():
        with pytest.raises(MalformedFrame):
            handler(2, 1, bytes(20), False)
