"""What is written comes back, from files that are whole and from files that are not."""

import json
import os
import random
import signal
import struct
import subprocess
import sys
import tempfile
import zlib
from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.corotypes import RingId
from corosync_tw.logsys.flight import layout
from corosync_tw.logsys.flight.events import TRACES, Code
from corosync_tw.logsys.flight.layout import Ending, Lane, RecordingError
from corosync_tw.logsys.flight.reading import Recording
from corosync_tw.logsys.flight.record import stamp
from corosync_tw.logsys.flight.recorder import FlightRecorder
from corosync_tw.logsys.flight.table import EVENTS
from corosync_tw.logsys.flight.words import EVENTS_MAX, decode_table
from corosync_tw.totem.const import GatherFrom, MembState
from corosync_tw.totem.links import LinkEventKind
from corosync_tw.totem.trace import TraceCode

ROOT = Path(__file__).resolve().parents[4]
NODE = 7
WALL_NS = 1_700_000_000_000_000_000
SMALL = (64, 64, 64)


class Clock:
    def __init__(self, now_ns=5_000_000_000):
        self.now_ns = now_ns

    def __call__(self):
        self.now_ns += 1000
        return self.now_ns


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def recorder(tmp_path, clock):
    made = FlightRecorder(
        str(tmp_path / "flight-7.rec"), NODE, slots=SMALL, now_ns=clock, wall_ns=lambda: WALL_NS
    )
    yield made
    made.close()


def read(recorder):
    return Recording(recorder.snapshot(), "test")


def said(recorder):
    return [record.text for record in read(recorder).records()]


def test_events_come_back_in_words(recorder):
    state = TRACES + TraceCode.STATE_ENTERED
    lost = int(GatherFrom.THE_TOKEN_WAS_LOST_IN_THE_OPERATIONAL_STATE)
    recorder.record(TRACES + TraceCode.TOKEN_LOST, MembState.OPERATIONAL, 1000, 1200)
    recorder.record(state, MembState.OPERATIONAL, MembState.GATHER, lost)
    recorder.record(state, MembState.GATHER, MembState.COMMIT, 0)
    recorder.record_list(TRACES + TraceCode.CONSENSUS_TIMED_OUT, (), (2, 3))
    recorder.record_list(TRACES + TraceCode.RETRANSMIT_LIST, (), (0xAB, 0xFFFFFFFF))
    recorder.record_text(Code.MEMBER_LEFT, (2,), "token lost\n\x1b[31m")
    recorder.record_list(Code.RING_INSTALLED, (1, 0x20), (1, 7))
    assert said(recorder) == [
        "the token was lost in the OPERATIONAL state: nothing for 1000 ms; consensus has 1200 ms",
        "entering GATHER state from OPERATIONAL: The token was lost in the OPERATIONAL state.",
        "entering COMMIT state from GATHER",
        "the consensus timeout expired; not heard of: 2 3",
        "messages asked for by the token: ab ffffffff",
        "node 2 left the ring: token lost??[31m",
        "ring 1.20 is installed, members: 1 7",
    ]


def test_a_record_has_all_that_a_program_wants(recorder):
    recorder.record_list(Code.QUORUM_CHANGED, (1, 3, 0x44), (3, 7))
    (record,) = read(recorder).records()
    told = record.as_dict()
    assert json.loads(json.dumps(told)) == {
        "time": "2023-11-14T22:13:20.000002Z",
        "time_ns": WALL_NS + 2000,
        "monotonic_ns": 5_000_003_000,
        "nodeid": 7,
        "ring": None,
        "subsys": "QUORUM",
        "event": "quorum_changed",
        "values": {"quorate": 1, "rep": 3, "ring_seq": 0x44, "members": [3, 7]},
        "text": "quorate: yes; members: 3 7",
    }


def test_events_with_more_integers_than_a_slot_has_are_whole(recorder):
    recorder.record(0x202, 1, 5, 2, 3, 4_000_000, -1)
    (record,) = read(recorder).records()
    assert record.values == {
        "link": 1,
        "node": 5,
        "cause": 2,
        "clean": 3,
        "faulty": 4_000_000,
        "hold": -1,
    }
    assert record.text == "network 1 is used again (told): it was faulty for 4.000 ms; node 5"


def test_integers_that_fit_nowhere_are_cut_to_what_fits(recorder):
    recorder.record(Code.RELOAD_DONE, 1 << 70)
    recorder.record(0x202, 1, 5, 2, 3, 1 << 70, 0)
    first, second = read(recorder).records()
    assert first.values["error"] == second.values["faulty"] == (1 << 63) - 1


def test_every_event_of_the_table_is_written_and_said(recorder):
    """Every field finds its place, and no text has a field that is not there."""
    for event in EVENTS.values():
        numbers = [f for f in event.fields if f.kind not in {"text", "nodes", "seqs"}]
        ints = range(1, len(numbers) + 1)
        if len(numbers) == len(event.fields):
            recorder.record(event.code, *ints)
        elif event.fields[-1].kind == "text":
            recorder.record_text(event.code, ints, "words")
        else:
            recorder.record_list(event.code, ints, (8, 9))
        found = next(r for r in read(recorder).records() if r.event == event)
        assert len(found.values) == len(event.fields)
        assert "?" not in found.text
        assert "{" not in found.text


def test_every_trace_of_the_core_and_every_event_of_links_is_in_the_table():
    assert {0x100 + code for code in TraceCode} <= EVENTS.keys()
    assert {0x200 + kind for kind in LinkEventKind} <= EVENTS.keys()
    assert set(Code) <= EVENTS.keys()
    assert len({event.name for event in EVENTS.values()}) == len(EVENTS)


def test_visits_of_the_token_push_nothing_else_out(recorder):
    recorder.record(TRACES + TraceCode.TOKEN_LATE, 650)
    put = recorder.writer(TRACES + TraceCode.TOKEN_RECEIVED)
    for seq in range(1000):
        put(TRACES + TraceCode.TOKEN_RECEIVED, seq, seq, seq, 0)
    records = list(read(recorder).records())
    assert records[0].text == "no token for 650 ms"
    assert [r.values["token_seq"] for r in records[1:]] == list(range(936, 1000))
    assert read(recorder).overwritten()[Lane.VISITS] == 936


def test_records_know_the_ring_that_they_belong_to(recorder):
    state, visit = TRACES + TraceCode.STATE_ENTERED, TRACES + TraceCode.TOKEN_RECEIVED
    recorder.record(visit, 90, 90, 90)
    recorder.record(Code.SAMPLE, 1, 8, 0, 0)
    recorder.record(visit, 91, 91, 91)
    recorder.record(state, MembState.OPERATIONAL, MembState.GATHER, 2)
    recorder.record(state, MembState.COMMIT, MembState.RECOVERY, 0)
    recorder.record(visit, 1, 1, 1)
    recorder.record(state, MembState.RECOVERY, MembState.GATHER, 5)
    recorder.record(state, MembState.COMMIT, MembState.RECOVERY, 0)
    recorder.record(visit, 2, 2, 2)
    recorder.record_list(Code.RING_INSTALLED, (1, 16), (1,))
    recorder.record(visit, 3, 3, 3)
    rings = {
        r.values["seq"]: r.ring for r in read(recorder).records() if r.name == "token_received"
    }
    old, new = RingId(1, 8), RingId(1, 16)
    assert rings == {90: old, 91: old, 1: None, 2: new, 3: new}


def test_visits_that_came_before_their_state_are_of_the_ring_to_come(recorder):
    """A node that is alone takes its own token before it can tell that it recovers."""
    state, visit = TRACES + TraceCode.STATE_ENTERED, TRACES + TraceCode.TOKEN_RECEIVED
    recorder.record_list(Code.RING_INSTALLED, (1, 8), (1, 7))
    recorder.record(visit, 90, 90, 90)
    recorder.record(state, MembState.OPERATIONAL, MembState.GATHER, 2)
    recorder.record(visit, 1, 1, 1)
    recorder.record(visit, 2, 2, 2)
    recorder.record(state, MembState.GATHER, MembState.COMMIT, 0)
    recorder.record(Code.SAMPLE, 1, 8, 0, 0)
    recorder.record(state, MembState.COMMIT, MembState.RECOVERY, 0)
    recorder.record(visit, 3, 3, 3)
    recorder.record_list(Code.RING_INSTALLED, (7, 16), (7,))
    recorder.record(state, MembState.RECOVERY, MembState.OPERATIONAL, 0)
    recorder.record(visit, 4, 4, 4)
    # Numbers of one ring only grow.
    recorder.record(visit, 5, 5, 1)
    recorder.record(visit, 6, 6, 2)
    recorder.record_list(Code.RING_INSTALLED, (7, 20), (7,))
    found = [(r.values["seq"], r.ring) for r in read(recorder).records() if "token_seq" in r.values]
    old, new, last = RingId(1, 8), RingId(7, 16), RingId(7, 20)
    assert found == [(90, old), (1, new), (2, new), (3, new), (4, new), (5, last), (6, last)]


def test_a_step_of_the_clock_moves_what_follows_alone(recorder, clock):
    recorder.record(TRACES + TraceCode.TOKEN_LATE, 1)
    recorder.mark_clock(WALL_NS - 5_000_000_000 - 3_600_000_000_000)
    recorder.record(TRACES + TraceCode.TOKEN_LATE, 2)
    first, second = read(recorder).records()
    assert second.monotonic_ns - first.monotonic_ns == 2000
    assert first.time_ns - second.time_ns == 3_600_000_000_000 - 1000 - 2000


def test_how_the_process_ended_is_told(recorder):
    assert read(recorder).running
    recorder.end(Ending.FATAL, 21)
    assert (read(recorder).ending, read(recorder).exit_code) == (Ending.FATAL, 21)
    assert not read(recorder).running


def test_a_closed_recorder_takes_no_notice(recorder):
    recorder.close()
    recorder.record(Code.NODE_READY)
    recorder.record_text(Code.LOG, (3, 0), "late")
    assert said(recorder) == []


def test_another_version_is_read_by_the_table_in_its_file(recorder):
    data = bytearray(recorder.snapshot())
    recorder.record(Code.NODE_READY)
    table = json.dumps(
        {
            "events": [[Code.NODE_READY, "other_name", "ELSE", "a:colour b", "{a} {b}[ {c}][{b}]"]],
            "words": {"colour": {"0": "red"}},
        }
    ).encode()
    data = rewritten(recorder.snapshot(), table)
    (record,) = Recording(data, "test").records()
    assert (record.name, record.subsys, record.text) == ("other_name", "ELSE", "red 0")


def rewritten(data, table):
    head, _ = layout.decode_head(data)
    return layout.encode_head(replace(head, table=table)) + data[layout.HEADER_LEN_BYTES :]


@pytest.mark.parametrize(
    "table",
    [
        b"[]",
        b"{",
        b"\xff",
        b'{"events": 5, "words": {}}',
        b'{"events": [[1]], "words": {}}',
        b'{"events": [["1", "a", "b", "", ""]], "words": {}}',
        b'{"events": [[770, "A B", "b", "", ""]], "words": {}}',
        b'{"events": [[770, "a", "b", "x.y", ""]], "words": {}}',
        b'{"events": [[770, "a", 5, "x", ""]], "words": {}}',
        b'{"events": [], "words": {"a": {"b": "c"}}}',
        b'{"events": [], "words": []}',
        b"[" * 20000,
    ],
)
def test_a_table_that_is_none_is_replaced_by_ours(recorder, table):
    recorder.record(Code.NODE_READY)
    recording = Recording(rewritten(recorder.snapshot(), table), "test")
    assert "table of events" in " ".join(recording.damage)
    assert [r.text for r in recording.records()] == ["ready to provide service"]


def test_formats_of_a_hostile_table_do_nothing(recorder):
    recorder.record(Code.NODE_READY)
    text = "{a:>999999999}{a.__class__}{0}{{}}%s [{a}[{b}]] {b}\x1b[2J"
    row = [Code.NODE_READY, "x", "MAIN", "a b", text]
    table = json.dumps({"events": [row], "words": {}}).encode()
    (record,) = Recording(rewritten(recorder.snapshot(), table), "test").records()
    assert record.text.isprintable()
    assert len(record.text) < 100


def test_records_are_found_without_a_header(recorder):
    recorder.record(Code.NODE_READY)
    recorder.record(Code.SAMPLE, 1, 8, WALL_NS - 5_000_000_000, 3)
    data = bytearray(recorder.snapshot())
    data[: layout.HEADER_LEN_BYTES] = os.urandom(layout.HEADER_LEN_BYTES)
    recording = Recording(bytes(data), "test")
    assert recording.head is None
    assert recording.damage
    ready, _ = recording.records()
    assert ready.text == "ready to provide service"
    assert ready.time_ns == ready.monotonic_ns + WALL_NS - 5_000_000_000


@pytest.mark.parametrize("length", [0, 5, 100, 511, 4096, 32767, 32768, 32800, 33000])
def test_a_file_that_was_cut_short_gives_what_is_left(recorder, length):
    for n in range(30):
        recorder.record(TRACES + TraceCode.TOKEN_LATE, n)
    data = recorder.snapshot()[:length]
    if length < layout.HEAD.size + 4:
        with pytest.raises(RecordingError, match="test: no recording of corosync_tw"):
            Recording(data, "test")
        return
    recording = Recording(data, "test")
    assert "cut short" in " ".join(recording.damage)
    # The first place of a ring is that of its last slot.
    values = [record.values["waited"] for record in recording.records()]
    assert values == list(range(max(0, (length - layout.HEADER_LEN_BYTES) // 64 - 1)))


def test_lists_and_texts_that_were_written_over_in_part_are_told(recorder):
    recorder.record_text(Code.MEMBER_LEFT, (2,), "x" * 100)
    data = bytearray(recorder.snapshot())
    data[layout.HEADER_LEN_BYTES + 3 * 64 + 9] ^= 1
    (record,) = Recording(bytes(data), "test").records()
    assert not record.whole
    assert record.text == f"node 2 left the ring: {'x' * 48} (cut short)"


def test_a_file_in_the_other_byte_order_is_no_recording(recorder):
    recorder.record(Code.NODE_READY)
    data = recorder.snapshot()
    turned = b"".join(data[at : at + 8][::-1] for at in range(0, len(data), 8))
    with pytest.raises(RecordingError, match="it does not begin as a recording does"):
        Recording(turned, "turned")


def test_a_file_of_a_later_format_says_so_and_gives_what_is_whole(recorder):
    recorder.record(Code.NODE_READY)
    data = bytearray(recorder.snapshot())
    data[8:12] = struct.pack("<I", layout.FORMAT_VERSION + 1)
    crc_at = layout.HEAD.size
    data[crc_at : crc_at + 4] = struct.pack("<I", zlib.crc32(bytes(data[:crc_at])))
    recording = Recording(bytes(data), "later")
    assert "the file is of format 2, this program reads 1" in recording.damage
    assert [record.name for record in recording.records()] == ["node_ready"]


def test_longer_lists_than_there_is_room_for_are_cut(recorder):
    recorder.record_list(Code.RING_INSTALLED, (1, 8), range(1, 1000))
    (record,) = read(recorder).records()
    assert record.values["members"] == tuple(range(1, 481))


@settings(max_examples=150, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 60000), st.integers(0, 255)), max_size=30), st.data())
def test_files_that_were_changed_anyhow_are_read(changes, data):
    source = bytearray(MUTATED)
    for at, value in changes:
        source[at % len(source)] = value
    source = source[: data.draw(st.integers(0, len(source)))]
    try:
        recording = Recording(bytes(source), "test")
    except RecordingError as error:
        assert str(error).startswith("test: no recording")  # noqa: PT017
        return
    for record in recording.records():
        assert record.text.isprintable()
        json.dumps(record.as_dict())


@settings(max_examples=60, deadline=None)
@given(st.binary(max_size=400), st.integers(0, 7))
def test_whole_slots_of_any_content_are_read(body, lane):
    """What a hostile writer can make: sums that are right, and everything else wrong."""
    words = [1 | lane << 48, *struct.unpack("<6Q", body[:48].ljust(48, b"\1"))]
    check = (sum(words) + int.from_bytes(b"CTWREC01", "little")) % 2**64
    file = MUTATED[: layout.HEADER_LEN_BYTES] + struct.pack("<8Q", *words, check)
    for record in Recording(file, "test").records():
        assert record.text.isprintable()
        json.dumps(record.as_dict())


def mutated():
    with tempfile.TemporaryDirectory() as directory:
        recorder = FlightRecorder(f"{directory}/x", NODE, slots=SMALL, now_ns=Clock())
        dice = random.Random(1)
        for code in EVENTS:
            recorder.record(code, *(dice.randrange(100) for _ in range(4)))
        recorder.record_list(Code.RING_INSTALLED, (1, 8), range(90))
        return recorder.snapshot()


MUTATED = mutated()


def test_files_that_cannot_be_read_are_named(tmp_path):
    with pytest.raises(RecordingError, match=r"none\.rec: cannot be read: No such file"):
        Recording.open(tmp_path / "none.rec")
    with pytest.raises(RecordingError, match="Is a directory"):
        Recording.open(tmp_path)
    (tmp_path / "text").write_text("hello\n" * 9999)
    with pytest.raises(RecordingError, match="does not begin as a recording does"):
        Recording.open(tmp_path / "text")
    with (tmp_path / "long").open("wb") as file:
        file.truncate(layout.FILE_LEN_BYTES_MAX + 1)
    with pytest.raises(RecordingError, match="longer than 64 MiB"):
        Recording.open(tmp_path / "long")


@pytest.mark.parametrize("time_ns", [-1, 1 << 62, (1 << 63) - 1, -(1 << 63), 1 << 80])
def test_times_of_no_calendar_are_seconds(time_ns):
    assert stamp(time_ns)


def test_what_was_written_outlives_a_process_that_is_killed(tmp_path):
    path = tmp_path / "flight-7.rec"
    code = (
        "import os, signal\n"
        "from corosync_tw.logsys.flight.recorder import FlightRecorder\n"
        f"recorder = FlightRecorder({str(path)!r}, 7)\n"
        "for n in range(5000): recorder.record(0x104, n)\n"
        "os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=False)
    assert ended.returncode == -signal.SIGKILL
    recording = Recording.open(path)
    assert [record.values["waited"] for record in recording.records()] == list(range(5000))
    assert recording.running
    assert recording.damage == []


@pytest.mark.parametrize("slots", [(1 << 31, 64, 64), (1, 64, 64), (64, 64, 1 << 21)])
def test_rings_of_no_possible_size_are_damage(recorder, slots):
    """With a sum that is right: whoever made it meant harm."""
    data = recorder.snapshot()
    head, _ = layout.decode_head(data)
    hostile = layout.encode_head(replace(head, slots=slots)) + data[layout.HEADER_LEN_BYTES :]
    assert layout.decode_head(hostile) == (
        None,
        ["the header is damaged: a ring of no possible size"],
    )


def test_a_mark_of_the_clock_that_is_damaged_moves_nothing(recorder):
    recorder.record(Code.NODE_READY)
    recorder.mark_clock(WALL_NS)
    recorder.record(Code.NODE_READY)
    data = bytearray(recorder.snapshot())
    data[layout.MARKS_AT + layout.MARK.size] ^= 1
    before, after = Recording(bytes(data), "test").records()
    assert after.time_ns - before.time_ns == after.monotonic_ns - before.monotonic_ns


def test_a_table_has_no_more_events_than_one_has():
    rows = [[code, f"e{code}", "MAIN", "", "x"] for code in range(EVENTS_MAX + 1)]
    table = decode_table(json.dumps({"events": rows, "words": {}}).encode())
    assert table.event(EVENTS_MAX - 1).name == f"e{EVENTS_MAX - 1}"
    assert table.event(EVENTS_MAX).name == f"event_{EVENTS_MAX}"


def test_a_file_longer_than_any_recording_is_not_read(tmp_path):
    path = tmp_path / "long.rec"
    with path.open("wb") as file:
        file.truncate(layout.FILE_LEN_BYTES_MAX + 1)
    with pytest.raises(RecordingError, match="longer than 64 MiB"):
        Recording.open(path)
