"""The checks of one visit of the token, each by itself."""

import pytest

from corosync_tw.corotypes import RingId
from corosync_tw.sim.options import Options
from corosync_tw.sim.recorder import ViolationError
from corosync_tw.sim.snoop import rtr_seqs
from corosync_tw.sim.turn_checks import TurnChecks
from corosync_tw.totem import wire
from corosync_tw.totem.const import Encapsulated

RING = RingId(1, 5)
ASKING = 2


def token(token_seq, seq=10, fcc=0, rtr=()):
    items = [wire.RtrItem(RING, asked) for asked in rtr]
    message = wire.OrfToken(1, seq, token_seq, seq, 0, RING, 0, fcc, 0, items)
    return wire.encode_orf_token(message)


def mcast(seq, encapsulated=Encapsulated.NOT_ENCAPSULATED):
    return wire.encode_mcast_header(1, 1, seq, RING, 0, encapsulated=encapsulated) + b"x"


@pytest.fixture
def checks():
    return TurnChecks(Options(1, 3, 0, accelerated_ring=True))


def broken(call, *arguments):
    with pytest.raises(ViolationError) as caught:
        call(*arguments)
    return caught.value.args[0].rule


def behind(checks, frame, fresh=1):
    checks.sent_token(1, token(2), 0)
    return broken(checks.sent_frames, 1, (frame,), fresh, 0)


def test_what_a_token_asks_for_is_read():
    assert rtr_seqs(token(1, rtr=(3, 0xFFFFFFFF))) == [3, 0xFFFFFFFF]


def test_messages_may_go_before_and_behind_the_token(checks):
    checks.sent_token(3, token(1, seq=8), 0)
    checks.sent_frames(1, (mcast(9),), 1, 0)
    checks.sent_token(1, token(2, fcc=2), 0)
    checks.sent_frames(1, (mcast(10),), 1, 0)
    checks.passed_token(1, 0)


def test_a_message_that_the_token_does_not_tell_of(checks):
    assert behind(checks, mcast(11)) == "numbered before the token"


def test_a_recovered_message_behind_the_token(checks):
    frame = mcast(10, Encapsulated.ENCAPSULATED)
    assert behind(checks, frame) == "no acceleration in recovery"


def test_a_retransmission_behind_the_token(checks):
    assert behind(checks, mcast(10), fresh=0) == "retransmissions first"


def test_a_message_behind_the_token_of_a_ring_that_is_not_accelerated(checks):
    checks.options.accelerated_ring = False
    assert behind(checks, mcast(10)) == "acceleration is agreed"


def test_a_token_sent_again_is_no_visit(checks):
    checks.sent_token(1, token(2), 0)
    checks.passed_token(1, 0)
    checks.begin(1)
    checks.sent_token(1, token(2), 0)
    checks.sent_frames(1, (mcast(11),), 1, 0)


def accelerate(checks):
    """Let node 1 send behind its token, and the token come to the node that asks, twice."""
    checks.sent_token(3, token(0, seq=8), 0)
    checks.sent_token(1, token(1, seq=10, fcc=1), 0)
    checks.sent_frames(1, (mcast(10),), 1, 0)
    checks.passed_token(1, 0)
    checks.sent_token(ASKING, token(2, seq=10, fcc=1), 0)
    checks.sent_token(1, token(3, seq=20, fcc=1), 0)


def test_what_the_token_told_of_a_visit_before_may_be_asked_for(checks):
    accelerate(checks)
    checks.sent_token(ASKING, token(4, seq=20, fcc=1, rtr=(9, 10)), 0)


def test_what_may_still_follow_a_token_may_not_be_asked_for(checks):
    accelerate(checks)
    asking = token(4, seq=20, fcc=1, rtr=(10, 11))
    assert broken(checks.sent_token, ASKING, asking, 0) == "nothing newer is asked for"


def test_what_others_ask_for_is_passed_on(checks):
    accelerate(checks)
    checks.tokens[RING, 3] = token(3, seq=20, fcc=1, rtr=(11,))
    checks.sent_token(ASKING, token(4, seq=20, fcc=1, rtr=(11,)), 0)


@pytest.mark.parametrize("fcc", [0, 1, 3, 0xFFFFFFFF])
def test_fcc_grows_by_what_is_sent(checks, fcc):
    checks.sent_token(3, token(1, seq=8), 0)
    checks.sent_frames(1, (mcast(9),), 1, 0)
    checks.sent_token(1, token(2, fcc=fcc), 0)
    checks.sent_frames(1, (mcast(10),), 1, 0)
    assert broken(checks.passed_token, 1, 0) == "fcc tells the truth"


def test_fcc_forgets_what_was_sent_a_rotation_before(checks):
    checks.sent_token(3, token(1, seq=8), 0)
    checks.sent_frames(1, (mcast(9), mcast(10)), 2, 0)
    checks.sent_token(1, token(2, fcc=2), 0)
    checks.passed_token(1, 0)
    checks.sent_token(3, token(4, fcc=2), 0)
    checks.sent_token(1, token(5, fcc=0), 0)
    checks.passed_token(1, 0)
