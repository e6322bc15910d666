"""What the log needs of the daemon: a look once a second, and its counters among the keys."""

from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from corosync_tw.logsys.system import Logsys
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.stats.tables import Table

TICK_INTERVAL_S: Final = 1.0
PREFIX: Final = "stats.corosync_tw.log."


class LogKeeper:
    """Has the log system tell of what it held back or lost, also when nothing else happens."""

    def __init__(self, reactor: IReactorTime, logsys: Logsys) -> None:
        self._reactor = reactor
        self._logsys = logsys
        self._call: IDelayedCall | None = None

    def start(self) -> None:
        """Begin to look."""
        self._call = self._reactor.callLater(TICK_INTERVAL_S, self._tick)

    def stop(self) -> None:
        """Look no more."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def _tick(self) -> None:
        self._call = self._reactor.callLater(TICK_INTERVAL_S, self._tick)
        self._logsys.tick()


def log_table(logsys: Logsys) -> Table:
    """Make the keys of the log's counters."""
    return Table(
        PREFIX,
        {
            "lines_lost": lambda: TypedValue.u64(logsys.dropped_lines),
            "lines_suppressed": lambda: TypedValue.u64(logsys.repeats.suppressed_lines),
        },
    )
