"""Active replication, rule by rule (Koch, Moser, Melliar-Smith, ICDCS 2002, section 5)."""

import pytest

from corosync_tw.corotypes import RingId
from corosync_tw.totem.links import LinkEventKind, LinkFaultCause
from corosync_tw.totem.rrp.gate import STALE_MAX
from corosync_tw.totem.rrp.params import RrpMode
from tests.unit.totem.rrp.bed import Bed
from tests.unit.totem.rrp.one_end import RING, OneEnd, commit_token, mcast, orf_token


@pytest.fixture
def end():
    return OneEnd(RrpMode.ACTIVE)


def lose_tokens(end, first, count, *, brought_by=0):
    """Let one network alone bring tokens."""
    for token_seq in range(first, first + count):
        assert end.bring(brought_by, orf_token(token_seq)) == []
        assert end.after(60) == [orf_token(token_seq)]


def test_everything_is_sent_on_all_networks(end):
    assert end.send_token(1) == [0, 1]
    assert end.send_messages([(mcast(1),)]) == [(0, 1), (1, 1)]
    assert end.send_messages([(b"\xc0\x70\x03\x03join",)], to_members_only=False) == [
        (0, 1),
        (1, 1),
    ]


def test_A1_a_message_goes_up_when_it_is_first_received_and_the_ring_drops_the_copy(end):
    assert end.bring(0, mcast(1)) == [mcast(1)]
    assert end.bring(1, mcast(1)) == [mcast(1)]


def test_A1_each_message_is_delivered_once():
    bed = Bed(3, mode=RrpMode.ACTIVE).form()
    bed.nodes[1].send(b"one", b"two")
    bed.run_ms(50)
    deliveries = [node.delivered for node in bed.all()]
    assert all(len(delivered) == 2 for delivered in deliveries)
    assert deliveries[0] == deliveries[1] == deliveries[2]


def test_A2_a_token_goes_up_when_all_networks_have_brought_it(end):
    assert end.bring(0, orf_token(1)) == []
    assert end.bring(1, mcast(1), orf_token(1)) == [mcast(1), orf_token(1)]
    assert end.rrp.stats.tokens_waited == 1


def test_A2_a_message_lost_on_one_network_is_not_asked_for():
    bed = Bed(3, mode=RrpMode.ACTIVE).form()
    bed.lost = lambda link, _sender, _receiver: link == 0
    bed.nodes[1].send(*[b"%d" % i for i in range(20)])
    bed.run_ms(400)
    assert all(len(node.delivered) == 20 for node in bed.all())
    assert all(node.srp.stats.mcast_retx == 0 for node in bed.all())


def test_A3_the_slower_network_holds_the_token_back(end):
    assert end.bring(0, orf_token(1)) == []
    assert end.after(20) == []
    assert end.bring(1, orf_token(1)) == [orf_token(1)]
    assert end.bring(1, orf_token(2)) == []
    assert end.bring(0, orf_token(2)) == [orf_token(2)]


def test_A4_a_token_goes_up_when_its_timer_fires_and_later_copies_are_ignored(end):
    end.bring(0, orf_token(1))
    assert end.after(46) == []
    assert end.after(1) == [orf_token(1)]
    assert end.bring(1, orf_token(1)) == []
    assert end.rrp.stats.tokens_late == 1


def test_A4_the_timer_is_never_restarted_while_it_runs(end):
    end.bring(0, orf_token(1))
    end.after(40)
    # Sent again by whoever holds it, and even a newer one: the time runs on.
    end.bring(0, orf_token(1))
    end.bring(0, orf_token(2))
    assert end.after(7) == [orf_token(2)]


def test_A4_a_token_that_is_sent_again_goes_up_again(end):
    for _ in range(2):
        assert end.bring(0, orf_token(1)) == []
        assert end.bring(1, orf_token(1)) == [orf_token(1)]


def test_A4_a_packet_that_a_network_repeats_is_no_fault_of_the_others(end):
    for token_seq in range(1, 30):
        end.bring(1, orf_token(token_seq))
        assert end.bring(0, orf_token(token_seq)) == [orf_token(token_seq)]
        assert end.bring(0, orf_token(token_seq)) == []
        assert end.after(47) == [orf_token(token_seq)]
    assert end.faulty() == []
    assert end.rrp.problem_count(1) == 0


def test_A5_a_network_that_brings_no_tokens_becomes_faulty_and_is_not_waited_for(end):
    lose_tokens(end, 1, 9)
    assert end.faulty() == []
    lose_tokens(end, 10, 1)
    assert end.faulty() == [1]
    (event,) = end.events
    assert (event.kind, event.link, event.values) == (
        LinkEventKind.FAULTY,
        1,
        (LinkFaultCause.TOKENS_MISSING, 10, 0, 10),
    )
    assert end.bring(0, orf_token(11)) == [orf_token(11)]
    assert end.send_token(12) == [0]
    assert end.send_messages([(mcast(1),)]) == [(0, 1)]


def test_A5_a_faulty_network_is_heard(end):
    lose_tokens(end, 1, 10)
    assert end.bring(1, mcast(5), orf_token(11)) == [mcast(5)]
    assert end.bring(0, orf_token(11)) == [orf_token(11)]


def test_A5_a_dead_network_does_not_slow_many_nodes_down_for_long(end):
    end.bring(0, orf_token(1))
    waits = []
    for token_seq in range(2, 9):
        waits.append((end.rrp.next_deadline() - end.now) / 1e6)
        end.after(waits[-1])
        end.bring(0, orf_token(token_seq))
    assert waits[:3] == [47, 23.5, 11.75]
    assert min(waits) == 47 / 32


def test_A5_a_token_sent_again_does_not_hide_that_a_network_is_not_sent_on():
    bed = Bed(4, mode=RrpMode.ACTIVE).form()
    bed.lost = lambda link, sender, _receiver: link == 1 and sender == 2
    bed.run_ms(10_000)
    assert all(node.links.faulty(1) for node in bed.all())


def test_A6_sporadic_loss_is_forgiven_with_time(end):
    token_seq = 1
    for _ in range(30):
        lose_tokens(end, token_seq, 1)
        for _ in range(3):
            token_seq += 1
            end.bring(0, orf_token(token_seq))
            end.bring(1, orf_token(token_seq))
            end.after(1000)
        token_seq += 1
    assert end.faulty() == []
    assert end.rrp.problem_count(1) <= 1


def test_A6_sporadic_loss_is_forgiven_with_traffic(end):
    for token_seq in range(1, 5001):
        end.now += 10_000
        end.bring(0, orf_token(token_seq))
        if token_seq % 150:
            end.bring(1, orf_token(token_seq))
        else:
            end.now += 47_000_000
            end.rrp.advance(end.now)
    assert end.faulty() == []


def test_A6_a_dead_network_is_not_forgiven(end):
    # An idle ring brings a token in more time than it takes to forgive a problem.
    for token_seq in range(1, 11):
        end.bring(0, orf_token(token_seq))
        end.after(60)
        end.after(3000)
    assert end.faulty() == [1]


def test_a_slow_network_is_no_dead_one_when_the_timer_gets_shorter(end):
    """The third network is dead, so that every token goes up by a timer that gets shorter."""
    end = OneEnd(RrpMode.ACTIVE, 3)
    for token_seq in range(9):
        end.bring(0, orf_token(token_seq))
        end.after(12)
        end.bring(1, orf_token(token_seq))
        end.after(60)
    assert [end.rrp.problem_count(link) for link in (1, 2)] == [0, 9]


# Corosync 1.x, trap by trap.


def test_trap_a_stale_token_is_no_copy_of_the_present_one(end):
    """1.x set last_token_seq before it compared: a stale token counted as current."""
    end.bring(0, orf_token(7))
    # The ring ignores it.
    assert end.bring(1, orf_token(6)) == [orf_token(6)]
    assert end.rrp.stats.tokens_stale == 1
    assert end.bring(1, orf_token(7)) == [orf_token(7)]


def test_trap_copies_of_a_commit_token_reach_the_ring_once(end):
    """1.x sent commit tokens as messages: every copy reached the ring, and broke recovery."""
    assert end.bring(0, commit_token(1)) == []
    assert end.bring(1, commit_token(1)) == [commit_token(1)]
    assert end.bring(0, commit_token(2)) == []
    assert end.after(47) == [commit_token(2)]
    assert end.bring(1, commit_token(2)) == []


def test_trap_the_numbers_of_a_new_ring_begin_anew(end):
    """1.x could not know when a token was reset, and so took every token for current."""
    end.bring(0, orf_token(500))
    end.bring(1, orf_token(500))
    later = RingId(1, RING.seq + 4)
    for kind in (commit_token, lambda seq, ring_id: orf_token(seq, ring_id=ring_id)):
        assert end.bring(1, kind(0, ring_id=later)) == []
        assert end.bring(0, kind(0, ring_id=later)) == [kind(0, ring_id=later)]


def test_a_late_token_of_an_older_ring_does_not_take_the_place_of_one_that_waits(end):
    later = RingId(1, RING.seq + 4)
    end.bring(0, orf_token(1, ring_id=later))
    assert end.bring(0, orf_token(500)) == [orf_token(500)]
    assert end.bring(1, orf_token(1, ring_id=later)) == [orf_token(1, ring_id=later)]


def test_a_ring_with_a_lower_number_goes_on_after_a_token_of_another(end):
    later = RingId(9, RING.seq + 1000)
    end.bring(0, orf_token(1, ring_id=later))
    end.after(60)
    for token_seq in (500, 501):
        assert end.bring(0, orf_token(token_seq)) == []
        assert end.bring(1, orf_token(token_seq)) == [orf_token(token_seq)]


def test_trap_all_networks_faulty_means_all_are_used(end):
    """1.x looped for ever, later used the first network alone."""
    lose_tokens(end, 1, 10)
    lose_tokens(end, 11, 0)
    for token_seq in range(11, 21):
        assert end.bring(1, orf_token(token_seq)) == []
        assert end.after(60) == [orf_token(token_seq)]
    assert end.faulty() == [0, 1]
    assert end.kinds() == [LinkEventKind.FAULTY, LinkEventKind.FAULTY, LinkEventKind.ALL_FAULTY]
    assert end.send_token(21) == [0, 1]
    assert end.send_messages([(mcast(9),)]) == [(0, 1), (1, 1)]
    assert end.bring(1, orf_token(22)) == [orf_token(22)]


def test_a_token_of_the_ring_is_told_apart_over_the_wrap_of_its_numbers(end):
    for token_seq in (0xFFFFFFFE, 0xFFFFFFFF, 0, 1):
        assert end.bring(0, orf_token(token_seq)) == []
        assert end.bring(1, orf_token(token_seq)) == [orf_token(token_seq)]
    assert end.bring(0, orf_token(0xFFFFFFFF)) == [orf_token(0xFFFFFFFF)]
    assert end.rrp.stats.tokens_stale == 1


def test_a_false_number_stops_no_token(end):
    """The ring may refuse a token for what the gate does not look at."""
    end.bring(0, orf_token(1 << 24))
    end.after(60)
    for token_seq in range(7, 7 + STALE_MAX):
        assert end.bring(0, orf_token(token_seq)) == [orf_token(token_seq)]
    # By now it is clear which one was false: copies are waited for again.
    assert end.bring(0, orf_token(50)) == []
    assert end.bring(1, orf_token(50)) == [orf_token(50)]


def test_a_token_with_the_present_number_and_other_content_is_the_rings_to_judge(end):
    end.bring(0, orf_token(7, seq=3))
    end.bring(1, orf_token(7, seq=3))
    assert end.bring(0, orf_token(7, seq=4)) == [orf_token(7, seq=4)]


def test_a_damaged_token_is_the_rings_to_judge(end):
    damaged = orf_token(1)[:20]
    assert end.bring(0, damaged) == [damaged]


@pytest.mark.parametrize("networks", [2, 3, 8])
def test_a_dead_network_changes_no_membership(networks):
    bed = Bed(3, mode=RrpMode.ACTIVE, networks=networks).form()
    changes = [len(node.changes) for node in bed.all()]
    bed.lost = lambda link, _sender, _receiver: link != 0
    for node in bed.all():
        node.send(b"x")
    bed.run_ms(3000)
    assert [len(node.changes) for node in bed.all()] == changes
    assert all(len(node.delivered) == 3 for node in bed.all())
