"""Lines that come again and again, with literal times."""

import pytest
from twisted.logger import LogPublisher

from corosync_tw.logsys.format import LineFormat, Record
from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.logger import SubsysLogger
from corosync_tw.logsys.repeats import (
    INTERVAL_NS,
    KINDS_MAX,
    LINES_PER_INTERVAL_MAX,
    Repeats,
)
from corosync_tw.logsys.settings import LogSettings, SubsysSettings, Timestamp
from corosync_tw.logsys.sinks import SocketSink, SyslogSink
from corosync_tw.logsys.system import Logsys
from corosync_tw.logsys.traces import RETRANSMIT_LIST, describe_trace
from corosync_tw.totem.trace import TraceCode


class Clock:
    now_ns = 0

    def __call__(self):
        return self.now_ns


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def repeats(clock):
    return Repeats(clock)


def record(text="same", subsys="TOTEM"):
    return Record(0.0, Level.NOTICE, subsys, text)


def texts(records):
    return [each.text for each in records]


def test_a_few_are_printed_and_the_rest_is_told_of(repeats, clock):
    printed = [line for _ in range(100) for line in repeats.admit(record())]
    assert texts(printed) == ["same"] * LINES_PER_INTERVAL_MAX
    assert repeats.due() == []
    clock.now_ns = INTERVAL_NS
    assert texts(repeats.due()) == ["same (90 more like it within 10 s)"]
    assert repeats.due() == []
    assert repeats.suppressed_lines == 90
    assert texts(repeats.admit(record())) == ["same"]


def test_what_is_said_at_another_level_or_elsewhere_is_another_kind(repeats):
    for _ in range(LINES_PER_INTERVAL_MAX + 1):
        repeats.admit(record())
    worse = record()._replace(level=Level.ERROR)
    assert repeats.admit(worse) == [worse]
    assert texts(repeats.admit(record(subsys="CPG"))) == ["same"]
    assert repeats.admit(record()) == []


def test_what_goes_on_is_not_forgotten_for_what_came_once(repeats):
    for _ in range(LINES_PER_INTERVAL_MAX + 1):
        repeats.admit(record())
    for number in range(2 * KINDS_MAX):
        repeats.admit(record(str(number)))
        assert repeats.admit(record()) == []


def test_a_line_after_the_interval_comes_behind_the_count(repeats, clock):
    for _ in range(LINES_PER_INTERVAL_MAX + 1):
        repeats.admit(record())
    clock.now_ns = INTERVAL_NS
    assert texts(repeats.admit(record())) == ["same (1 more like it within 10 s)", "same"]


def test_different_lines_are_not_limited(repeats):
    for number in range(10 * LINES_PER_INTERVAL_MAX):
        assert len(repeats.admit(record(str(number)))) == 1
    for subsys in ("CPG", "CFG"):
        assert len(repeats.admit(record("0", subsys))) == 1


def test_kinds_are_bounded_and_what_makes_room_is_told_of(repeats):
    for _ in range(LINES_PER_INTERVAL_MAX + 5):
        repeats.admit(record())
    printed = []
    for number in range(KINDS_MAX):
        printed += repeats.admit(record(str(number)))
    assert "same (5 more like it within 10 s)" in texts(printed)
    assert len(repeats._intervals) == KINDS_MAX


def test_a_flood_of_retransmit_lists_is_limited_though_each_differs(tmp_path, clock):
    path = tmp_path / "x.log"
    target = SubsysSettings(False, False, True, str(path))
    logsys = Logsys(LogSettings(target, timestamp=Timestamp.OFF), now_ns=clock)
    log = SubsysLogger("TOTEM", publisher=LogPublisher(logsys))
    for seq in range(500):
        (message,) = describe_trace(TraceCode.RETRANSMIT_LIST, (seq, seq + 1))
        log.emit(message.level, "{text}", text=message.text, corosync_kind=message.kind)
    log.notice("Token has not been received in 750 ms ")
    clock.now_ns = INTERVAL_NS
    logsys.tick()
    logsys.close()
    lines = path.read_text().splitlines()
    assert len(lines) == LINES_PER_INTERVAL_MAX + 2
    assert sum(RETRANSMIT_LIST in line for line in lines) == LINES_PER_INTERVAL_MAX + 1
    assert lines[-1].endswith("Retransmit List: 1f3 1f4 (490 more like it within 10 s)")
    assert logsys.repeats.suppressed_lines == 490


def test_what_is_held_back_is_told_of_at_the_end(tmp_path, clock):
    path = tmp_path / "x.log"
    target = SubsysSettings(False, False, True, str(path))
    logsys = Logsys(LogSettings(target, timestamp=Timestamp.OFF), now_ns=clock)
    log = SubsysLogger("TOTEM", publisher=LogPublisher(logsys))
    for _ in range(12):
        log.notice("again")
    logsys.stop()
    assert path.read_text().splitlines()[-1].endswith("again (2 more like it within 10 s)")
    logsys.close()


def test_a_target_that_begins_to_lose_lines_is_told_of_once(tmp_path):
    path = tmp_path / "x.log"
    target = SubsysSettings(False, False, True, str(path))
    broken = SubsysSettings(False, False, True, "/dev/full")
    logsys = Logsys(LogSettings(target, {"CPG": broken}, Timestamp.OFF))
    log = SubsysLogger("CPG", publisher=LogPublisher(logsys))
    for _ in range(3):
        log.notice("lost")
        logsys.tick()
    logsys.close()
    (line,) = path.read_text().splitlines()
    assert line.endswith("Log messages are lost at /dev/full: No space left on device.")
    assert logsys.dropped_lines == 3


def test_a_system_log_that_this_machine_never_had_is_not_missed(tmp_path):
    path = tmp_path / "x.log"
    target = SubsysSettings(False, True, True, str(path))
    settings = LogSettings(target, timestamp=Timestamp.OFF)
    logsys = Logsys(settings)
    absent = SyslogSink(LineFormat(settings), "daemon", str(tmp_path / "none"))
    for each in logsys.targets:
        if isinstance(each.sink, SocketSink):
            each.sink.close()
            each.sink = absent
    SubsysLogger("CPG", publisher=LogPublisher(logsys)).notice("said")
    logsys.tick()
    logsys.close()
    assert [line.rpartition("] ")[2] for line in path.read_text().splitlines()] == ["said"]
    assert logsys.dropped_lines == 1
