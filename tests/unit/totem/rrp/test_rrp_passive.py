"""Passive replication, rule by rule (Koch, Moser, Melliar-Smith, ICDCS 2002, section 6)."""

import pytest

from corosync_tw.corotypes import Guarantee
from corosync_tw.sim.payload_runs import payload_runs
from corosync_tw.totem.links import LinkEventKind, LinkFaultCause
from corosync_tw.totem.rrp.frames import out_of_turn
from corosync_tw.totem.rrp.judge import Verdict
from corosync_tw.totem.rrp.params import RrpMode
from tests.unit.totem.rrp.bed import Bed
from tests.unit.totem.rrp.one_end import (
    ME,
    OTHER,
    PEER,
    RING,
    OneEnd,
    blob,
    commit_token,
    mcast,
    orf_token,
)

JOIN = (b"\x70\xc0\x03\x03join",)
HOLD_CANCEL = (b"\x70\xc0\x03\x05cancel",)


@pytest.fixture
def end():
    return OneEnd()


def lag(end, link, count, first=1):
    """Let the other network alone bring tokens."""
    for token_seq in range(first, first + count):
        end.bring(1 - link, orf_token(token_seq))


def own(first_seq, count):
    """Give messages of our own as the ring sends them."""
    header = mcast(first_seq, ME, b"")
    (run,) = payload_runs(header, [(Guarantee.AGREED, b"payload")] * count)
    return run


def test_tokens_and_messages_take_turns_by_themselves(end):
    assert [end.send_token(token_seq) for token_seq in range(1, 5)] == [[0], [1], [0], [1]]
    assert [end.send_messages(own(seq, 1)) for seq in range(3)] == [[(0, 1)], [(1, 1)], [(0, 1)]]
    assert end.send_token(5) == [0]
    assert end.send_messages(own(4, 1)) == [(1, 1)]


def test_frames_that_seek_strangers_take_every_network_even_faulty_ones(end):
    lag(end, 1, 11)
    assert end.faulty() == [1]
    assert end.send_messages([JOIN], to_members_only=False) == [(0, 1), (1, 1)]
    assert end.send_messages([HOLD_CANCEL]) == [(0, 1)]


def test_P1_a_token_goes_up_when_nothing_is_missing(end):
    assert end.bring(1, orf_token(1, seq=7)) == [orf_token(1, seq=7)]
    assert end.asked == [(RING, 7)]


def test_P1_a_token_is_buffered_behind_a_missing_message_and_released_by_it(end):
    end.behind = 6
    assert end.bring(0, orf_token(1, seq=7)) == []
    assert end.bring(1, mcast(7)) == [mcast(7)]
    end.behind = None
    assert end.after_ring() == [orf_token(1, seq=7)]
    assert end.after_ring() == []
    assert end.rrp.next_deadline() > end.now + 20_000_000


def test_P1_messages_go_up_before_the_token_that_came_with_them(end):
    end.behind = 6
    assert end.bring(0, mcast(7), orf_token(1, seq=7)) == [mcast(7)]
    end.behind = None
    assert end.after_ring() == [orf_token(1, seq=7)]


def test_P1_delayed_messages_cause_no_retransmission():
    """One network is slower than the other by several hops."""
    bed = Bed(3).form()
    bed.delay_ns[1] = 3_000_000
    for _ in range(20):
        bed.nodes[1].send(*[b"%d" % i for i in range(20)])
        bed.run_ms(20)
    assert all(len(node.delivered) == 400 for node in bed.all())
    assert all(node.srp.stats.mcast_retx == 0 for node in bed.all())
    assert sum(node.links.stats.tokens_waited for node in bed.all()) > 0
    assert sum(node.links.stats.tokens_expired for node in bed.all()) == 0


def test_P2_the_slower_network_does_not_fall_behind():
    """The token takes the slower network as well, and waits for what is on it."""
    bed = Bed(3).form()
    bed.delay_ns[1] = 2_000_000
    for _ in range(100):
        bed.nodes[2].send(*[b"%d" % i for i in range(50)])
        bed.run_ms(10)
    assert len(bed.under_way()) < 100
    bed.run_ms(200)
    assert all(len(node.delivered) == 5000 for node in bed.all())
    assert all(not node.links.faulty(link) for node in bed.all() for link in (0, 1))


def test_P3_the_token_goes_up_when_the_timer_fires(end):
    end.behind = 6
    end.bring(0, orf_token(1, seq=7))
    assert end.after(9) == []
    assert end.after(1) == [orf_token(1, seq=7)]
    assert end.after(100) == []


def test_P3_the_timer_is_never_restarted_while_it_runs(end):
    end.behind = 6
    end.bring(0, orf_token(1, seq=7))
    end.after(9)
    end.bring(1, orf_token(1, seq=7))
    end.bring(0, orf_token(1, seq=7))
    assert end.after(1) == [orf_token(1, seq=7)]


def test_P3_a_message_that_is_lost_is_waited_for_once(end):
    end.behind = 6
    end.bring(0, orf_token(1, seq=7))
    end.after(10)
    assert end.bring(1, orf_token(2, seq=7)) == [orf_token(2, seq=7)]
    end.behind = 7
    assert end.bring(0, orf_token(3, seq=8)) == []


def test_P3_a_token_that_nobody_seems_to_have_takes_the_other_network(end):
    assert end.send_token(1) == [0]
    end.now += 47_000_000
    end.rrp.advance(end.now)
    assert [(send.link, send.targets) for send in end.sends()] == [(1, (PEER,))]
    end.now += 47_000_000
    end.rrp.advance(end.now)
    assert end.sends() == []
    # The next one takes its turn as if nothing had been.
    assert end.send_token(2) == [1]


@pytest.mark.parametrize("sign", [orf_token(4), commit_token(1), mcast(8)])
def test_P3_a_sign_of_life_ends_that(end, sign):
    end.send_token(1, seq=7)
    end.bring(0, sign)
    end.now += 47_000_000
    end.rrp.advance(end.now)
    assert end.sends() == []


def test_P3_an_old_message_is_no_sign_of_life(end):
    end.send_token(1, seq=7)
    end.bring(0, mcast(7))
    end.now += 47_000_000
    end.rrp.advance(end.now)
    assert [send.link for send in end.sends()] == [1]


def test_P3_a_faulty_network_is_the_last_resort(end):
    lag(end, 1, 11)
    assert end.send_token(20) == [0]
    end.now += 47_000_000
    end.rrp.advance(end.now)
    assert [send.link for send in end.sends() if send.targets] == [1]


def test_P3_of_many_nodes_none_loses_the_ring_to_a_dead_network():
    """With a token timeout of 1 s, ten lost tokens in a row would cost the ring its token."""
    totem = {"token_timeout_ns": 1_000_000_000, "token_retransmit_timeout_ns": 238_000_000}
    bed = Bed(10, totem=totem).form()
    changes = [len(node.changes) for node in bed.all()]
    bed.lost = lambda link, _sender, _receiver: link == 1
    bed.run_ms(6000)
    assert [len(node.changes) for node in bed.all()] == changes
    assert all(node.links.faulty(1) for node in bed.all())


def test_P4_a_network_that_brings_fewer_tokens_becomes_faulty(end):
    lag(end, 1, 10)
    assert end.faulty() == []
    lag(end, 1, 1, first=11)
    assert end.faulty() == [1]
    (event,) = end.events
    assert (event.kind, event.link, event.nodeid, event.values) == (
        LinkEventKind.FAULTY,
        1,
        0,
        (LinkFaultCause.TOKENS_LAG, 11, 11, 10),
    )
    assert [end.send_token(token_seq) for token_seq in (12, 13)] == [[0], [0]]


def test_P4_a_network_that_brings_fewer_messages_of_one_sender_becomes_faulty(end):
    for visit in range(1, 12):
        end.bring(0, blob(10 * visit - 9, 10))
        end.bring(visit % 2, orf_token(visit, seq=10 * visit))
    # What a token tells of has its say with the next one: a hundred are not too many.
    assert end.faulty() == []
    end.bring(0, orf_token(12, seq=110))
    assert end.faulty() == [1]
    (event,) = end.events
    assert (event.nodeid, event.values) == (PEER, (LinkFaultCause.MESSAGES_LAG, 110, 110, 100))


def test_P4_messages_under_way_count_against_nobody(end):
    """A visit's messages come in long runs, first by one network, then by the other."""
    seq = 1
    for visit in range(1, 20):
        end.bring(0, blob(seq, 150))
        end.bring(1, blob(seq + 150, 150))
        end.bring(visit % 2, orf_token(visit, seq=seq + 299))
        seq += 300
    assert end.faulty() == []


def test_P4_our_silence_makes_others_mark_the_network():
    bed = Bed(3).form()
    verdict = Verdict(1, LinkFaultCause.TOKENS_LAG, 0, 11, 11, 10)
    bed.nodes[1].links._mark(verdict, bed.now)
    bed.run_ms(15_000)
    marked = [node for _, node, event in bed.events(LinkEventKind.FAULTY) if event.link == 1]
    assert sorted(marked) == [1, 2, 3]


def test_P4_tokens_sent_again_count_for_every_network_that_brings_them():
    """With networks dead, many tokens are sent again on all others, of which one is fastest."""
    end = OneEnd(networks=4)
    for token_seq in range(1, 40):
        if token_seq % 4 != 3:
            end.bring(token_seq % 4, orf_token(token_seq))
        else:
            for link in (0, 1, 2):
                end.bring(link, out_of_turn(orf_token(token_seq)))
    assert end.faulty() == [3]
    assert max(end.rrp._judge._tokens.lag(link) for link in (0, 1, 2)) <= 1


def test_P4_tokens_sent_again_in_vain_count_for_none(end):
    for token_seq in range(1, 30):
        end.bring(0, orf_token(token_seq))
        end.bring(1, out_of_turn(orf_token(token_seq)))
    assert end.faulty() == [1]


def test_P5_sporadic_loss_is_forgiven_with_traffic(end):
    for token_seq in range(1, 4001):
        end.now += 10_000
        link = token_seq % 2
        if token_seq % 150 != 1:
            end.bring(link, orf_token(token_seq))
    assert end.faulty() == []


def test_P5_sporadic_loss_is_forgiven_with_time(end):
    for token_seq in range(1, 200):
        end.after(700)
        if token_seq % 8 != 1:
            end.bring(token_seq % 2, orf_token(token_seq))
    assert end.faulty() == []


def test_P5_steady_loss_is_not(end):
    for token_seq in range(1, 400):
        end.now += 10_000
        if token_seq % 6 != 1:
            end.bring(token_seq % 2, orf_token(token_seq))
    assert end.faulty() == [1]


# Corosync 1.x, trap by trap.


def test_trap_a_buffered_token_goes_up_whole(end):
    """1.x answered that nothing is missing, always; behind that the token had no length."""
    end.behind = 6
    token = orf_token(3, seq=7)
    end.bring(0, token)
    (up,) = end.after(10)
    assert bytes(up) == token


def test_trap_all_networks_faulty_means_tokens_are_sent_too(end):
    """1.x reset the messages' turn instead of the tokens', and sent these on a faulty network."""
    lag(end, 1, 11)
    lag(end, 0, 25, first=12)
    assert end.faulty() == [0, 1]
    assert end.send_token(40) == [0, 1]
    assert end.send_messages([(mcast(1, ME),)] * 30) == [(0, 30), (1, 30)]
    assert LinkEventKind.ALL_FAULTY in end.kinds()


def test_trap_a_mute_sender_does_not_skew_what_is_counted_of_others(end):
    """1.x had one monitor for all: who spoke much hid that another's messages were lost."""
    seq = 1
    for visit in range(1, 13):
        # One sender is sound and busy, the other's messages come by network 0 alone.
        end.bring(0, blob(seq, 200, sender=OTHER), mcast(seq + 400), mcast(seq + 401))
        end.bring(1, blob(seq + 200, 200, sender=OTHER))
        for i in range(2, 10):
            end.bring(0, mcast(seq + 400 + i))
        seq += 410
        end.bring(visit % 2, orf_token(visit, seq=seq - 1))
    assert end.faulty() == [1]
    assert end.events[0].nodeid == PEER


def test_messages_of_strangers_are_not_counted(end):
    end.bring(0, blob(1, 300, sender=9))
    end.bring(0, orf_token(1, seq=300))
    end.bring(1, orf_token(2, seq=300))
    assert end.faulty() == []


def test_a_member_that_left_and_came_back_begins_anew(end):
    end.bring(0, blob(1, 90))
    end.bring(0, orf_token(1, seq=90))
    end.rrp.set_ring_members(frozenset({ME, OTHER}))
    end.rrp.set_ring_members(frozenset({ME, PEER, OTHER}))
    end.bring(0, blob(91, 90))
    end.bring(1, orf_token(2, seq=180))
    end.bring(0, orf_token(3, seq=180))
    assert end.faulty() == []


def test_with_mode_none_nothing_is_done():
    end = OneEnd(RrpMode.NONE, networks=1)
    assert end.bring(0, orf_token(1), mcast(1)) == [orf_token(1), mcast(1)]
    assert end.send_token(1) == [0]
    assert end.send_messages([(mcast(1),)]) == [(0, 1)]
    assert end.rrp.next_deadline() is None
