"""
Opening log files for a node that must not wait for them.

A file that does not open within ``OPEN_TIMEOUT_S`` counts as one that cannot be opened, as on a
file server that is gone.
"""

import errno
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final, TypeVar

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IDelayedCall

from corosync_tw.config.report import Report
from corosync_tw.config.schema import Config
from corosync_tw.logsys.attempts import Attempt, Attempts
from corosync_tw.logsys.settings import LogSettings
from corosync_tw.logsys.system import LogFileError, Logsys, Targets

OPEN_TIMEOUT_S: Final = 2.0
_NO_ANSWER: Final = f"it does not open within {OPEN_TIMEOUT_S:g} s"
_CROWDED: Final = "files that were to be opened earlier do not open yet"
_REMEDIES: Final = {
    errno.ENOENT: "make its directory, or name another file",
    errno.ENOTDIR: "make its directory, or name another file",
    errno.EISDIR: "name a file, this is a directory",
    errno.EACCES: "let the daemon write there, or name another file",
    errno.EPERM: "let the daemon write there, or name another file",
    errno.ENXIO: "have somebody read this pipe first, or name another file",
    errno.ETIMEDOUT: "see to its file system, or name a file of a local disk",
}
T = TypeVar("T")


def log_file_fault(config: Config, error: LogFileError) -> str:
    """Say where a file's path stands in corosync.conf, what is wrong with it, and the remedy."""
    logging = config.logging
    loggers = (logging, *logging.subsystems, *logging.daemons)
    logger = next((one for one in loggers if one.logfile == error.path), logging)
    report = Report(config.file)
    remedy = _REMEDIES.get(error.number, "name another file")
    report.fault(logger, "logfile", f"{error}, {remedy}")
    return report.faults[0]


class LogOpener:
    """Opens log files in threads."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        self._attempts = Attempts()
        # A file may be renamed while others are opened again: it takes another time then.
        self._reopening = DeferredLock()

    def open(self, settings: LogSettings) -> Deferred[Logsys]:
        """Make a log system; fails with LogFileError, and nothing stays open then."""
        targets = Targets(settings)
        attempt = self._attempts.begin(lambda: Logsys(settings, targets), Logsys.close)
        return self._in_time(attempt, lambda: _stuck(settings, targets))

    def reopen(self, logsys: Logsys) -> Deferred[None]:
        """
        Open all log files by their names again.

        :return: fails with OSError; where the time was over, that may still come to pass.
        """

        def stuck() -> OSError:
            return OSError(errno.ETIMEDOUT, _NO_ANSWER, logsys.targets.opening)

        def begin() -> Deferred[None]:
            attempt = self._attempts.begin(logsys.reopen, lambda _: None)
            return self._in_time(attempt, stuck)

        return self._reopening.run(begin)

    def discard(self, logsys: Logsys) -> None:
        """Close a log system that is not wanted after all."""
        self._attempts.begin(logsys.close, lambda _: None)

    def _in_time(self, attempt: Attempt[T], stuck: Callable[[], Exception]) -> Deferred[T]:
        done: Deferred[T] = Deferred()
        over: IDelayedCall = self._reactor.callLater(
            OPEN_TIMEOUT_S, lambda: attempt.give_up(TimeoutError())
        )

        def ended(outcome: Future[T]) -> None:
            if over.active():
                over.cancel()
            error = outcome.exception()
            if isinstance(error, TimeoutError) and not error.errno:
                done.errback(stuck())
            elif error is not None:
                done.errback(error)
            else:
                done.callback(outcome.result())

        attempt.outcome.add_done_callback(
            lambda outcome: self._reactor.callFromThread(ended, outcome)
        )
        return done


def open_in_time(settings: LogSettings) -> Logsys:
    """
    Make the log system of a node that is about to start.

    Raises: LogFileError.
    """
    targets = Targets(settings)
    attempt = Attempts().begin(lambda: Logsys(settings, targets), Logsys.close)
    try:
        return attempt.outcome.result(OPEN_TIMEOUT_S)
    except TimeoutError:
        error = _stuck(settings, targets)
        attempt.give_up(error)
        raise error from None


def _stuck(settings: LogSettings, targets: Targets) -> LogFileError:
    if targets.opening:
        return LogFileError(targets.opening, _NO_ANSWER, errno.ETIMEDOUT)
    loggers = (settings.default, *settings.subsystems.values())
    paths = (logger.logfile for logger in loggers if logger.to_logfile and logger.logfile)
    return LogFileError(next(paths, ""), _CROWDED, errno.ETIMEDOUT)
