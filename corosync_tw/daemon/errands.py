"""
What the stack asks of the daemon beside sends and storage, and what clients ask by setting a key.

Source: Corosync exec/main.c corosync_fplay_control_init, corosync_state_dump; exec/cfg.c
message_handler_req_lib_cfg_reopen_log_files; exec/pload.c.
"""

import errno
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import replace
from functools import partial
from typing import Any, Final

from twisted.python.failure import Failure

from corosync_tw.corotypes import CS_OK, NS_PER_MS
from corosync_tw.daemon.blackbox import BlackboxStore
from corosync_tw.daemon.dump import state_lines
from corosync_tw.daemon.ev_tracking import EvTrackingFile
from corosync_tw.daemon.journal import Journal
from corosync_tw.daemon.log_files import LogOpener
from corosync_tw.errors import CsAccess, CsError, CsNoSpace, CsNotExist, CsTimeout, CsTryAgain
from corosync_tw.logsys.flight.keeping import ASKED
from corosync_tw.logsys.system import Logsys
from corosync_tw.net.driver import Driver
from corosync_tw.services.cfg.effects import ReopenLogs
from corosync_tw.services.params import ServiceParams
from corosync_tw.services.pload.trigger import PloadTrigger
from corosync_tw.services.stack import Stack
from corosync_tw.services.votequorum.effects import StoreEvTracking

_REOPEN_ERRORS: Final = {
    errno.EACCES: CsAccess.code,
    errno.EPERM: CsAccess.code,
    errno.ENOENT: CsNotExist.code,
    errno.ENOSPC: CsNoSpace.code,
    errno.ETIMEDOUT: CsTimeout.code,
}


class Errands:
    """
    Runs errands for one node.

    :param opener: opens log files again.
    :param blackbox: writes the flight recorder to a file.
    :param more: further records of counters for a dump of the state, by title.
    """

    def __init__(
        self,
        stack: Stack,
        driver: Driver,
        journal: Journal,
        logsys: Logsys,
        *,
        opener: LogOpener,
        barrier_file: EvTrackingFile,
        blackbox: BlackboxStore,
        more: Mapping[str, object],
    ) -> None:
        self._stack = stack
        self._driver = driver
        self._journal = journal
        self._logsys = logsys
        self._opener = opener
        self._barrier_file = barrier_file
        self._blackbox = blackbox
        self._more = more
        PloadTrigger(stack.cmap.store, self._start_pload, journal.pload_warning)

    def routes(self) -> dict[type, Callable[[Any], None]]:
        """Name the effects that are carried out here."""
        return {
            ReopenLogs: self._reopen_logs,
            StoreEvTracking: self._store_barrier,
        }

    # Actions

    def dump_flight_data(self) -> None:
        """Write the last events to a file that qb-blackbox reads, and keep the recording, too."""
        self._journal.flight.keep(ASKED)
        if self._logsys.history.keeping:
            self._blackbox.dump()
        else:
            self._journal.main.warning(
                "Can't store blackbox file: logging.blackbox is off, nothing is kept"
            )

    def dump_state(self) -> None:
        """Write the state of the node to the log."""
        for line in state_lines(self._stack, self._more):
            self._journal.main.notice("{text}", text=line)
        lost = self._logsys.dropped_lines
        self._journal.main.notice("log: {lost} lines lost", lost=lost)

    def now_ns(self) -> int:
        """Read the driver's clock."""
        return Driver.now_ns()

    def wall_ms(self) -> int:
        """Read the wall clock, milliseconds since the epoch."""
        return time.time_ns() // NS_PER_MS

    def pump(self) -> None:
        """Have the stack polled, later in this turn of the loop."""
        self._driver.pump()

    # Effects

    def _reopen_logs(self, effect: object) -> None:
        assert isinstance(effect, ReopenLogs)
        opened = self._opener.reopen(self._logsys)
        coded = opened.addCallbacks(lambda _: CS_OK, self._not_reopened)
        coded.addCallback(partial(self._reopened, effect.conn))

    def _not_reopened(self, failure: Failure) -> int:
        error = failure.value
        if not isinstance(error, OSError):
            self._journal.cfg.error("{text}", text=failure.getTraceback())
            return CsError.code
        self._journal.cfg.error(
            "Cannot open the log file {path} again, the old one stays in use: {reason}",
            path=error.filename,
            reason=error.strerror,
        )
        return _REOPEN_ERRORS.get(error.errno or 0, CsError.code)

    def _reopened(self, conn: int, code: int) -> None:
        self._stack.cfg.reopen_done(conn, code)
        self._driver.pump()

    def _store_barrier(self, effect: object) -> None:
        assert isinstance(effect, StoreEvTracking)
        stored = self._barrier_file.store(effect.ev_tracking_barrier)
        stored.addErrback(
            lambda failure: self._journal.main.error("{text}", text=str(failure.value))
        )

    def _start_pload(self, count: int, size_bytes: int) -> None:
        with suppress(CsTryAgain):
            self._stack.pload.start(count, size_bytes)
            self._driver.pump()


def with_stored_barrier(services: ServiceParams, barrier_file: EvTrackingFile) -> ServiceParams:
    """
    Give voting the highest expected votes that the disk knows, if it tracks them.

    Raises: StorageError.
    """
    if not services.tracks_expected_votes:
        return services
    return replace(services, ev_tracking_barrier=barrier_file.load())
