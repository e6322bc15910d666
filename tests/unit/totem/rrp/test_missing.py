"""What the ring answers when it is asked whether messages are missing (anyMessagesMissing)."""

import pytest

from corosync_tw.corotypes import RingId
from corosync_tw.totem.const import MembState
from corosync_tw.totem.seqno import seq_add
from corosync_tw.totem.window import Agreement
from tests.unit.totem.lone_node import PEER, LoneNode


@pytest.fixture
def node():
    return LoneNode().enter(MembState.OPERATIONAL)


def aru(node):
    return node.srp._ring.installed.my_aru


def test_nothing_is_missing_up_to_what_is_here(node):
    assert node.srp.missing(node.srp.ring_id, aru(node)) is None


def test_a_message_that_the_token_tells_of_and_that_is_not_here_is_missing(node):
    mark = aru(node)
    assert node.srp.missing(node.srp.ring_id, seq_add(mark, 1)) == mark


def test_a_hole_is_named_by_the_message_before_it(node):
    mark = aru(node)
    node.put(node.mcast(seq_add(mark, 1), b"1"), node.mcast(seq_add(mark, 3), b"3"))
    assert node.srp.missing(node.srp.ring_id, seq_add(mark, 3)) == seq_add(mark, 1)
    node.put(node.mcast(seq_add(mark, 2), b"2"))
    assert node.srp.missing(node.srp.ring_id, seq_add(mark, 3)) is None


def test_the_token_of_another_ring_is_not_waited_for(node):
    assert node.srp.missing(RingId(PEER, 4), seq_add(aru(node), 9)) is None


def test_outside_a_ring_no_token_waits():
    node = LoneNode().enter(MembState.GATHER)
    assert node.srp.missing(node.srp.ring_id, seq_add(aru(node), 9)) is None


def test_on_an_accelerated_ring_only_what_the_visit_before_told_of_counts(node):
    srp, mark = node.srp, aru(node)
    srp.agree(Agreement(100, accelerated=True))
    told = seq_add(mark, 2)
    assert srp.missing(srp.ring_id, told) is None
    node.put(node.token(told, mark))
    assert srp.missing(srp.ring_id, seq_add(told, 5)) == mark
    node.put(node.mcast(seq_add(mark, 1), b"1"), node.mcast(told, b"2"))
    assert srp.missing(srp.ring_id, seq_add(told, 5)) is None
