"""How long a token waits for a sign of life before it takes another network."""

from corosync_tw.corotypes import NS_PER_MS
from corosync_tw.totem.rrp.frames import is_out_of_turn, token_of
from corosync_tw.totem.rrp.resend import WAIT_MIN_NS, TokenResend
from corosync_tw.totem.wire import OrfToken, decode
from tests.unit.totem.rrp.one_end import OneEnd, blob, orf_token

MAX_NS = 47 * NS_PER_MS


def send(resend, now_ns, *rounds):
    wait_ns = resend.wait_ns(MAX_NS)
    rounds = rounds or ((1,),)
    resend.sent(2, b"token", 7, rounds, now_ns=now_ns, wait_ns=wait_ns)
    return wait_ns


def test_the_wait_is_four_times_what_tokens_needed_but_not_too_short():
    resend = TokenResend()
    assert send(resend, 0) == MAX_NS
    resend.token_heard(3 * NS_PER_MS)
    assert send(resend, 0) == 12 * NS_PER_MS
    for _ in range(30):
        resend.token_heard(NS_PER_MS // 2)
        wait_ns = send(resend, 0)
    assert wait_ns == WAIT_MIN_NS
    resend.token_heard(100 * NS_PER_MS)
    assert send(resend, 0) == MAX_NS


def test_every_other_token_lost_keeps_the_wait_short():
    resend = TokenResend()
    send(resend, 0)
    for _ in range(30):
        resend.token_heard(NS_PER_MS)
        send(resend, 0)
        resend.next_round(10 * NS_PER_MS, MAX_NS)
        resend.token_heard(11 * NS_PER_MS)
        assert send(resend, 0) <= 12 * NS_PER_MS


def test_tokens_sent_again_in_a_row_tell_that_the_ring_is_slow():
    resend = TokenResend()
    send(resend, 0)
    resend.token_heard(NS_PER_MS)
    waits = []
    for _ in range(8):
        waits.append(send(resend, 0))
        resend.next_round(waits[-1], MAX_NS)
    assert waits[:3] == [WAIT_MIN_NS, WAIT_MIN_NS, 8 * NS_PER_MS + 4]
    assert waits[-1] == MAX_NS


def test_the_networks_in_use_come_first_and_then_the_faulty_ones():
    resend = TokenResend()
    send(resend, 0, (1, 3), (0, 2))
    assert resend.next_round(1, MAX_NS) == (1, 3)
    assert resend.due_ns == 1 + MAX_NS
    assert resend.next_round(2, MAX_NS) == (0, 2)
    assert resend.due_ns is None


def test_a_copy_out_of_turn_is_the_same_token_to_the_ring():
    end = OneEnd()
    end.send_token(5, seq=7)
    end.now += MAX_NS
    end.rrp.advance(end.now)
    (copy,) = [send.frames[0][0] for send in end.sends()]
    assert is_out_of_turn(copy)
    assert not is_out_of_turn(orf_token(5, 7))
    assert token_of(copy) == token_of(orf_token(5, 7))
    decoded = decode(copy)
    assert isinstance(decoded, OrfToken)
    assert (decoded.token_seq, decoded.seq) == (5, 7)


def test_copies_out_of_turn_count_only_if_the_first_was_lost():
    """On an idle ring each token is sent again: that must not hide that a network is not used."""
    end = OneEnd()
    for token_seq in range(1, 12):
        frame = orf_token(token_seq)
        again = frame[:4] + b"\xff" + frame[5:]
        end.bring(0, frame)
        end.bring(1, again)
    assert end.faulty() == [1]


def test_a_lossy_network_makes_no_token_wait_long():
    """Each visit lacks another message: the wait is halved, until one is closed by a message."""
    end = OneEnd()
    waits = []
    for visit in range(1, 8):
        end.behind = 100 * visit
        end.bring(visit % 2, orf_token(visit, seq=100 * visit + 5))
        waits.append((end.rrp.next_deadline() - end.now) / NS_PER_MS)
        end.after(waits[-1])
    assert waits[:4] == [10, 5, 2.5, 1.25]
    end.behind = 950
    assert end.bring(0, orf_token(9, seq=1000)) == []
    end.now += 1
    end.behind = None
    end.bring(1, blob(990, 11))
    assert end.after_ring() == [orf_token(9, seq=1000)]
    end.behind = 2000
    end.bring(1, orf_token(10, seq=2001))
    assert end.rrp.next_deadline() - end.now == 10 * NS_PER_MS
