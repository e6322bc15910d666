"""Targets that stand still, go away, come back, or are full: lines are lost and counted."""

import os
import select
import socket
import struct

import pytest

from corosync_tw.logsys import sinks
from corosync_tw.logsys.format import LineFormat, Record
from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.settings import LogSettings, Timestamp
from corosync_tw.logsys.sinks import FdSink, JournalSink, SyslogSink
from corosync_tw.logsys.targets import Target

PLAIN = LineFormat(LogSettings(timestamp=Timestamp.OFF), "host")


def record(text="hello", level=Level.NOTICE, subsys="TOTEM", **more):
    return Record(0.25, level, subsys, text, **more)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Wait for nobody."""
    monkeypatch.setattr(sinks, "PATIENCE_S", 0.0)
    monkeypatch.setattr(sinks, "RECONNECT_INTERVAL_S", 0.0)


@pytest.fixture
def listener(tmp_path):
    path = str(tmp_path / "log")
    made = []

    def listen():
        made.append(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM))
        made[-1].bind(path)
        made[-1].setblocking(False)
        return made[-1]

    listen.path = path
    yield listen
    for each in made:
        each.close()


def test_a_pipe_that_nobody_reads_takes_what_it_holds():
    reader, writer = os.pipe()
    sink = FdSink(PLAIN, fd=writer)
    lost = [sink.write([record("x" * 1000)]) for _ in range(200)]
    assert lost[:50] == [0] * 50
    assert lost[100:] == [1] * 100
    assert sink.fault == "it takes no more"
    while select.select([reader], [], [], 0)[0]:
        os.read(reader, 65536)
    assert sink.write([record("again")]) == 0
    assert sink.fault == ""
    # Should a line have been torn, it ends before the next one begins.
    assert os.read(reader, 65536).decode().lstrip("x\n") == "notice  [TOTEM ] again\n"
    os.close(reader)
    assert sink.write([record()]) == 1
    assert sink.fault == "Broken pipe"
    os.close(writer)


def test_a_fifo_without_a_reader_is_no_trap(tmp_path):
    path = str(tmp_path / "fifo")
    os.mkfifo(path)
    with pytest.raises(OSError, match="No such device or address"):
        FdSink(PLAIN, path=path)


def test_a_torn_line_is_ended_before_the_next(tmp_path):
    path = tmp_path / "x.log"
    sink = FdSink(PLAIN, path=str(path))
    sink.write([record("whole")])
    sink._torn = True
    sink.write([record("next")])
    sink.write([record("after")])
    sink.close()
    assert path.read_text().count("\n") == 4
    assert not sink._torn


def test_a_file_is_opened_again_under_the_same_descriptor(tmp_path):
    """A write of the thread may be under way with the old number."""
    path = tmp_path / "x.log"
    sink = FdSink(PLAIN, path=str(path))
    before = sink._fd
    path.rename(tmp_path / "x.log.1")
    sink.reopen()
    assert sink._fd == before
    sink.write([record("fresh")])
    assert "fresh" in path.read_text()
    path.unlink()
    path.mkdir()
    with pytest.raises(IsADirectoryError):
        sink.reopen()
    assert sink.write([record()]) == 0
    sink.close()


def test_syslog_lines_are_those_of_syslog_3(listener):
    daemon = listener()
    sink = SyslogSink(PLAIN, "local3", listener.path)
    assert sink.write([record(), record("fine", Level.TRACE), record("bad", Level.ERROR)]) == 0
    lines = [daemon.recv(4096).decode() for _ in range(3)]
    pid = os.getpid()
    assert [line.partition(">")[0] for line in lines] == ["<157", "<159", "<155"]
    assert all(
        line.endswith(f"corosync[{pid}]:  [TOTEM ] {text}")
        for line, text in zip(lines, ("hello", "fine", "bad"), strict=True)
    )
    assert lines[0][5:].startswith(PLAIN.syslog_time(record()) + " corosync")
    sink.close()


def test_debug_is_one_more_urgent_for_the_system_log():
    assert [sinks.syslog_priority(level) for level in Level] == [0, 1, 2, 3, 4, 5, 6, 6, 7]


def test_a_syslog_that_stands_still_loses_lines_and_holds_nobody_up(listener):
    daemon = listener()
    sink = SyslogSink(PLAIN, "daemon", listener.path)
    sent = 0
    while not sink.write([record(str(sent))]):
        sent += 1
    assert 0 < sent < 1000
    assert sink.write([record()] * 5) == 5
    assert sink.fault == f"{listener.path} takes no more"
    for _ in range(sent):
        daemon.recv(4096)
    assert sink.write([record("later")]) == 0
    assert sink.fault == ""
    sink.close()


def test_a_syslog_that_comes_back_is_found(listener):
    sink = SyslogSink(PLAIN, "daemon", listener.path)
    assert not sink.was_there
    assert sink.write([record()]) == 1
    assert sink.fault == f"{listener.path}: No such file or directory"
    first = listener()
    assert sink.write([record("one")]) == 0
    assert first.recv(4096).endswith(b"one")
    first.close()
    os.unlink(listener.path)
    assert sink.write([record("lost")]) == 1
    second = listener()
    assert sink.write([record("two")]) == 0
    assert second.recv(4096).endswith(b"two")
    assert sink.was_there
    sink.close()


def test_a_file_goes_on_at_its_end_whoever_cut_it(tmp_path):
    """As ``copytruncate`` of logrotate does: no hole is left in front of the next line."""
    path = tmp_path / "x.log"
    path.write_text("of the process before\n")
    sink = FdSink(PLAIN, path=str(path))
    assert sink.write([record("one")]) == 0
    before, one = path.read_text().splitlines()
    assert before == "of the process before"
    assert one.endswith("notice  [TOTEM ] one")
    os.truncate(path, 0)
    assert sink.write([record("two")]) == 0
    assert path.read_text() == one.replace("one", "two") + "\n"
    sink.close()


def test_a_torn_line_ends_before_the_next_one(monkeypatch):
    reader, writer = os.pipe()
    sink = FdSink(PLAIN, fd=writer)
    ready = [True, False, True]
    monkeypatch.setattr(sinks, "_writable", lambda *_: ready.pop(0))
    assert sink.write([record("x" * (select.PIPE_BUF + 100))]) == 1
    assert sink.write([record("next")]) == 0
    text = os.read(reader, 65536).decode()
    assert text[: select.PIPE_BUF].endswith("x" * 100)
    assert text[select.PIPE_BUF :] == "\nnotice  [TOTEM ] next\n"


def test_a_file_of_the_log_is_nobody_else_s(tmp_path):
    path = tmp_path / "x.log"
    before = os.umask(0)
    try:
        FdSink(PLAIN, path=str(path)).close()
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_missing_syslog_is_looked_for_once_in_a_while(listener, monkeypatch):
    monkeypatch.setattr(sinks, "RECONNECT_INTERVAL_S", 3600.0)
    sink = SyslogSink(PLAIN, "daemon", listener.path)
    listener()
    assert sink.write([record()]) == 1


def test_the_journal_gets_fields(listener):
    daemon = listener()
    sink = JournalSink(PLAIN, "local0", listener.path)
    sink.write([record(place="journal.py:12", function="write", level=Level.WARNING)])
    fields = dict(line.split("=", 1) for line in daemon.recv(4096).decode().splitlines())
    assert fields == {
        "MESSAGE": " [TOTEM ] journal.py:write:12 hello",
        "PRIORITY": "4",
        "SYSLOG_FACILITY": "16",
        "SYSLOG_IDENTIFIER": "corosync",
        "SYSLOG_PID": str(os.getpid()),
        "COROSYNC_SUBSYSTEM": "TOTEM",
        "CODE_FILE": "journal.py",
        "CODE_LINE": "12",
        "CODE_FUNC": "write",
    }
    sink.close()


def test_a_field_with_a_line_end_has_its_length():
    assert sinks._field("X", "a\nb") == b"X\n" + struct.pack("<Q", 3) + b"a\nb\n"


@pytest.mark.needs("journald")
def test_the_journal_is_used_where_there_is_one(listener, monkeypatch, tmp_path):
    monkeypatch.setattr(sinks, "SYSLOG_SOCKET", str(tmp_path / "none"))
    monkeypatch.setattr(sinks, "JOURNAL_SOCKET", listener.path)
    assert isinstance(sinks.system_log_sink(PLAIN, "daemon"), SyslogSink)
    listener()
    assert isinstance(sinks.system_log_sink(PLAIN, "daemon"), JournalSink)


class Broken:
    """Loses all lines while ``room`` is 0, and all but as many."""

    def __init__(self):
        self.room = 0
        self.fault = "No space left on device"
        self.lines = []

    def write(self, records):
        self.lines += [each.text for each in records[: self.room]]
        return max(0, len(records) - self.room)

    def close(self):
        pass


def test_what_a_full_disk_lost_is_counted_and_told_when_there_is_room():
    sink = Broken()
    target = Target(sink, "x")
    for number in range(3):
        target.put(record(str(number)))
    assert target.dropped_lines == 3
    sink.room = 1
    target.put(record("3"))
    assert target.dropped_lines == 4
    sink.room = 9
    target.put(record("4"))
    target.put(record("5"))
    assert target.dropped_lines == 4
    assert sink.lines == [
        "3 messages lost: No space left on device.",
        "1 messages lost: No space left on device.",
        "4",
        "5",
    ]
