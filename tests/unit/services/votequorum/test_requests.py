"""What an administrator changes, what a client follows, and configurations that change."""

import pytest

from corosync_tw.corotypes import TrackFlags
from corosync_tw.errors import CsExist, CsInvalidParam, CsNameNotFound, CsNotExist, CsTryAgain
from corosync_tw.services.log_line import LogLine
from corosync_tw.services.votequorum.effects import (
    ExpectedVotesNotification,
    NodelistNotification,
    QuorumNotification,
)
from corosync_tw.services.votequorum.params import (
    DeviceParams,
    TieBreaker,
    TieBreakerRule,
    VotequorumParams,
    settle,
)
from corosync_tw.services.votequorum.report import InfoFlags
from tests.unit.services.ordered_bus import Node, OrderedBus

LOWEST = TieBreakerRule(TieBreaker.LOWEST)
NEWS = (QuorumNotification, NodelistNotification, ExpectedVotesNotification)


def cluster(count=3, **votes):
    given = {"expected_votes": count, "listed_votes": count, **votes}
    bus = OrderedBus(*(Node(n, **given) for n in range(1, count + 1)))
    bus.form(tuple(range(1, count + 1)))
    return bus


def params(**changes):
    given = {"nodeid": 1, "votes": 1, "expected_votes": 3, "listed_votes": 3, **changes}
    return VotequorumParams(**given)


def news(node):
    found = [effect for effect in node.bus.effects if isinstance(effect, NEWS)]
    node.bus.effects.clear()
    return found


def test_expected_votes_are_changed_everywhere():
    bus = cluster()
    bus.nodes[1].votequorum.set_expected(5)
    bus.run()
    assert {n.votequorum.us.expected_votes for n in bus.nodes.values()} == {5}
    assert {n.votequorum.quorum for n in bus.nodes.values()} == {3}
    assert {n.votequorum.runtime().ev_barrier for n in bus.nodes.values()} == {5}


@pytest.mark.parametrize("votes", [0, 2, 7, 0xFFFFFFFF])
def test_expected_votes_that_make_no_sense_are_refused(votes):
    engine = cluster().nodes[1].votequorum
    with pytest.raises(CsInvalidParam):
        engine.set_expected(votes)
    assert engine.us.expected_votes == 3


def test_a_node_s_votes_are_changed_everywhere():
    bus = cluster()
    bus.nodes[1].votequorum.set_votes(2, 2)
    bus.run()
    assert {n.votequorum.nodes[2].votes for n in bus.nodes.values()} == {2}
    assert {n.votequorum.us.expected_votes for n in bus.nodes.values()} == {4}


def test_votes_that_no_quorum_can_be_made_of_are_refused():
    engine = cluster(5).nodes[1].votequorum
    with pytest.raises(CsNameNotFound):
        engine.set_votes(9, 1)
    engine.set_votes(2, 0)
    engine.set_votes(3, 0)
    with pytest.raises(CsInvalidParam):
        engine.set_votes(4, 0)
    assert engine.nodes[4].votes == 1


def test_a_full_queue_refuses_a_change_and_changes_nothing():
    bus = cluster()
    node = bus.nodes[1]
    node.votequorum.cancel_wait_for_all()
    bus.run()
    node.bus.full = True
    node.votequorum.cancel_wait_for_all()
    for call in (
        lambda: node.votequorum.set_expected(5),
        lambda: node.votequorum.set_votes(1, 2),
    ):
        with pytest.raises(CsTryAgain):
            call()
    assert (node.votequorum.us.votes, node.votequorum.us.expected_votes) == (1, 3)


def test_cancel_wait_for_all_reaches_all_and_is_said():
    bus = OrderedBus(*(Node(n, expected_votes=3, wait_for_all=True) for n in (1, 2)))
    bus.form((1, 2))
    remarks = [remark.text for remark in bus.nodes[1].take(LogLine)]
    waiting = "Waiting for all cluster members. Current votes: 2 expected_votes: 3"
    assert waiting in remarks
    bus.nodes[2].votequorum.cancel_wait_for_all()
    bus.run()
    assert all(node.quorum.quorate for node in bus.nodes.values())
    remarks = [remark.text for remark in bus.nodes[1].take(LogLine)]
    assert "wait_for_all_status reset by user on node 2." in remarks


def test_a_node_and_the_cluster_are_told():
    bus = cluster(4, tie_breaker=LOWEST, wait_for_all=True, last_man_standing=True)
    info = bus.nodes[1].votequorum.getinfo(0)
    assert info[:7] == (1, 1, 1, 4, 4, 4, 3)
    assert info.flags == (
        InfoFlags.QUORATE
        | InfoFlags.WAIT_FOR_ALL
        | InfoFlags.LAST_MAN_STANDING
        | InfoFlags.AUTO_TIE_BREAKER
    )
    bus.form((1, 2, 3))
    assert bus.nodes[1].votequorum.getinfo(4).state == 2
    with pytest.raises(CsNotExist):
        bus.nodes[1].votequorum.getinfo(9)


def test_a_client_that_follows_is_told_in_the_order_of_corosync():
    bus = cluster()
    node = bus.nodes[1]
    node.votequorum.track_start(7, TrackFlags.CHANGES_ONLY, 99)
    node.bus.effects.clear()
    bus.form((1, 2))
    nodelist, quorum = news(node)
    assert nodelist == NodelistNotification(((7, 99),), node.votequorum.ring_id, (1, 2))
    assert quorum == QuorumNotification(((7, 99),), True, ((2, 1), (3, 2), (1, 1)))
    bus.form((1,), (2,))
    assert [type(effect) for effect in news(node)] == [NodelistNotification, QuorumNotification]
    node.votequorum.set_expected(4)
    bus.run()
    assert news(node) == [ExpectedVotesNotification(((7, 99),), 4)]


def test_following_begins_and_ends_once():
    engine = cluster().nodes[1].votequorum
    with pytest.raises(CsNotExist):
        engine.track_stop(7)
    engine.track_start(7, TrackFlags.CURRENT, 0)
    with pytest.raises(CsNotExist):
        engine.track_stop(7)
    engine.track_start(7, TrackFlags.CHANGES, 0)
    with pytest.raises(CsExist):
        engine.track_start(7, TrackFlags.CHANGES, 0)
    engine.disconnect(7)
    engine.track_start(7, TrackFlags.CHANGES, 0)
    engine.track_stop(7)


def test_changed_votes_and_expected_votes_are_told_to_all():
    bus = cluster()
    one = bus.nodes[1].votequorum
    one.reconfigure(params(votes=2, expected_votes=4, listed_votes=4))
    bus.run()
    two = bus.nodes[2].votequorum
    assert (two.nodes[1].votes, two.us.expected_votes, two.quorum) == (2, 4, 3)
    assert one.runtime().ev_barrier == 4


def test_two_node_comes_and_goes_with_wait_for_all():
    bus = cluster(2, wait_for_all=None)
    one = bus.nodes[1].votequorum
    one.reconfigure(params(expected_votes=2, listed_votes=2, two_node=True))
    bus.run()
    info = one.getinfo(0)
    assert (info.quorum, info.flags) == (
        1,
        InfoFlags.QUORATE | InfoFlags.TWONODE | InfoFlags.WAIT_FOR_ALL,
    )
    one.reconfigure(params(expected_votes=2, listed_votes=2))
    bus.run()
    assert one.getinfo(0).flags == InfoFlags.QUORATE
    assert one.runtime().two_node == 0


def test_two_node_that_goes_ends_its_own_wait():
    bus = OrderedBus(Node(1, expected_votes=2, two_node=True, wait_for_all=None))
    bus.form((1,))
    engine = bus.nodes[1].votequorum
    assert engine.wait_for_all_status
    engine.reconfigure(params(expected_votes=3))
    assert not engine.wait_for_all_status


def test_only_votes_expected_votes_and_two_node_can_be_changed_at_runtime():
    bus = cluster(4)
    one = bus.nodes[1].votequorum
    one.reconfigure(
        params(
            expected_votes=4,
            listed_votes=4,
            last_man_standing=True,
            tie_breaker=LOWEST,
            wait_for_all=True,
            allow_downscale=True,
            expected_votes_tracking=True,
        )
    )
    bus.run()
    assert one.getinfo(0).flags == InfoFlags.QUORATE
    assert one.runtime().ev_tracking_barrier is None


def test_a_tie_breaker_rests_while_the_cluster_is_odd():
    bus = cluster(4, tie_breaker=LOWEST)
    one = bus.nodes[1].votequorum
    one.reconfigure(params(expected_votes=5, listed_votes=5))
    assert one.runtime().atb_type == TieBreaker.NONE
    one.reconfigure(params(expected_votes=6, listed_votes=6))
    assert one.runtime().atb_type == TieBreaker.LOWEST


@pytest.mark.parametrize(
    ("start", "change"),
    [
        ({}, {"expected_votes": 0, "listed_votes": 0}),
        ({"tie_breaker": LOWEST, "last_man_standing": True}, {"listed_votes": 5}),
    ],
)
def test_a_configuration_that_cannot_hold_changes_nothing(start, change):
    bus = cluster(4, **start)
    one = bus.nodes[1].votequorum
    before = one.getinfo(0), one.runtime()
    with pytest.raises(CsInvalidParam):
        one.reconfigure(params(**change))
    assert (one.getinfo(0), one.runtime()) == before


def test_a_device_s_votes_come_and_go():
    bus = cluster()
    one = bus.nodes[1].votequorum
    one.reconfigure(params(expected_votes=5, device=DeviceParams(2)))
    bus.run()
    assert {n.votequorum.qdevice_votes for n in bus.nodes.values()} == {2}
    assert one.runtime().qdevice_can_operate == 1
    one.reconfigure(params(expected_votes=5, device=DeviceParams(None)))
    assert (one.qdevice_votes, one.runtime().qdevice_can_operate) == (2, 0)
    one.reconfigure(params())
    assert one.qdevice_votes == 0


DEVICE = DeviceParams(1)


@pytest.mark.parametrize(
    ("given", "registered", "mode"),
    [
        ({"two_node": True}, False, (True, True, TieBreaker.NONE, True)),
        ({"two_node": True, "wait_for_all": False}, False, (True, False, TieBreaker.NONE, True)),
        ({"two_node": True, "device": DEVICE}, False, (True, True, TieBreaker.NONE, False)),
        ({"two_node": True, "device": DEVICE}, True, (False, False, TieBreaker.NONE, True)),
        (
            {"two_node": True, "tie_breaker": LOWEST},
            False,
            (False, True, TieBreaker.LOWEST, True),
        ),
        ({"tie_breaker": LOWEST}, False, (False, False, TieBreaker.NONE, True)),
        (
            {"tie_breaker": LOWEST, "listed_votes": 4},
            False,
            (False, False, TieBreaker.LOWEST, True),
        ),
        (
            {"last_man_standing": True, "device": DEVICE},
            False,
            (False, False, TieBreaker.NONE, False),
        ),
        ({"device": DeviceParams(None)}, False, (False, False, TieBreaker.NONE, False)),
        ({"device": DEVICE}, False, (False, False, TieBreaker.NONE, True)),
    ],
)
def test_contradictions_are_settled_as_corosync_does(given, registered, mode):
    settled = settle(params(**given), params(**given), registered)
    assert (
        settled.two_node,
        settled.wait_for_all,
        settled.tie_breaker.kind,
        settled.device_allowed,
    ) == mode


def test_the_keys_that_exist():
    values = cluster().nodes[2].votequorum.runtime()
    assert values._asdict() == {
        "this_node_id": 2,
        "two_node": 0,
        "ev_barrier": 3,
        "wait_for_all_status": None,
        "atb_type": None,
        "lowest_node_id": 1,
        "highest_node_id": 3,
        "ev_tracking_barrier": None,
        "qdevice_can_operate": None,
        "qdevice_master_wins": None,
    }
