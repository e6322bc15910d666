"""Frames of fragments that come in any order, more than once, wrong, or not at all."""

from random import Random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.net.knet.reassembly import FRAMES_MAX, Fate, Fragments, Reassembly
from corosync_tw.net.knet.window import SeqWindow

SIZE = 10


def cut(frame: bytes, seq: int = 1, size: int = SIZE) -> list[Fragments]:
    pieces = [frame[at : at + size] for at in range(0, len(frame), size)]
    total = len(pieces)
    return [
        Fragments(seq, total, i + 1, 1, 0 if i + 1 == total else size, piece)
        for i, piece in enumerate(pieces)
    ]


@settings(deadline=None)
@given(st.integers(SIZE + 1, 100), st.integers(0, 1 << 20))
def test_any_order_and_any_repetition_gives_the_frame(length, seed) -> None:
    random = Random(seed)
    frame = bytes(range(length))
    fragments = cut(frame)
    order = fragments + random.choices(fragments, k=random.randrange(6))
    random.shuffle(order)
    reassembly, window = Reassembly(), SeqWindow()
    window.is_new(1)
    seen: set[int] = set()
    for fragment in order:
        result = reassembly.add(fragment, window)
        seen.add(fragment.first)
        if len(seen) == len(fragments):
            assert bytes(result) == frame
            assert not len(reassembly)
            return
        assert result in {Fate.KEPT, Fate.DUPLICATE}
    raise AssertionError("never complete")


@settings(deadline=None)
@given(st.integers(3, 12), st.integers(0, 1 << 20))
def test_groups_that_overlap_give_the_frame(total, seed) -> None:
    random = Random(seed)
    frame = bytes(range(total * SIZE - 3))
    reassembly, window = Reassembly(), SeqWindow()
    window.is_new(1)
    missing = set(range(total))
    while missing:
        first = random.randrange(total)
        count = random.randint(1, total - first)
        size = 0 if count == 1 and first + 1 == total else SIZE
        payload = frame[first * SIZE : (first + count) * SIZE]
        fragments = Fragments(1, total, first + 1, count, size, payload)
        missing -= set(range(first, first + count))
        result = reassembly.add(fragments, window)
    assert bytes(result) == frame


@pytest.mark.parametrize(
    "wrong",
    [
        Fragments(1, 4, 1, 1, SIZE, bytes(SIZE)),
        Fragments(1, 3, 1, 1, SIZE + 1, bytes(SIZE + 1)),
        Fragments(1, 3, 3, 1, 0, bytes(SIZE + 1)),
        Fragments(1, 3, 1, 2, SIZE, bytes(2 * SIZE - 1)),
    ],
    ids=["number", "length", "last too long", "short one before the last"],
)
def test_what_contradicts_is_refused_and_does_no_harm(wrong: Fragments) -> None:
    frame = bytes(range(25))
    first, second, third = cut(frame)
    reassembly, window = Reassembly(), SeqWindow()
    window.is_new(1)
    assert reassembly.add(second, window) is Fate.KEPT
    assert reassembly.add(wrong, window) is Fate.CONTRADICTORY
    assert reassembly.add(first, window) is Fate.KEPT
    result = reassembly.add(third, window)
    assert not isinstance(result, Fate)
    assert bytes(result) == frame


def test_a_last_fragment_that_proves_too_long_ends_the_frame() -> None:
    reassembly, window = Reassembly(), SeqWindow()
    window.is_new(1)
    assert reassembly.add(Fragments(1, 2, 2, 1, 0, bytes(20)), window) is Fate.KEPT
    assert reassembly.add(Fragments(1, 2, 1, 1, 10, bytes(10)), window) is Fate.CONTRADICTORY


def test_no_frame_is_longer_than_frames_are() -> None:
    reassembly, window = Reassembly(), SeqWindow()
    window.is_new(1)
    huge = Fragments(1, 255, 1, 1, 1400, bytes(1400))
    assert reassembly.add(huge, window) is Fate.CONTRADICTORY


def test_a_flood_of_beginnings_takes_bounded_memory_and_gives_up_the_oldest() -> None:
    reassembly, window = Reassembly(), SeqWindow()
    for seq in range(1, 3 * FRAMES_MAX):
        window.is_new(seq)
        assert reassembly.add(cut(bytes(25), seq)[0], window) is Fate.KEPT
        assert len(reassembly) <= FRAMES_MAX
    assert reassembly.add(cut(bytes(25), 1)[1], window) is Fate.EXPIRED


def test_frames_far_behind_are_given_up() -> None:
    reassembly, window = Reassembly(), SeqWindow()
    window.is_new(65530)
    reassembly.add(cut(bytes(25), 65530)[0], window)
    reassembly.expire(20)
    assert len(reassembly) == 1
    reassembly.expire(40)
    assert not len(reassembly)
