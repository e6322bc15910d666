"""The checker of interop tests finds what it is there to find."""

import pytest

from tests.interop import order

CHANGES = ["C 1:10,2:20 - 2:20"]


def log(label, messages, changes=CHANGES, sent=None):
    lines = [*changes, *(f"D {node} {node}0 {counter} 00000000 5" for node, counter in messages)]
    parsed = order.ClientLog.parse(label, lines)
    parsed.sent = sent
    return parsed


def test_equal_logs_pass():
    logs = [log(label, [(1, 1), (2, 1), (1, 2)], sent=1) for label in "ab"]
    order.check_same(logs, 2)
    order.check_acyclic(logs)
    order.check_sound(logs[0])
    order.check_none_lost(logs, logs)


def test_another_order_is_found():
    logs = [log("a", [(1, 1), (2, 1)]), log("b", [(2, 1), (1, 1)])]
    with pytest.raises(AssertionError, match="event 0"):
        order.check_same(logs, 2)
    with pytest.raises(AssertionError, match="no global order"):
        order.check_acyclic(logs)


def test_a_cycle_of_three_is_found():
    logs = [log("a", [(1, 1), (2, 1)]), log("b", [(2, 1), (3, 1)]), log("c", [(3, 1), (1, 1)])]
    with pytest.raises(AssertionError, match="no global order"):
        order.check_acyclic(logs)


def test_a_duplicate_is_found():
    with pytest.raises(AssertionError, match="twice"):
        order.check_sound(log("a", [(1, 1), (1, 1)]))


def test_a_sender_out_of_order_is_found():
    with pytest.raises(AssertionError, match="after counter"):
        order.check_sound(log("a", [(1, 2), (1, 1)]))


def test_a_damaged_message_is_found():
    with pytest.raises(AssertionError, match="damaged"):
        order.check_sound(order.ClientLog.parse("a", ["B damaged message 1 of 9 bytes from 1:10"]))


def test_a_lost_message_is_found():
    sender = log("a", [(2, 1), (2, 2), (2, 3)], sent=3)
    with pytest.raises(AssertionError, match="lacks 1"):
        order.check_none_lost([sender], [log("b", [(2, 1), (2, 3)])])
    with pytest.raises(AssertionError, match="event 2"):
        order.check_same([sender, log("b", [(2, 1), (2, 2)])], 2)


def test_a_change_at_another_place_is_found():
    first = order.ClientLog.parse("a", [*CHANGES, "D 1 10 1 00000000 5", "C 1:10 2:20 -"])
    second = order.ClientLog.parse("b", [*CHANGES, "C 1:10 2:20 -", "D 1 10 1 00000000 5"])
    with pytest.raises(AssertionError, match="event 0"):
        order.check_same([first, second], 2)


def test_a_newcomer_may_lack_the_beginning_of_a_sender_alone():
    stayed = log("a", [(1, 1), (1, 2), (2, 1)])
    order.check_same_tail(log("b", [(1, 2), (2, 1)]), stayed, 2)
    with pytest.raises(AssertionError, match="event 1"):
        order.check_same_tail(log("b", [(1, 1), (2, 1)]), stayed, 2)


def test_foreign_messages_of_one_side_are_found():
    with pytest.raises(AssertionError, match="never did"):
        order.check_strangers(log("a", [(1, 1), (2, 1)]), log("b", [(1, 1)]), {1})


def test_a_member_that_left_and_came_back_between_two_messages_is_no_difference():
    calm, split = log("a", [(2, 1), (2, 2)]), log("b", [(2, 1), (2, 2)])
    full = ("C", "1:10,2:20", "-", "2:20")
    calm.events = [full, *calm.messages()]
    alone = ("C", "1:10", "2:20", "-")
    split.events = [full, split.messages()[0], alone, full, split.messages()[1]]
    order.check_same([calm, split], 2)
    split.events = [full, split.messages()[0], alone, split.messages()[1], full]
    with pytest.raises(AssertionError, match="event 1"):
        order.check_same([calm, split], 2)


def test_logs_that_overlap_pass():
    early = log("a", [(1, 1), (2, 1), (1, 2), (2, 2)])
    late = log("b", [(1, 2), (2, 2), (2, 3)])
    order.check_overlap(early, late)
    order.check_overlap(late, early)
    order.check_overlap(early, log("c", [(3, 1)]))


def test_a_hole_in_an_overlap_is_found():
    whole = log("a", [(1, 1), (2, 1), (1, 2)])
    holed = log("b", [(1, 1), (1, 2)])
    for one, other in ((whole, holed), (holed, whole)):
        with pytest.raises(AssertionError, match="common message 1"):
            order.check_overlap(one, other)


def test_another_group_at_a_message_is_found():
    one = log("a", [(1, 1)])
    other = log("b", [(1, 1)], changes=["C 1:10,2:20,3:30 - 3:30"])
    with pytest.raises(AssertionError, match="common message 0"):
        order.check_overlap(one, other)


def test_what_a_killed_node_alone_delivered_of_its_own_is_let_pass():
    stayed = log("a", [(1, 1), (2, 3)])
    killed = log("b", [(1, 1), (2, 2), (2, 3)], changes=["C 1:10,2:20 - 2:20"])
    killed.disconnected = True
    order.check_overlap(stayed, killed)
    foreign = log("b", [(1, 1), (1, 2), (2, 3)], changes=["C 1:10,2:20 - 2:20"])
    foreign.disconnected = True
    with pytest.raises(AssertionError, match="common message 1"):
        order.check_overlap(stayed, foreign)
