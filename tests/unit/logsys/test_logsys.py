"""Lines, routes, spools: what reaches which target, and in which form."""

import os
import re
import threading

import pytest
from twisted.logger import Logger, LogLevel, LogPublisher

from corosync_tw.logsys import targets
from corosync_tw.logsys.format import LineFormat, Record, clean
from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.logger import SubsysLogger
from corosync_tw.logsys.settings import Debug, LogSettings, SubsysSettings, Timestamp
from corosync_tw.logsys.sinks import FdSink
from corosync_tw.logsys.system import LINES_PER_EVENT_MAX, LogFileError, Logsys, Targets
from corosync_tw.logsys.targets import Target


class ListSink:
    """Keeps what is written; ``gate`` holds the writer back."""

    def __init__(self):
        self.lines = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Event()
        self.closed = False

    fault = ""

    def write(self, records):
        self.entered.set()
        self.gate.wait(10)
        self.lines += [record.text for record in records]
        return 0

    def close(self):
        self.closed = True


def record(text="hello", level=Level.NOTICE, subsys="MAIN", **more):
    return Record(0.25, level, subsys, text, **more)


@pytest.fixture
def logfile(tmp_path):
    path = tmp_path / "corosync.log"
    settings = LogSettings(
        SubsysSettings(to_stderr=False, to_syslog=False, to_logfile=True, logfile=str(path)),
        timestamp=Timestamp.OFF,
    )
    return path, settings


def test_stderr_line_is_stocks():
    line = LineFormat(LogSettings(timestamp=Timestamp.OFF)).stderr(record(subsys="TOTEM"))
    assert line == "notice  [TOTEM ] hello\n"


def test_file_line_is_stocks():
    line = LineFormat(LogSettings(timestamp=Timestamp.OFF), "host").file(record(level=Level.INFO))
    assert line == f"[{os.getpid()}] host corosync info    [MAIN  ] hello\n"


def test_syslog_line_has_neither_time_nor_level():
    assert LineFormat(LogSettings()).syslog(record(subsys="QUORUM")) == "  [QUORUM] hello"
    bare = LineFormat(LogSettings(timestamp=Timestamp.OFF))
    assert bare.syslog(record(subsys="QUORUM")) == " [QUORUM] hello"


def test_subsystem_is_cut_to_six_as_stock_does():
    assert "[VOTEQU]" in LineFormat(LogSettings()).stderr(record(subsys="VOTEQUORUM"))


@pytest.mark.parametrize(
    ("timestamp", "pattern"),
    [
        (Timestamp.HIRES, r"^\w{3} \d\d \d\d:\d\d:\d\d\.250 notice"),
        (Timestamp.ON, r"^\w{3} \d\d \d\d:\d\d:\d\d notice"),
        (Timestamp.OFF, r"^notice"),
    ],
)
def test_timestamps(timestamp, pattern):
    assert re.match(pattern, LineFormat(LogSettings(timestamp=timestamp)).stderr(record()))


@pytest.mark.parametrize(
    ("more", "where"),
    [
        ({"place": "main.py:12", "function": "start"}, "main.py:start:12"),
        ({"place": "main.py:12"}, "main.py:12"),
        ({"function": "start"}, "start"),
    ],
)
def test_place_and_function(more, where):
    line = LineFormat(LogSettings(timestamp=Timestamp.OFF)).stderr(record(**more))
    assert line == f"notice  [MAIN  ] {where} hello\n"


def test_control_characters_cannot_forge_a_line():
    assert clean("a\nb\x1b[31m\x00\tc") == "a\\x0ab\\x1b[31m\\x00\tc"
    assert len(clean("x" * 100_000)) < 5000


@pytest.mark.parametrize(("debug", "expected"), [(Debug.OFF, 6), (Debug.ON, 7), (Debug.TRACE, 8)])
def test_debug_lowers_the_threshold(debug, expected):
    assert SubsysSettings(debug=debug).threshold(Level.INFO) == expected


def test_levels_and_subsystems_are_filtered(logfile):
    path, settings = logfile
    quiet = SubsysSettings(False, False, True, str(path), Level.ERROR)
    loud = SubsysSettings(False, False, True, str(path), debug=Debug.TRACE)
    logsys = Logsys(LogSettings(settings.default, {"CPG": quiet, "TOTEM": loud}, Timestamp.OFF))
    publisher = LogPublisher(logsys)
    for name in ("MAIN", "CPG", "TOTEM"):
        log = SubsysLogger(name, publisher=publisher)
        for level in Level:
            log.emit(level, "{name}", name=level.name)
    logsys.close()
    counts = {name: path.read_text().count(f"[{name:<6}]") for name in ("MAIN", "CPG", "TOTEM")}
    assert counts == {"MAIN": 7, "CPG": 4, "TOTEM": 9}
    assert logsys.level_max("CPG") is Level.ERROR
    assert logsys.level_max("TOTEM") is Level.TRACE
    assert logsys.level_max("SYNC") is Level.INFO


def test_logger_makes_no_event_nobody_prints():
    seen = []
    log = SubsysLogger("TOTEM", Level.INFO, publisher=LogPublisher(seen.append))
    log.debug("no")
    log.info("yes")
    assert [event["log_format"] for event in seen] == ["yes"]


def test_caller_is_found(logfile):
    path, settings = logfile
    logsys = Logsys(
        LogSettings(settings.default, timestamp=Timestamp.OFF, fileline=True, function_name=True)
    )
    SubsysLogger("MAIN", publisher=LogPublisher(logsys), with_place=True).notice("x")
    logsys.close()
    assert re.search(r" test_logsys\.py:test_caller_is_found:\d+ x$", path.read_text())


def test_twisted_chatter_is_debug_and_failures_keep_their_traceback(logfile):
    path, settings = logfile
    logsys = Logsys(settings)
    publisher = LogPublisher(logsys)
    Logger("twisted.internet", observer=publisher).info("Starting factory")
    Logger("twisted.internet", observer=publisher).warn("careful")
    Logger("corosync_tw.x", observer=publisher).info("ours")
    try:
        int("boom")
    except ValueError:
        Logger("x", observer=publisher).failure("it failed", level=LogLevel.critical)
    logsys.close()
    text = path.read_text()
    assert "Starting factory" not in text
    assert "warning [MAIN  ] careful" in text
    assert "info    [MAIN  ] ours" in text
    assert "crit    [MAIN  ] it failed" in text
    assert all(" corosync crit " in line for line in text.splitlines()[2:])
    assert "ValueError: invalid literal" in text


def test_one_event_is_no_flood_of_lines(logfile):
    path, settings = logfile
    logsys = Logsys(settings)
    text = "\n".join(map(str, range(2 * LINES_PER_EVENT_MAX)))
    SubsysLogger("MAIN", publisher=LogPublisher(logsys)).notice("{text}", text=text)
    logsys.close()
    lines = path.read_text().splitlines()
    assert len(lines) == LINES_PER_EVENT_MAX
    assert lines[-1].endswith(f" {LINES_PER_EVENT_MAX - 1}")


def test_what_our_own_modules_say_for_information_is_printed(logfile):
    path, settings = logfile
    logsys = Logsys(settings)
    publisher = LogPublisher(logsys)
    Logger("corosync_tw.net", observer=publisher).info("of ours")
    Logger("twisted.web", observer=publisher).info("of theirs")
    logsys.close()
    assert [line.rpartition("] ")[2] for line in path.read_text().splitlines()] == ["of ours"]


def test_one_file_for_two_subsystems_is_opened_once(logfile):
    path, settings = logfile
    logsys = Logsys(LogSettings(settings.default, {"CPG": settings.default}))
    assert [target.name for target in logsys.targets] == [str(path)]
    logsys.close()


def test_unopenable_file_says_which_and_why(tmp_path):
    bad = str(tmp_path / "none" / "x.log")
    settings = LogSettings(SubsysSettings(to_logfile=True, logfile=bad))
    with pytest.raises(LogFileError, match=r"Can't open logfile '.*x.log' for reason: No such"):
        Logsys(settings)


def test_reopen_follows_the_name(logfile):
    path, settings = logfile
    logsys = Logsys(settings)
    log = SubsysLogger("MAIN", publisher=LogPublisher(logsys))
    log.notice("one")
    path.rename(path.with_suffix(".1"))
    logsys.reopen()
    log.notice("two")
    logsys.close()
    assert "one" in path.with_suffix(".1").read_text()
    assert "two" in path.read_text()
    assert "one" not in path.read_text()


def test_full_disk_is_counted():
    with open("/dev/full", "wb") as full:
        sink = FdSink(LineFormat(LogSettings()), fd=full.fileno())
        target = Target(sink, "full")
        target.put(record())
    assert target.dropped_lines == 1


def test_slow_target_drops_counts_and_reports():
    sink = ListSink()
    sink.gate.clear()
    target = Target(sink, "slow", lines_max=3)
    target.start()
    target.put(record("first"))
    assert sink.entered.wait(10)
    for number in range(10):
        target.put(record(str(number)))
    assert target.dropped_lines == 7
    sink.gate.set()
    target.close()
    assert sink.lines[:4] == ["first", "0", "1", "2"]
    assert sink.lines[4].startswith("7 messages lost")
    assert sink.closed


def test_order_is_kept_and_close_flushes():
    sink = ListSink()
    target = Target(sink, "x")
    target.put(record("before the thread"))
    target.start()
    for number in range(500):
        target.put(record(str(number)))
    target.close()
    assert sink.lines == ["before the thread", *map(str, range(500))]


def test_a_writer_that_stands_still_is_left_alone(monkeypatch):
    """It has the sink: nobody else writes there, nor takes the descriptor away from under it."""
    monkeypatch.setattr(targets, "CLOSE_TIMEOUT_S", 0.0)
    sink = ListSink()
    sink.gate.clear()
    target = Target(sink, "x")
    target.start()
    target.put(record("first"))
    assert sink.entered.wait(10)
    writer = target._thread
    target.close()
    sink.entered.clear()
    target.put(record("late"))
    assert not sink.entered.is_set()
    assert not sink.closed
    sink.gate.set()
    writer.join(10)
    assert sink.lines == ["first"]


class FullSink(ListSink):
    """Loses all while it is full."""

    full = True
    fault = "it is full"

    def write(self, records):
        return len(records) if self.full else super().write(records)


def test_what_overflowed_is_told_of_after_the_writes_that_failed():
    """Lines that found no room, and the line that should have told of them."""
    sink = FullSink()
    target = Target(sink, "x")
    target._write([record("one"), record("two")], overflowed=5)
    assert target.dropped_lines == 2
    sink.full = False
    target._write([record("three")], 0)
    assert sink.lines == ["7 messages lost: it is full.", "three"]


def test_targets_close_all_when_one_cannot_be_opened(tmp_path):
    good = SubsysSettings(False, False, True, str(tmp_path / "good.log"))
    bad = SubsysSettings(False, False, True, str(tmp_path / "none" / "bad.log"))
    opened = Targets(LogSettings(good, {"CPG": bad}))
    opened.route(good)
    with pytest.raises(LogFileError):
        opened.route(bad)
    assert [target.sink._fd for target in opened] == [-1]


def test_other_settings_take_over_and_wait_for_no_target_that_stands_still(tmp_path, logfile):
    _, settings = logfile
    logsys = Logsys(settings)
    (slow,) = logsys.targets
    stuck = ListSink()
    stuck.gate.clear()
    slow.sink, real = stuck, slow.sink
    logsys.start()
    log = SubsysLogger("MAIN", publisher=LogPublisher(logsys))
    log.notice("one")
    assert stuck.entered.wait(10)
    slow.dropped_lines = 4
    other = tmp_path / "other.log"
    target = SubsysSettings(False, False, True, str(other), debug=Debug.ON)
    logsys.take_over(Logsys(LogSettings(target, timestamp=Timestamp.OFF, blackbox=False)))
    assert logsys.level_max("MAIN") is Level.DEBUG
    assert not logsys.history.keeping
    assert logsys.dropped_lines == 4
    log.notice("two")
    logsys.close()
    assert other.read_text().endswith("[MAIN  ] two\n")
    stuck.gate.set()
    real.close()
