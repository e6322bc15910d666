"""Windows between nodes of ours: wide by agreement, narrower after losses, stock's without it."""

import pytest

from corosync_tw.totem import wire
from corosync_tw.totem.const import MembState
from corosync_tw.totem.params import TotemParams
from corosync_tw.totem.window import (
    GROWTH_VISITS,
    VISIT_MSGS_MAX,
    VISIT_MSGS_MIN,
    Agreement,
    Window,
)
from tests.unit.totem.lone_node import LAST, ME, PEER, LoneNode, sent

PARAMS = TotemParams(my_id=1)


def open_window(size: int = 1000) -> Window:
    window = Window()
    window.agree(Agreement(size))
    return window


def visit(window: Window, seq: int, aru: int, *, requests: bool = False) -> int:
    window.note_visit(seq, aru, requests=requests)
    window.note_sent(seq)
    return window.max_messages(PARAMS)


def test_without_an_agreement_the_configured_windows_count() -> None:
    window = Window()
    assert (window.size_msgs(PARAMS), window.max_messages(PARAMS)) == (50, 17)
    for _ in range(5):
        assert visit(window, 100, 0, requests=True) == 17
    assert window.cuts == 0


def test_an_agreement_opens_the_windows_as_far_as_it_goes() -> None:
    window = open_window()
    assert (window.size_msgs(PARAMS), window.max_messages(PARAMS)) == (1000, VISIT_MSGS_MAX)
    window = open_window(40)
    assert (window.size_msgs(PARAMS), window.max_messages(PARAMS)) == (40, 40)


def test_an_agreement_may_be_narrower_than_what_is_configured() -> None:
    window = open_window(10)
    assert (window.size_msgs(PARAMS), window.max_messages(PARAMS)) == (10, 10)


def test_a_pinned_visit_is_never_adapted() -> None:
    pinned = TotemParams(my_id=1, window_size_msgs=300, max_messages=100, window_pinned=True)
    window = open_window(300)
    assert (window.size_msgs(pinned), window.max_messages(pinned)) == (300, 100)
    visit(window, 100, 0, requests=True)
    assert window.max_messages(pinned) == 100


def test_an_agreement_ends_with_its_ring() -> None:
    window = open_window()
    window.close()
    assert (window.size_msgs(PARAMS), window.max_messages(PARAMS)) == (50, 17)


def test_retransmission_requests_narrow_the_visits_by_half() -> None:
    assert visit(open_window(), 500, 500, requests=True) == VISIT_MSGS_MAX // 2


def test_a_loss_counts_once_until_all_sent_before_is_there() -> None:
    window = open_window()
    visit(window, 500, 500, requests=True)
    for aru in (100, 200, 499):
        assert visit(window, 600, aru, requests=True) == VISIT_MSGS_MAX // 2
    assert visit(window, 700, 500, requests=True) == VISIT_MSGS_MAX // 4
    assert window.cuts == 2


def test_losses_narrow_no_further_than_to_what_stock_sends() -> None:
    window = open_window()
    for seq in range(0, 10_000, 500):
        visit(window, seq, seq, requests=True)
    assert window.max_messages(PARAMS) == VISIT_MSGS_MIN
    small = open_window(5)
    visit(small, 500, 500, requests=True)
    assert small.max_messages(PARAMS) == 5


def test_an_aru_two_visits_behind_is_a_loss_though_nobody_asks_us() -> None:
    window = open_window()
    visit(window, 100, 100)
    # One rotation behind: what follows the token has not been acknowledged yet.
    assert visit(window, 200, 0) == VISIT_MSGS_MAX
    assert visit(window, 300, 100) == VISIT_MSGS_MAX
    assert visit(window, 400, 199) == VISIT_MSGS_MAX // 2


def test_the_visits_grow_back_slowly_and_not_beyond_their_limit() -> None:
    window = open_window()
    visit(window, 500, 500, requests=True)
    for _ in range(GROWTH_VISITS - 1):
        assert visit(window, 500, 500) == VISIT_MSGS_MAX // 2
    assert visit(window, 500, 500) == VISIT_MSGS_MAX // 2 + 1
    for _ in range(GROWTH_VISITS * VISIT_MSGS_MAX):
        visit(window, 500, 500)
    assert window.max_messages(PARAMS) == VISIT_MSGS_MAX


def test_losses_of_a_network_that_is_not_used_any_more_are_forgotten() -> None:
    window = open_window()
    for seq in (100, 200, 300):
        visit(window, seq, 0 if seq == 100 else seq - 100, requests=True)
    assert window.max_messages(PARAMS) < VISIT_MSGS_MAX
    window.forget_losses()
    assert window.max_messages(PARAMS) == VISIT_MSGS_MAX
    # They are still being repaired.
    assert visit(window, 400, 250, requests=True) == VISIT_MSGS_MAX
    assert visit(window, 500, 300) == VISIT_MSGS_MAX
    # This is a new one.
    assert visit(window, 600, 400, requests=True) == VISIT_MSGS_MAX // 2


def test_without_an_agreement_there_is_nothing_to_forget() -> None:
    window = Window()
    window.forget_losses()
    assert window.max_messages(PARAMS) == 17


def test_a_repeated_agreement_does_not_undo_a_cut() -> None:
    window = open_window()
    visit(window, 500, 500, requests=True)
    window.agree(Agreement(1000))
    assert window.max_messages(PARAMS) == VISIT_MSGS_MAX // 2


@pytest.mark.parametrize("start", [0, 0xFFFFFF80])
def test_sequence_numbers_wrap(start: int) -> None:
    def at(n: int) -> int:
        return (start + n) & 0xFFFFFFFF

    window = open_window()
    for seq in range(0, 1000, 100):
        assert visit(window, at(seq), at(seq)) == VISIT_MSGS_MAX
    visit(window, at(1000), at(799))
    assert window.max_messages(PARAMS) == VISIT_MSGS_MAX // 2


def test_a_node_sends_as_much_as_was_agreed() -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    node.srp.agree(Agreement(100))
    node.send(*[b"m"] * 500)
    assert len(sent(node.put(node.token(0, fcc=30)), wire.Mcast)) == 70


def test_the_next_ring_starts_with_what_is_configured() -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    node.srp.agree(Agreement(100))
    node.put(node.join(PEER, (PEER, ME, LAST), ring_seq=1000))
    node.put(node.join(PEER, ring_seq=1000), node.join(LAST, ring_seq=1000))
    node.commit(wire.RingId(PEER, 1004))
    node.srp.agree(Agreement(100))
    node.recover()
    node.srp.agree(Agreement(100))
    assert node.srp.window.size_msgs(node.params) == 50
