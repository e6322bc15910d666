"""Both twins of the unpacking kernels: the same places, whatever the bytes say."""

import struct
from array import array
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.kernels.compiled import unpacking as compiled
from corosync_tw.kernels.plain import unpacking as plain
from corosync_tw.services.cpg.wire import MCAST_ID, MCAST_LEN, encode_mcast
from corosync_tw.services.exec_wire import EXEC_GROUP
from corosync_tw.totem.pg_wire import group_prefix

HEADER_LEN = 5
HAND_LEN_MAX = 400
PREFIX = group_prefix(EXEC_GROUP)
START = PREFIX + struct.pack("<I", MCAST_ID)

u8 = st.integers(0, 3)
packets = st.lists(
    st.tuples(u8, u8, st.lists(st.integers(0, 40), max_size=5), st.integers(-9, 9)),
    max_size=8,
)


def packet_head(fragmented, continuation, lens):
    return struct.pack(f"<4xBBH{len(lens)}H", fragmented, continuation, len(lens), *lens)


def hand(pieces, index):
    """The message in hand, of so many pieces in another buffer."""
    return array("I", [word for i in range(pieces) for word in (index, 10 * i, 7)])


def both(name, *arguments, pieces):
    """What a function of both twins gives, arrays included."""
    results = []
    for twin in (plain, compiled):
        own, messages = array("I", pieces), array("I")
        done = getattr(twin, name)(*arguments, own, messages)
        results.append((done, own.tolist(), messages.tolist()))
    assert results[0] == results[1]
    return results[0]


@settings(deadline=None)
@given(packets, st.integers(0, 3), st.integers(0, 2), st.integers(0, 3), st.data())
def test_received_twins_agree_on_any_bytes(parts, hand_id, pieces, start, data):
    pieces = pieces if hand_id else 0
    frames = []
    for fragmented, continuation, lens, error in parts:
        head = packet_head(fragmented, continuation, lens)
        frames.append(bytes(HEADER_LEN) + head + bytes(max(0, sum(lens) + error * (error > 5))))
    stride = max(map(len, frames), default=1)
    if data.draw(st.booleans()):
        stride = data.draw(st.integers(1, stride))
    blob = b"".join(frame.ljust(stride, b"\0") for frame in frames)
    blob = blob[: data.draw(st.integers(0, len(blob)))] if data.draw(st.booleans()) else blob
    stop = data.draw(st.integers(0, len(frames) + 2))
    arguments = (blob, stride, HEADER_LEN, start, stop, 0xFFFFFFFE, 1, hand_id, 7 * pieces)
    (done, _, _), places, messages = both(
        "unpack_received", *arguments, HAND_LEN_MAX, pieces=hand(pieces, 0)
    )
    assert start <= done <= max(start, stop)
    check_places(places, messages, [100, len(blob)])


@settings(deadline=None)
@given(st.binary(max_size=300), st.integers(1, 60), st.integers(0, 20), st.integers(0, 255))
def test_received_twins_agree_on_noise(blob, stride, header_len, hand_id):
    arguments = (blob, stride, header_len, 0, 9, 0, 0, hand_id, 0, HAND_LEN_MAX)
    _, places, messages = both("unpack_received", *arguments, pieces=[])
    check_places(places, messages, [len(blob)])


@settings(deadline=None)
@given(packets, st.integers(0, 3), st.integers(0, 2), st.data())
def test_sent_twins_agree_on_any_bytes(parts, hand_id, pieces, data):
    pieces = pieces if hand_id else 0
    headers, body = b"", 0
    header_ends, body_ends = array("I", [0]), array("I", [0])
    for fragmented, continuation, lens, error in parts:
        headers += bytes(HEADER_LEN) + packet_head(fragmented, continuation, lens)
        body += max(0, sum(lens) + error * (error > 5))
        header_ends.append(len(headers))
        body_ends.append(body)
    length = data.draw(st.integers(0, len(headers))) if data.draw(st.booleans()) else len(headers)
    length_of_body = data.draw(st.integers(0, body)) if data.draw(st.booleans()) else body
    arguments = (headers[:length], header_ends, bytes(length_of_body), body_ends)
    (_, _, hand_len), places, messages = both(
        "unpack_sent",
        *arguments,
        *(HEADER_LEN, 0, len(parts) + 1, 7, 1, hand_id, 7 * pieces, HAND_LEN_MAX),
        pieces=hand(pieces, 0),
    )
    assert hand_len <= HAND_LEN_MAX
    check_places(places, messages, [100, length_of_body])


def check_places(places, messages, buffer_lens):
    """Every place is within its buffer, and a message is as long as its pieces."""
    rows = [tuple(places[at : at + 3]) for at in range(0, len(places), 3)]
    for index, offset, length in rows:
        assert offset + length <= buffer_lens[index]
    expected = 0
    for at in range(0, len(messages), 4):
        first, count, length, _ = messages[at : at + 4]
        assert first == expected
        assert sum(row[2] for row in rows[first : first + count]) == length
        expected = first + count


def cpg_message(group=b"g", pid=7, size=3, *, conn=1):
    return PREFIX + encode_mcast(group, pid, 1, conn, size) + bytes(size)


hostile = st.one_of(
    st.binary(max_size=250),
    st.builds(
        cpg_message,
        st.sampled_from([b"g", b"h", b"", bytes(128)]),
        st.integers(7, 8),
        st.integers(0, 9),
        conn=st.integers(1, 2),
    ),
    st.builds(
        lambda message, at, value: message[:at] + bytes((value,)) + message[at + 1 :],
        st.builds(cpg_message),
        st.integers(0, 188),
        st.integers(0, 255),
    ),
)


@settings(deadline=None)
@given(st.lists(hostile, min_size=1, max_size=6), st.data())
def test_runs_of_both_twins_agree(texts, data):
    """However the messages are cut and in how many buffers they lie."""
    buffers, pieces, messages = [], array("I"), array("I")
    for text in texts:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=3)))
        bounds = [0, *cuts, len(text)]
        parts = [text[a:b] for a, b in pairwise(bounds) if b > a]
        messages.extend((len(pieces) // 3, len(parts), len(text), 1))
        for part in parts:
            if not buffers or data.draw(st.booleans()):
                buffers.append(memoryview(b"xy" + part))
                pieces.extend((len(buffers) - 1, 2, len(part)))
            else:
                pieces.extend((len(buffers) - 1, len(buffers[-1]), len(part)))
                buffers[-1] = memoryview(bytes(buffers[-1]) + part)
    at = 0
    while at < len(texts):
        found = plain.cpg_run(buffers, pieces, messages, at, START)
        assert found == compiled.cpg_run(buffers, pieces, messages, at, START)
        kind = kind_of(texts[at])
        if kind is None:
            assert found is None
            at += 1
            continue
        count, group, pid = found
        assert (group, pid) == kind
        assert all(kind_of(text) == kind for text in texts[at : at + count])
        at += count
        assert at == len(texts) or kind_of(texts[at]) != kind


def kind_of(text):
    """Group and pid of a message that a run may hold."""
    if len(text) < len(PREFIX) + MCAST_LEN or not text.startswith(START):
        return None
    name_len, name, size, pid = struct.unpack_from("<I4x128sI4xI", text, len(PREFIX) + 16)
    if name_len > 128 or size != len(text) - len(PREFIX) - MCAST_LEN:
        return None
    return name[:name_len], pid


@pytest.mark.parametrize(
    ("pieces", "messages"),
    [
        ([0, 0, 300], [0, 1, 300, 1]),
        ([1, 0, 250], [0, 1, 250, 1]),
        ([0, 0, 100], [0, 1, 250, 1]),
        ([0, 0, 250], [1, 1, 250, 1]),
        ([], [0, 1, 250, 1]),
    ],
)
def test_places_that_are_none_are_refused(pieces, messages):
    with pytest.raises(ValueError, match=r"piece|buffer"):
        compiled.cpg_run([bytes(250)], array("I", pieces), array("I", messages), 0, START)


def test_arrays_of_another_type_are_refused():
    with pytest.raises(ValueError, match="type I"):
        compiled.unpack_received(b"", 1, 0, 0, 0, 0, 0, 0, 0, 0, array("Q"), array("I"))
    with pytest.raises(ValueError, match="type I"):
        compiled.cpg_run([], array("I"), array("B"), 0, START)
