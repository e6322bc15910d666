"""Serial numbers against a dumb twin that never wraps."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corosync_tw.totem.seqno import SEQ_MASK, seq_add, seq_diff, seq_lt, seq_lte

STARTS = (0, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFF)
STEPS = (0, 1, 16384, 65536)
BOUNDARIES = sorted(
    {(start + sign * step) & SEQ_MASK for start in STARTS for step in STEPS for sign in (-1, 1)}
)


@pytest.mark.parametrize("seq", BOUNDARIES)
@pytest.mark.parametrize("step", [1, 16384, 65536, 0x7FFFFFFF])
def test_a_step_forward_is_forward_everywhere(seq, step):
    ahead = seq_add(seq, step)
    assert 0 <= ahead <= SEQ_MASK
    assert seq_lt(seq, ahead)
    assert seq_lte(seq, ahead)
    assert not seq_lt(ahead, seq)
    assert not seq_lte(ahead, seq)
    assert seq_diff(ahead, seq) == step
    assert seq_diff(seq, ahead) == -step
    assert seq_add(ahead, -step) == seq


@pytest.mark.parametrize("seq", BOUNDARIES)
def test_a_number_is_not_before_itself(seq):
    assert not seq_lt(seq, seq)
    assert seq_lte(seq, seq)
    assert seq_diff(seq, seq) == 0


@pytest.mark.parametrize("seq", BOUNDARIES)
def test_half_a_circle_apart_there_is_no_order(seq):
    other = seq_add(seq, 0x80000000)
    assert not seq_lt(seq, other)
    assert not seq_lt(other, seq)
    assert not seq_lte(seq, other)
    assert not seq_lte(other, seq)
    assert seq_diff(seq, other) == seq_diff(other, seq) == -(2**31)


@given(
    st.integers(0, 2**40),
    st.integers(-(2**31) + 1, 2**31 - 1),
)
def test_like_unbounded_integers_within_half_a_circle(a, distance):
    b = a + distance
    wrapped_a, wrapped_b = a % 2**32, b % 2**32
    assert seq_lt(wrapped_a, wrapped_b) == (a < b)
    assert seq_lte(wrapped_a, wrapped_b) == (a <= b)
    assert seq_diff(wrapped_b, wrapped_a) == b - a
    assert seq_add(wrapped_a, distance) == wrapped_b


@given(st.integers(0, SEQ_MASK), st.integers(-(2**40), 2**40))
def test_add_undoes_diff(a, n):
    b = seq_add(a, n)
    assert seq_add(b, seq_diff(a, b)) == a
