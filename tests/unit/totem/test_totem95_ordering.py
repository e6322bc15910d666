"""
Sentences of the 1995 paper on ordering and flow control, one test each.

Reference: Amir, Moser, Melliar-Smith, Agarwal, Ciarfella, ACM TOCS 13(4), sections 5 and 8.
"""

import pytest

from corosync_tw.corotypes import RingId
from corosync_tw.totem import wire
from corosync_tw.totem.const import MembState
from corosync_tw.totem.deadlines import Deadline
from corosync_tw.totem.effects import Deliver, SendMcast, SendToken, TokenSent
from corosync_tw.totem.seqno import seq_add

from .lone_node import LAST, ME, MS, PEER, LoneNode, payloads, sent, the_token

STARTS = [0, 0x7FFFFFFE, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF, 16384, 65536]


@pytest.fixture(params=STARTS, ids=hex)
def node(request: pytest.FixtureRequest) -> LoneNode:
    """An operational node; every rule holds wherever the sequence numbers start."""
    start = request.param
    return LoneNode(seqno_start=start, token_seq_start=start).enter(MembState.OPERATIONAL)


def at(node: LoneNode, n: int) -> int:
    """Give the n-th sequence number of the ring."""
    return seq_add(node.params.seqno_start, n)


def test_token_of_another_ring_is_rejected(node: LoneNode) -> None:
    assert not sent(node.put(node.token(at(node, 0), ring_id=RingId(PEER, 1))), wire.OrfToken)


def test_token_seen_before_is_rejected(node: LoneNode) -> None:
    old = node.token_seq
    assert sent(node.put(node.token(at(node, 0))), wire.OrfToken)
    assert not sent(node.put(node.token(at(node, 0), token_seq=old)), wire.OrfToken)
    assert not sent(node.put(node.token(at(node, 0), token_seq=seq_add(old, -1))), wire.OrfToken)


def test_messages_that_came_before_the_token_are_processed_first(node: LoneNode) -> None:
    token = the_token(node.put(node.mcast(at(node, 1)), node.token(at(node, 1))))
    assert token.rtr_list == []
    assert token.aru == at(node, 1)


def test_token_seq_grows_by_one_per_hop(node: LoneNode) -> None:
    received = node.token_seq
    assert the_token(node.put(node.token(at(node, 0)))).token_seq == seq_add(received, 1)


def test_token_goes_to_the_next_member(node: LoneNode) -> None:
    effects = node.put(node.token(at(node, 0)))
    assert [e.target for e in effects if isinstance(e, SendToken)] == [LAST]


def test_new_messages_take_the_next_sequence_numbers(node: LoneNode) -> None:
    node.send(b"a", b"b")
    effects = node.put(node.token(at(node, 0)))
    assert [m.seq for m in sent(effects, wire.Mcast)] == [at(node, 1), at(node, 2)]
    assert the_token(effects).seq == at(node, 2)


def test_messages_go_out_before_the_token_and_delivery_comes_after_it(node: LoneNode) -> None:
    node.send(b"a")
    kinds = [type(e) for e in node.put(node.token(at(node, 0)))]
    ordered = [k for k in kinds if k in {SendMcast, SendToken, Deliver, TokenSent}]
    assert ordered == [SendMcast, SendToken, Deliver, TokenSent]


def test_retransmissions_go_out_before_new_messages_and_leave_the_list(node: LoneNode) -> None:
    node.put(node.mcast(at(node, 1), b"old"), node.token(at(node, 1)))
    node.send(b"new")
    effects = node.put(node.token(at(node, 1), at(node, 0), aru_addr=LAST, rtr=(at(node, 1),)))
    assert [bytes(m.payload) for m in sent(effects, wire.Mcast)] == [b"old", b"new"]
    assert the_token(effects).rtr_list == []


def test_a_request_we_cannot_answer_stays_in_the_list(node: LoneNode) -> None:
    effects = node.put(node.token(at(node, 5), at(node, 0), aru_addr=LAST, rtr=(at(node, 3),)))
    assert [item.seq for item in the_token(effects).rtr_list] == [at(node, 3)]


def test_aru_is_lowered_to_mine_and_bears_my_id(node: LoneNode) -> None:
    token = the_token(node.put(node.token(at(node, 4), at(node, 4))))
    assert (token.aru, token.aru_addr) == (at(node, 0), ME)


def test_aru_lowered_by_me_is_raised_by_me(node: LoneNode) -> None:
    node.put(node.token(at(node, 2)))
    token = the_token(
        node.put(node.mcast(at(node, 1)), node.token(at(node, 2), at(node, 0), aru_addr=ME))
    )
    assert (token.aru, token.aru_addr) == (at(node, 1), ME)


def test_aru_lowered_by_another_is_left_alone(node: LoneNode) -> None:
    frames = [node.mcast(at(node, i)) for i in (1, 2)]
    token = the_token(node.put(*frames, node.token(at(node, 2), at(node, 1), aru_addr=LAST)))
    assert (token.aru, token.aru_addr) == (at(node, 1), LAST)


def test_aru_that_reaches_seq_belongs_to_nobody(node: LoneNode) -> None:
    node.put(node.token(at(node, 1)))
    token = the_token(
        node.put(node.mcast(at(node, 1)), node.token(at(node, 1), at(node, 0), aru_addr=ME))
    )
    assert (token.aru, token.aru_addr) == (at(node, 1), 0)


def test_holes_are_asked_for_after_some_visits(node: LoneNode) -> None:
    node.put(node.mcast(at(node, 2)))
    for _ in range(node.params.miss_count_const - 1):
        assert the_token(node.put(node.token(at(node, 2), at(node, 0), aru_addr=ME))).rtr_list == []
    asked = the_token(node.put(node.token(at(node, 2), at(node, 0), aru_addr=ME))).rtr_list
    assert [item.seq for item in asked] == [at(node, 1)]


def test_holes_others_asked_for_are_not_asked_for_twice() -> None:
    node = LoneNode(miss_count_const=1).enter(MembState.OPERATIONAL)
    token = the_token(node.put(node.token(3, 0, aru_addr=LAST, rtr=(2,))))
    assert [item.seq for item in token.rtr_list] == [2, 1, 3]


def test_the_list_has_a_limit() -> None:
    node = LoneNode(miss_count_const=1).enter(MembState.OPERATIONAL)
    token = the_token(node.put(node.token(100, 0, aru_addr=ME)))
    assert [item.seq for item in token.rtr_list] == list(range(1, 31))


def test_agreed_messages_are_delivered_in_order_up_to_a_hole(node: LoneNode) -> None:
    assert payloads(node.put(node.mcast(at(node, 2), b"2"), node.mcast(at(node, 3), b"3"))) == []
    assert payloads(node.put(node.mcast(at(node, 1), b"1"))) == [b"1", b"2", b"3"]


def test_a_message_is_delivered_once(node: LoneNode) -> None:
    frame = node.mcast(at(node, 1), b"1")
    assert payloads(node.put(frame, frame)) == [b"1"]
    assert payloads(node.put(frame)) == []


def test_own_messages_are_delivered_to_oneself(node: LoneNode) -> None:
    node.send(b"mine")
    assert payloads(node.put(node.token(at(node, 0)))) == [b"mine"]


def test_safe_messages_wait_for_two_rotations(node: LoneNode) -> None:
    assert payloads(node.put(node.mcast(at(node, 1), b"safe", safe=True))) == []
    assert payloads(node.put(node.token(at(node, 1), at(node, 0), aru_addr=LAST))) == []
    assert payloads(node.put(node.token(at(node, 1), at(node, 1)))) == []
    assert payloads(node.put(node.token(at(node, 1), at(node, 1)))) == [b"safe"]


def test_one_rotation_without_everybody_delays_safe_messages(node: LoneNode) -> None:
    node.put(node.mcast(at(node, 1), b"safe", safe=True))
    node.put(node.token(at(node, 1), at(node, 1)))
    assert payloads(node.put(node.token(at(node, 1), at(node, 0), aru_addr=LAST))) == []
    assert payloads(node.put(node.token(at(node, 1), at(node, 1)))) == []
    assert payloads(node.put(node.token(at(node, 1), at(node, 1)))) == [b"safe"]


def test_agreed_messages_do_not_overtake_safe_ones(node: LoneNode) -> None:
    frames = [node.mcast(at(node, 1), b"safe", safe=True), node.mcast(at(node, 2), b"agreed")]
    assert payloads(node.put(*frames)) == []
    node.put(node.token(at(node, 2), at(node, 2)))
    assert payloads(node.put(node.token(at(node, 2), at(node, 2)))) == [b"safe", b"agreed"]


def test_messages_are_kept_until_everybody_has_them_for_two_visits(node: LoneNode) -> None:
    log = node.srp._ring.installed
    node.put(node.mcast(at(node, 1)), node.token(at(node, 1), at(node, 0), aru_addr=LAST))
    assert log.get(at(node, 1)) is not None
    node.put(node.token(at(node, 1), at(node, 1)))
    assert log.get(at(node, 1)) is not None
    node.put(node.token(at(node, 1), at(node, 1)))
    assert log.get(at(node, 1)) is None


def test_released_messages_are_not_taken_again(node: LoneNode) -> None:
    frame = node.mcast(at(node, 1))
    node.put(frame)
    for _ in range(2):
        node.put(node.token(at(node, 1)))
    assert payloads(node.put(frame)) == []
    assert len(node.srp._ring.installed) == 0


def test_flow_control_allows_max_messages_a_visit() -> None:
    node = LoneNode(max_messages=4).enter(MembState.OPERATIONAL)
    node.send(*[b"m"] * 10)
    assert len(sent(node.put(node.token(0)), wire.Mcast)) == 4


def test_flow_control_keeps_the_ring_within_its_window() -> None:
    node = LoneNode(window_size_msgs=20).enter(MembState.OPERATIONAL)
    node.send(*[b"m"] * 30)
    assert len(sent(node.put(node.token(0, fcc=15)), wire.Mcast)) == 5
    assert len(sent(node.put(node.token(5, fcc=25)), wire.Mcast)) == 0


def test_flow_control_shares_by_backlog() -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    node.send(*[b"m"] * 34)
    node.put(node.token(0))
    node.send(*[b"m"] * 17)
    # our 34 of 340 waiting messages: a tenth of the window of 50
    assert len(sent(node.put(node.token(17, backlog=340, fcc=17)), wire.Mcast)) == 5


def test_a_small_share_is_one_message_not_none_and_not_all() -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    node.send(*[b"m"] * 3)
    assert len(sent(node.put(node.token(0, backlog=25_000)), wire.Mcast)) == 1


def test_fcc_counts_what_the_last_rotation_sent() -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    node.send(*[b"m"] * 3)
    assert the_token(node.put(node.token(0, fcc=5))).fcc == 8
    assert the_token(node.put(node.token(3, fcc=8))).fcc == 5


def test_token_is_retransmitted_when_the_ring_is_silent(node: LoneNode) -> None:
    first = the_token(node.put(node.token(at(node, 0))))
    again = sent(node.after(715), wire.OrfToken)
    assert again == [first]


def test_token_resets_loss_and_retransmit_deadlines(node: LoneNode) -> None:
    node.after(700)
    node.put(node.token(at(node, 0)))
    ring = node.srp._ring
    assert ring.deadlines._at[Deadline.TOKEN_LOSS] == node.now + 3000 * MS
    assert ring.deadlines._at[Deadline.TOKEN_RETRANSMIT] == node.now + 714 * MS


def test_a_node_that_keeps_missing_messages_takes_itself_out() -> None:
    node = LoneNode(fail_to_recv_const=3).enter(MembState.OPERATIONAL)
    for _ in range(6):
        node.put(node.token(2, 0, aru_addr=ME))
    assert node.srp.state is MembState.GATHER
    assert node.srp._ring.memb.fail_set == {ME}


def test_the_heartbeat_ends_with_the_ring_a_node_gave_up() -> None:
    node = LoneNode(fail_to_recv_const=3, heartbeat_failures_allowed=1).enter(MembState.OPERATIONAL)
    assert node.srp._ring.deadlines.is_set(Deadline.HEARTBEAT)
    for _ in range(6):
        node.put(node.token(2, 0, aru_addr=ME))
    assert node.srp.state is MembState.GATHER
    assert not node.srp._ring.deadlines.is_set(Deadline.HEARTBEAT)


def test_after_failing_to_receive_a_node_forms_a_ring_of_its_own() -> None:
    node = LoneNode(fail_to_recv_const=3).enter(MembState.OPERATIONAL)
    for _ in range(6):
        node.put(node.token(2, 0, aru_addr=ME))
    node.put(node.join(PEER, failed=(ME,)), node.join(LAST, failed=(ME,)))
    node.after(5)
    assert node.srp.state is MembState.OPERATIONAL
    assert node.srp.members == (ME,)


@pytest.mark.parametrize(
    ("seq", "aru"), [(0x7FFFFFFF, 0), (20000, 0), (-1, -1), (3, 4), (0, -20000)]
)
def test_a_token_that_would_abort_a_stock_node_is_refused(seq: int, aru: int) -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    node.put(node.mcast(1))
    effects = node.put(node.token(seq & 0xFFFFFFFF, aru & 0xFFFFFFFF, aru_addr=LAST))
    assert not sent(effects, wire.OrfToken)
