"""The packer against its dumb twin; full packets; limits; nothing copied."""

import itertools
from array import array

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corosync_tw.corotypes import Guarantee
from corosync_tw.totem.pg_pack import QUEUE_LEN_BYTES_MAX, QUEUE_MESSAGES_MAX, Packer
from corosync_tw.totem.pg_wire import packet_capacity
from tests.unit.totem.pg_twin import HEADER, joined, pack_all

AGREED, SAFE = Guarantee.AGREED, Guarantee.SAFE
CAPACITY = packet_capacity(1472)

sizes = st.one_of(st.integers(1, 40), st.integers(1, 400))
messages_ = st.lists(sizes.map(lambda size: bytes(i & 255 for i in range(size))), max_size=30)


def packer_of(messages, capacity, guarantee=AGREED):
    packer = Packer(capacity, sum(map(len, messages)) + 1)
    for message in messages:
        assert packer.put((message,), len(message), guarantee)
    return packer


def test_capacity_is_a_frame_less_two_mcast_headers_and_a_packet_header():
    assert CAPACITY == 1374
    assert packet_capacity(65536) == 65438


@pytest.mark.parametrize("frame_len_bytes_max", [0, 98, 101, 65537])
def test_frames_that_carry_nothing_are_refused(frame_len_bytes_max):
    with pytest.raises(ValueError):
        packet_capacity(frame_len_bytes_max)


@given(messages_, st.integers(4, 150), st.integers(1, 5))
def test_packs_like_the_dumb_twin(messages, capacity, frames_max):
    packer = packer_of(messages, capacity)
    taken = []
    while packer.backlog_frames():
        batch = packer.take(frames_max, HEADER)
        assert 1 <= sum(map(len, batch)) <= frames_max
        taken += batch
    assert not packer
    assert packer.len_bytes == 0
    assert joined(taken) == pack_all(messages, capacity)


@given(messages_, st.integers(4, 150), st.data())
def test_slices_do_not_matter(messages, capacity, data):
    packer = Packer(capacity, sum(map(len, messages)) + 1)
    for message in messages:
        cuts = sorted(data.draw(st.lists(st.integers(0, len(message)), max_size=4)))
        bounds = [0, *cuts, len(message)]
        slices = tuple(message[a:b] for a, b in itertools.pairwise(bounds))
        packer.put(slices, len(message), AGREED)
    assert joined(packer.take(10**6, HEADER)) == pack_all(messages, capacity)


@given(messages_, st.integers(4, 150))
def test_no_packet_but_the_last_is_short_by_more_than_a_byte(messages, capacity):
    taken = joined(packer_of(messages, capacity).take(10**6, HEADER))
    full = capacity + 8
    assert all(len(packet) in {full, full - 1} for packet in taken[:-1])
    assert all(len(packet) <= full for packet in taken)


@pytest.mark.parametrize("size", [64, 71, 253, 325, 1600, 40189, 1024 * 1024])
def test_a_long_run_of_frames_has_one_length(size):
    count = min(2000, QUEUE_LEN_BYTES_MAX // (size + 2))
    lengths = [
        len(p) for p in joined(packer_of([bytes(size)] * count, CAPACITY).take(10**6, HEADER))
    ]
    odd = [length for length in lengths[:-1] if length != CAPACITY + 8]
    assert len(odd) <= len(lengths) // 50


@given(messages_, st.integers(4, 150))
def test_backlog_is_near_the_number_of_packets(messages, capacity):
    packer = packer_of(messages, capacity)
    backlog = packer.backlog_frames()
    packets = sum(map(len, packer.take(10**6, HEADER)))
    assert (backlog == 0) == (packets == 0)
    assert packets <= backlog <= packets * capacity // max(1, capacity - 3) + 2
    assert packer.backlog_frames() == 0


def test_a_packet_with_any_part_of_a_safe_message_is_safe():
    packer = Packer(100)
    packer.put((bytes(50),), 50, AGREED)
    packer.put((bytes(250),), 250, SAFE)
    packer.put((bytes(30),), 30, AGREED)
    packer.put((bytes(300),), 300, AGREED)
    guarantees = [run.safe for run in packer.take(100, HEADER) for _ in run]
    assert guarantees == [True, True, True, True, False, False, False]


def test_packets_are_views_of_the_queue():
    packer = Packer(CAPACITY)
    reserved = packer.reserve(3000, 5000)
    memory = reserved.obj
    packer.commit(array("I", [1000] * 3), AGREED)
    (run,) = packer.take(10, HEADER)
    assert run.body.obj is memory
    assert all(items.obj is memory for _, items in run)
    assert run.body.readonly


def test_fragment_ids_run_from_1_to_255_and_round():
    packer = packer_of([bytes(98 * 600)], 100)
    heads = [packet[4:6] for packet in joined(packer.take(10**6, HEADER))]
    assert [head[0] for head in heads[:-1]] == [i % 255 + 1 for i in range(599)]
    assert heads[-1][0] == 0
    assert [head[1] for head in heads[1:]] == [head[0] for head in heads[:-1]]


def test_two_bytes_left_hold_the_beginning_of_the_next_message():
    taken = joined(packer_of([bytes(96), bytes(10)], 100).take(10, HEADER))
    assert taken[0][4:12] == bytes([1, 0, 2, 0, 96, 0, 0, 0])
    assert len(taken[0]) == 108
    assert taken[1][4:10] == bytes([0, 1, 1, 0, 10, 0])


def test_one_byte_left_stays_empty():
    taken = joined(packer_of([bytes(97), bytes(10)], 100).take(10, HEADER))
    assert [len(packet) for packet in taken] == [107, 20]
    assert taken[0][4:6] == taken[1][4:6] == b"\0\0"


def test_the_queue_is_bounded_in_bytes():
    packer = Packer(CAPACITY)
    accepted = 0
    while packer.put((bytes(1000),), 1000, AGREED):
        accepted += 1
    assert accepted == QUEUE_LEN_BYTES_MAX // 1002
    assert packer.level() > 0.99
    packer.take(10, HEADER)
    assert packer.put((bytes(1000),), 1000, AGREED)


def test_the_queue_is_bounded_in_messages():
    packer = Packer(CAPACITY)
    while packer.put((b"x",), 1, AGREED):
        pass
    assert len(packer) == QUEUE_MESSAGES_MAX
    assert packer.level() == 1.0


def test_a_message_partly_sent_can_be_sent_again_from_its_beginning():
    packer = packer_of([bytes(10), bytes(range(250))], 100)
    before = joined(packer.take(2, HEADER))
    assert before[1][4] == 2
    packer.restart()
    after = joined(packer.take(100, HEADER))
    assert after[0] == bytes(8), "an empty packet first"
    assert b"".join(packet[10:] for packet in after[1:]) == bytes(range(250))
    assert after[1][5] == 0
    assert packer.len_bytes == 0


def test_restart_between_messages_changes_nothing():
    packer = packer_of([bytes(10)], 100)
    packer.restart()
    assert joined(packer.take(10, HEADER)) == pack_all([bytes(10)], 100)


def test_clear_in_the_middle_of_a_message_leaves_only_the_empty_packet():
    packer = packer_of([bytes(1000)], 100)
    packer.take(1, HEADER)
    packer.clear()
    assert (len(packer), packer.len_bytes, packer.backlog_frames()) == (0, 0, 1)
    assert packer.take(0, HEADER) == []
    assert joined(packer.take(5, HEADER)) == [bytes(8)]
    assert packer.backlog_frames() == 0
