"""
The log system: an observer of twisted.logger that sorts events by subsystem and priority.

Events made by ``SubsysLogger`` carry ``corosync_subsys`` and ``corosync_level``. Any other event of
the process belongs to MAIN; what Twisted says for its own information counts as debug.
Lines that repeat are limited (``repeats``), and lines that a target loses are counted.
Source: Corosync exec/logsys.c.
"""

import threading
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Final

from twisted.logger import ILogObserver, LogEvent, formatEvent
from zope.interface import implementer

from corosync_tw.logsys.format import LineFormat, Record, clean
from corosync_tw.logsys.history import History
from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.repeats import Repeats
from corosync_tw.logsys.settings import LogSettings, SubsysSettings
from corosync_tw.logsys.sinks import FdSink, SocketSink, system_log_sink
from corosync_tw.logsys.targets import Target
from corosync_tw.logsys.twisted_levels import LEVEL_OF_TWISTED

_OWN_NAMESPACE: Final = "corosync_tw"
LINES_PER_EVENT_MAX: Final = 200
STDERR: Final = "stderr"


class LogFileError(Exception):
    """
    A log file cannot be opened.

    :ivar path: of the file; empty when it is not known which.
    :ivar reason: as the system says it.
    :ivar number: errno, or 0.
    """

    def __init__(self, path: str, reason: str, number: int = 0) -> None:
        super().__init__(f"Can't open logfile '{path}' for reason: {reason}")
        self.path = path
        self.reason = reason
        self.number = number


class Targets:
    """
    The targets that some settings need, each opened once.

    :ivar opening: path of the file that is being opened just now, by whatever thread.
    Raises: LogFileError when a log file cannot be opened; nothing stays open then.
    """

    def __init__(self, settings: LogSettings, *, stderr_fd: int = 2) -> None:
        self._format = LineFormat(settings)
        self._stderr_fd = stderr_fd
        self.opening = ""
        self._by_name: dict[str, Target] = {}

    def route(self, subsys: SubsysSettings) -> list[tuple[Level, Target]]:
        """Return the targets of one subsystem, each with its least urgent level."""
        route = []
        file_level = subsys.threshold(subsys.logfile_priority)
        if subsys.to_stderr:
            route.append((file_level, self._get(STDERR, self._stderr)))
        if subsys.to_logfile and subsys.logfile is not None:
            path = subsys.logfile
            route.append((file_level, self._get(path, lambda: self._file(path))))
        if subsys.to_syslog:
            level = subsys.threshold(subsys.syslog_priority)
            facility = subsys.syslog_facility
            name = f"syslog {facility}"
            route.append((level, self._get(name, lambda: self._syslog(name, facility))))
        return route

    def _get(self, name: str, make: Callable[[], Target]) -> Target:
        if name not in self._by_name:
            self._by_name[name] = make()
        return self._by_name[name]

    def _stderr(self) -> Target:
        return Target(FdSink(self._format, fd=self._stderr_fd), STDERR)

    def _file(self, path: str) -> Target:
        self.opening = path
        try:
            return Target(FdSink(self._format, path=path), path)
        except OSError as error:
            self.close()
            reason = f"{error.strerror} ({error.errno})"
            raise LogFileError(path, reason, error.errno or 0) from error

    def _syslog(self, name: str, facility: str) -> Target:
        return Target(system_log_sink(self._format, facility), name)

    def close(self) -> None:
        """Close every target that is open."""
        for target in self:
            target.close()

    def __iter__(self) -> Iterator[Target]:
        return iter(self._by_name.values())


@implementer(ILogObserver)
class Logsys:
    """
    Observer that prints events where the ``logging`` section wants them.

    :ivar history: the last lines.
    :ivar repeats: which lines are too many.
    """

    def __init__(
        self,
        settings: LogSettings,
        targets: Targets | None = None,
        *,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        self._settings = settings
        self.repeats = Repeats(now_ns)
        self._failing: dict[str, str] = {}
        self.history = History()
        self.history.keeping = settings.blackbox
        self.targets = Targets(settings) if targets is None else targets
        self._started = False
        self._dropped_before = 0
        self._default = self.targets.route(settings.default)
        self._routes = {
            name: self.targets.route(subsys) for name, subsys in settings.subsystems.items()
        }

    def take_over(self, fresh: "Logsys") -> None:
        """
        Go on with the settings of another log system, which is of no use afterwards.

        Whoever makes it finds out whether its files can be opened, while nothing is changed yet.
        """
        old, started = self.targets, self._started
        self._dropped_before = self.dropped_lines
        self._settings, self.targets = fresh._settings, fresh.targets
        self._default, self._routes = fresh._default, fresh._routes
        self.history.keeping = fresh.history.keeping
        self._started = False
        if started:
            self.start()
            # A target that stands still is waited for, but not by the ring.
            threading.Thread(target=old.close, name="log end", daemon=True).start()
        else:
            old.close()

    def level_max(self, subsys: str) -> Level:
        """Return the least urgent level of a subsystem that any target prints."""
        route = self._routes.get(subsys, self._default)
        return max((level for level, _ in route), default=Level.EMERG)

    def prints_on_stderr(self, subsys: str) -> bool:
        """Tell whether errors of a subsystem appear on standard error."""
        route = self._routes.get(subsys, self._default)
        return any(target.name == STDERR and level >= Level.ERROR for level, target in route)

    def start(self) -> None:
        """Move the writing into threads; after a fork, never before."""
        self._started = True
        for target in self.targets:
            target.start()

    def stop(self) -> None:
        """Write out what is pending; whatever comes later is written at once."""
        self._started = False
        self._print(self.repeats.all())
        for target in self.targets:
            target.stop()

    def tick(self) -> None:
        """Tell of repeated lines, and of targets that began to lose lines; once in a while."""
        self._print(self.repeats.due())
        failing = {target.name: _fault(target) for target in self.targets}
        for name, fault in failing.items():
            if fault and not self._failing.get(name):
                text = f"Log messages are lost at {name}: {fault}."
                self._print([Record(time.time(), Level.WARNING, "MAIN", text)])
        self._failing = failing

    def close(self) -> None:
        """Write out what is pending and close the targets."""
        self._print(self.repeats.all())
        self.targets.close()

    def reopen(self) -> None:
        """
        Open all log files by name again; in any thread.

        Raises: OSError of the first that cannot be opened; its old file then stays in use.
        """
        faults = []
        for target in list(self.targets):
            if isinstance(target.sink, FdSink):
                self.targets.opening = target.name
                try:
                    target.sink.reopen()
                except OSError as fault:
                    faults.append(fault)
        if faults:
            raise faults[0]

    @property
    def dropped_lines(self) -> int:
        """Lines lost since the start, all targets together."""
        return self._dropped_before + sum(target.dropped_lines for target in self.targets)

    def __call__(self, event: LogEvent) -> None:
        """Print one event of twisted.logger."""
        subsys, level = _classify(event)
        route = self._routes.get(subsys, self._default)
        if not any(level <= threshold for threshold, _ in route):
            return
        stamp = event.get("log_time") or time.time()
        place = event.get("corosync_place", "") if self._settings.fileline else ""
        function = event.get("corosync_function", "") if self._settings.function_name else ""
        kind = event.get("corosync_kind", "")
        for line in _lines(event):
            record = Record(stamp, level, subsys, line, place, function)
            self._print(self.repeats.admit(record, kind))

    def _print(self, records: Iterable[Record]) -> None:
        for record in records:
            self.history.add(record)
            for threshold, target in self._routes.get(record.subsys, self._default):
                if record.level <= threshold:
                    target.put(record)


def _fault(target: Target) -> str:
    """Say why a target loses lines; nothing of a system log that this machine never had."""
    sink = target.sink
    if isinstance(sink, SocketSink) and not sink.was_there:
        return ""
    return sink.fault


def _classify(event: LogEvent) -> tuple[str, Level]:
    subsys = event.get("corosync_subsys")
    if subsys is not None:
        return subsys, event["corosync_level"]
    level = LEVEL_OF_TWISTED.get(event.get("log_level"), Level.INFO)
    namespace = str(event.get("log_namespace", ""))
    if level is Level.INFO and not namespace.startswith(_OWN_NAMESPACE):
        level = Level.DEBUG
    return "MAIN", level


def _lines(event: LogEvent) -> list[str]:
    """Return an event's text as lines; a failure's traceback follows its message."""
    text = formatEvent(event)
    failure = event.get("log_failure")
    if failure is not None:
        text = f"{text}\n{failure.getTraceback()}"
    lines = [clean(line) for line in text.splitlines() if line.strip()]
    return lines[:LINES_PER_EVENT_MAX]
