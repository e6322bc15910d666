"""Evidence about links: what makes one bad, what makes it good, and how long that takes."""

import pytest

from corosync_tw.totem.claims import Row
from corosync_tw.totem.hearing import Hearing, window_ns
from corosync_tw.totem.link_watch import (
    DECAY_HOLDS,
    FORGET_HOLDS,
    HOLD_WINDOWS_MAX,
    HOLD_WINDOWS_MIN,
    LinkWatch,
)
from corosync_tw.totem.params import TotemParams

ME, PEER, THIRD = 1, 2, 3
PARAMS = TotemParams(ME)
WINDOW = window_ns(PARAMS)
STEP = WINDOW // 10
NOBODY: frozenset[int] = frozenset()


def row(nodeid, *heard, deaf_to=(), unheard_by=(), ring=(), age_ms=0):
    return Row(
        nodeid,
        age_ms,
        frozenset(ring),
        frozenset(heard),
        frozenset(deaf_to),
        frozenset(unheard_by),
    )


class Node:
    """Node 1, to which time passes in tenths of a window."""

    def __init__(self):
        self.hearing = Hearing(ME)
        self.now = 10 * WINDOW

    def for_windows(self, windows, *rows, speaks=True):
        """Hear each row, from its own node, again and again; give what is bad then."""
        for _ in range(int(windows * 10)):
            self.now += STEP
            if speaks:
                self.hearing.speak(self.now, PARAMS)
            for one in rows:
                self.hearing.hear(one.nodeid, [one], self.now, join=True)
            self.hearing.look(self.now, PARAMS)
        return self.hearing.bad_links


@pytest.fixture
def node():
    return Node()


def test_silence_alone_says_nothing(node):
    assert node.for_windows(3, row(PEER, ME), row(THIRD, ME, PEER)) == NOBODY
    assert node.for_windows(9, row(PEER, ME)) == NOBODY


def test_whom_others_hear_and_we_do_not_we_are_deaf_to(node):
    node.for_windows(1, row(PEER, ME))
    assert node.for_windows(0.9, row(PEER, ME, THIRD)) == NOBODY
    assert node.for_windows(1, row(PEER, ME, THIRD)) == {(THIRD, ME)}


def test_who_lists_us_not_among_those_it_hears_does_not_hear_us(node):
    node.for_windows(1, row(PEER, ME))
    assert node.for_windows(2, row(PEER)) == {(ME, PEER)}


def test_who_cannot_have_heard_us_yet_is_not_deaf(node):
    assert node.for_windows(9, row(PEER), speaks=False) == NOBODY


def test_who_crashes_is_heard_by_nobody(node):
    both = (row(PEER, ME, THIRD), row(THIRD, ME, PEER))
    node.for_windows(2, *both)
    # The others' word of it lasts as long as our own memory.
    assert node.for_windows(0.9, both[0]) == NOBODY
    assert node.for_windows(3, row(PEER, ME)) == NOBODY


def test_the_word_of_others_counts_while_it_is_fresh(node):
    said = row(PEER, ME, deaf_to=(THIRD,), unheard_by=(4,))
    assert node.for_windows(0.1, said) == {(THIRD, PEER), (PEER, 4)}
    assert node.for_windows(1.2) == NOBODY


def test_what_was_passed_on_is_as_old_as_it_says(node):
    window_ms = WINDOW // 1_000_000
    old = row(THIRD, PEER, deaf_to=(ME,), age_ms=window_ms // 2)
    node.hearing.hear(PEER, [row(PEER, ME), old], node.now, join=True)
    assert node.for_windows(0.4) == {(ME, THIRD)}
    assert node.for_windows(0.3) == NOBODY


def test_a_link_must_work_without_a_break_before_it_is_trusted(node):
    deaf = row(PEER, ME, THIRD)
    whole = (row(PEER, ME, THIRD), row(THIRD, ME, PEER))
    assert node.for_windows(2, deaf) == {(THIRD, ME)}
    assert node.for_windows(0.8, *whole) == {(THIRD, ME)}
    assert node.for_windows(1.3, deaf) == {(THIRD, ME)}
    assert node.for_windows(1.8, *whole) == {(THIRD, ME)}
    assert node.for_windows(0.5, *whole) == NOBODY


def test_who_is_up_and_does_not_answer_does_not_hear_us(node):
    node.for_windows(1, row(PEER, ME))
    asked = node.now
    node.for_windows(3)
    node.hearing.sense(PEER, node.now)
    node.hearing.miss_answers(asked, node.now, PARAMS)
    assert node.hearing.bad_links == {(ME, PEER)}


def test_a_stock_node_that_does_not_answer_may_have_its_reasons(node):
    node.hearing.hear(PEER, [], node.now, join=True)
    asked = node.now
    node.for_windows(3)
    node.hearing.sense(PEER, node.now)
    node.hearing.miss_answers(asked, node.now, PARAMS)
    assert node.hearing.bad_links == NOBODY


def test_who_failed_to_receive_distrusts_all_until_they_are_heard(node):
    node.hearing.distrust({PEER, THIRD}, node.now, PARAMS)
    assert node.hearing.bad_links == {(PEER, ME), (THIRD, ME)}
    assert node.for_windows(3, row(PEER, ME, THIRD)) == {(THIRD, ME)}


def test_a_pause_makes_nobody_suspect(node):
    node.for_windows(1, row(PEER, ME))
    node.for_windows(0.5, row(PEER, ME, THIRD))
    node.now += 3 * WINDOW
    assert node.for_windows(0.5, row(PEER, ME, THIRD)) == NOBODY


def test_the_hold_down_doubles_and_decays():
    watch, now = LinkWatch(), 0

    def mend():
        nonlocal now
        watch.works(now, WINDOW)
        now += watch.hold_windows * WINDOW
        watch.works(now, WINDOW)
        assert not watch.bad

    for hold in (2, 4, 8, 16, 32, 64, 64):
        watch.give_up(now, WINDOW)
        assert watch.bad
        assert watch.hold_windows == hold <= HOLD_WINDOWS_MAX
        watch.works(now, WINDOW)
        watch.works(now + hold * WINDOW - 1, WINDOW)
        assert watch.bad
        watch.fails(now, WINDOW)
        mend()
    now += DECAY_HOLDS * watch.hold_windows * WINDOW + 1
    watch.give_up(now, WINDOW)
    assert watch.hold_windows == HOLD_WINDOWS_MIN


def test_a_link_of_which_nothing_is_heard_is_forgotten():
    watch = LinkWatch()
    watch.give_up(0, WINDOW)
    forgotten_ns = FORGET_HOLDS * HOLD_WINDOWS_MIN * WINDOW
    watch.rests(forgotten_ns, WINDOW)
    assert watch.bad
    watch.rests(forgotten_ns + 1, WINDOW)
    assert not watch.bad
