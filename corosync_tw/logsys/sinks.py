"""
The slow ends of the log: a descriptor, the system log's socket, the journal's.

None waits for longer than ``PATIENCE_S``, and after a wait in vain none waits at all until it works
again: what cannot be written is lost and counted. Only a disk can hold a writer up for longer,
which is a thread then.
"""

import os
import select
import socket
import stat
import struct
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Final, Protocol

from corosync_tw import features
from corosync_tw.corotypes import MS_PER_S
from corosync_tw.logsys.format import LineFormat, Record
from corosync_tw.logsys.levels import Level

PATIENCE_S: Final = 0.2
RECONNECT_INTERVAL_S: Final = 1.0
SYSLOG_SOCKET: Final = "/dev/log"
JOURNAL_SOCKET: Final = "/run/systemd/journal/socket"
IDENTIFIER: Final = "corosync"
# A pipe that is ready takes as much without blocking (pipe(7), PIPE_BUF).
_PIECE_LEN_BYTES: Final = select.PIPE_BUF
_LINE_END: Final = 0x0A
# syslog.h.
FACILITIES: Final = {
    "kern": 0, "user": 1, "mail": 2, "daemon": 3, "auth": 4, "syslog": 5, "lpr": 6, "news": 7,
    "uucp": 8, "cron": 9, "authpriv": 10, "ftp": 11, **{f"local{n}": 16 + n for n in range(8)},
}  # fmt: skip


class Sink(Protocol):
    """
    Takes lines; called by one thread at a time.

    :ivar fault: why lines are lost just now; empty while none are.
    """

    fault: str

    def write(self, records: Sequence[Record]) -> int:
        """Write the lines; return how many of the last ones were lost. Never raises OSError."""

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
        self.fault = ""
        self._render = line_format.stderr if path is None else line_format.file
        self._own = path is not None
        self._torn = False
        self._fd = fd if path is None else self._open(path)

    @staticmethod
    def _open(path: str) -> int:
        # Not waiting for a reader, should the path be a FIFO's.
        flags = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC | os.O_NOCTTY | os.O_NONBLOCK
        return os.open(path, flags, 0o640)

    def reopen(self) -> None:
        """
        Open the file by its name again, as after a log rotation; a write may be under way.

        Raises: OSError; the old file is then still in use.
        """
        if self.path is not None:
            fresh = self._open(self.path)
            try:
                # In one step: at no time has our descriptor's number another owner.
                os.dup2(fresh, self._fd, inheritable=False)
            finally:
                os.close(fresh)

    def write(self, records: Sequence[Record]) -> int:
        """Write all lines with as few calls as the kernel allows."""
        text = "".join(map(self._render, records))
        data = b"\n" * self._torn + text.encode("utf-8", "backslashreplace")
        try:
            rest = self._write(data)
            self.fault = "it takes no more" if rest else ""
        except _Partly as partly:
            rest, self.fault = partly.rest, partly.fault
        written = len(data) - len(rest)
        if written:
            self._torn = data[written - 1] != _LINE_END
        return min(rest.count(b"\n"), len(records))

    def _write(self, rest: bytes) -> bytes:
        """Write; return what could not be written in time. Raises: _Partly."""
        try:
            straight = stat.S_ISREG(os.fstat(self._fd).st_mode)
            while rest:
                if not straight and not self._ready():
                    break
                piece = rest if straight else rest[:_PIECE_LEN_BYTES]
                rest = rest[os.write(self._fd, piece) :]
        except BlockingIOError:
            return rest
        except OSError as error:
            raise _Partly(rest, error.strerror or str(error)) from error
        return rest

    def _ready(self) -> bool:
        return _writable(self._fd, 0 if self.fault else PATIENCE_S)

    def close(self) -> None:
        """Close the file; standard error stays open."""
        if self._own and self._fd >= 0:
            os.close(self._fd)
            self._fd = -1


class _Partly(Exception):
    """
    A write failed.

    :ivar rest: what was not written.
    """

    def __init__(self, rest: bytes, fault: str) -> None:
        super().__init__(fault)
        self.rest = rest
        self.fault = fault


def _writable(fd: int, wait_s: float) -> bool:
    poller = select.poll()
    poller.register(fd, select.POLLOUT)
    return bool(poller.poll(wait_s * MS_PER_S))


class SocketSink(ABC):
    """
    Lines for whoever listens on a UNIX socket, one datagram each.

    Its listener may come, go and stand still as it likes.

    :ivar was_there: a listener was once found.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self.fault = ""
        self.was_there = False
        self._socket: socket.socket | None = None
        self._tried_s = -RECONNECT_INTERVAL_S
        self._connect()

    @abstractmethod
    def encode(self, record: Record) -> bytes:
        """Turn a line into a datagram."""

    def write(self, records: Sequence[Record]) -> int:
        """Send the lines one by one, up to the first that cannot be sent."""
        for number, record in enumerate(records):
            if not self._send(self.encode(record)):
                return len(records) - number
        return 0

    def _send(self, datagram: bytes) -> bool:
        for _ in range(2):
            if self._socket is None and not self._connect():
                return False
            assert self._socket is not None
            try:
                self._socket.send(datagram)
            except BlockingIOError:
                if not self._wait():
                    return False
            except OSError as error:
                # Its listener went; another one may be there by now.
                self._give_up(error)
            else:
                self.fault = ""
                return True
        return False

    def _wait(self) -> bool:
        """Wait until the listener has read something."""
        assert self._socket is not None
        ready = _writable(self._socket.fileno(), 0 if self.fault else PATIENCE_S)
        if not ready:
            self.fault = f"{self.path} takes no more"
        return ready

    def _connect(self) -> bool:
        now_s = time.monotonic()
        if now_s - self._tried_s < RECONNECT_INTERVAL_S:
            return False
        fresh = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        fresh.setblocking(False)
        try:
            fresh.connect(self.path)
        except OSError as error:
            fresh.close()
            self._tried_s = now_s
            self._give_up(error)
            return False
        self._socket = fresh
        self.was_there = True
        return True

    def _give_up(self, error: OSError) -> None:
        self.fault = f"{self.path}: {error.strerror}"
        self.close()

    def close(self) -> None:
        """Hang up; the next line connects again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None


class SyslogSink(SocketSink):
    """Lines for the system log, as syslog(3) sends them."""

    def __init__(self, line_format: LineFormat, facility: str, path: str = SYSLOG_SOCKET) -> None:
        self._format = line_format
        self._facility = FACILITIES[facility]
        super().__init__(path)

    def encode(self, record: Record) -> bytes:
        """Put priority, time and name before the line."""
        priority = self._facility << 3 | syslog_priority(record.level)
        text = (
            f"<{priority}>{self._format.syslog_time(record)} {IDENTIFIER}[{os.getpid()}]: "
            f"{self._format.syslog(record)}"
        )
        return text.encode("utf-8", "backslashreplace")


class JournalSink(SocketSink):
    """
    Lines for systemd's journal, with fields to search by: COROSYNC_SUBSYSTEM=TOTEM.

    Source: systemd, Native Journal Protocol.
    """

    def __init__(self, line_format: LineFormat, facility: str, path: str = JOURNAL_SOCKET) -> None:
        self._format = line_format
        self._facility = FACILITIES[facility]
        super().__init__(path)

    def encode(self, record: Record) -> bytes:
        """List the fields of a line."""
        fields = {
            "MESSAGE": self._format.syslog(record),
            "PRIORITY": str(syslog_priority(record.level)),
            "SYSLOG_FACILITY": str(self._facility),
            "SYSLOG_IDENTIFIER": IDENTIFIER,
            "SYSLOG_PID": str(os.getpid()),
            "COROSYNC_SUBSYSTEM": record.subsys,
        }
        file, _, line_no = record.place.rpartition(":")
        fields |= {"CODE_FILE": file, "CODE_LINE": line_no, "CODE_FUNC": record.function}
        return b"".join(_field(name, value) for name, value in fields.items() if value)


def _field(name: str, value: str) -> bytes:
    data = value.encode("utf-8", "backslashreplace")
    if b"\n" in data:
        return name.encode() + b"\n" + struct.pack("<Q", len(data)) + data + b"\n"
    return name.encode() + b"=" + data + b"\n"


def syslog_priority(level: Level) -> int:
    """
    Give a level's number in the system log.

    Debug and trace arrive one level more urgent, as stock's priority bump has it: log daemons that
    throw debug away still show what ``debug: on`` asked for.
    """
    return min(level - 1, Level.DEBUG) if level > Level.INFO else level


def system_log_sink(line_format: LineFormat, facility: str) -> SocketSink:
    """Make the sink of this machine's log: the journal where there is one."""
    if not features.is_off("journald") and os.path.exists(JOURNAL_SOCKET):
        return JournalSink(line_format, facility)
    return SyslogSink(line_format, facility)
