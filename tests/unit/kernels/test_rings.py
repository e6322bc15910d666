"""The plain and the compiled twin of ``rings`` do the same with any bytes, and what they should."""

import struct
from array import array
from importlib import import_module

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.ipc.qb import layout
from corosync_tw.kernels.plain import rings as plain
from corosync_tw.services.cpg import lib_wire

compiled = import_module("corosync_tw.kernels.compiled.rings")

RING_WORDS = 2048
HEAD = bytes(range(60, 140))
HEADER_AT, MSGLEN_AT = 5, 40
EVENT_HEAD = bytes(range(100, 184))
BOTH = pytest.mark.parametrize("kernels", [plain, compiled], ids=["plain", "compiled"])


class TwiceMapped:
    """A ring of words whose second half shows the first; made true again after each call."""

    def __init__(self, data=None):
        self.data = bytearray(RING_WORDS * 4 if data is None else data)
        self.words = memoryview(self.data * 2).cast("I")

    def put(self, at, data):
        for offset, byte in enumerate(data):
            self.data[(at * 4 + offset) % len(self.data)] = byte
        self.words = memoryview(self.data * 2).cast("I")

    def bytes_from(self, at, len_bytes):
        doubled = self.words.cast("B")
        ring = bytearray(doubled[: len(self.data)])
        # What was written beyond the end belongs to the beginning.
        for offset in range(len(self.data)):
            if doubled[len(self.data) + offset] != self.data[offset]:
                ring[offset] = doubled[len(self.data) + offset]
        twice = bytes(ring) * 2
        return twice[at * 4 : at * 4 + len_bytes]


def request(message, *, guarantee=2, request_id=2, size=None, msglen=None, tail=b""):
    length = 40 + len(message) + len(tail)
    return (
        struct.pack(
            "=i4xi12xI4xI4x",
            request_id,
            length if size is None else size,
            guarantee,
            len(message) if msglen is None else msglen,
        )
        + message
        + tail
    )


def chunk(data, magic=layout.MAGIC_COMMITTED):
    return struct.pack("=II", len(data), magic) + data + bytes(-len(data) % 4)


REQUESTS = st.builds(
    request,
    st.one_of(st.just(b"q" * 64), st.just(b"r" * 61), st.binary(max_size=90)),
    guarantee=st.sampled_from([2, 2, 2, 2, 2, 2, 3]),
    request_id=st.sampled_from([2, 2, 2, 2, 2, 2, 2, 2, 7]),
    size=st.sampled_from([None, None, None, None, None, 16, 41]),
    msglen=st.sampled_from([None, None, None, None, None, 0, 0xFFFFFFFF, 65]),
    tail=st.sampled_from([b"", b"", b"", b"", b"tail"]),
)
CHUNKS = st.builds(chunk, REQUESTS, st.sampled_from([layout.MAGIC_COMMITTED] * 9 + [0]))


def take(kernels, ring, at, count, room_len, **limits):
    room, lens = memoryview(bytearray(room_len)), array("I", bytes(4 * 60))
    result = kernels.take_mcasts(
        ring.words,
        at,
        count,
        limits.get("chunk_len_max", 1000),
        limits.get("msglen_max", 80),
        HEAD,
        HEADER_AT,
        MSGLEN_AT,
        room,
        lens,
    )
    taken, used = result[:2]
    return result, bytes(room[:used]), lens[:taken]


def with_head(message):
    head = bytearray(HEAD)
    struct.pack_into("<I", head, HEADER_AT + 8, len(head) - HEADER_AT + len(message))
    struct.pack_into("<I", head, MSGLEN_AT, len(message))
    return bytes(head) + message


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_both_take_the_same(data):
    at = data.draw(st.integers(0, RING_WORDS - 1))
    uniform = data.draw(st.integers(0, 80))
    unit = chunk(request(b"u" * data.draw(st.sampled_from([0, 3, 8]))))
    chunks = unit * uniform + b"".join(data.draw(st.lists(CHUNKS, max_size=12)))
    chunks = chunks[: RING_WORDS * 4]
    count = data.draw(st.integers(0, 100))
    room_len = data.draw(st.sampled_from([0, 79, 500, 20000]))
    outcome = []
    for kernels in (plain, compiled):
        ring = TwiceMapped()
        ring.put(at, chunks)
        taken = take(kernels, ring, at, count, room_len)
        # In shared memory the second half of the words is the first.
        outcome.append((*taken, ring.bytes_from(0, RING_WORDS * 4)))
    assert outcome[0] == outcome[1]


@settings(max_examples=100, deadline=None)
@given(
    st.lists(
        st.sampled_from([0, 2, 40, 41, 44, 64, 0xFFFFFFFF, 0x80000000, layout.MAGIC_COMMITTED]),
        min_size=1,
        max_size=40,
    ),
    st.integers(0, RING_WORDS - 1),
)
def test_any_words_are_taken_alike(words, at):
    data = array("I", (words * RING_WORDS)[:RING_WORDS]).tobytes()
    assert take(plain, TwiceMapped(data), at, 60, 9000) == take(
        compiled, TwiceMapped(data), at, 60, 9000
    )


@BOTH
@pytest.mark.parametrize("len_bytes", [0, 1, 8, 63])
@pytest.mark.parametrize("count", [1, 20, 60])
def test_a_run_is_taken_whole(kernels, len_bytes, count):
    messages = [bytes([number]) * len_bytes for number in range(count)]
    at = RING_WORDS - 30
    ring = TwiceMapped()
    ring.put(at, b"".join(chunk(request(message)) for message in messages))
    result, out, lens = take(kernels, ring, at, count, 20000)
    words = 2 + (40 + len_bytes + 3) // 4
    assert result == (count, len(out), (at + words * count) % RING_WORDS, 2, kernels.ALL_TAKEN)
    assert out == b"".join(map(with_head, messages))
    assert list(lens) == [len(HEAD) + len_bytes] * count
    assert all(
        ring.words[at + 1 + number * words] == layout.MAGIC_DEAD
        for number in range(count)
        if at + number * words < RING_WORDS
    )


@BOTH
@pytest.mark.parametrize(
    ("second", "stop"),
    [
        (chunk(request(b"safe", guarantee=3)), "ODD"),
        (chunk(request(b"join", request_id=0)), "ODD"),
        (chunk(request(b"cut", size=41)), "ODD"),
        (chunk(request(b"overlong", msglen=9)), "ODD"),
        (chunk(request(bytes(81))), "ODD"),
        (chunk(bytes(39)), "ODD"),
        (chunk(request(b"gone"), magic=layout.MAGIC_DEAD), "ABSENT"),
        (struct.pack("=II", 1001, layout.MAGIC_COMMITTED), "ABSENT"),
        (chunk(request(bytes(75))), "NO_ROOM"),
    ],
)
def test_what_ends_a_run(kernels, second, stop):
    ring = TwiceMapped()
    ring.put(0, chunk(request(b"first")) + second)
    before = bytes(ring.words[14:])
    result, out, _ = take(kernels, ring, 0, 2, len(HEAD) + 5 + 100)
    assert (result[0], result[4]) == (1, getattr(kernels, stop))
    assert out == with_head(b"first")
    assert bytes(ring.words[14:]) == before


@BOTH
def test_a_ring_too_small_for_what_it_may_hold(kernels):
    with pytest.raises(ValueError, match="beyond"):
        take(kernels, TwiceMapped(), 0, 1, 100, chunk_len_max=RING_WORDS * 4)
    with pytest.raises(ValueError, match="beyond"):
        take(kernels, TwiceMapped(), RING_WORDS, 1, 100)


def batch(messages, cuts, shift=0):
    """Lay messages in buffers, cut at some offsets, with bytes between that belong to nobody."""
    buffers, pieces, table = [], array("I"), array("I")
    current = bytearray(shift)
    for message, at in zip(messages, cuts, strict=True):
        first, parts = len(pieces) // 3, [message[:at], message[at:]] if at else [message]
        for number, part in enumerate(parts):
            if number:
                buffers.append(bytes(current))
                current = bytearray(shift)
            pieces.extend((len(buffers), len(current), len(part)))
            current += part
        table.extend((first, len(parts), len(message), 7))
    buffers.append(memoryview(current))
    return buffers, pieces, table


def write(kernels, ring, at, free_bytes, laid, *range_and_skip, event_len_max=1000):
    return kernels.write_run(
        ring.words, at, free_bytes, event_len_max, EVENT_HEAD, 32, *laid, *range_and_skip
    )


@settings(max_examples=150, deadline=None)
@given(st.data())
def test_both_write_the_same(data):
    skip = data.draw(st.sampled_from([0, 9]))
    lens = [data.draw(st.integers(0, 30))] * data.draw(st.integers(0, 80))
    lens += data.draw(st.lists(st.integers(0, 120), max_size=8))
    messages = [bytes([number % 251]) * (skip + length) for number, length in enumerate(lens)]
    cuts = [
        data.draw(st.integers(1, len(message))) if message and number % 23 == 5 else 0
        for number, message in enumerate(messages)
    ]
    laid = batch(messages, cuts, data.draw(st.integers(0, 9)))
    at = data.draw(st.integers(0, RING_WORDS - 1))
    free_bytes = data.draw(st.sampled_from([0, 100, 2000, RING_WORDS * 4]))
    first = data.draw(st.integers(0, len(messages)))
    count = data.draw(st.integers(0, len(messages) - first))
    outcome = []
    for kernels in (plain, compiled):
        ring = TwiceMapped()
        result = write(kernels, ring, at, free_bytes, laid, first, count, skip, event_len_max=170)
        outcome.append(result)
        written, end, free = result
        chunks = read_chunks(ring, at, written)
        assert chunks == [event(message[skip:]) for message in messages[first : first + written]]
        used = sum(len(chunk(data)) for data in chunks)
        assert (end, free) == ((at + used // 4) % RING_WORDS, free_bytes - used)
    assert outcome[0] == outcome[1]
    if written < count:
        event_len = len(EVENT_HEAD) + len(messages[first + written]) - skip
        assert event_len > 170 or event_len + 12 > free


def event(message):
    head = bytearray(EVENT_HEAD)
    struct.pack_into("=I", head, 8, len(head) + len(message))
    struct.pack_into("=I", head, 32, len(message))
    return bytes(head) + message


def read_chunks(ring, at, count):
    found, data = [], ring.bytes_from(at, RING_WORDS * 4)
    for _ in range(count):
        len_bytes, magic = struct.unpack_from("=II", data)
        assert magic == layout.MAGIC_COMMITTED
        found.append(data[8 : 8 + len_bytes])
        data = data[8 + len_bytes + -len_bytes % 4 :]
    return found


@BOTH
@pytest.mark.parametrize(
    ("place", "value"), [("pieces", 9), ("pieces", 99), ("messages", 9), ("buffers", 0)]
)
def test_a_batch_that_lies(kernels, place, value):
    buffers, pieces, table = batch([b"message"], [0])
    if place == "pieces":
        pieces[2] = value
    elif place == "messages":
        table[2] = value
    else:
        buffers[0] = b""
    with pytest.raises(ValueError, match=r"piece|structure"):
        write(kernels, TwiceMapped(), 0, 4000, (buffers, pieces, table), 0, 1, 0)


@BOTH
def test_messages_that_are_not_in_the_batch(kernels):
    with pytest.raises(ValueError, match="fewer"):
        write(kernels, TwiceMapped(), 0, 4000, batch([b"message"], [0]), 1, 1, 0)


def test_what_the_kernels_know_of_libqb_and_libcpg():
    assert (plain.MAGIC_COMMITTED, plain.MAGIC_DEAD) == (layout.MAGIC_COMMITTED, layout.MAGIC_DEAD)
    assert plain.CHUNK_HEADER_WORDS == layout.CHUNK_HEADER_WORDS
    assert plain.CHUNK_MARGIN_BYTES == layout.CHUNK_MARGIN_BYTES
    assert plain.REQUEST_ID == lib_wire.CpgRequest.MCAST
    assert plain.REQUEST_LEN == lib_wire.MCAST_LEN
    for name in ("ALL_TAKEN", "NO_ROOM", "ODD", "ABSENT"):
        assert getattr(plain, name) == getattr(compiled, name)
