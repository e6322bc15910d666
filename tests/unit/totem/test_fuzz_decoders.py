"""A short campaign of mutated frames; tests.soak.fuzz_decoder runs the long one."""

import random
from collections import Counter

import pytest

from corosync_tw.totem import wire
from tests.unit.totem.fuzzing import EscapeError, _feed, mutate, run_chunk, seeds

FRAMES = 25_000


@pytest.mark.parametrize("chunk", range(4))
def test_mutated_frames_do_no_harm(chunk):
    tally = run_chunk(2024, chunk, FRAMES)
    kinds = ("Mcast", "OrfToken", "MembJoin", "CommitToken", "MergeDetect", "TokenHoldCancel")
    # The campaign reaches what is behind the first check of every kind.
    assert all(tally[kind] > 100 for kind in kinds)
    assert tally["inside recovery"] > 100
    assert tally["messages"] > 1000
    assert tally["bad packets"] > 1000
    assert sum(count for key, count in tally.items() if key.startswith("malformed: ")) > FRAMES // 5


def test_a_chunk_can_be_repeated():
    assert run_chunk(7, 3, 500) == run_chunk(7, 3, 500)
    assert run_chunk(7, 3, 500) != run_chunk(7, 4, 500)


def test_mutation_changes_most_frames():
    rng = random.Random(1)
    changed = sum(mutate(rng, frame) != frame for frame in seeds())
    assert changed > 0.8 * len(seeds())


def test_an_escape_shows_the_frame(monkeypatch):
    def break_down(frame):
        raise IndexError(len(frame))

    monkeypatch.setattr(wire, "decode", break_down)
    with pytest.raises(EscapeError) as caught:
        run_chunk(1, 1, 10)
    assert isinstance(caught.value.args[1], bytes)


def test_untouched_frames_pass():
    for frame in seeds():
        tally = Counter()
        _feed(frame, tally)
        assert not any(key.startswith("malformed") for key in tally), tally
