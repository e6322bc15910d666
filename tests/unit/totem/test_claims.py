"""What nodes say of whom they hear, as bytes behind a frame."""

import contextlib

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from corosync_tw.corotypes import RingId
from corosync_tw.errors import MalformedFrame
from corosync_tw.totem import wire
from corosync_tw.totem.claims import ROWS_MAX, Row, decode_claims, encode_claims

patiently = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
u32 = st.integers(0, 2**32 - 1)
sets = st.frozensets(st.integers(1, 40), max_size=12)
rows = st.lists(st.builds(Row, st.integers(1, 40), u32, sets, sets, sets, sets), min_size=1)
ROW = Row(3, 7, frozenset({3, 4}), frozenset({4, 5}), frozenset({6}), frozenset({300}))
JOIN = wire.encode_memb_join(wire.MembJoin(3, 3, (3, 4), (5,), 8))
MERGE = wire.encode_merge_detect(wire.MergeDetect(3, 3, RingId(3, 8)))


@patiently
@given(rows)
def test_there_and_back(rows):
    assert decode_claims(encode_claims(rows, 1 << 16)) == tuple(rows[:ROWS_MAX])


@patiently
@given(st.binary(max_size=80), st.integers(0, 60))
def test_whatever_the_bytes_are_nothing_else_is_raised(noise, keep):
    for data in (noise, encode_claims([ROW], 1000)[:keep] + noise):
        with contextlib.suppress(MalformedFrame):
            decode_claims(data)


@pytest.mark.parametrize("frame", [JOIN, MERGE])
def test_they_follow_a_join_or_a_merge_detection(frame):
    message = wire.decode(frame + encode_claims([ROW], 1000))
    assert message.claims == (ROW,)
    assert message._replace(claims=()) == wire.decode(frame)


@pytest.mark.parametrize("frame", [JOIN, MERGE])
def test_bytes_that_are_no_claims_are_damage(frame):
    with pytest.raises(MalformedFrame):
        wire.decode(frame + b"\0" * 40)


def test_a_later_version_is_ignored():
    data = bytearray(encode_claims([ROW], 1000))
    data[4] += 1
    assert decode_claims(bytes(data)) == ()
    assert decode_claims(encode_claims([ROW], 1000) + b"more") == (ROW,)


def test_rows_that_find_no_room_are_left_out_last_first():
    others = [ROW._replace(nodeid=nodeid) for nodeid in (4, 5, 6)]
    whole = encode_claims([ROW, *others], 1000)
    assert decode_claims(encode_claims([ROW, *others], len(whole) - 1)) == (ROW, *others[:2])
    assert encode_claims([ROW], 20) == b""


def test_no_more_rows_than_a_reader_takes():
    many = [Row(n, 0, *[frozenset[int]()] * 4) for n in range(1, ROWS_MAX + 9)]
    assert len(decode_claims(encode_claims(many, 1 << 16))) == ROWS_MAX
