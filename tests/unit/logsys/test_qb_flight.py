"""Records of the flight recorder among the messages of a blackbox."""

from corosync_tw.logsys.flight.events import TRACES, Code
from corosync_tw.logsys.flight.recorder import FlightRecorder
from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.qb_blackbox import BlackboxEntry, read_blackbox
from corosync_tw.logsys.qb_blackbox_write import write_blackbox
from corosync_tw.logsys.qb_flight import BREATH_ENTRIES, by_time, flight_entries
from corosync_tw.totem.const import MembState
from corosync_tw.totem.trace import TraceCode

WALL_NS = 1_700_000_000_000_000_000


def line(time_ns, text="said"):
    return BlackboxEntry(time_ns, Level.NOTICE, 0, "MAIN", 0, text)


def test_records_are_messages_between_those_of_the_log(tmp_path):
    recorder = FlightRecorder(
        str(tmp_path / "flight-7.rec"),
        7,
        slots=(64, 64, 64),
        now_ns=iter(range(5, 1000)).__next__,
        wall_ns=lambda: WALL_NS,
    )
    recorder.record(TRACES + TraceCode.TOKEN_LOST, MembState.OPERATIONAL, 1000, 1200)
    recorder.record(TRACES + TraceCode.TOKEN_RECEIVED, 0xFF, 0xFE, 3, 0)
    recorder.record_text(Code.LOG, (4,), "a warning")
    recorder.record_text(Code.MEMBER_LEFT, (2,), "token lost")
    data = recorder.snapshot()
    recorder.close()
    entries = list(by_time([line(WALL_NS - 5), line(WALL_NS + 1000)], flight_entries(data)))
    assert [(entry.level, entry.function) for entry in entries] == [
        (Level.NOTICE, "MAIN"),
        (Level.DEBUG, "token_lost"),
        (Level.TRACE, "token_received"),
        (Level.DEBUG, "member_left"),
        (Level.NOTICE, "MAIN"),
    ]
    assert [entry.tag for entry in entries] == [0, 3, 3, 3, 0]
    assert "ff" in entries[2].text
    assert list(read_blackbox(write_blackbox(entries))) == entries


def test_no_recording_gives_no_messages():
    assert list(flight_entries(b"")) == []
    assert list(flight_entries(b"no recording" * 1000)) == []


def test_many_lines_stay_in_order():
    lines = [line(number) for number in range(3 * BREATH_ENTRIES)]
    assert list(by_time(lines[::2], lines[1::2])) == lines
