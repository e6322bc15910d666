"""Files are followed while they are written, wrapped and replaced."""

import os
from itertools import count

import pytest

from corosync_tw.kernels.plain.recording import SLOT_LEN_BYTES
from corosync_tw.logsys.flight.events import TRACES, Code
from corosync_tw.logsys.flight.following import Follower, _LaneReader
from corosync_tw.logsys.flight.layout import HEADER_LEN_BYTES, RecordingError
from corosync_tw.logsys.flight.recorder import FlightRecorder
from corosync_tw.totem.trace import TraceCode

LATE = TRACES + TraceCode.TOKEN_LATE
VISIT = TRACES + TraceCode.TOKEN_RECEIVED
SLOTS = 64


@pytest.fixture
def path(tmp_path):
    return str(tmp_path / "flight-7.rec")


def recorder_at(path):
    return FlightRecorder(path, 7, slots=(SLOTS, SLOTS, SLOTS), now_ns=count(10**9).__next__)


def waited(records):
    return [record.values["waited"] for record in records]


def test_what_is_new_is_given_once(path):
    recorder = recorder_at(path)
    recorder.record(LATE, 1)
    follower = Follower(path)
    assert waited(follower.poll()) == [1]
    assert follower.poll() == []
    recorder.record(LATE, 2)
    recorder.record(LATE, 3)
    assert waited(follower.poll()) == [2, 3]
    assert follower.lost == 0
    follower.close()


def test_the_past_may_be_left_out(path):
    recorder = recorder_at(path)
    for n in range(100):
        recorder.record(LATE, n)
    follower = Follower(path, from_start=False)
    assert follower.poll() == []
    recorder.record(LATE, 100)
    assert waited(follower.poll()) == [100]


def test_a_clock_that_is_set_back_puts_nothing_out_of_order(path):
    recorder = recorder_at(path)
    recorder.mark_clock(5 * 10**12)
    recorder.record(LATE, 1)
    recorder.mark_clock(10**12)
    recorder.record(LATE, 2)
    first, second = Follower(path).poll()
    assert first.time_ns > second.time_ns
    assert first.aligned_ns < second.aligned_ns == second.time_ns


def test_a_ring_that_wraps_is_followed(path):
    recorder = recorder_at(path)
    follower = Follower(path)
    seen = []
    for n in range(10 * SLOTS):
        recorder.record(LATE, n)
        if n % 50 == 49:
            seen += waited(follower.poll())
    seen += waited(follower.poll())
    assert seen == list(range(10 * SLOTS))
    assert follower.lost == 0


def test_what_was_overwritten_is_counted(path):
    recorder = recorder_at(path)
    follower = Follower(path)
    for n in range(200):
        recorder.record(LATE, n)
    assert waited(follower.poll()) == list(range(200 - SLOTS, 200))
    assert follower.lost == 200 - SLOTS


def test_texts_and_lists_come_whole_or_not_at_all(path):
    recorder = recorder_at(path)
    follower = Follower(path)
    seen = []
    for n in range(30):
        recorder.record_text(Code.MEMBER_LEFT, (n,), "x" * 200)
        seen += follower.poll()
    assert [record.values["node"] for record in seen] == list(range(30))
    assert {record.values["reason"] for record in seen} == {"x" * 200}


def test_a_record_whose_end_is_not_there_yet_is_waited_for(path):
    recorder = recorder_at(path)
    recorder.record_text(Code.MEMBER_LEFT, (1,), "x" * 40)
    recorder.record_text(Code.MEMBER_LEFT, (2,), "y" * 200)
    whole = recorder.snapshot()
    end = whole.index(b"y" * 8) + 100
    with open(path, "r+b") as file:
        file.seek(end)
        file.write(bytes(len(whole) - end))
        file.flush()
        follower = Follower(path)
        assert [record.values["node"] for record in follower.poll()] == [1]
        assert follower.poll() == []
        file.seek(0)
        file.write(whole)
    (record,) = follower.poll()
    assert record.values["reason"] == "y" * 200


def test_a_slot_that_is_damaged_does_not_stop_the_rest(path):
    recorder = recorder_at(path)
    for n in range(5):
        recorder.record(LATE, n)
    data = recorder.snapshot()
    at = data.index((2).to_bytes(8, "little") + bytes(24), 32768 + 64) & ~63
    with open(path, "r+b") as file:
        file.seek(at + 8)
        file.write(b"?")
    follower = Follower(path)
    found = waited(follower.poll())
    assert len(found) == 4
    recorder.record(LATE, 5)
    assert waited(follower.poll()) == [5]


def test_records_of_all_lanes_come_by_time_however_fast_they_are_written(path, monkeypatch):
    recorder = recorder_at(path)
    follower = Follower(path)
    written = count()
    read = _LaneReader.read

    def read_while_it_is_written(lane):
        found = read(lane)
        # Between the looks at two lanes, all of them get more.
        for code in (LATE, VISIT, Code.PROGRAM_GONE):
            recorder.record(code, next(written))
        return found

    monkeypatch.setattr(_LaneReader, "read", read_while_it_is_written)
    seen = [record for _ in range(20) for record in follower.poll()]
    monkeypatch.undo()
    seen += follower.poll()
    times = [record.monotonic_ns for record in seen]
    assert times == sorted(times)
    assert len(times) == next(written)


def test_data_that_is_damaged_cuts_one_record_short(path):
    recorder = recorder_at(path)
    recorder.record_text(Code.MEMBER_LEFT, (1,), "x" * 100 + "y" * 100)
    recorder.record(LATE, 1)
    data = bytearray(recorder.snapshot())
    with open(path, "r+b") as file:
        file.seek(data.index(b"y" * 8) + 60)
        file.write(b"?")
    follower = Follower(path)
    cut, late = follower.poll()
    assert (cut.whole, cut.values["reason"], late.values["waited"]) == (
        False,
        "x" * 100 + "y" * 44,
        1,
    )
    assert follower.lost == 0


def test_slots_that_are_damaged_in_a_row_are_counted(path):
    recorder = recorder_at(path)
    for n in range(6):
        recorder.record(LATE, n)
    with open(path, "r+b") as file:
        file.seek(HEADER_LEN_BYTES + 3 * SLOT_LEN_BYTES)
        file.write(bytes(2 * SLOT_LEN_BYTES))
    follower = Follower(path)
    assert waited(follower.poll()) == [0, 1, 4, 5]
    assert follower.lost == 2


def test_a_file_that_is_cut_short_is_followed_as_far_as_it_goes(path):
    recorder = recorder_at(path)
    recorder.record(LATE, 1)
    with open(f"{path}.cut", "wb") as file:
        file.write(recorder.snapshot()[: HEADER_LEN_BYTES + 2 * SLOT_LEN_BYTES])
    assert waited(Follower(f"{path}.cut").poll()) == [1]


def test_a_slot_that_is_written_while_it_is_read_is_not_lost(path, monkeypatch):
    recorder = recorder_at(path)
    for n in range(6):
        recorder.record(LATE, n)
    follower = Follower(path)
    torn = HEADER_LEN_BYTES + 3 * SLOT_LEN_BYTES
    pread = os.pread
    looks = count()

    def pread_as_it_is_written(descriptor, length, at):
        data = bytearray(pread(descriptor, length, at))
        if next(looks) == 0 and at <= torn < at + length:
            data[torn - at + 8 : torn - at + 16] = bytes(8)
        return bytes(data)

    monkeypatch.setattr(os, "pread", pread_as_it_is_written)
    assert waited(follower.poll()) == list(range(6))
    assert follower.lost == 0


def test_the_next_process_is_followed_as_well(path):
    first = recorder_at(path)
    follower = Follower(path)
    first.record(LATE, 1)
    os.rename(path, f"{path}.kept")
    assert waited(follower.poll()) == [1]
    first.record(LATE, 2)
    second = recorder_at(path)
    second.record(LATE, 3)
    assert waited(follower.poll()) == [2, 3]
    assert follower.restarts == 1
    second.record(LATE, 4)
    assert waited(follower.poll()) == [4]


def test_what_is_no_recording_cannot_be_followed(tmp_path):
    with pytest.raises(RecordingError, match="No such file"):
        Follower(str(tmp_path / "none"))
    (tmp_path / "text").write_text("x" * 99999)
    with pytest.raises(RecordingError, match="cannot be followed"):
        Follower(str(tmp_path / "text"))
