"""Closed process groups: what clients see of joins, leaves, lost nodes, merges, and messages."""

import random

import pytest

from corosync_tw.corotypes import CPG_MAX_NAME_LENGTH, CpgReason
from corosync_tw.errors import (
    CsBusy,
    CsExist,
    CsInterrupt,
    CsInvalidParam,
    CsNameTooLong,
    CsNotExist,
    CsTooBig,
    CsTryAgain,
    MalformedFrame,
)
from corosync_tw.services.cpg import partial, wire
from corosync_tw.services.cpg.engine import CPG_ATOMIC_LEN_MAX
from corosync_tw.services.cpg.wire import PartialType
from corosync_tw.services.exec_wire import decode_id
from tests.unit.services.ordered_bus import Node, OrderedBus

JOIN, LEAVE = CpgReason.JOIN, CpgReason.LEAVE
NODEDOWN, NODEUP, PROCDOWN = CpgReason.NODEDOWN, CpgReason.NODEUP, CpgReason.PROCDOWN


def cluster(*nodeids):
    bus = OrderedBus(*(Node(n) for n in nodeids))
    bus.form(nodeids)
    return bus, [bus.nodes[n] for n in nodeids]


def forget(bus):
    for node in bus.nodes.values():
        node.bus.effects.clear()


def test_everybody_sees_a_join_and_the_joiner_too():
    bus, (one, two) = cluster(1, 2)
    one.cpg.join(10, b"g", 100)
    bus.run()
    assert one.confchgs() == [(10, [(1, 100)], [], [(1, 100, JOIN)])]
    two.cpg.join(20, b"g", 50)
    bus.run()
    change = ([(1, 100), (2, 50)], [], [(2, 50, JOIN)])
    assert one.confchgs() == [(10, *change)]
    assert two.confchgs() == [(20, *change)]
    assert [m[:2] for m in one.cpg.membership(b"g")] == [(1, 100), (2, 50)]
    assert two.cpg.groups() == [b"g"]
    assert two.cpg.membership(b"unknown") == []


def test_a_client_sees_its_join_before_any_message():
    bus, (one, two) = cluster(1, 2)
    one.cpg.join(10, b"g", 100)
    bus.run()
    two.cpg.join(20, b"g", 50)
    one.cpg.mcast(10, [(b"before",)])
    two.cpg.mcast(20, [(b"mine",)])
    forget(bus)
    bus.run()
    kinds = [type(e).__name__ for e in two.bus.effects]
    assert kinds[0] == "CpgConfchg"
    # The order of the bus: node 1 speaks before node 2 has joined.
    assert one.texts() == [(10, 1, b"before"), (10, 2, b"mine")]
    assert two.texts() == [(20, 2, b"mine")]


def test_a_leave_is_seen_by_the_leaver_and_ends_its_messages():
    bus, (one, two) = cluster(1, 2)
    one.cpg.join(10, b"g", 100)
    two.cpg.join(20, b"g", 50)
    bus.run()
    forget(bus)
    one.cpg.leave(10)
    with pytest.raises(CsNotExist):
        one.cpg.mcast(10, [(b"too late",)])
    bus.run()
    change = ([(2, 50)], [(1, 100, LEAVE)], [])
    assert one.confchgs() == [(10, *change)]
    assert two.confchgs() == [(20, *change)]
    two.cpg.mcast(20, [(b"alone",)])
    bus.run()
    assert one.texts() == []
    assert two.texts() == [(20, 2, b"alone")]


def test_messages_on_their_way_reach_a_leaver_until_its_leave():
    bus, (one,) = cluster(1)
    one.cpg.join(10, b"g", 100)
    bus.run()
    one.cpg.mcast(10, [(b"a",), (b"b", b"c")])
    one.cpg.leave(10)
    bus.run()
    assert one.texts() == [(10, 1, b"a"), (10, 1, b"bc")]


def test_after_its_leave_a_connection_may_join_again():
    bus, (one,) = cluster(1)
    one.cpg.join(10, b"g", 100)
    bus.run()
    one.cpg.leave(10)
    bus.run()
    assert one.cpg.groups() == []
    one.cpg.join(10, b"h", 100)
    bus.run()
    assert one.confchgs()[-1] == (10, [(1, 100)], [], [(1, 100, JOIN)])


def test_a_group_may_have_no_name():
    bus, (one,) = cluster(1)
    one.cpg.join(10, b"", 100)
    bus.run()
    one.cpg.mcast(10, [(b"m",)])
    bus.run()
    assert one.texts() == [(10, 1, b"m")]


def test_two_processes_of_a_node_are_two_members():
    bus, (one, two) = cluster(1, 2)
    one.cpg.join(10, b"g", 200)
    one.cpg.join(11, b"g", 100)
    bus.run()
    two.cpg.join(20, b"g", 1)
    bus.run()
    forget(bus)
    one.cpg.mcast(10, [(b"x",)])
    bus.run()
    assert one.texts() == [(10, 1, b"x"), (11, 1, b"x")]
    one.cpg.disconnect(11)
    bus.run()
    assert one.confchgs() == [(10, [(1, 200), (2, 1)], [(1, 100, PROCDOWN)], [])]
    assert two.confchgs() == [(20, [(1, 200), (2, 1)], [(1, 100, PROCDOWN)], [])]


def test_a_lost_connection_before_its_join_is_delivered():
    bus, (one, two) = cluster(1, 2)
    two.cpg.join(20, b"g", 1)
    bus.run()
    forget(bus)
    one.cpg.join(10, b"g", 100)
    one.cpg.disconnect(10)
    bus.run()
    assert two.confchgs() == [
        (20, [(1, 100), (2, 1)], [], [(1, 100, JOIN)]),
        (20, [(2, 1)], [(1, 100, PROCDOWN)], []),
    ]
    assert one.confchgs() == []


def test_a_lost_connection_after_its_leave_is_not_told_twice():
    bus, (one, two) = cluster(1, 2)
    one.cpg.join(10, b"g", 100)
    two.cpg.join(20, b"g", 1)
    bus.run()
    forget(bus)
    one.cpg.leave(10)
    one.cpg.disconnect(10)
    one.cpg.disconnect(10)
    bus.run()
    assert two.confchgs() == [(20, [(2, 1)], [(1, 100, LEAVE)], [])]


def test_a_full_queue_does_not_lose_a_disconnect():
    bus, (one, two) = cluster(1, 2)
    one.cpg.join(10, b"g", 100)
    two.cpg.join(20, b"g", 1)
    bus.run()
    forget(bus)
    one.bus.full = True
    one.cpg.disconnect(10)
    one.bus.full = False
    bus.run()
    bus.run()
    assert two.confchgs() == [(20, [(2, 1)], [(1, 100, PROCDOWN)], [])]


def test_a_process_that_comes_back_is_not_taken_out_by_the_leave_of_its_lost_connection():
    bus, (one, two) = cluster(1, 2)
    one.cpg.join(10, b"g", 100)
    one.bus.full = True
    one.cpg.disconnect(10)
    one.bus.full = False
    one.cpg.join(11, b"g", 100)
    bus.run()
    bus.run()
    assert [m[:2] for m in two.cpg.membership(b"g")] == [(1, 100)]


class TestRefusals:
    def test_join(self):
        bus, (one,) = cluster(1)
        with pytest.raises(CsInvalidParam):
            one.cpg.join(10, b"g", 1 << 32)
        with pytest.raises(CsNameTooLong):
            one.cpg.join(10, b"g" * (CPG_MAX_NAME_LENGTH + 1), 1)
        one.bus.full = True
        with pytest.raises(CsTryAgain):
            one.cpg.join(10, b"g", 1)
        one.bus.full = False
        one.cpg.join(10, b"g" * CPG_MAX_NAME_LENGTH, 1)
        with pytest.raises(CsExist):
            one.cpg.join(10, b"other", 1)
        with pytest.raises(CsExist):
            one.cpg.join(11, b"g" * CPG_MAX_NAME_LENGTH, 1)
        bus.run()
        with pytest.raises(CsExist):
            one.cpg.join(10, b"other", 1)
        one.cpg.leave(10)
        with pytest.raises(CsBusy):
            one.cpg.join(10, b"other", 1)

    def test_join_of_a_process_whose_former_end_is_on_its_way(self):
        bus, (one,) = cluster(1)
        one.cpg.join(10, b"g", 1)
        bus.run()
        one.cpg.disconnect(10)
        with pytest.raises(CsTryAgain):
            one.cpg.join(11, b"g", 1)
        bus.run()
        one.cpg.join(11, b"g", 1)

    def test_leave(self):
        bus, (one,) = cluster(1)
        with pytest.raises(CsNotExist):
            one.cpg.leave(10)
        one.cpg.join(10, b"g", 1)
        with pytest.raises(CsBusy):
            one.cpg.leave(10)
        bus.run()
        one.bus.full = True
        with pytest.raises(CsTryAgain):
            one.cpg.leave(10)
        one.bus.full = False
        one.cpg.leave(10)
        with pytest.raises(CsNotExist):
            one.cpg.leave(10)

    def test_mcast(self):
        bus, (one,) = cluster(1)
        with pytest.raises(CsNotExist):
            one.cpg.mcast(10, [(b"x",)])
        one.cpg.join(10, b"g", 1)
        one.cpg.mcast(10, [(bytes(CPG_ATOMIC_LEN_MAX),), ()])
        with pytest.raises(CsTooBig):
            one.cpg.mcast(10, [(b"x",), (bytes(CPG_ATOMIC_LEN_MAX), b"x")])
        bus.run()
        assert [len(t[2]) for t in one.texts()] == [CPG_ATOMIC_LEN_MAX, 0]

    def test_a_batch_that_does_not_fit_tells_how_much_did(self):
        bus, (one,) = cluster(1)
        one.cpg.join(10, b"g", 1)
        bus.run()
        put = one.bus._put

        def until_three(queue, group, slices):
            one.bus.full = len(queue) == 3
            put(queue, group, slices)

        one.bus._put = until_three
        with pytest.raises(CsTryAgain) as refused:
            one.cpg.mcast(10, [(bytes([i]),) for i in range(5)])
        assert refused.value.accepted == 3
        one.bus.full = False
        bus.run()
        assert [t[2] for t in one.texts()] == [b"\0", b"\1", b"\2"]


def test_a_lost_node_takes_all_its_processes_with_it():
    bus, (one, two, three) = cluster(1, 2, 3)
    one.cpg.join(10, b"g", 1)
    for node, conns in ((two, (20, 21)), (three, (30,))):
        for conn in conns:
            node.cpg.join(conn, b"g", conn)
    three.cpg.join(31, b"other", 31)
    bus.run()
    forget(bus)
    bus.form((1, 2))
    assert one.confchgs() == [(10, [(1, 1), (2, 20), (2, 21)], [(3, 30, NODEDOWN)], [])]
    assert one.cpg.groups() == [b"g"]
    forget(bus)
    bus.form((1,))
    assert one.confchgs() == [(10, [(1, 1)], [(2, 20, NODEDOWN), (2, 21, NODEDOWN)], [])]
    assert one.cpg.membership(b"g") == [(1, 1, 0)]


def test_a_merge_brings_together_the_groups_of_both_sides():
    bus = OrderedBus(*(Node(n) for n in (1, 2, 3, 4)))
    bus.form((1, 2), (3, 4))
    nodes = bus.nodes
    nodes[1].cpg.join(10, b"left", 1)
    nodes[1].cpg.join(11, b"both", 2)
    nodes[2].cpg.join(20, b"left", 3)
    nodes[3].cpg.join(30, b"both", 4)
    nodes[4].cpg.join(40, b"both", 5)
    nodes[4].cpg.join(41, b"right", 6)
    bus.run()
    assert nodes[1].cpg.groups() == [b"both", b"left"]
    assert nodes[3].cpg.groups() == [b"both", b"right"]
    forget(bus)
    bus.form((1, 2, 3, 4))
    both = [(1, 2), (3, 4), (4, 5)]
    # Lists arrive from 3 and then from 4; Corosync tells the newest first.
    assert nodes[1].confchgs() == [(11, both, [], [(4, 5, NODEUP), (3, 4, NODEUP)])]
    assert nodes[2].confchgs() == []
    assert nodes[3].confchgs() == [(30, both, [], [(1, 2, NODEUP)])]
    assert nodes[4].confchgs() == [(40, both, [], [(1, 2, NODEUP)])]
    views = [[(g, n.cpg.membership(g)) for g in n.cpg.groups()] for n in nodes.values()]
    assert all(view == views[0] for view in views)


def test_a_partition_and_merge_is_a_nodedown_and_a_nodeup():
    bus, (one, two) = cluster(1, 2)
    one.cpg.join(10, b"g", 1)
    two.cpg.join(20, b"g", 2)
    bus.run()
    forget(bus)
    bus.form((1,), (2,))
    bus.form((1, 2))
    assert one.confchgs() == [
        (10, [(1, 1)], [(2, 2, NODEDOWN)], []),
        (10, [(1, 1), (2, 2)], [], [(2, 2, NODEUP)]),
    ]


def test_a_node_lost_in_a_round_that_was_cut_short_is_told_as_lost():
    bus, (one, two) = cluster(1, 2)
    one.cpg.join(10, b"g", 1)
    two.cpg.join(20, b"g", 2)
    bus.run()
    forget(bus)
    bus.configure((1,), (2,))
    bus.form((1, 2))
    assert one.confchgs() == [
        (10, [(1, 1)], [(2, 2, NODEDOWN)], []),
        (10, [(1, 1), (2, 2)], [], [(2, 2, NODEUP)]),
    ]


def test_lists_of_a_round_that_was_cut_short_are_forgotten():
    bus, (one, _two, three) = cluster(1, 2, 3)
    one.cpg.join(10, b"g", 1)
    bus.run()
    bus.form((1, 2), (3,))
    three.cpg.join(30, b"g", 3)
    bus.run()
    forget(bus)
    bus.configure((1, 2, 3))
    # Run until node 1 has the list of 3, but not the last barrier for cpg.
    while not one.cpg._membership.joinlists:
        bus.run(visits_max=1)
        bus.components = [(*bus.components[0][1:], bus.components[0][0])]
    bus.form((1, 2))
    assert one.confchgs() == []
    assert one.cpg.membership(b"g") == [(1, 1, 0)]


def test_a_process_that_left_while_we_were_apart_is_told_as_down():
    """A list that does not name a process we know: it ended without our hearing of it."""
    bus, (one, two) = cluster(1, 2)
    one.cpg.join(10, b"g", 1)
    two.cpg.join(20, b"g", 2)
    two.cpg.join(21, b"g", 3)
    bus.run()
    forget(bus)
    group = two.cpg._groups.open(b"g")
    two.cpg._groups.remove(group, 2, 3)
    bus.form((1, 2))
    assert one.confchgs() == [(10, [(1, 1), (2, 2)], [(2, 3, PROCDOWN)], [])]


def test_a_disconnect_during_synchronization_leaves_no_ghost():
    bus = OrderedBus(Node(1), Node(2))
    bus.form((1,), (2,))
    one, two = bus.nodes[1], bus.nodes[2]
    one.cpg.join(10, b"g", 1)
    two.cpg.join(20, b"g", 2)
    bus.run()
    forget(bus)
    for visits in range(12):
        bus.form((1,), (2,))
        bus.configure((1, 2))
        bus.run(visits_max=visits)
        two.cpg.disconnect(20)
        bus.run()
        assert one.cpg.membership(b"g") == [(1, 1, 0)] == two.cpg.membership(b"g")
        two.cpg.join(20, b"g", 2)
        bus.run()


def test_messages_waiting_through_a_merge_come_after_the_change():
    bus = OrderedBus(Node(1), Node(2))
    bus.form((1,), (2,))
    one, two = bus.nodes[1], bus.nodes[2]
    one.cpg.join(10, b"g", 1)
    two.cpg.join(20, b"g", 2)
    bus.run()
    forget(bus)
    bus.configure((1, 2))
    one.cpg.mcast(10, [(b"m",)])
    bus.run()
    kinds = [type(e).__name__ for e in two.bus.effects if type(e).__name__.startswith("Cpg")]
    assert kinds == ["CpgConfchg", "CpgTotemConfchg", "CpgDeliver"]


def test_what_synchronization_sends_is_a_downlist_and_the_own_processes_by_pid():
    bus, (one, _two) = cluster(1, 2)
    one.cpg.join(10, b"g", 9)
    one.cpg.join(11, b"h", 5)
    one.cpg.join(12, b"i", 9)
    bus.run()
    seen = []
    bus.watch = lambda sender, group, data: seen.append((sender, group, data))
    bus.form((1,))
    mine = [d for s, g, d in seen if s == 1 and g == b"a" and decode_id(d, False) >> 16 == 2]
    assert [decode_id(d, False) for d in mine] == [wire.DOWNLIST_ID, wire.JOINLIST_ID]
    assert wire.decode_downlist(mine[0], False) == (2, (2,))
    assert wire.decode_joinlist(mine[1], False) == [(5, b"h"), (9, b"g"), (9, b"i")]


def test_a_message_from_a_node_without_a_member_is_not_delivered():
    bus, (one, _two) = cluster(1, 2)
    one.cpg.join(10, b"g", 1)
    bus.run()
    head = wire.encode_mcast(b"g", 7, 2, 1, 1)
    one.cpg.on_mcast(2, 5, head + b"x", False)
    part = wire.encode_partial_mcast(b"g", 7, (2, 1), (1, 1), PartialType.FIRST)
    one.cpg.on_partial_mcast(2, 5, part + b"x", False)
    assert one.texts() == []
    assert one.cpg.unknown_senders == 2


def test_a_message_of_the_other_byte_order_is_delivered_as_it_is():
    bus, (one,) = cluster(1)
    one.cpg.join(10, b"g", 1)
    bus.run()
    head = wire.MCAST.big.pack(wire.MCAST_ID, 187, 1, b"g", 3, 77, 1, 5)
    one.cpg.on_mcast(1, 5, memoryview(head + b"abc padding"), True)
    assert one.texts() == [(10, 1, b"abc")]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        bytes(183),
        wire.MCAST.little.pack(wire.MCAST_ID, 0, 129, b"g", 0, 1, 1, 1),
        wire.MCAST.little.pack(wire.MCAST_ID, 0, 1, b"g", 1, 1, 1, 1),
    ],
)
def test_a_malformed_message_is_refused(data):
    node = Node(1)
    with pytest.raises(MalformedFrame):
        node.cpg.on_mcast(1, 1, data, False)


def test_a_payload_is_a_view_and_not_a_copy():
    bus, (one,) = cluster(1)
    one.cpg.join(10, b"g", 1)
    bus.run()
    frame = bytearray(wire.encode_mcast(b"g", 1, 1, 10, 3) + b"abc")
    one.bus.effects.clear()
    one.cpg.on_mcast(1, 1, memoryview(frame), False)
    frame[-1:] = b"C"
    assert bytes(one.bus.effects[0].data) == b"abC"


class TestParts:
    def send(self, node, conn, parts, kinds=None):
        total = sum(map(len, parts))
        last = len(parts) - 1
        for i, part in enumerate(parts):
            kind = (
                PartialType.FIRST
                if i == 0
                else PartialType.LAST
                if i == last
                else PartialType.CONTINUED
            )
            node.cpg.partial_mcast(conn, kind, total, (part,))

    def test_clients_get_the_whole_message(self):
        bus, (one, two) = cluster(1, 2)
        one.cpg.join(10, b"g", 1)
        two.cpg.join(20, b"g", 2)
        two.cpg.join(21, b"g", 3)
        bus.run()
        self.send(one, 10, [b"aa", b"bbb", b"c"])
        self.send(two, 20, [b"1", b"2"])
        bus.run()
        assert one.texts() == [(10, 1, b"aabbbc"), (10, 2, b"12")]
        assert two.texts() == [
            (conn, sender, text)
            for sender, text in ((1, b"aabbbc"), (2, b"12"))
            for conn in (20, 21)
        ]
        assert one.cpg._partial._held_bytes == 0

    def test_who_joins_in_between_does_not_get_it(self):
        bus, (one, two) = cluster(1, 2)
        one.cpg.join(10, b"g", 1)
        bus.run()
        one.cpg.partial_mcast(10, PartialType.FIRST, 2, (b"a",))
        one.cpg.partial_mcast(10, PartialType.LAST, 2, (b"b",))
        first, last = one.bus.ordinary
        one.bus.ordinary[:] = [first]
        bus.run()
        two.cpg.join(20, b"g", 2)
        bus.run()
        one.bus.ordinary.append(last)
        bus.run()
        assert one.texts() == [(10, 1, b"ab")]
        assert two.texts() == []

    def test_a_change_between_parts_interrupts_the_sender(self):
        bus, (one, two) = cluster(1, 2)
        one.cpg.join(10, b"g", 1)
        bus.run()
        one.cpg.partial_mcast(10, PartialType.FIRST, 2, (b"a",))
        two.cpg.join(20, b"g", 2)
        bus.run()
        with pytest.raises(CsInterrupt):
            one.cpg.partial_mcast(10, PartialType.LAST, 2, (b"b",))
        self.send(one, 10, [b"c", b"d"])
        bus.run()
        assert one.texts() == [(10, 1, b"cd")]

    def test_a_lost_sender_s_parts_are_dropped(self):
        bus, (one, two) = cluster(1, 2)
        one.cpg.join(10, b"g", 1)
        two.cpg.join(20, b"g", 2)
        bus.run()
        two.cpg.partial_mcast(20, PartialType.FIRST, 2, (b"a",))
        bus.run()
        assert one.cpg._partial._held_bytes == 1
        bus.form((1,), (2,))
        assert one.cpg._partial._held_bytes == 0

    def test_limits(self, monkeypatch):
        monkeypatch.setattr(partial, "PARTIAL_MESSAGE_LEN_MAX", 10)
        monkeypatch.setattr(partial, "PARTIAL_BYTES_MAX", 15)
        assembler = partial.PartialAssembler()

        def add(conn, kind, msglen, data):
            part = wire.PartialMcast(b"g", msglen, 1, kind, conn, data)
            progress = assembler.add(1, part, (10,))
            return progress.sound, bytes(progress.whole), progress.receivers

        going_on, refused = (True, b"", ()), (False, b"", ())

        # Too large to be put together here; who takes parts gets them.
        assert add(1, PartialType.FIRST, 11, b"0123456789") == going_on
        assert assembler.dropped == 1
        assert add(1, PartialType.LAST, 11, b"x") == going_on
        assert add(1, PartialType.FIRST, 2, b"abc") == refused  # more than announced
        assert assembler.dropped == 2
        assert add(1, PartialType.LAST, 2, b"") == refused  # of no message
        assert add(1, PartialType.FIRST, 3, b"a") == going_on
        assert add(1, PartialType.LAST, 3, b"b") == refused  # less than announced
        assert assembler.dropped == 3
        assert add(1, PartialType.FIRST, 10, b"123456789") == going_on
        assert add(2, PartialType.FIRST, 10, b"123456789") == going_on  # too much together
        assert assembler.dropped == 4
        assert add(1, PartialType.LAST, 10, b"0") == (True, b"1234567890", (10,))
        assert add(2, PartialType.LAST, 10, b"0") == going_on
        assert assembler._held_bytes == 0

    def test_refusals(self):
        _bus, (one,) = cluster(1)
        with pytest.raises(CsNotExist):
            one.cpg.partial_mcast(10, PartialType.FIRST, 2, (b"a",))
        one.cpg.join(10, b"g", 1)
        with pytest.raises(CsTooBig):
            one.cpg.partial_mcast(10, PartialType.FIRST, 2, (bytes(CPG_ATOMIC_LEN_MAX + 1),))
        one.bus.full = True
        with pytest.raises(CsTryAgain):
            one.cpg.partial_mcast(10, PartialType.FIRST, 2, (b"a",))


@pytest.mark.parametrize("seed", range(25))
def test_a_random_life_gives_all_members_of_a_component_the_same_view(seed):
    """
    Joins, leaves, lost connections and partitions at any moment.

    Every client's own sequence of changes must explain its view: nobody joins who is in, nobody
    leaves who is not, and what is left is the list that came with the change.
    """
    rng = random.Random(seed)
    ids = (1, 2, 3, 4)
    bus = OrderedBus(*(Node(n) for n in ids))
    bus.form(*((n,) for n in ids))
    conns = {n: {} for n in ids}
    next_conn = iter(range(1, 10_000))
    for _ in range(60):
        act = rng.random()
        node = bus.nodes[rng.choice(ids)]
        mine = conns[node.nodeid]
        if act < 0.35:
            conn = next(next_conn)
            node.cpg.join(conn, rng.choice([b"g", b"h"]), conn)
            mine[conn] = True
        elif act < 0.6 and mine:
            node.cpg.disconnect(rng.choice(sorted(mine)))
            mine.clear()
            mine.update(dict.fromkeys(node.cpg._connections, True))
        elif act < 0.75:
            order = list(ids)
            rng.shuffle(order)
            cut = rng.randint(1, 4)
            bus.configure(*(tuple(part) for part in (order[:cut], order[cut:]) if part))
        bus.run(visits_max=rng.randint(0, 30))
    bus.run()
    for component in bus.components:
        views = []
        for n in component:
            cpg = bus.nodes[n].cpg
            views.append([(g, cpg.membership(g)) for g in cpg.groups()])
            own = sorted((m.pid, g) for g, ms in views[-1] for m in ms if m.nodeid == n)
            assert own == sorted((c.pid, c.group) for c in cpg._connections.values())
        assert all(view == views[0] for view in views)
    for node in bus.nodes.values():
        known = {}
        for conn, members, left, joined in node.confchgs():
            view = known.setdefault(conn, None)
            if view is None:
                view = set(members) - {j[:2] for j in joined} | {e[:2] for e in left}
            assert not view & {j[:2] for j in joined}
            assert view >= {e[:2] for e in left}
            known[conn] = (view | {j[:2] for j in joined}) - {e[:2] for e in left}
            assert sorted(known[conn]) == members
