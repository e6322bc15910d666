"""Files of recorders become lives of processes."""

import pytest

from corosync_tw.diagnosis.incidents.lives import End
from corosync_tw.diagnosis.incidents.recorded import lives_of
from corosync_tw.logsys.flight import recorder as recorder_module
from corosync_tw.logsys.flight.events import Code
from corosync_tw.logsys.flight.reading import Recording
from corosync_tw.logsys.flight.recorder import FlightRecorder

S = 1_000_000_000
HOUR = 3600 * S
NOON = 1_795_438_800 * S


@pytest.fixture
def process(tmp_path, monkeypatch):
    """Record a process of node 1 that is killed, by the times of its clocks when it starts."""

    def record(monotonic_ns, wall_ns, boot_id=b"a" * 16):
        monkeypatch.setattr(recorder_module, "_boot_id", lambda: boot_id)
        recorder = FlightRecorder(
            str(tmp_path / "flight-1.rec"),
            1,
            slots=(64, 64, 64),
            now_ns=lambda: monotonic_ns,
            wall_ns=lambda: wall_ns,
        )
        recorder.record(Code.NODE_READY)
        recording = Recording(recorder.snapshot(), "test")
        recorder.close()
        return recording

    return record


def ends(*recordings):
    return [
        (life.records[0].monotonic_ns // S, life.end)
        for life in lives_of((recording, False) for recording in recordings)
    ]


def test_a_process_that_another_one_follows_was_killed(process):
    assert ends(process(20 * S, NOON + 20 * S), process(10 * S, NOON + 10 * S)) == [
        (10, End.KILLED),
        (20, End.OPEN),
    ]


def test_a_clock_that_was_set_back_between_them_changes_nothing(process):
    assert ends(process(20 * S, NOON - HOUR), process(10 * S, NOON)) == [
        (10, End.KILLED),
        (20, End.OPEN),
    ]


def test_of_several_boots_the_wall_clock_tells(process):
    later = process(5 * S, NOON + HOUR, b"b" * 16)
    assert ends(later, process(10 * S, NOON)) == [(10, End.KILLED), (5, End.OPEN)]
    unknown = [process(5 * S, NOON + HOUR, bytes(16)), process(10 * S, NOON, bytes(16))]
    assert ends(*unknown) == [(10, End.KILLED), (5, End.OPEN)]
