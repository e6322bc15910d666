"""Authenticated datagrams: two nodes that meet, and all that somebody between them may do."""

import hashlib
from itertools import count

import pytest

from corosync_tw.net.crypto.aead import CIPHERS, ClusterKey
from corosync_tw.net.crypto.guard import (
    ASK_INTERVAL_NS,
    ASKED_MAX,
    COUNTER_MAX,
    LETTERS_MAX,
    OVERHEAD_BYTES,
    Guard,
    Refused,
)
from corosync_tw.net.crypto.replay import WINDOW_MSGS, ReplayWindow

KEY = bytes(range(128))
CIPHER = "aes256-gcm"
NUMBERS = count()


def entropy(len_bytes: int) -> bytes:
    return hashlib.sha512(next(NUMBERS).to_bytes(8, "big")).digest()[:len_bytes]


class Net:
    """Guards, and a clock that stands still unless it is told to go on."""

    def __init__(self) -> None:
        self.now_ns = 0

    def guard(self, nodeid, key=KEY, cipher=CIPHER, counter_start=0) -> Guard:
        key = ClusterKey(cipher, key)
        return Guard(nodeid, key, entropy, lambda: self.now_ns, counter_start=counter_start)

    def pair(self, **more) -> tuple[Guard, Guard]:
        a, b = self.guard(1, **more), self.guard(2, **more)
        meet(a, b)
        return a, b


@pytest.fixture
def net():
    return Net()


def carry(sender: Guard, receiver: Guard) -> None:
    for letter in sender.take_letters():
        assert receiver.open(letter.datagram) in {None, Refused.UNPROVEN}


def meet(a: Guard, b: Guard) -> None:
    """Send until both believe that the other one lives."""
    assert b.open(a.seal_one(b"first")) is Refused.UNPROVEN
    for _ in range(3):
        carry(b, a)
        carry(a, b)
    assert b.open(a.seal_one(b"x")) == b"x"
    assert a.open(b.seal_one(b"y")) == b"y"


@pytest.mark.parametrize("cipher", CIPHERS)
def test_frames_arrive_as_they_were(net, cipher):
    a, b = net.pair(cipher=cipher)
    frames = [(b"head", bytes(length)) for length in (0, 1, 15, 16, 1400)]
    sealed = [b"".join(datagram) for datagram in a.seal(frames)]
    assert [len(s) for s in sealed] == [len(b"".join(f)) + OVERHEAD_BYTES for f in frames]
    assert [b.open(s) for s in sealed] == [b"".join(frame) for frame in frames]
    assert b"head" not in b"".join(sealed)


def test_each_bit_is_under_the_tag(net):
    a, b = net.pair()
    datagram = a.seal_one(b"frame")
    for at in range(len(datagram)):
        forged = bytearray(datagram)
        forged[at] ^= 0x10
        assert isinstance(b.open(bytes(forged)), Refused)
    for length in range(len(datagram)):
        assert b.open(datagram[:length]) in {Refused.CLEAR, Refused.FORGED}
    assert b.open(datagram) == b"frame"


def test_a_datagram_counts_once(net):
    a, b = net.pair()
    sent = [a.seal_one(bytes([at])) for at in range(100)]
    assert all(isinstance(b.open(s), bytes) for s in reversed(sent))
    assert {b.open(s) for s in sent} == {Refused.REPLAYED}
    assert b.refused[Refused.REPLAYED] == 100


def test_what_is_too_old_to_tell_is_refused(net):
    a, b = net.pair()
    old = a.seal_one(b"old")
    for _ in range(WINDOW_MSGS):
        assert b.open(a.seal_one(b"x")) == b"x"
    assert b.open(old) is Refused.REPLAYED


def test_our_own_datagrams_come_back(net):
    a, _ = net.pair()
    assert a.open(a.seal_one(b"x")) is Refused.REFLECTED


def test_somebody_else_has_our_nodeid(net):
    a, _ = net.pair()
    assert a.open(net.guard(1).seal_one(b"x")) is Refused.SAME_NODEID


@pytest.mark.parametrize(
    "other", [{"key": bytes(128)}, {"cipher": "chacha20-poly1305"}], ids=["key", "cipher"]
)
def test_another_key_or_cipher(net, other):
    a = net.guard(1)
    assert a.open(net.guard(2, **other).seal_one(b"x")) is Refused.OTHER_KEY


def test_what_is_no_datagram_of_ours(net):
    a = net.guard(1)
    for datagram in (b"", b"\x70\xc0" + bytes(100), b"\xa7", bytes(OVERHEAD_BYTES)):
        assert a.open(datagram) is Refused.CLEAR


def test_a_record_of_a_process_that_died_is_worth_nothing(net):
    """Also not to a node that starts now, and knows nothing but the key."""
    a, b = net.pair()
    record = [a.seal_one(b"x") for _ in range(5)]
    a = net.guard(1)
    fresh = net.guard(3)
    for listener in (b, fresh):
        for datagram in record:
            net.now_ns += ASK_INTERVAL_NS
            assert listener.open(datagram) in {Refused.UNPROVEN, b"x"}
        # The process that lives now answers, but not for the one that died.
        for letter in listener.take_letters():
            a.open(letter.datagram)
        for letter in a.take_letters():
            listener.open(letter.datagram)
    assert fresh.open(record[0]) is Refused.UNPROVEN
    meet(a, net.guard(4))


def test_a_recorded_answer_is_worth_nothing(net):
    a, b = net.guard(1), net.guard(2)
    b.open(a.seal_one(b"x"))
    (question,) = b.take_letters()
    a.open(question.datagram)
    answers = a.take_letters()
    fresh = net.guard(2)
    for letter in answers:
        fresh.open(letter.datagram)
    assert fresh.open(a.seal_one(b"x")) is Refused.UNPROVEN


def test_a_new_process_of_a_node_takes_the_place_of_the_old_one(net):
    a, b = net.pair()
    old = a.seal_one(b"old")
    again = net.guard(1)
    meet(again, b)
    assert b.open(old) is Refused.UNPROVEN
    assert b.open(again.seal_one(b"new")) == b"new"


def test_questions_are_asked_now_and_then(net):
    a, b = net.guard(1), net.guard(2)
    for _ in range(10):
        b.open(a.seal_one(b"x"))
    assert len(b.take_letters()) == 1
    net.now_ns += ASK_INTERVAL_NS
    b.open(a.seal_one(b"x"))
    assert len(b.take_letters()) == 1


def test_a_question_for_another_node_is_not_answered(net):
    a, b, c = net.guard(1), net.guard(2), net.guard(3)
    b.open(a.seal_one(b"x"))
    (question,) = b.take_letters()
    c.open(question.datagram)
    assert c.stats.answers == 0


def test_nothing_grows_without_end(net):
    a = net.guard(1)
    for nodeid in range(2, ASKED_MAX + 100):
        assert a.open(net.guard(nodeid).seal_one(b"x")) is Refused.UNPROVEN
    assert len(a._asked) == ASKED_MAX
    assert len(a.take_letters()) == LETTERS_MAX


@pytest.mark.parametrize("bits", [15, 16, 31, 32, 48])
def test_counters_across_powers_of_two(net, bits):
    a, b = net.pair(counter_start=2**bits - 20)
    sent = [a.seal_one(bytes([at])) for at in range(60)]
    order = [*range(0, 60, 2), *range(1, 60, 2)]
    assert [b.open(sent[at]) for at in order] == [bytes([at]) for at in order]
    assert {b.open(s) for s in sent} == {Refused.REPLAYED}


def test_the_last_counter_begins_a_new_key(net):
    a, b = net.pair(counter_start=COUNTER_MAX - 20)
    opened = [b.open(a.seal_one(b"x")) for _ in range(30)]
    assert set(opened) == {b"x", Refused.UNPROVEN}
    assert opened[-1] is Refused.UNPROVEN
    net.now_ns += ASK_INTERVAL_NS
    meet(a, b)


NEXT = ClusterKey("chacha20-poly1305", bytes(range(100, 228)))


def exchanged(a, b):
    """Tell whether frames pass in both directions."""
    return b.open(a.seal_one(b"x")) == b"x" and a.open(b.seal_one(b"y")) == b"y"


def test_a_key_changes_step_by_step_and_no_datagram_is_lost(net):
    a, b = net.pair()
    for step in ("prepare", "activate", "forget_old"):
        for guard in (a, b):
            guard.prepare(NEXT) if step == "prepare" else getattr(guard, step)()
            assert exchanged(a, b)
            assert exchanged(b, a)
    assert not any(guard.refused[why] for guard in (a, b) for why in set(Refused) - {7})
    assert a.stats.questions == b.stats.questions == 1
    # A node that starts now needs the new key.
    assert b.open(net.guard(3).seal_one(b"x")) is Refused.OTHER_KEY
    meet(net.guard(4, NEXT._key, "chacha20-poly1305"), b)


def test_the_old_key_is_worth_nothing_when_it_is_forgotten(net):
    a, b = net.pair()
    old = a.seal_one(b"old")
    for guard in (a, b):
        guard.prepare(NEXT)
        guard.activate()
    assert b.open(old) == b"old"
    old = net.guard(3).seal_one(b"x")
    assert b.open(old) is Refused.OTHER_KEY
    b.forget_old()
    late = a.seal_one(b"x")
    assert b.open(late) == b"x"
    assert b.open(late) is Refused.REPLAYED


def test_who_hears_a_known_process_use_the_next_key_uses_it(net):
    a, b = net.pair()
    a.prepare(NEXT)
    b.prepare(NEXT)
    a.activate()
    assert b.is_waiting
    assert b.open(a.seal_one(b"x")) == b"x"
    assert not b.is_waiting
    a.forget_old()
    assert exchanged(a, b)


def test_strangers_are_heard_under_the_key_in_use_alone(net):
    a, _ = net.pair()
    a.prepare(NEXT)
    newcomer = net.guard(3, NEXT._key, "chacha20-poly1305")
    assert a.open(newcomer.seal_one(b"x")) is Refused.OTHER_KEY
    assert a.take_letters() == []
    a.activate()
    meet(newcomer, a)


def test_a_change_can_be_taken_back(net):
    a, b = net.pair()
    a.prepare(NEXT)
    a.prepare(ClusterKey(CIPHER, KEY))
    assert not a.is_waiting
    a.activate()
    a.forget_old()
    assert exchanged(a, b)


def test_forgetting_comes_too_early(net):
    a, b = net.pair()
    a.prepare(NEXT)
    a.forget_old()
    b.prepare(NEXT)
    b.activate()
    assert exchanged(b, a)


def test_a_window_against_a_set():
    """The dumb twin remembers every counter."""
    window, seen = ReplayWindow(), set()
    for step in range(20000):
        counter = max(1, (step * 7919) % 1000 + step)
        expected = counter not in seen and counter > window.highest - WINDOW_MSGS
        assert window.is_fresh(counter) == expected
        if expected:
            window.take(counter)
            seen.add(counter)
