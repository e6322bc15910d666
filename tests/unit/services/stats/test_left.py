"""Why nodes leave, from what the ring says."""

import pytest

from corosync_tw.services.stats.left import FAILED_BY_OTHERS, SHUT_DOWN, LeaveReasons
from corosync_tw.totem.const import MembState
from corosync_tw.totem.trace import TraceCode


@pytest.fixture
def reasons():
    return LeaveReasons()


def test_an_announced_leave(reasons):
    reasons.trace(TraceCode.LEAVE_RECEIVED, (2,))
    assert reasons.take((2,)) == {2: "leave announced"}


def test_a_lost_token(reasons):
    reasons.trace(TraceCode.TOKEN_LOST, (MembState.OPERATIONAL, 3000, 3600))
    reasons.trace(TraceCode.CONSENSUS_TIMED_OUT, (3,))
    assert reasons.take((3,)) == {3: "token lost for 3000 ms, then no answer for 3600 ms"}


def test_no_consensus(reasons):
    reasons.trace(TraceCode.TOKEN_LOST, (MembState.COMMIT, 3000, 3600))
    reasons.trace(TraceCode.CONSENSUS_TIMED_OUT, (3, 4))
    failed = "failed in consensus: no answer while a ring was formed"
    assert reasons.take((3, 4)) == {3: failed, 4: failed}


def test_an_order_to_die_comes_before_all(reasons):
    reasons.killed(3, 1, "fenced")
    reasons.trace(TraceCode.LEAVE_RECEIVED, (3,))
    reasons.trace(TraceCode.CONSENSUS_TIMED_OUT, (3,))
    assert reasons.take((3,)) == {3: "killed by node 1: fenced"}


def test_an_end_by_the_administrator_comes_before_the_leave(reasons):
    reasons.shut_down(2)
    reasons.trace(TraceCode.LEAVE_RECEIVED, (2,))
    assert reasons.take((2, 5)) == {2: SHUT_DOWN, 5: FAILED_BY_OTHERS}


def test_reasons_end_with_the_ring(reasons):
    reasons.killed(3, 1, "fenced")
    reasons.take(())
    assert reasons.take((3,)) == {3: FAILED_BY_OTHERS}
