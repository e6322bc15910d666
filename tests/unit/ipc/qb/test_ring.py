"""The ring against the other side, written after libqb, and a queue as its dumb twin."""

import itertools
import os
import tempfile
from collections import deque

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.ipc.qb.layout import Peer, Site
from corosync_tw.ipc.qb.ring import RingReader, RingViolation, RingWriter, data_len_bytes
from tests.unit.ipc.qb.raw_client import RawRing

ME = Peer(os.getpid(), os.getuid(), os.getgid())
MAX_MSG_SIZE = 8000
CAPACITY_BYTES = data_len_bytes(MAX_MSG_SIZE)

# Mostly short, often as long as agreed, of any remainder of four.
MESSAGES = st.one_of(
    st.integers(0, 40), st.integers(MAX_MSG_SIZE - 9, MAX_MSG_SIZE), st.integers(0, MAX_MSG_SIZE)
)
STEPS = st.lists(st.one_of(MESSAGES, st.just("read"), st.just("read"), st.just("all")), max_size=80)


class Pair:
    """Both ends of a ring in a directory of their own."""

    def __init__(self, kind, max_msg_size=MAX_MSG_SIZE):
        self.directory = tempfile.TemporaryDirectory(prefix="qbt")
        path = f"{self.directory.name}/ring"
        self.ours = kind(path, Site(path, "x", max_msg_size, ME))
        self.theirs = RawRing(path, 8252)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.ours.close()
        self.directory.cleanup()


def body(number, len_bytes):
    return bytes((number + i) & 0xFF for i in range(256)) * (len_bytes // 256 + 1)


@settings(max_examples=60, deadline=None)
@given(STEPS)
def test_what_they_write_we_read(steps):
    twin = deque()
    with Pair(RingReader) as pair:
        for number, step in enumerate(steps):
            if isinstance(step, str):
                count = len(twin) if step == "all" else min(1, len(twin))
                assert pair.ours.take(count, 1 << 30) == [twin.popleft() for _ in range(count)]
            else:
                message = body(number, step)[:step]
                if pair.theirs.write(message):
                    twin.append(message)
                else:
                    assert twin
            assert pair.theirs.value() == len(twin)
        assert pair.ours.take(len(twin), 1 << 30) == list(twin)
        assert pair.theirs.word(0) == pair.theirs.word(1)


@settings(max_examples=60, deadline=None)
@given(STEPS, st.integers(1, 3))
def test_what_we_write_they_read(steps, pieces):
    twin = deque()
    with Pair(RingWriter) as pair:
        for number, step in enumerate(steps):
            if isinstance(step, str):
                for _ in range(len(twin) if step == "all" else min(1, len(twin))):
                    assert pair.theirs.read() == twin.popleft()
            else:
                message = body(number, step)[:step]
                cuts = [step * i // pieces for i in range(pieces + 1)]
                slices = tuple(memoryview(message)[a:b] for a, b in itertools.pairwise(cuts))
                free = pair.theirs.free_bytes()
                fits = pair.ours.write(slices, step)
                assert fits == (free >= step + 12)
                if fits:
                    pair.ours.post()
                    twin.append(message)
            assert pair.ours.chunks() == pair.theirs.value() == len(twin)
        while twin:
            assert pair.theirs.read() == twin.popleft()
        assert pair.theirs.read() is None


@pytest.mark.parametrize("less", range(-8, 9))
def test_room_to_the_byte(less):
    with Pair(RingWriter) as pair:
        assert pair.ours.write((bytes(MAX_MSG_SIZE),), MAX_MSG_SIZE)
        pair.ours.post()
        free = pair.theirs.free_bytes()
        length = free - 12 - less
        assert pair.ours.write((bytes(length),), length) == (less >= 0)


@pytest.mark.parametrize("less", range(1, 9))
def test_room_in_an_empty_ring(less):
    with Pair(RingWriter) as pair:
        for _ in range(2):
            length = CAPACITY_BYTES - 12 - less
            assert pair.ours.write((bytes(length),), length)
            pair.ours.post()
            assert pair.theirs.read() == bytes(length)


def test_every_place_to_wrap_at():
    message = bytes(range(256)) * 4
    with Pair(RingWriter) as writing, Pair(RingReader) as reading:
        for at in range(0, CAPACITY_BYTES // 4, 7):
            length = 1000 + at % 24
            assert writing.ours.write((message[:5], message[5:length]), length)
            writing.ours.post()
            assert writing.theirs.read() == message[:length]
            assert reading.theirs.write(message[:length])
            assert reading.ours.take(1, 1 << 30) == [message[:length]]


def test_a_batch_ends_at_the_limit_of_bytes():
    with Pair(RingReader) as pair:
        for _ in range(5):
            assert pair.theirs.write(bytes(1000))
        assert [len(pair.ours.take(5, limit)) for limit in (1, 1000, 1001)] == [1, 1, 2]


def test_events_are_posted_together():
    with Pair(RingWriter) as pair:
        for _ in range(3):
            assert pair.ours.write((b"abc", b"d"), 4)
        assert (pair.ours.unposted, pair.theirs.value()) == (3, 0)
        pair.ours.post()
        assert (pair.ours.unposted, pair.theirs.value()) == (0, 3)


def test_what_never_fits():
    with Pair(RingWriter) as pair, pytest.raises(RingViolation):
        pair.ours.write((bytes(CAPACITY_BYTES),), CAPACITY_BYTES)


def test_closing_tells_the_client():
    with Pair(RingReader) as pair:
        pair.ours.close()
        assert pair.theirs.header[8204:8208] == bytes(4)
        pair.ours.close()
