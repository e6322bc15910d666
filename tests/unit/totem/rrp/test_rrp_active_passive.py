"""Active-passive replication (Koch, Moser, Melliar-Smith, ICDCS 2002, section 7)."""

import pytest

from corosync_tw.totem.links import LinkFaultCause
from corosync_tw.totem.rrp.params import RrpMode, RrpParams
from tests.unit.totem.rrp.bed import Bed
from tests.unit.totem.rrp.one_end import ME, OneEnd, mcast, orf_token


@pytest.fixture
def end():
    return OneEnd(RrpMode.ACTIVE_PASSIVE, networks=4, copies=2)


def test_each_packet_takes_the_next_k_networks(end):
    sent = [end.send_token(token_seq) for token_seq in range(1, 5)]
    assert sent == [[0, 1], [2, 3], [0, 1], [2, 3]]


def test_the_networks_after_the_last_one_used_are_next():
    end = OneEnd(RrpMode.ACTIVE_PASSIVE, networks=3, copies=2)
    sent = [sorted(end.send_token(token_seq)) for token_seq in range(1, 5)]
    assert sent == [[0, 1], [0, 2], [1, 2], [0, 1]]


def test_messages_take_k_networks(end):
    sent = [sorted(link for link, _ in end.send_messages([(mcast(i, ME),)])) for i in range(8)]
    assert all(len(links) == 2 for links in sent)


def test_a_token_goes_up_when_k_copies_have_come(end):
    assert end.bring(2, orf_token(1)) == []
    assert end.bring(0, orf_token(1)) == [orf_token(1)]
    assert end.bring(3, orf_token(1)) == []
    assert end.rrp.stats.tokens_late == 1


def test_a_token_goes_up_when_the_timer_fires(end):
    end.bring(2, orf_token(1))
    assert end.after(46) == []
    assert end.after(1) == [orf_token(1)]


def test_a_token_with_all_copies_waits_for_messages_but_not_as_long(end):
    end.behind = 4
    end.bring(2, orf_token(1, seq=5))
    assert end.bring(0, orf_token(1, seq=5)) == []
    assert end.after(10) == [orf_token(1, seq=5)]


def test_messages_are_waited_for_before_a_token_goes_up(end):
    end.behind = 4
    end.bring(2, orf_token(1, seq=5))
    end.bring(0, orf_token(1, seq=5))
    end.behind = None
    end.bring(1, mcast(5))
    assert end.after_ring() == [orf_token(1, seq=5)]


def test_a_network_that_lags_becomes_faulty(end):
    for token_seq in range(1, 14):
        end.bring(0, orf_token(token_seq))
        end.bring(1 + token_seq % 2, orf_token(token_seq))
    assert end.faulty() == [3]
    assert end.events[0].values[0] == LinkFaultCause.TOKENS_LAG


def test_with_fewer_than_k_sound_networks_fewer_copies_are_enough():
    end = OneEnd(RrpMode.ACTIVE_PASSIVE, networks=3, copies=2)
    for token_seq in range(1, 12):
        end.bring(0, orf_token(token_seq))
        end.after(60)
    assert end.faulty() == [1, 2]
    assert end.bring(0, orf_token(20)) == [orf_token(20)]
    assert end.send_token(21) == [0]


@pytest.mark.parametrize(("networks", "copies"), [(3, 1), (3, 3), (2, 2)])
def test_k_is_more_than_one_and_less_than_all(networks, copies):
    with pytest.raises(AssertionError):
        RrpParams(ME, mode=RrpMode.ACTIVE_PASSIVE, networks=networks, copies=copies)


@pytest.mark.parametrize(("networks", "copies"), [(3, 2), (4, 2), (5, 3), (8, 7)])
def test_with_all_networks_but_one_dead_the_membership_does_not_change(networks, copies):
    bed = Bed(3, mode=RrpMode.ACTIVE_PASSIVE, networks=networks, copies=copies).form()
    changes = [len(node.changes) for node in bed.all()]
    bed.lost = lambda link, _sender, _receiver: link != 1
    for _ in range(20):
        for node in bed.all():
            node.send(b"x")
        bed.run_ms(100)
    bed.run_ms(1000)
    assert [len(node.changes) for node in bed.all()] == changes
    assert all(len(node.delivered) == 60 for node in bed.all())
