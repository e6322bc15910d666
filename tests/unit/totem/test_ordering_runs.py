"""A ring's log keeps runs whole, and does what it would do with their messages one by one."""

from array import array
from itertools import accumulate

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.corotypes import RingId
from corosync_tw.totem import wire
from corosync_tw.totem.const import QUEUE_RTR_ITEMS_SIZE_MAX
from corosync_tw.totem.ordering import RingLog
from corosync_tw.totem.runs import Delivered, DeliveredFrame, ReceivedRun, Run, SentRun
from corosync_tw.totem.seqno import SEQ_MASK, seq_add, seq_diff, seq_lt
from tests.unit.totem.ring_log_twin import RingLogTwin

RING = RingId(1, 8)
STRIDE = 50


def datagram(nodeid: int, seq: int, *, safe: bool = False) -> bytes:
    header = wire.encode_mcast_header(nodeid, nodeid, seq, RING, int(safe))
    return header + (seq & 0xFF).to_bytes(1, "little") * (STRIDE - len(header))


def received(nodeid: int, first_seq: int, count: int, *, safe: bool = False) -> ReceivedRun:
    frames = [datagram(nodeid, seq_add(first_seq, i), safe=safe) for i in range(count)]
    frames[-1] = frames[-1][:-2]
    blob = memoryview(b"".join(frames))
    return ReceivedRun(nodeid, first_seq, count, safe, blob, STRIDE)


def sent(nodeid: int, first_seq: int, count: int, *, safe: bool = False) -> SentRun:
    frames = [datagram(nodeid, seq_add(first_seq, i), safe=safe) for i in range(count)]
    cut = wire.MCAST_LEN_BYTES + 1
    return SentRun(
        nodeid,
        first_seq,
        count,
        safe,
        b"".join(frame[:cut] for frame in frames),
        array("I", range(0, cut * count + 1, cut)),
        memoryview(b"".join(frame[cut:] for frame in frames)),
        array("I", accumulate([len(frame) - cut for frame in frames], initial=0)),
    )


def singles(delivered: list[Delivered]) -> list[DeliveredFrame]:
    return [
        frame
        for item in delivered
        for frame in (
            [item]
            if isinstance(item, DeliveredFrame)
            else [item.delivered(i) for i in range(item.count)]
        )
    ]


class Pair:
    """A log and its twin, fed alike and compared after each step."""

    def __init__(self, start: int) -> None:
        self.log = RingLog(RING, start)
        self.twin = RingLogTwin(start)

    def single(self, frame: DeliveredFrame, safe: bool, whole: bytes) -> None:
        wanted = self.log.wants(frame.seq)
        assert wanted == self.twin.wants(frame.seq)
        if wanted:
            self.log.add(frame.seq, (frame, safe, (whole,)))
            self.twin.add(frame, safe)

    def run(self, run: Run) -> None:
        """Offer a run as the core does: whole, or else its messages."""
        frames = [run.delivered(i) for i in range(run.count)]
        if self.log.add_run(run):
            for frame in frames:
                assert self.twin.wants(frame.seq)
                self.twin.add(frame, run.safe)
            return
        for i, frame in enumerate(frames):
            self.single(frame, run.safe, b"".join(run.frame(i)))

    def compare(self) -> None:
        log, twin = self.log, self.twin
        assert len(log) == len(twin.messages)
        for mark in ("my_aru", "high_seq_received", "high_delivered", "last_released"):
            assert getattr(log, mark) == getattr(twin, mark), mark
        for ahead in range(-3, seq_diff(log.high_seq_received, log.last_released) + 3):
            seq = seq_add(log.last_released, ahead)
            known = twin.messages.get(seq)
            found = log.get(seq)
            assert log.wants(seq) == twin.wants(seq)
            if known is None:
                assert found is None
                continue
            assert found is not None
            assert found[:2] == known
            whole = b"".join(found[2])
            assert whole[wire.MCAST_LEN_BYTES :] == known[0].payload
            assert wire.MCAST.unpack_from(whole)[7] == seq


STEPS = st.lists(
    st.one_of(
        # What is offered: how far from the highest, how many, whose, SAFE, which way.
        st.tuples(
            st.sampled_from(["received", "sent", "single"]),
            st.sampled_from([1, 1, 1, 1, 2, 3, 6, 0, -1, -4, -9]),
            st.integers(1, 9),
            st.integers(1, 3),
            st.booleans(),
        ),
        # Repeated holes are filled and marks move: by how much the token's marks lag.
        st.tuples(st.just("settle"), st.integers(0, 12)),
        st.tuples(st.just("release"), st.integers(0, 12)),
        st.tuples(st.just("holes"), st.integers(1, 4)),
        st.tuples(st.just("fill")),
    ),
    max_size=40,
)


def play(pair: Pair, step: tuple) -> None:
    log, twin = pair.log, pair.twin
    kind = step[0]
    if kind in {"received", "sent", "single"}:
        _, ahead, count, nodeid, safe = step
        first = seq_add(log.high_seq_received, ahead)
        if kind == "single":
            whole = datagram(nodeid, first, safe=safe)
            frame = DeliveredFrame(nodeid, first, whole[wire.MCAST_LEN_BYTES :], False)
            pair.single(frame, safe, whole)
        else:
            make = received if kind == "received" else sent
            pair.run(make(nodeid, first, count, safe=safe))
    elif kind == "fill":
        for seq in twin.holes(log.high_seq_received, 0, 99):
            whole = datagram(1, seq)
            pair.single(DeliveredFrame(1, seq, whole[wire.MCAST_LEN_BYTES :], False), False, whole)
        twin.misses = dict(log._miss_counts)
    elif kind == "settle":
        log.update_aru()
        twin.update_aru()
        safe_to = seq_add(log.my_aru, -step[1])
        assert singles(log.take_deliverable(safe_to)) == twin.take_deliverable(safe_to)
    elif kind == "release":
        safe_to = seq_add(log.my_aru, -step[1])
        log.release(safe_to)
        twin.release(safe_to)
    else:
        token_seq = log.high_seq_received
        if not seq_lt(token_seq, log.my_aru):
            assert log.holes(token_seq, 2, step[1]) == twin.holes(token_seq, 2, step[1])


@settings(max_examples=400, deadline=None)
@given(st.sampled_from([0, 1000, SEQ_MASK - 20]), STEPS, st.sets(st.integers(1, 3)))
def test_a_log_of_runs_does_what_a_dict_of_messages_does(start, steps, obligation_set):
    pair = Pair(start)
    for step in steps:
        play(pair, step)
        pair.compare()
    assert singles(pair.log.take_remaining(obligation_set)) == pair.twin.take_remaining(
        obligation_set
    )


@pytest.mark.parametrize("make", [received, sent])
def test_a_run_in_order_stays_whole(make):
    log = RingLog(RING, SEQ_MASK - 5)
    run = make(2, SEQ_MASK - 4, 11)
    assert log.add_run(run)
    log.update_aru()
    assert log.my_aru == 5
    assert log.take_deliverable(0) == [run]
    log.release(2)
    assert (len(log), log.get(2)) == (3, None)
    found = log.get(3)
    assert found is not None
    assert b"".join(found[2]) == datagram(2, 3)
    log.release(5)
    assert (len(log), log.get(5), log._items, log._runs) == (0, None, {}, [])


def test_a_run_that_overlaps_what_was_seen_is_refused():
    log = RingLog(RING, 0)
    assert log.add_run(received(2, 5, 4))
    for first in (3, 4, 5, 8):
        assert not log.add_run(received(2, first, 3))
    assert log.add_run(received(2, 9, 1))


@pytest.mark.parametrize("start", [0, SEQ_MASK - 6])
def test_a_run_that_fits_into_a_hole_stays_whole(start):
    log = RingLog(RING, start)
    first, second, third = (received(n, seq_add(start, n), 4) for n in (1, 5, 9))
    assert log.add_run(third)
    assert log.add_run(first)
    assert log.add_run(second)
    log.update_aru()
    assert log.take_deliverable(0) == [first, second, third]
    log.release(seq_add(start, 6))
    assert len(log) == 6
    assert not log.add_run(second)
    log.release(seq_add(start, 12))
    assert (len(log), log._items, log._runs) == (0, {}, [])


def test_a_run_that_does_not_fit_the_sort_queue_is_refused():
    log = RingLog(RING, 0)
    assert not log.add_run(received(2, QUEUE_RTR_ITEMS_SIZE_MAX - 2, 3))
    assert log.add_run(received(2, QUEUE_RTR_ITEMS_SIZE_MAX - 2, 2))


def test_of_a_safe_run_the_acknowledged_part_is_delivered():
    log = RingLog(RING, 0)
    run = received(2, 1, 6, safe=True)
    assert log.add_run(run)
    log.update_aru()
    assert log.take_deliverable(0) == []
    assert log.take_deliverable(2) == [run.part(0, 2)]
    assert log.take_deliverable(6) == [run.part(2, 6)]


@pytest.mark.parametrize("make", [received, sent])
def test_a_part_of_a_run_is_a_run(make):
    run = make(2, SEQ_MASK, 5)
    part = run.part(1, 5)
    assert (part.first_seq, part.count) == (0, 4)
    for i in range(4):
        assert b"".join(part.frame(i)) == b"".join(run.frame(i + 1))
        assert part.delivered(i) == run.delivered(i + 1)


def test_a_sent_run_is_its_datagrams():
    run = sent(2, 7, 5)
    assert len(run) == 5
    assert list(run) == [run.frame(i) for i in range(5)]
    assert list(run[1:3]) == list(run.part(1, 3)) == list(run)[1:3]
    assert list(run[3:3]) == []
