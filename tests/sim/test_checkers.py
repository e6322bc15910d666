"""Each checker on a small history that breaks exactly its rule, and on one that breaks none."""

import pytest

from corosync_tw.corotypes import ConfChangeType, RingId
from corosync_tw.sim.checkers.atomicity import check_atomicity, check_self_delivery
from corosync_tw.sim.checkers.causality import check_causality
from corosync_tw.sim.checkers.configurations import check_configurations
from corosync_tw.sim.checkers.delivery import check_delivery
from corosync_tw.sim.checkers.every import CHECKERS, check_all
from corosync_tw.sim.checkers.order import check_order, find_cycle
from corosync_tw.sim.checkers.safe import check_safe
from corosync_tw.sim.history import CONF, DELIVER, SEND, Conf, History, RunRecord, Sent

NOWHERE = RingId(0, 1)
OLD = RingId(1, 5)
NEW = RingId(1, 9)
OTHER = RingId(2, 9)


def regular(ring_id, members, joined=None, old=NOWHERE):
    joined = members if joined is None else joined
    return Conf(ConfChangeType.REGULAR, ring_id, old, tuple(members), (), tuple(joined))


def transitional(ring_id, members, old=NOWHERE):
    return Conf(ConfChangeType.TRANSITIONAL, ring_id, old, tuple(members))


class Script:
    """Builds the record of a run; times are the order of writing."""

    def __init__(self):
        self.run = RunRecord()
        self.time_ns = 0
        self.history = {}

    def node(self, nodeid, incarnation=0):
        history = History(nodeid, incarnation)
        self.run.histories.append(history)
        self.history[nodeid] = history
        return self

    def conf(self, nodeid, *confs):
        for conf in confs:
            self._add(nodeid, CONF, conf)

    def first(self, members, ring_id=OLD):
        """All members install their first ring."""
        for nodeid in members:
            if nodeid not in self.history:
                self.node(nodeid)
            self.conf(nodeid, transitional(ring_id, ()), regular(ring_id, members))

    def move(self, nodeid, ring_id, members, stayed, *, between=(), old=OLD):
        """One node goes to its next ring, delivering messages in the transitional configuration."""
        self.conf(nodeid, transitional(ring_id, stayed, old))
        self.deliver(nodeid, *between, ring_id=old)
        joined = sorted(set(members) - set(stayed))
        self.conf(nodeid, regular(ring_id, members, joined, old))

    def send(self, nodeid, *seqs, safe=False, ring_id=OLD):
        for seq in seqs:
            self.run.messages[ring_id, seq] = Sent(nodeid, 0, safe, 0, self.time_ns)
            self._add(nodeid, SEND, (ring_id, seq))

    def deliver(self, nodeid, *seqs, ring_id=OLD):
        for seq in seqs:
            self._add(nodeid, DELIVER, (ring_id, seq))

    def _add(self, nodeid, kind, what):
        self.time_ns += 1
        self.history[nodeid].events.append((kind, self.time_ns, what))


def rules(checker, script):
    return {violation.rule for violation in checker(script.run)}


@pytest.fixture
def good():
    """Two nodes of three move on together; what the third sent last is lost behind a hole."""
    script = Script()
    script.first((1, 2, 3))
    script.send(1, 10)
    script.send(2, 11, safe=True)
    for nodeid in (1, 2, 3):
        script.deliver(nodeid, 10, 11)
    script.send(3, 12, 13)
    script.send(1, 14)
    script.deliver(3, 12, 13, 14)
    script.history[3].failed_at_ns = script.time_ns
    for nodeid in (1, 2):
        script.move(nodeid, NEW, (1, 2), (1, 2), between=(14,))
        script.send(nodeid, 20 + nodeid, ring_id=NEW)
    for nodeid in (1, 2):
        script.deliver(nodeid, 21, 22, ring_id=NEW)
    return script


def test_a_sound_run_passes_every_checker(good):
    assert check_all(good.run) == []


@pytest.mark.parametrize("checker", CHECKERS)
def test_an_empty_run_passes(checker):
    assert list(checker(RunRecord())) == []


# -- configurations


def test_one_ring_id_with_two_memberships():
    script = Script()
    script.node(1).node(2)
    script.conf(1, transitional(OLD, ()), regular(OLD, (1, 2)))
    script.conf(2, transitional(OLD, ()), regular(OLD, (1, 2, 3)))
    assert rules(check_configurations, script) == {"configuration"}


def test_a_ring_id_used_again_after_a_restart():
    script = Script()
    script.first((1,))
    script.node(1, incarnation=1)
    script.conf(1, transitional(OLD, ()), regular(OLD, (1,)))
    assert rules(check_configurations, script) == {"configuration"}


def test_a_node_that_is_no_member_of_its_ring():
    script = Script()
    script.node(3)
    script.conf(3, transitional(OLD, ()), regular(OLD, (1, 2)))
    assert rules(check_configurations, script) == {"configuration"}


def test_a_ring_without_a_transitional_configuration():
    script = Script()
    script.node(1)
    script.conf(1, regular(OLD, (1,)))
    assert rules(check_configurations, script) == {"configuration"}


def test_ring_numbers_that_go_back():
    script = Script()
    script.first((1,), ring_id=NEW)
    script.move(1, OLD, (1,), (1,), old=NEW)
    assert rules(check_configurations, script) == {"configuration"}


def test_a_joined_list_that_does_not_agree():
    script = Script()
    script.first((1,))
    script.conf(1, transitional(NEW, (1,), OLD), regular(NEW, (1, 2), (), OLD))
    assert rules(check_configurations, script) == {"configuration"}


def test_companions_that_came_from_another_ring():
    script = Script()
    script.first((1, 2))
    script.node(3)
    script.move(1, NEW, (1, 2), (1, 2))
    script.history[2].events.clear()
    script.conf(2, transitional(OTHER, ()), regular(OTHER, (2,)))
    script.move(2, NEW, (1, 2), (2,), old=OTHER)
    assert rules(check_configurations, script) == {"configuration"}


def test_an_event_before_the_first_configuration():
    script = Script()
    script.node(1)
    script.send(1, 1)
    assert rules(check_configurations, script) == {"configuration"}


# -- delivery


def test_a_message_nobody_sent(good):
    good.deliver(1, 23, ring_id=NEW)
    assert rules(check_delivery, good) == {"no creation (1.3)"}


def test_a_message_delivered_in_another_ring(good):
    good.deliver(3, 21, ring_id=NEW)
    assert "own configuration (1.3)" in rules(check_delivery, good)


def test_a_message_delivered_twice(good):
    good.deliver(1, 22, ring_id=NEW)
    assert rules(check_delivery, good) == {"once only (1.4)", "ring order (6.1)", "no holes (6.3)"}


def test_a_hole_in_a_regular_configuration():
    script = Script()
    script.first((1, 2))
    script.send(1, 1, 2, 3)
    script.deliver(2, 1, 3)
    assert rules(check_delivery, script) == {"no holes (6.3)"}


def test_a_message_of_a_companion_left_out():
    script = Script()
    script.first((1, 2, 3))
    script.send(2, 1, 2)
    script.move(1, NEW, (1, 2), (1, 2), between=(2,))
    assert rules(check_delivery, script) == {"obligations (6.3)"}


def test_a_message_of_a_stranger_behind_a_hole():
    script = Script()
    script.first((1, 2, 3))
    script.send(3, 1, 2)
    script.move(1, NEW, (1, 2), (1, 2), between=(2,))
    assert rules(check_delivery, script) == set()
    assert rules(check_causality, script) == {"causality (5)"}


def test_sequence_numbers_that_wrap_have_no_holes():
    script = Script()
    script.first((1,))
    script.send(1, 0xFFFFFFFE, 0xFFFFFFFF, 0, 1)
    script.deliver(1, 0xFFFFFFFE, 0xFFFFFFFF, 0, 1)
    assert check_all(script.run) == []


# -- self-delivery, atomicity, causality, order, safe


def test_an_own_message_not_delivered_before_the_next_ring():
    script = Script()
    script.first((1,))
    script.send(1, 1)
    script.move(1, NEW, (1,), (1,))
    assert rules(check_self_delivery, script) == {"self-delivery (3)"}


@pytest.mark.parametrize("in_regular", [True, False])
def test_companions_with_different_deliveries(in_regular):
    script = Script()
    script.first((1, 2))
    script.send(1, 1)
    if in_regular:
        script.deliver(1, 1)
    script.move(1, NEW, (1, 2), (1, 2), between=() if in_regular else (1,))
    script.move(2, NEW, (1, 2), (1, 2))
    assert rules(check_atomicity, script) == {"failure atomicity (4)"}


def test_one_delivers_in_the_regular_what_another_does_in_the_transitional_configuration():
    script = Script()
    script.first((1, 2))
    script.send(1, 1)
    script.deliver(1, 1)
    script.move(1, NEW, (1, 2), (1, 2))
    script.move(2, NEW, (1, 2), (1, 2), between=(1,))
    assert rules(check_atomicity, script) == {"failure atomicity (4)"}


def test_those_who_part_may_deliver_different_messages():
    script = Script()
    script.first((1, 2))
    script.send(1, 1)
    script.move(1, NEW, (1,), (1,), between=(1,))
    script.move(2, OTHER, (2,), (2,))
    assert check_all(script.run) == []


def test_an_answer_without_its_question():
    script = Script()
    script.first((1, 2, 3))
    script.send(1, 1)
    script.deliver(2, 1)
    script.send(2, 2)
    script.deliver(3, 2)
    assert rules(check_causality, script) == {"causality (5)"}


def test_a_senders_second_message_without_its_first():
    script = Script()
    script.first((1, 2))
    script.send(1, 1, 2)
    script.deliver(2, 2)
    assert rules(check_causality, script) == {"causality (5)"}


def test_two_nodes_with_two_orders():
    script = Script()
    script.first((1, 2))
    script.send(1, 1)
    script.send(2, 2)
    script.deliver(1, 1, 2)
    script.deliver(2, 2, 1)
    assert rules(check_order, script) == {"global order (6.1)"}


def test_three_nodes_whose_orders_agree_in_pairs_but_not_together():
    script = Script()
    script.first((1, 2, 3))
    for nodeid in (1, 2, 3):
        script.send(nodeid, nodeid)
    script.deliver(1, 1, 2)
    script.deliver(2, 2, 3)
    script.deliver(3, 3, 1)
    assert rules(check_order, script) == {"global order (6.1)"}


def test_a_message_before_a_ring_here_and_after_it_there():
    script = Script()
    script.first((1, 2))
    script.send(1, 1)
    script.deliver(1, 1)
    script.move(1, NEW, (1, 2), (1, 2))
    script.move(2, NEW, (1, 2), (1, 2))
    script.deliver(2, 1)
    assert rules(check_order, script) == {"global order (6.1)"}


def test_cycles_of_any_length_are_found():
    chain = [[i + 1] for i in range(5000)] + [[]]
    assert find_cycle(chain) == []
    chain[-1] = [10]
    assert sorted(find_cycle(chain)) == list(range(10, 5001))


def test_a_safe_message_that_another_member_went_on_without():
    script = Script()
    script.first((1, 2))
    script.send(1, 1, safe=True)
    script.deliver(1, 1)
    script.move(2, OTHER, (2,), (2,))
    assert rules(check_safe, script) == {"safe (7.1)"}


def test_a_safe_message_in_a_ring_that_a_member_never_installed():
    script = Script()
    script.node(1).node(2)
    script.conf(1, transitional(OLD, ()), regular(OLD, (1, 2)))
    script.send(1, 1, safe=True)
    script.deliver(1, 1)
    assert rules(check_safe, script) == {"safe (7.2)"}


def test_a_member_that_fails_owes_no_safe_message():
    script = Script()
    script.first((1, 2))
    script.send(1, 1, safe=True)
    script.deliver(1, 1)
    script.history[2].failed_at_ns = script.time_ns
    assert check_all(script.run) == []
