"""
Lines as Corosync prints them.

The three targets differ (exec/logsys.c, logsys_format_set and logsys_file_format_get)::

    stderr   Nov 22 23:04:26.213 notice  [MAIN  ] text
    file     Nov 22 23:04:07.885 [8282] host corosync notice  [MAIN  ] text
    syslog     [MAIN  ] text

``fileline`` and ``function_name`` put file, function and line before the text, in this order.

Nothing of a message can start a line of its own: control characters are written as escapes.
"""

import os
import re
import socket
import time
from typing import Final, NamedTuple

from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.settings import LogSettings, Timestamp

_MONTHS: Final = (
    "Jan",
    "Feb",
    "Mar",
    "Apr",
    "May",
    "Jun",
    "Jul",
    "Aug",
    "Sep",
    "Oct",
    "Nov",
    "Dec",
)
_CONTROL: Final = re.compile(r"[\x00-\x08\x0a-\x1f\x7f-\x9f]")
TEXT_LEN_CHARS_MAX: Final = 4096


class Record(NamedTuple):
    """
    One line of text on its way to the targets.

    :ivar time_s: wall clock, seconds since the epoch; for the reader only.
    :ivar place: ``file:line`` of the caller, empty when not asked for.
    :ivar function: name of the caller, empty when not asked for.
    """

    time_s: float
    level: Level
    subsys: str
    text: str
    place: str = ""
    function: str = ""


def clean(text: str) -> str:
    """Escape control characters and cut what is longer than any honest message."""
    if len(text) > TEXT_LEN_CHARS_MAX:
        text = text[:TEXT_LEN_CHARS_MAX] + "..."
    return _CONTROL.sub(lambda match: f"\\x{ord(match.group()):02x}", text)


class LineFormat:
    """Turns records into lines for each kind of target; remembers the last second's stamp."""

    def __init__(self, settings: LogSettings, hostname: str | None = None) -> None:
        self._timestamp = settings.timestamp
        self._hostname = socket.gethostname() if hostname is None else hostname
        self._second = -1
        self._stamp = ""

    def _time(self, time_s: float) -> str:
        if self._timestamp is Timestamp.OFF:
            return ""
        second = int(time_s)
        if second != self._second:
            now = time.localtime(second)
            self._stamp = (
                f"{_MONTHS[now.tm_mon - 1]} {now.tm_mday:02d}"
                f" {now.tm_hour:02d}:{now.tm_min:02d}:{now.tm_sec:02d}"
            )
            self._second = second
        if self._timestamp is Timestamp.HIRES:
            return f"{self._stamp}.{int((time_s - second) * 1000):03d} "
        return self._stamp + " "

    @staticmethod
    def _body(record: Record) -> str:
        file, _, line_no = record.place.rpartition(":")
        words = [word for word in (file, record.function, line_no) if word]
        where = f" {':'.join(words)}" if words else ""
        return f"[{record.subsys[:6]:<6}]{where} {record.text}"

    def stderr(self, record: Record) -> str:
        """Return the line for standard error, newline included."""
        return f"{self._time(record.time_s)}{record.level.name.lower():<7} {self._body(record)}\n"

    def file(self, record: Record) -> str:
        """Return the line for a log file, newline included."""
        return (
            f"{self._time(record.time_s)}[{os.getpid()}] {self._hostname} corosync"
            f" {record.level.name.lower():<7} {self._body(record)}\n"
        )

    def syslog(self, record: Record) -> str:
        """Return what follows syslog's own stamp, without newline."""
        # Stock cuts time and level out of its format, and leaves the blanks behind them.
        blanks = " " if self._timestamp is Timestamp.OFF else "  "
        return f"{blanks}{self._body(record)}"

    @staticmethod
    def syslog_time(record: Record) -> str:
        """Return a time as RFC 3164 has it."""
        now = time.localtime(record.time_s)
        clock = f"{now.tm_hour:02d}:{now.tm_min:02d}:{now.tm_sec:02d}"
        return f"{_MONTHS[now.tm_mon - 1]} {now.tm_mday:2d} {clock}"
