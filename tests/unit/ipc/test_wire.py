"""Batches of messages, answers and errors as they travel."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corosync_tw import errors
from corosync_tw.corotypes import MESSAGE_SIZE_MAX
from corosync_tw.errors import CsError, CsInvalidParam, CsTooBig
from corosync_tw.ipc.pb.wire import (
    CS_OK,
    EXPRESSION_LEN_BYTES_MAX,
    PIECE_LEN_BYTES_MAX,
    Record,
    error_answer,
    pack_batch,
    pack_pieces,
    pack_record,
    read_answer,
    unpack_batch,
    unpack_deliveries,
)

plain = st.recursive(
    st.none() | st.integers() | st.binary(max_size=9) | st.text(max_size=9), st.lists
)


@given(st.lists(st.binary(max_size=50), max_size=50))
def test_batches_come_back_as_they_went(messages):
    assert unpack_batch(*pack_batch(messages)) == messages


@given(st.lists(st.binary(max_size=50)), st.lists(st.integers(0, 2**32 - 1)))
def test_deliveries_come_back_as_they_went(bodies, numbers):
    records = [
        Record(number, 1, 2**40 + number, len(body))
        for number, body in zip(numbers, bodies, strict=False)
    ]
    bodies = bodies[: len(records)]
    packed = b"".join(map(pack_record, records))
    assert unpack_deliveries(packed, pack_pieces(bodies)) == list(zip(records, bodies, strict=True))


@given(plain, plain)
def test_taking_apart_anything_raises_nothing_else(one, two):
    for take_apart in (unpack_batch, unpack_deliveries):
        try:
            take_apart(one, two)
        except (CsInvalidParam, CsTooBig):
            continue


@given(plain)
def test_an_answer_of_any_kind_is_a_result_or_an_error(answer):
    try:
        read_answer(answer)
    except CsError:
        return
    assert answer[0] == CS_OK


def test_long_bodies_travel_in_pieces_that_banana_takes():
    body = bytes(range(256)) * (MESSAGE_SIZE_MAX // 256)
    pieces = pack_pieces([body])
    assert max(map(len, pieces)) <= PIECE_LEN_BYTES_MAX
    assert b"".join(pieces) == body
    assert len(body) < EXPRESSION_LEN_BYTES_MAX


def test_a_message_above_the_limit_is_too_big():
    with pytest.raises(CsTooBig):
        unpack_batch(*pack_batch([b"x" * (MESSAGE_SIZE_MAX + 1)]))


@pytest.mark.parametrize("kind", CsError.__subclasses__())
def test_every_error_comes_out_as_the_class_it_went_in_as(kind):
    if kind.__module__ != errors.__name__:
        return
    with pytest.raises(kind, match="because") as caught:
        read_answer(error_answer(kind("because")))
    assert type(caught.value) is kind


def test_an_unknown_code_is_the_general_error():
    with pytest.raises(CsError, match="odd") as caught:
        read_answer([4711, "odd"])
    assert type(caught.value) is CsError
