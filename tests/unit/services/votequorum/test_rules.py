"""Sentences of votequorum(5), each on a ring of engines."""

import pytest

from corosync_tw.corotypes import NS_PER_MS
from corosync_tw.services.log_line import LogLine
from corosync_tw.services.votequorum.effects import StoreEvTracking
from corosync_tw.services.votequorum.nodes import NodeState, NodeTable, VotingNode, rank
from corosync_tw.services.votequorum.params import TieBreaker, TieBreakerRule
from corosync_tw.services.votequorum.voting import list_breaks_tie
from corosync_tw.services.votequorum.wire import NodeFlags, Reconfigure, encode_reconfigure
from tests.unit.services.ordered_bus import Node, OrderedBus

WINDOW_NS = 10_000 * NS_PER_MS
LOWEST = TieBreakerRule(TieBreaker.LOWEST)
HIGHEST = TieBreakerRule(TieBreaker.HIGHEST)


def cluster(count, **votes):
    given = {"expected_votes": count, "listed_votes": count, **votes}
    bus = OrderedBus(*(Node(n, **given) for n in range(1, count + 1)))
    bus.form(tuple(range(1, count + 1)))
    return bus


def side(first, last):
    return tuple(range(first, last + 1))


def quorate(bus):
    return {n for n, node in bus.nodes.items() if node.quorum.quorate}


def pass_time(bus, ns, *nodeids):
    for nodeid in nodeids or bus.nodes:
        node = bus.nodes[nodeid]
        node.bus.now_ns += ns
        node.votequorum.advance(node.bus.now_ns)


def numbers(bus, nodeid=1):
    engine = bus.nodes[nodeid].votequorum
    return engine.us.expected_votes, engine.quorum


def test_two_node_sets_quorum_artificially_to_1():
    bus = cluster(2, two_node=True)
    assert numbers(bus) == (2, 1)
    bus.form((1,), (2,))
    assert quorate(bus) == {1, 2}


def test_enabling_two_node_automatically_enables_wait_for_all():
    bus = OrderedBus(*(Node(n, expected_votes=2, two_node=True, wait_for_all=None) for n in (1, 2)))
    bus.form((1,), (2,))
    assert quorate(bus) == set()
    bus.form((1, 2))
    assert quorate(bus) == {1, 2}


def test_if_more_than_2_nodes_join_two_node_is_automatically_disabled():
    bus = OrderedBus(*(Node(n, expected_votes=2, two_node=True) for n in (1, 2, 3)))
    bus.form((1, 2, 3))
    assert numbers(bus) == (3, 2)
    assert quorate(bus) == {1, 2, 3}
    # Disabled while they are three, as in Corosync: a node that is alone again needs one vote.
    bus.form((1,), (2, 3))
    assert quorate(bus) == {1, 2, 3}


def test_last_man_standing_goes_from_8_nodes_to_2_in_a_cascade():
    bus = cluster(8, last_man_standing=True, wait_for_all=True)
    assert numbers(bus) == (8, 5)
    for lost, expected, quorum in ((3, 5, 3), (2, 3, 2), (1, 2, 2)):
        alive = len(bus.components[0]) - lost
        bus.form(side(1, alive))
        assert quorate(bus) >= set(side(1, alive))
        pass_time(bus, WINDOW_NS)
        assert numbers(bus) == (expected, quorum)
    bus.form((1,))
    assert 1 not in quorate(bus)


def test_expected_votes_stay_until_the_window_timer_expires():
    bus = cluster(8, last_man_standing=True)
    bus.form(side(1, 5))
    pass_time(bus, WINDOW_NS - 1)
    assert numbers(bus) == (8, 5)
    bus.form(side(1, 4))
    assert 1 not in quorate(bus)
    # The window closes over an inquorate partition: nothing is recalculated.
    pass_time(bus, 1)
    assert numbers(bus) == (8, 5)
    assert bus.nodes[1].votequorum.next_deadline() is None


def test_one_more_loss_begins_the_window_anew():
    bus = cluster(8, last_man_standing=True, last_man_standing_window_ns=100)
    bus.form(side(1, 7))
    pass_time(bus, 60)
    bus.form(side(1, 6))
    pass_time(bus, 60)
    assert numbers(bus) == (8, 5)
    pass_time(bus, 40)
    assert numbers(bus) == (6, 4)


def test_last_man_standing_does_not_work_with_asymmetric_voting_schemes():
    bus = OrderedBus(
        *(Node(n, votes=n, expected_votes=6, last_man_standing=True) for n in (1, 2, 3))
    )
    bus.form((1, 2, 3))
    one = bus.nodes[1]
    assert not one.votequorum.last_man_standing
    texts = [remark.text for remark in one.take(LogLine)]
    assert any("Disabling LMS" in text for text in texts)
    bus.form((2, 3))
    assert bus.nodes[2].votequorum.next_deadline() is None


def test_from_2_nodes_to_1_auto_tie_breaker_must_be_enabled():
    bus = cluster(4, last_man_standing=True, tie_breaker=LOWEST, wait_for_all=True)
    bus.form((1, 2, 3))
    pass_time(bus, WINDOW_NS)
    bus.form((1, 2))
    pass_time(bus, WINDOW_NS)
    assert numbers(bus) == (2, 2)
    bus.form((1,), (2,))
    assert 1 in quorate(bus)
    assert 2 not in quorate(bus)
    pass_time(bus, WINDOW_NS, 1)
    assert numbers(bus) == (1, 1)


@pytest.mark.parametrize(
    ("rule", "winners"),
    [
        (LOWEST, {1, 2}),
        (HIGHEST, {3, 4}),
        (TieBreakerRule(TieBreaker.LIST, (3, 1)), {3, 4}),
        (TieBreakerRule(TieBreaker.LIST, (9, 2)), {1, 2}),
        (TieBreakerRule(TieBreaker.LIST, (9,)), set()),
    ],
)
def test_the_half_in_contact_with_the_chosen_node_remains_quorate(rule, winners):
    bus = cluster(4, tie_breaker=rule)
    bus.form((1, 2), (3, 4))
    assert quorate(bus) == winners


def test_without_auto_tie_breaker_neither_half_is_quorate():
    bus = cluster(4)
    bus.form((1, 2), (3, 4))
    assert quorate(bus) == set()


def test_less_than_half_breaks_no_tie():
    bus = cluster(6, tie_breaker=LOWEST)
    bus.form((1, 2), (3, 4, 5, 6))
    assert quorate(bus) == {3, 4, 5, 6}


def test_auto_tie_breaker_in_an_odd_cluster_needs_wait_for_all():
    bus = cluster(5, tie_breaker=LOWEST)
    assert bus.nodes[1].votequorum.runtime().atb_type == TieBreaker.NONE
    bus.form((1, 2), (3, 4, 5))
    assert quorate(bus) == {3, 4, 5}
    bus = cluster(5, tie_breaker=LOWEST, wait_for_all=True)
    assert bus.nodes[1].votequorum.runtime().atb_type == TieBreaker.LOWEST


def test_half_minus_one_may_win_when_those_who_went_cannot_have_quorum():
    """Two of five with the lowest node, two have gone before: 5 // 2 votes, one is lost now."""
    bus = cluster(5, tie_breaker=LOWEST, wait_for_all=True)
    bus.form((1, 2, 3))
    bus.form((1, 2), (3,))
    assert quorate(bus) - {4, 5} == {1, 2}


def test_a_node_starting_alone_breaks_no_tie():
    bus = OrderedBus(Node(1, expected_votes=2, listed_votes=2, tie_breaker=LOWEST))
    bus.form((1,))
    assert quorate(bus) == set()


@pytest.mark.parametrize(
    ("nodes", "members", "previous", "wins"),
    [
        ((1, 2), (1,), (1, 2), True),
        ((1, 2), (2,), (1, 2), False),
        ((1, 2), (2,), (2, 3), True),
        ((1, 2, 3), (3,), (2, 3), False),
        ((), (1,), (1,), False),
    ],
)
def test_the_nodes_of_the_list_are_evaluated_in_order(nodes, members, previous, wins):
    assert list_breaks_tie(nodes, members, previous) is wins


def test_votes_are_never_decreased_without_allow_downscale():
    bus = cluster(5)
    for last in (4, 3):
        bus.form(side(1, last))
    assert numbers(bus) == (5, 3)


def test_allow_downscale_implicitly_enables_expected_votes_tracking():
    (node,) = OrderedBus(Node(1, expected_votes=3, allow_downscale=True)).nodes.values()
    assert node.votequorum.runtime().ev_tracking_barrier == 3


def test_the_highest_seen_expected_votes_are_stored_and_never_reduced():
    bus = OrderedBus(
        *(Node(n, expected_votes=3, expected_votes_tracking=True) for n in (1, 2, 3, 4, 5))
    )
    bus.form((1, 2, 3, 4, 5))
    one = bus.nodes[1]
    assert [e.ev_tracking_barrier for e in one.take(StoreEvTracking)][-1] == 5
    one.votequorum.set_expected(5)
    bus.run()
    one.votequorum.on_reconfigure(1, 1, encode_reconfigure(Reconfigure(1, 4, 1)), False)
    assert one.votequorum.us.expected_votes == 5
    assert one.votequorum.runtime().ev_tracking_barrier == 5
    assert one.take(StoreEvTracking) == []


def test_the_stored_value_is_the_minimum_after_a_restart():
    node = Node(1, expected_votes=3, expected_votes_tracking=True, ev_tracking_barrier=7)
    assert (node.votequorum.us.expected_votes, node.votequorum.quorum) == (7, 4)
    smaller = Node(1, expected_votes=3, expected_votes_tracking=True, ev_tracking_barrier=2)
    assert smaller.votequorum.us.expected_votes == 3
    untracked = Node(1, expected_votes=3, ev_tracking_barrier=7)
    assert untracked.votequorum.us.expected_votes == 3


def test_a_node_that_remembers_more_takes_the_number_of_a_quorate_cluster():
    """Yet what it said before counts for the others until the next ring, as in stock."""
    bus = OrderedBus(
        *(Node(n, expected_votes=3, expected_votes_tracking=True) for n in (1, 2)),
        Node(3, expected_votes=3, expected_votes_tracking=True, ev_tracking_barrier=9),
    )
    bus.form((1, 2), (3,))
    bus.form((1, 2, 3))
    assert bus.nodes[3].votequorum.us.expected_votes == 3
    assert numbers(bus) == (3, 5)
    bus.form((1, 2, 3))
    assert quorate(bus) == {1, 2, 3}


def test_a_clean_shutdown_is_told_a_crash_is_not():
    bus = cluster(3)
    bus.nodes[3].votequorum.announce_leave()
    bus.run()
    bus.form((1, 2))
    states = {n: bus.nodes[1].votequorum.nodes[n].state for n in (2, 3)}
    assert states == {2: NodeState.MEMBER, 3: NodeState.DEAD}
    assert bus.nodes[1].votequorum.nodes[3].flags & NodeFlags.LEAVING


def test_nodes_are_listed_in_the_order_of_corosync():
    table = NodeTable(VotingNode(1, NodeState.MEMBER))
    for nodeid in (2, 3):
        table.add(nodeid, ())
    # One that is higher than all comes before the last.
    assert [node.nodeid for node in table] == [2, 3, 1]
    table = NodeTable(VotingNode(3, NodeState.MEMBER))
    for nodeid in (1, 2):
        table.add(nodeid, ())
    assert [node.nodeid for node in table] == [1, 2, 3]


def test_a_high_nodeid_is_lower_than_all_as_in_corosync():
    assert sorted((1, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF), key=rank) == [
        0x80000000,
        0xFFFFFFFF,
        1,
        0x7FFFFFFF,
    ]
