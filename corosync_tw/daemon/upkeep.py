"""
What looks after the node from outside its ring: monitors, the machine's watchdog, and systemd's.

All of it follows the stack's effects; nothing here is asked by a client.
"""

import os
from collections.abc import Callable, Mapping
from typing import Any

from corosync_tw.daemon.monitors import Monitors
from corosync_tw.daemon.notify import watchdog_interval_s
from corosync_tw.daemon.petting import SILENT_TIMEOUTS, Petting, ring_progress
from corosync_tw.daemon.status_line import StatusLine
from corosync_tw.daemon.watchdog import Dog
from corosync_tw.net.driver import Driver
from corosync_tw.services.effects import FatalError, QuorumChange, SyncDone, TotemConfchg
from corosync_tw.services.stack import Stack


class Upkeep:
    """
    Everything that keeps watch.

    :param log: writes a line of the subsystem WD: level and text.
    """

    def __init__(
        self, reactor: Any, stack: Stack, driver: Driver, log: Callable[[str, str], None]
    ) -> None:
        self._stack = stack
        self._monitors = Monitors(stack.mon, Driver.now_ns)
        self._dog = Dog(stack.wd, log)
        self._status = StatusLine()
        self._petting = Petting(
            reactor,
            watchdog_interval_s(os.environ, os.getpid()),
            progress=lambda: ring_progress(stack.srp.stats),
            blocked=lambda: driver.storing,
            now_ns=Driver.now_ns,
            silence_max_ns=lambda: SILENT_TIMEOUTS * stack.params.token_timeout_ns,
        )

    def start(self) -> None:
        """Begin, before the driver does; corosync.conf is in the map by now."""
        self._stack.mon.start()
        self._stack.wd.start()
        self._status.begin()
        self._petting.start()

    def stop(self) -> None:
        """End; the watchdog is disarmed."""
        self._petting.stop()
        self._dog.stop()

    def effect_handlers(self) -> Mapping[type, Callable[[Any], None]]:
        """Name the effects that are followed."""
        followed = (TotemConfchg, QuorumChange, SyncDone, FatalError)
        return {
            **self._monitors.effect_handlers(),
            **self._dog.effect_handlers(),
            **dict.fromkeys(followed, self._status.effect),
        }
