"""Both twins of the recording kernel: what stands in a ring of slots."""

import struct
import time
from importlib import import_module
from itertools import count

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.kernels.plain import recording as plain
from corosync_tw.logsys.flight.slots import Slot, decode_slot, whole_slots

compiled = import_module("corosync_tw.kernels.compiled.recording")
both = pytest.mark.parametrize("kernel", [plain, compiled], ids=["plain", "compiled"])
SLOTS = 64
INTS = st.integers(-(1 << 63), (1 << 63) - 1)


def ring(kernel, first=1, lane=3, slots=SLOTS):
    memory = bytearray(slots * 64)
    return memory, kernel.lane_writer(memoryview(memory), lane, first, count(1000).__next__)


@both
def test_a_slot_is_what_its_description_says(kernel):
    memory, writer = ring(kernel)
    writer.put(0x10F, 1, -2, 3, -4)
    slot = bytes(memory[64:128])
    words = struct.unpack("<8Q", slot)
    assert words[0] == 1 | 3 << 48
    assert words[1:3] == (1000, 0x10F)
    assert struct.unpack_from("<4q", slot, 24) == (1, -2, 3, -4)
    assert words[7] == (sum(words[:7]) + int.from_bytes(b"CTWREC01", "little")) % 2**64
    assert not any(memory[:64])
    assert not any(memory[128:])


@both
def test_integers_left_out_are_zero(kernel):
    memory, writer = ring(kernel)
    writer.put(7)
    writer.put(8, 1, 2)
    assert decode_slot(bytes(memory[64:128])) == Slot(3, 1, (1000, 7, 0, 0, 0, 0))
    assert decode_slot(bytes(memory[128:192])) == Slot(3, 2, (1001, 8, 1, 2, 0, 0))


@both
def test_the_ring_wraps_over_the_oldest(kernel):
    memory, writer = ring(kernel, first=5)
    for n in range(SLOTS + 10):
        writer.put(n)
    slots, damaged = whole_slots(bytes(memory))
    assert not damaged
    assert sorted(slot.number for slot in slots) == list(range(15, 15 + SLOTS))


@both
def test_data_follows_in_slots_of_its_own(kernel):
    memory, writer = ring(kernel, first=SLOTS - 1)
    writer.put_more(9, 1, 2, 3, 4, bytes(range(100)))
    slots, damaged = whole_slots(bytes(memory))
    assert not damaged
    head, *parts = sorted(slots, key=lambda slot: slot.number)
    assert head.body == (1000, 9 + (100 << 16), 1, 2, 3, 4)
    assert b"".join(part.body for part in parts) == bytes(range(100)).ljust(144, b"\0")


@both
def test_data_beyond_the_limit_is_cut(kernel):
    memory, writer = ring(kernel)
    writer.put_more(9, 0, 0, 0, 0, b"x" * 5000)
    slots, _ = whole_slots(bytes(memory))
    assert len(slots) == 41
    assert min(slots, key=lambda slot: slot.number).body[1] >> 16 == 1920


@both
@pytest.mark.parametrize("value", [1 << 63, -(1 << 63) - 1, 1 << 64])
def test_longer_integers_are_refused(kernel, value):
    memory, writer = ring(kernel)
    with pytest.raises(OverflowError):
        writer.put(1, 2, 3, 4, value)
    writer.put(5)
    assert [slot.body[1] for slot in whole_slots(bytes(memory))[0]] == [5]


@both
@pytest.mark.parametrize(
    ("memory", "lane", "first"),
    [
        (bytearray(64 * 64 - 1), 0, 1),
        (bytearray(40 * 64), 0, 1),
        (bytes(64 * 64), 0, 1),
        (bytearray(64 * 64), 256, 1),
        (bytearray(64 * 64), -1, 1),
        (bytearray(64 * 64), 0, 0),
        (bytearray(64 * 64), 0, 1 << 48),
    ],
)
def test_what_is_no_ring_is_refused(kernel, memory, lane, first):
    with pytest.raises(ValueError, match="no "):
        kernel.lane_writer(memoryview(memory), lane, first, time.monotonic_ns)


@both
def test_the_clock_of_the_machine_is_read(kernel):
    memory = bytearray(64 * 64)
    writer = kernel.lane_writer(memoryview(memory), 0, 1, time.monotonic_ns)
    before = time.monotonic_ns()
    writer.put(1)
    after = time.monotonic_ns()
    slot = decode_slot(bytes(memory[64:128]))
    assert slot is not None
    assert before <= slot.body[0] <= after


@settings(max_examples=100, deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 0xFFFF), INTS, INTS, INTS, INTS, st.binary(max_size=130))),
    st.integers(1, (1 << 48) - 1000),
    st.integers(0, 255),
)
def test_the_twins_write_the_same(records, first, lane):
    sides = [ring(kernel, first, lane) for kernel in (plain, compiled)]
    for code, a, b, c, d, data in records:
        for _, writer in sides:
            if data:
                writer.put_more(code, a, b, c, d, data)
            else:
                writer.put(code, a, b, c, d)
    assert sides[0][0] == sides[1][0]
    assert whole_slots(bytes(sides[0][0]))[1] == 0


@settings(max_examples=200, deadline=None)
@given(st.tuples(INTS, INTS, INTS, INTS), st.integers(0, 63), st.integers(1, 255))
def test_a_byte_that_changed_is_noticed(ints, at, change):
    memory, writer = ring(plain)
    writer.put(77, *ints)
    memory[64 + at] ^= change
    assert decode_slot(bytes(memory[64:128])) is None


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 7), st.tuples(INTS, INTS, INTS, INTS))
def test_a_slot_that_was_written_half_is_noticed(words, ints):
    """Every word that a writer may have come to before it was killed."""
    memory, writer = ring(plain)
    writer.put(77, 1, 2, 3, 4)
    old = bytes(memory[64:128])
    for _ in range(SLOTS):
        writer.put(78, *ints)
    torn = bytes(memory[64 : 64 + words * 8]) + old[words * 8 :]
    assert decode_slot(torn) is None
