"""The window of sequence numbers against a dumb twin, over all edges of 16 bits."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.net.knet.window import WINDOW_SEQS, SeqWindow
from corosync_tw.net.knet.wire import SEQ_MAX, next_seq

EDGES = [1, 4095, 4096, 32767, 32768, 61440, 65535]


class Twin:
    """Remembers every packet by its distance from the first one."""

    def __init__(self) -> None:
        self.high: int | None = None
        self.delivered: set[int] = set()

    def is_new(self, at: int) -> bool:
        if self.high is None or at > self.high:
            if self.high is not None and at - self.high >= WINDOW_SEQS:
                self.delivered.clear()
            self.high = at
        return at not in self.delivered


@settings(deadline=None, max_examples=200)
@given(
    first=st.sampled_from(EDGES),
    steps=st.lists(st.integers(-60, 300), max_size=60),
    counts=st.lists(st.integers(1, 50), min_size=60, max_size=60),
)
def test_the_window_agrees_with_its_twin(first: int, steps: list[int], counts: list[int]) -> None:
    window, twin = SeqWindow(), Twin()
    at = 0
    for step, count in zip(steps, counts, strict=False):
        at = max(0, at + step)
        run = [(at + i, next_seq(first, at + i)) for i in range(count)]
        if window.take_run(run[0][1], count):
            assert all(twin.is_new(place) for place, _ in run)
            twin.delivered.update(place for place, _ in run)
        else:
            for place, seq in run:
                assert window.is_new(seq) == twin.is_new(place), (place, seq)
                window.deliver(seq)
                twin.delivered.add(place)
        at += count
        assert twin.high is not None
        assert window.high == next_seq(first, twin.high)


@pytest.mark.parametrize("high", EDGES)
def test_a_run_continues_over_the_edge(high: int) -> None:
    window = SeqWindow()
    assert window.is_new(high)
    window.deliver(high)
    first = next_seq(high)
    assert window.take_run(first, 40)
    assert not window.take_run(first, 40)
    assert not any(window.is_new(next_seq(first, i)) for i in range(40))
    assert window.is_new(next_seq(first, 40))


def test_what_is_far_away_begins_a_new_window() -> None:
    window = SeqWindow()
    assert window.is_new(30000)
    window.deliver(30000)
    assert window.is_new(10)
    assert window.high == 10
    assert window.is_new(30000)


def test_a_window_once_round_has_forgotten() -> None:
    window = SeqWindow()
    seq = 1
    for _ in range(SEQ_MAX + 100):
        assert window.is_new(seq)
        window.deliver(seq)
        seq = next_seq(seq)


def test_reassembly_begins_once_for_each_packet() -> None:
    window = SeqWindow()
    assert window.is_new(5)
    assert window.begin(5)
    assert not window.begin(5)
    assert window.is_new(next_seq(5, WINDOW_SEQS))
    assert window.begin(next_seq(5, WINDOW_SEQS))
