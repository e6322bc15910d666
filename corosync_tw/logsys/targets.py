"""
Where log lines end up, and the thread that keeps a slow target from stopping the ring.

A target's lines go through a bounded spool. When the writer cannot keep up, new lines are dropped
and counted, and the count is printed once there is room again.
"""

import os
import syslog
import threading
from collections import deque
from typing import Final, Protocol

from corosync_tw.logsys.format import LineFormat, Record
from corosync_tw.logsys.levels import Level

SPOOL_LINES_MAX: Final = 4096
CLOSE_TIMEOUT_S: Final = 1.0


class Sink(Protocol):
    """The slow end: may block, is called by one thread at a time, never raises OSError."""

    def render(self, record: Record) -> str:
        """Turn a record into this target's line."""

    def write(self, lines: list[tuple[Level, str]]) -> int:
        """Write the lines; return how many were lost."""

    def close(self) -> None:
        """Release what is held."""


class FdSink:
    """
    Lines for a descriptor: standard error or a file.

    :param path: opened for append when ``fd`` is negative.
    Raises: OSError when the file cannot be opened.
    """

    def __init__(self, line_format: LineFormat, *, fd: int = -1, path: str | None = None) -> None:
        self.path = path
        self.render = line_format.stderr if path is None else line_format.file
        self._own = path is not None
        self._fd = fd if path is None else self._open(path)

    @staticmethod
    def _open(path: str) -> int:
        return os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o640)

    def reopen(self) -> None:
        """Open the file by its name again, as after a log rotation."""
        if self.path is not None:
            fresh = self._open(self.path)
            old, self._fd = self._fd, fresh
            os.close(old)

    def write(self, lines: list[tuple[Level, str]]) -> int:
        """Write all lines with as few calls as the kernel allows."""
        rest = "".join(line for _, line in lines).encode("utf-8", "backslashreplace")
        try:
            while rest:
                rest = rest[os.write(self._fd, rest) :]
        except OSError:
            return max(1, rest.count(b"\n"))
        return 0

    def close(self) -> None:
        """Close the file; standard error stays open."""
        if self._own and self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class SyslogSink:
    """
    Lines for the system log.

    Debug and trace arrive one level more urgent, as stock's priority bump has it: log daemons that
    throw debug away still show what ``debug: on`` asked for.
    """

    def __init__(self, line_format: LineFormat, facility: str) -> None:
        self.render = line_format.syslog
        self._facility = getattr(syslog, f"LOG_{facility.upper()}")
        self.open()

    def open(self) -> None:
        """Name ourselves and the facility; of a process's connections the last one counts."""
        syslog.openlog("corosync", syslog.LOG_PID, self._facility)

    def write(self, lines: list[tuple[Level, str]]) -> int:
        """Hand the lines to the system log one by one."""
        for level, line in lines:
            syslog.syslog(min(level - 1, Level.DEBUG) if level > Level.INFO else level, line)
        return 0

    def close(self) -> None:
        """Close the connection to the system log."""
        syslog.closelog()


class Target:
    """
    A sink behind a bounded spool.

    Until ``start`` and after ``close`` lines are written at once, so nothing is lost around a fork
    or an early exit.

    :ivar dropped_lines: lines lost since the start, for want of room or by a write error.
    """

    def __init__(self, sink: Sink, name: str, lines_max: int = SPOOL_LINES_MAX) -> None:
        self.sink = sink
        self.name = name
        self.dropped_lines = 0
        self._unreported_lines = 0
        self._lines_max = lines_max
        self._spool: deque[Record] = deque()
        self._wake = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closing = False
        self._stuck = False

    def start(self) -> None:
        """Write from a thread from now on; to be called after a fork, never before."""
        self._thread = threading.Thread(target=self._run, name=f"log {self.name}", daemon=True)
        self._thread.start()

    def put(self, record: Record) -> None:
        """Take one record; never blocks once started."""
        if self._thread is None:
            if not self._stuck:
                self._write([record])
            return
        with self._wake:
            if len(self._spool) >= self._lines_max:
                self.dropped_lines += 1
                self._unreported_lines += 1
                return
            self._spool.append(record)
            self._wake.notify()

    def stop(self) -> None:
        """Write out what is spooled, for at most a second; later lines are written at once."""
        thread, self._thread = self._thread, None
        if thread is not None:
            with self._wake:
                self._closing = True
                self._wake.notify()
            thread.join(CLOSE_TIMEOUT_S)
            self._stuck = thread.is_alive()
            self._closing = False

    def close(self) -> None:
        """Stop, and release the sink."""
        self.stop()
        if not self._stuck:
            self.sink.close()

    def _run(self) -> None:
        while True:
            with self._wake:
                while not self._spool and not self._closing:
                    self._wake.wait()
                batch = list(self._spool)
                self._spool.clear()
                lost, self._unreported_lines = self._unreported_lines, 0
            if not batch:
                return
            if lost:
                batch.append(self._loss(batch[-1], lost))
            self._write(batch)

    @staticmethod
    def _loss(last: Record, lost: int) -> Record:
        text = f"{lost} messages lost: the log target could not keep up."
        return Record(last.time_s, Level.WARNING, "MAIN", text)

    def _write(self, batch: list[Record]) -> None:
        render = self.sink.render
        self.dropped_lines += self.sink.write([(r.level, render(r)) for r in batch])
