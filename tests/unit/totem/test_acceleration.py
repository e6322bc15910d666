"""The accelerated ring, rule by rule (Babay and Amir; Spread)."""

import pytest

from corosync_tw.totem import wire
from corosync_tw.totem.acceleration import Acceleration, split
from corosync_tw.totem.const import MembState
from corosync_tw.totem.effects import Deliver, Effect, SendMcast, SendToken, TokenSent
from corosync_tw.totem.srp import OVERTAKEN_MIN
from corosync_tw.totem.window import Agreement
from tests.unit.totem.lone_node import LAST, ME, PEER, LoneNode, sent, the_token

FRAMES = [(bytes([n]),) for n in range(10)]


def accelerated(**params: object) -> LoneNode:
    """Bring a node into a ring that is accelerated; nobody has sent anything yet."""
    node = LoneNode(accelerated_ring=True, miss_count_const=1, **params)
    node.enter(MembState.OPERATIONAL)
    node.srp.agree(Agreement(600, accelerated=True))
    for _ in range(4):
        node.put(node.token(0))
    assert node.srp.behind_token_msgs
    return node


def order(effects: list[Effect]) -> list[str]:
    """Tell the order of sends around the token: how many before, the token, how many after."""
    words = []
    for effect in effects:
        if isinstance(effect, SendMcast):
            words.append(f"{len(effect.frames)} messages")
        elif isinstance(effect, (SendToken, Deliver, TokenSent)):
            words.append(type(effect).__name__)
    return words


def seqs(effects: list[Effect]) -> list[int]:
    return [message.seq for message in sent(effects, wire.Mcast)]


def test_the_last_messages_follow_the_token() -> None:
    node = accelerated(accelerated_window_msgs=15)
    node.send(*[b"m"] * 20)
    effects = node.put(node.token(0))
    assert order(effects) == ["5 messages", "SendToken", "15 messages", "Deliver", "TokenSent"]


def test_all_numbers_are_fixed_before_the_token_leaves() -> None:
    node = accelerated(accelerated_window_msgs=15)
    node.send(*[b"m"] * 20)
    effects = node.put(node.token(0))
    token = the_token(effects)
    assert seqs(effects) == list(range(1, 21))
    assert (token.seq, token.fcc) == (20, 20)


def test_a_few_messages_all_follow_the_token() -> None:
    node = accelerated(accelerated_window_msgs=15)
    node.send(b"m", b"m")
    assert order(node.put(node.token(0)))[:2] == ["SendToken", "2 messages"]


def test_retransmissions_precede_the_token() -> None:
    node = accelerated()
    node.send(b"m", b"m")
    node.put(node.token(0))
    effects = node.put(node.token(2, 0, aru_addr=LAST, rtr=(1, 2)))
    assert order(effects)[:2] == ["2 messages", "SendToken"]


def test_half_a_window_at_most_follows_the_tokens_of_all() -> None:
    node = accelerated(accelerated_window_msgs=10_000)
    assert node.srp.behind_token_msgs == 600 // 2 // 3


def test_without_an_agreement_all_precede_the_token() -> None:
    node = LoneNode(accelerated_ring=True).enter(MembState.OPERATIONAL)
    node.srp.agree(Agreement(600))
    for _ in range(9):
        node.put(node.token(0))
    node.send(b"m")
    assert order(node.put(node.token(0)))[:2] == ["1 messages", "SendToken"]


def test_it_begins_when_all_are_known_to_have_heard_the_agreement() -> None:
    acceleration = Acceleration()
    acceleration.agree(True, delivered_seq=7)
    for _ in range(9):
        acceleration.note_visit(safe_to=6)
        assert not acceleration.active
    acceleration.note_visit(safe_to=7)
    assert acceleration.active


def test_it_begins_two_visits_after_the_agreement_at_the_earliest() -> None:
    acceleration = Acceleration()
    acceleration.agree(True, delivered_seq=7)
    states = []
    for _ in range(4):
        acceleration.note_visit(safe_to=7)
        states.append(acceleration.active)
    assert states == [False, False, True, True]


def test_a_repeated_agreement_changes_nothing() -> None:
    node = accelerated()
    node.srp.agree(Agreement(600, accelerated=True))
    assert node.srp.behind_token_msgs


def test_it_ends_when_a_member_takes_its_word_back() -> None:
    node = accelerated()
    node.srp.agree(Agreement(600))
    node.send(b"m")
    assert order(node.put(node.token(0)))[:2] == ["1 messages", "SendToken"]
    # Others may hear of it later.
    assert not the_token(node.put(node.token(30, 1))).rtr_list


def test_nothing_newer_than_the_token_of_the_visit_before_is_asked_for() -> None:
    node = accelerated()
    assert the_token(node.put(node.token(5, 0))).rtr_list == []
    asked = the_token(node.put(node.token(9, 0))).rtr_list
    assert [item.seq for item in asked] == [1, 2, 3, 4, 5]


def test_a_ring_that_is_not_accelerated_asks_at_once() -> None:
    node = LoneNode(miss_count_const=1).enter(MembState.OPERATIONAL)
    assert [item.seq for item in the_token(node.put(node.token(2, 0))).rtr_list] == [1, 2]


def test_the_aru_is_ours_while_messages_behind_a_token_are_on_their_way() -> None:
    node = accelerated()
    token = the_token(node.put(node.token(3, 3)))
    assert (token.aru, token.aru_addr) == (0, ME)
    node.put(*[node.mcast(seq) for seq in (1, 2, 3)])
    token = the_token(node.put(node.token(3, 0, aru_addr=ME)))
    assert (token.aru, token.aru_addr) == (3, 0)


def test_a_token_overtakes_newer_messages_when_the_rotation_before_is_complete() -> None:
    node = accelerated()
    many = range(1, OVERTAKEN_MIN + 1)
    effects = node.put(*map(node.mcast, many), node.token(many[-1]))
    assert order(effects) == ["SendToken", "TokenSent", "Deliver"]
    assert the_token(effects).aru == 0
    more = [many[-1] + seq for seq in many]
    effects = node.put(*map(node.mcast, more), node.token(more[-1], 0, aru_addr=ME))
    assert order(effects) == ["SendToken", "TokenSent", "Deliver"]
    assert the_token(effects).aru == many[-1]


def test_a_token_waits_for_a_few_messages_but_not_for_their_delivery() -> None:
    node = accelerated()
    few = range(1, OVERTAKEN_MIN)
    effects = node.put(*map(node.mcast, few), node.token(few[-1]))
    assert order(effects) == ["SendToken", "Deliver", "TokenSent"]
    assert the_token(effects).aru == few[-1]


def test_a_token_waits_for_messages_of_the_rotation_before() -> None:
    node = accelerated()
    node.put(node.mcast(1), node.token(2))
    many = range(2, OVERTAKEN_MIN + 2)
    effects = node.put(*map(node.mcast, many), node.token(many[-1], 0, aru_addr=ME))
    assert order(effects) == ["SendToken", "Deliver", "TokenSent"]
    assert the_token(effects).aru == many[-1]


def test_no_token_overtakes_on_a_ring_that_is_not_accelerated() -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    many = range(1, OVERTAKEN_MIN + 1)
    effects = node.put(*map(node.mcast, many), node.token(many[-1]))
    assert order(effects) == ["SendToken", "Deliver", "TokenSent"]
    assert the_token(effects).aru == many[-1]


def test_the_next_ring_begins_without() -> None:
    node = accelerated()
    node.put(node.join(PEER, ring_seq=1000), node.join(LAST, ring_seq=1000))
    node.commit(wire.RingId(PEER, 1004))
    assert not node.srp.behind_token_msgs
    assert not node.srp._ring.acceleration.agreed


def test_recovery_sends_all_before_the_token() -> None:
    node = accelerated()
    node.put(node.mcast(1), node.mcast(2), node.token(2))
    node.put(node.join(PEER, ring_seq=1000), node.join(LAST, ring_seq=1000))
    node.commit(wire.RingId(PEER, 1004))
    behind = wire.CommitEntry(wire.RingId(PEER, 1000), 0, 0, 0)
    node.recover({LAST: behind})
    # Even if something were left of the old ring's agreement.
    acceleration = node.srp._ring.acceleration
    acceleration.agreed = acceleration.active = acceleration._wanted = True
    assert order(node.put(node.token(0, retrans_flg=1)))[:2] == ["2 messages", "SendToken"]


def test_while_the_token_is_held_all_precede_it() -> None:
    node = accelerated(seqno_unchanged_const=6)
    # The representative holds it; only its place in the ring tells that we are not.
    ring = node.srp._ring
    ring.my_ring_id = ring.installed.ring_id = wire.RingId(ME, ring.my_ring_id.seq)
    for _ in range(9):
        held = node.put(node.token(0))
    assert order(held) == ["TokenSent"]
    node.send(b"m")
    assert order(node.put(node.token(0))) == ["1 messages", "Deliver", "TokenSent"]


def test_a_ring_of_one_sends_all_before_the_token() -> None:
    acceleration = Acceleration()
    acceleration.agree(True, delivered_seq=0)
    for _ in range(4):
        acceleration.note_visit(safe_to=0)
    params = LoneNode().params
    assert acceleration.behind_msgs(params, 600, 1) == 0
    assert acceleration.behind_msgs(params, 600, 2) == 150


@pytest.mark.parametrize(
    ("sizes", "behind", "expected"),
    [
        ([10], 0, ([10], [])),
        ([10], 3, ([7], [3])),
        ([10], 10, ([], [10])),
        ([10], 99, ([], [10])),
        ([4, 4], 4, ([4], [4])),
        ([4, 4], 6, ([2], [2, 4])),
        ([], 6, ([], [])),
    ],
)
def test_batches_are_parted_in_order(
    sizes: list[int], behind: int, expected: tuple[list[int], list[int]]
) -> None:
    batches, at = [], 0
    for size in sizes:
        batches.append(FRAMES[at : at + size])
        at += size
    ahead, rest = split(batches, behind)
    assert ([len(b) for b in ahead], [len(b) for b in rest]) == expected
    assert [f for b in ahead + rest for f in b] == FRAMES[:at]
