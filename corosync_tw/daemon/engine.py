"""
Life of the daemon inside twistd: start, signals, end.

Source: Corosync exec/main.c, main, sig_exit_handler, sig_diag_handler.
"""

import atexit
import signal
import sys
from collections.abc import Callable
from typing import Any

from twisted.application.service import Service
from twisted.internet.defer import inlineCallbacks

from corosync_tw import __version__
from corosync_tw.config.schema import Config
from corosync_tw.daemon import scheduling
from corosync_tw.daemon.collector import Collector
from corosync_tw.daemon.ending import Ending
from corosync_tw.daemon.exitcodes import DaemonError, ExitCode
from corosync_tw.daemon.journal import Journal
from corosync_tw.daemon.node import Node
from corosync_tw.daemon.notify import notify
from corosync_tw.daemon.settings import Settings
from corosync_tw.daemon.signals import EXIT_SIGNALS, install
from corosync_tw.ipc.qb.directory import sweep_own
from corosync_tw.kernels import choice
from corosync_tw.logsys.system import Logsys
from corosync_tw.net.driver import Driver
from corosync_tw.timers.clock import ClockError, assert_monotonic


class Engine(Service):
    """
    The service that twistd runs.

    :param reread: reads and checks the configuration file again; called in a thread, raises
        ConfigError.
    :param foreground: twistd stays on the terminal; a failed start then ends the process with
        Corosync's code. Behind the terminal, twistd is told, which tells the terminal.
    """

    name = "corosync"

    def __init__(
        self,
        reactor: Any,
        config: Config,
        settings: Settings,
        logsys: Logsys,
        ending: Ending,
        *,
        reread: Callable[[], Config],
        foreground: bool = True,
    ) -> None:
        self._reactor = reactor
        self._config = config
        self._settings = settings
        self._logsys = logsys
        self._ending = ending
        self._foreground = foreground
        self._leave = True
        self._stopping = False
        self._collector: Collector | None = None
        with_place = config.logging.fileline or config.logging.function_name
        self.journal = Journal(config.nodeid, Driver.now_ns, logsys, with_place=with_place)
        self.node = Node(
            reactor,
            config,
            settings,
            self.journal,
            logsys,
            reread=reread,
            on_fatal=self._on_fatal,
            on_ready=self._on_ready,
        )

    def startService(self) -> None:
        """
        Open the node.

        Raises: SystemExit or DaemonError, with everything released; see ``foreground``.
        """
        self._logsys.start()
        self._banner()
        try:
            self._open()
        except DaemonError as error:
            self._abandon(error)
        super().startService()  # type: ignore[no-untyped-call]
        self._reactor.callWhenRunning(self._settle)
        self._reactor.addSystemEventTrigger("after", "shutdown", self._logsys.stop)

    @inlineCallbacks
    def stopService(self) -> Any:
        """Leave the ring, release everything, say so."""
        if not self.running:
            return
        yield super().stopService()  # type: ignore[no-untyped-call]
        notify("STOPPING=1")
        if self._collector is not None:
            self._collector.stop()
        self.journal.flight.ending(int(self._ending.code), leaves=self._leave)
        try:
            yield self.node.close(leave=self._leave)
        finally:
            # Also when a part of a broken node cannot be closed.
            code = self._ending.code
            if code is ExitCode.EXIT:
                self.journal.main.notice("Corosync Cluster Engine exiting normally")
            else:
                self._exit_line(code)
            self.journal.flight.end(int(code))
            self._ending.settle()

    def _banner(self) -> None:
        main = self.journal.main
        main.notice("Corosync Cluster Engine {version} starting up", version=__version__)
        main.info("Kernels: {kernels}", kernels=choice.description())
        for warning in self._config.warnings:
            main.warning("{text}", text=warning)

    def _open(self) -> None:
        try:
            assert_monotonic(self._reactor)
        except ClockError as error:
            raise DaemonError(ExitCode.FATAL_ERR, str(error)) from error
        self._schedule()
        # Also after an end that stops nothing in order.
        atexit.register(sweep_own)
        self.node.open()

    def _schedule(self) -> None:
        """Ask for what the file asks for; a refusal is a warning. Source: exec/main.c, main."""
        scheduling.allow_descriptors()
        system = self._config.system
        warnings = []
        priority = {None: 0, "max": scheduling.PRIORITY_MAX, "min": scheduling.PRIORITY_MIN}.get(
            system.priority
        )
        if system.sched_rr:
            refused = scheduling.set_round_robin()
            warnings += [refused, scheduling.lock_memory()]
            priority = scheduling.PRIORITY_MAX if refused else 0
        elif priority is None:
            priority = int(system.priority or 0)
        if priority:
            warnings.append(scheduling.set_priority(priority))
        for warning in warnings:
            if warning is not None:
                self.journal.main.warning("{text}", text=warning)

    def _settle(self) -> None:
        """The reactor runs: take the signals over, and spare the collector what will stay."""
        handlers = dict.fromkeys(EXIT_SIGNALS, self._on_exit_signal)
        handlers[signal.SIGHUP] = self._on_hangup
        handlers[signal.SIGUSR2] = self._on_dump
        install(self._reactor, handlers)
        stack = self.node.stack
        self._collector = Collector(
            self._reactor, lambda: stack.stats.messages_delivered, stack.meter.collection_time
        )
        self._collector.start()

    def _abandon(self, error: DaemonError) -> None:
        for message in error.messages:
            self.journal.main.error("{text}", text=message)
        self._exit_line(error.code)
        self._logsys.stop()
        if not self._logsys.prints_on_stderr("MAIN"):
            print("\n".join(error.messages), file=sys.__stderr__, flush=True)
        if self._foreground:
            raise SystemExit(int(error.code)) from error
        raise error

    def _exit_line(self, code: ExitCode) -> None:
        self.journal.main.error(
            "Corosync Cluster Engine exiting with status {code}.", code=int(code)
        )

    # What happens to a running daemon

    def _on_ready(self) -> None:
        self.journal.flight.ready()
        notify("READY=1")

    def _on_fatal(self, code: ExitCode, text: str, leave: bool) -> None:
        if text:
            self.journal.main.error("{text}", text=text)
            self.journal.flight.failed(int(code), text)
        self._leave = self._leave and leave
        self._ending.because(code)
        self._stop_reactor()

    def _on_exit_signal(self) -> None:
        self.journal.main.notice("Node was shut down by a signal")
        self._stop_reactor()

    def _on_hangup(self) -> None:
        self.journal.main.notice("SIGHUP: asking all nodes to read their configuration again")
        self.node.reload()

    def _on_dump(self) -> None:
        self.node.dump_state()

    def _stop_reactor(self) -> None:
        if self.running and not self._stopping:
            self._stopping = True
            self._reactor.stop()
