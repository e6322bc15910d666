"""What waits in slabs arrives as it was put, whatever happens to the queue and its memory."""

from array import array
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.corotypes import Guarantee, RingId
from corosync_tw.totem import wire
from corosync_tw.totem.effects import Deliver
from corosync_tw.totem.pg import Totempg
from corosync_tw.totem.pg_pack import Packer
from corosync_tw.totem.pg_slab import IDLE_SLABS_MAX, SLAB_LEN_BYTES
from corosync_tw.totem.pg_wire import group_prefix, packet_capacity
from corosync_tw.totem.runs import ReceivedRun, SentRun
from tests.unit.totem.pg_twin import HEADER, singles

ME, RING = 1, RingId(1, 4)
PREFIX = group_prefix(b"a")
SLAB = 1000
SIZE_MAX = SLAB - len(PREFIX)
SAFE_BYTE, AGREED_BYTE = b"S", b"."

size_ = st.one_of(st.integers(0, 60), st.integers(0, SIZE_MAX))
safe_ = st.sampled_from([False, False, True])
step_ = st.one_of(
    st.tuples(st.just("put"), size_, safe_),
    st.tuples(st.just("commit"), st.lists(st.integers(0, 200), min_size=1, max_size=4), safe_),
    st.tuples(st.just("take"), st.one_of(st.integers(1, 4), st.just(1000)), st.booleans()),
    st.tuples(st.sampled_from(["reserve", "restart", "restart", "clear"]), st.none(), st.none()),
)


def as_received(run: SentRun) -> Iterator[ReceivedRun]:
    """The datagrams of a run as a peer gets them: all but the last of one length."""
    frames = [b"".join(slices) for slices in run]
    start = 0
    while start < len(frames):
        stride, stop = len(frames[start]), start + 1
        while stop < len(frames) and len(frames[stop - 1]) == stride >= len(frames[stop]):
            stop += 1
        blob = memoryview(b"".join(frames[start:stop]))
        seq = run.first_seq + start
        yield ReceivedRun(run.nodeid, seq, stop - start, run.safe, blob, stride)
        start = stop


class Bed:
    """
    A queue and three that hear it: as runs of its own, as received runs and frame by frame.

    :ivar kept: packets that the ring still holds, and what they were when they were taken.
    """

    def __init__(self, capacity: int) -> None:
        self.packer = Packer(capacity, SLAB)
        self.seq = 1
        self.count = 0
        self.waiting: list[bytes] = []
        self.heard: list[list[bytes]] = [[], [], []]
        self.expected: list[bytes] = []
        self.receivers = [Totempg(1472) for _ in self.heard]
        for receiver in self.receivers:
            receiver.trans_ack()
        self.kept: list[tuple[SentRun, bytes]] = []

    def message(self, size: int, safe: bool) -> bytes:
        self.count += 1
        number = str(self.count).encode()[:size]
        rest = size - len(number)
        return PREFIX + number + (SAFE_BYTE if safe else AGREED_BYTE) * rest

    def put(self, size: int, safe: bool) -> None:
        message = self.message(size, safe)
        slices = (PREFIX, memoryview(message)[len(PREFIX) :])
        assert self.packer.put(slices, len(message), Guarantee(safe))
        self.waiting.append(message)

    def commit(self, sizes: list[int], safe: bool) -> None:
        messages = [self.message(size, safe) for size in sizes]
        whole = b"".join(messages)
        room = self.packer.reserve(len(whole), 10**6)
        assert len(whole) <= len(room) <= SLAB
        room[: len(whole)] = whole
        self.packer.commit(array("I", map(len, messages)), Guarantee(safe))
        self.waiting += messages

    def reserve(self, *_: None) -> None:
        """Room that nobody uses."""
        room = self.packer.reserve(10, 20)
        room[:10] = bytes(10)

    def take(self, frames_max: int, keep: bool) -> None:
        runs = self.packer.take(frames_max, self.header())
        assert sum(map(len, runs)) <= frames_max
        assert bool(runs) == bool(self.backlog)
        for run in runs:
            self.check(run)
            self.hear(run)
        self.kept = [*self.kept, *[(run, bytes(run.body)) for run in runs]] if keep else []

    def header(self) -> bytes:
        self.backlog = self.packer.backlog_frames()
        return wire.encode_mcast_header(ME, ME, self.seq, RING, 0, this_seqno=self.seq)

    def check(self, run: SentRun) -> None:
        """The mcast headers go on and say what the run says; no part of a SAFE message is lost."""
        assert run.first_seq == self.seq
        for slices in run:
            frame = wire.decode(b"".join(slices))
            assert isinstance(frame, wire.Mcast)
            assert (frame.nodeid, frame.seq, frame.this_seqno) == (ME, self.seq, self.seq)
            assert frame.guarantee == run.safe
            assert run.safe or SAFE_BYTE not in b"".join(slices[1:])
            self.seq += 1

    def hear(self, run: SentRun) -> None:
        forms = [run], list(as_received(run)), [run.delivered(i) for i in range(run.count)]
        for receiver, form, heard in zip(self.receivers, forms, self.heard, strict=True):
            heard += [PREFIX + bytes(m.data) for m in singles(receiver, Deliver(RING, form))]
        done = len(self.heard[0]) - len(self.expected)
        self.expected += self.waiting[:done]
        del self.waiting[:done]

    def restart(self, *_: None) -> None:
        self.packer.restart()

    def clear(self, *_: None) -> None:
        self.packer.clear()
        self.waiting = []
        assert (len(self.packer), self.packer.len_bytes) == (0, 0)

    def check_counts(self) -> None:
        assert len(self.packer) == len(self.waiting)
        assert self.packer.len_bytes == sum(len(m) + 2 for m in self.waiting)
        assert self.heard == [self.expected] * 3
        for run, body in self.kept:
            assert run.body == body, "memory was used again while the ring held it"


@settings(max_examples=200, deadline=None)
@given(st.sampled_from([4, 5, 60, 150, 1374]), st.lists(step_, max_size=40))
def test_messages_arrive_as_they_were_put(capacity, steps):
    bed = Bed(capacity)
    for name, *values in steps:
        getattr(bed, name)(*values)
        bed.check_counts()
    bed.take(10**6, False)
    bed.check_counts()
    assert bed.waiting == []


def filled(packer: Packer, count: int, size: int) -> None:
    for _ in range(count):
        assert packer.put((bytes(size),), size, Guarantee.AGREED)


def test_no_packet_spans_two_slabs():
    packer = Packer(100, SLAB)
    filled(packer, 3, 450)
    runs = packer.take(1000, HEADER)
    assert [len(run.body) for run in runs] == [900, 450]
    assert runs[0].body.obj is not runs[1].body.obj


def test_slabs_are_used_again_when_nobody_views_them():
    packer = Packer(100, SLAB)
    seen = []
    held = []
    for turn in range(40):
        filled(packer, 1, 600)
        (run,) = packer.take(1000, HEADER)
        seen.append(id(run.body.obj))
        held = [*held, run][-2:]
        del run
        assert packer.backlog_frames() == 0, turn
    assert len(set(seen)) <= IDLE_SLABS_MAX


def test_an_empty_queue_begins_its_slab_again():
    packer = Packer(packet_capacity(1472))
    offsets = set()
    for _ in range(60):
        room = packer.reserve(100_000, SLAB_LEN_BYTES)
        offsets.add(SLAB_LEN_BYTES - len(room))
        packer.commit(array("I", [100_000]), Guarantee.AGREED)
        packer.take(1000, HEADER)
    assert offsets == {0, 100_000, 200_000}


def test_a_reservation_ends_with_the_next_message():
    packer = Packer(100)
    room = packer.reserve(10, 10)
    filled(packer, 1, 10)
    with pytest.raises(ValueError, match="released"):
        room[:10] = bytes(10)
    with pytest.raises(ValueError, match="released"):
        packer.commit(array("I", [10]), Guarantee.AGREED)


def test_bulk_room_is_what_put_grants():
    packer = Packer(100)
    while packer.bulk_room()[0] >= 60_002:
        assert packer.put((bytes(60_000),), 60_000, Guarantee.AGREED, bulk=True)
    assert not packer.put((bytes(60_000),), 60_000, Guarantee.AGREED, bulk=True)
    assert packer.put((bytes(60_000),), 60_000, Guarantee.AGREED)
    packer.clear()
    while packer.bulk_room()[1]:
        assert packer.put((b"",), 0, Guarantee.AGREED, bulk=True)
    assert not packer.put((b"",), 0, Guarantee.AGREED, bulk=True)


def test_a_commit_cannot_overfill_the_queue():
    packer = Packer(100)
    filled(packer, 4, 10**6)
    packer.reserve(200_000, 200_000)
    with pytest.raises(AssertionError, match="full"):
        packer.commit(array("I", [200_000]), Guarantee.AGREED)
