"""One node of the demonstration: its daemon as a child process, and a client of it."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IProcessTransport
from twisted.internet.protocol import ProcessProtocol
from twisted.internet.task import deferLater
from twisted.python.failure import Failure

import corosync_tw
from corosync_tw.client.cpg import Cpg
from corosync_tw.client.errors import NoDaemon
from corosync_tw.client.node import Node, connect
from corosync_tw.errors import CsError
from corosync_tw.ipc.pb.server import SOCKET_NAME

START_TIMEOUT_S: Final = 30.0
CONNECT_INTERVAL_S: Final = 0.02
STOP_TIMEOUT_S: Final = 5.0


# A session of its own, so that Ctrl-C reaches the demonstration alone, which then ends its nodes.
_TWISTD: Final = "import os; os.setsid(); from twisted.scripts.twistd import run; run()"


class NodeFailed(CsError):
    """A daemon did not start, or ended unasked; the text has the end of its log."""


class _Daemon(ProcessProtocol):
    """The child process."""

    def __init__(self) -> None:
        self.exit_text: str | None = None
        self.ended: Deferred[None] = Deferred()

    def processEnded(self, reason: Failure) -> None:
        """Keep how it ended."""
        ending: Any = reason.value
        self.exit_text = f"with exit code {ending.exitCode}"
        if ending.signal is not None:
            self.exit_text = f"by signal {ending.signal}"
        self.ended.callback(None)


class DemoNode:
    """
    A node that can be started, killed and started again.

    :ivar name: of its configuration file and its directories.
    :ivar client: connection to it, while it runs.
    :ivar cpg: membership of the demonstration's group.
    :ivar starts: how often it was started.
    """

    def __init__(self, reactor: Any, number: int, conf_dir: Path, work_dir: Path) -> None:
        """Describe a node; nothing is started."""
        self.number = number
        self.name = f"node{number}"
        self.starts = 0
        self.client: Node | None = None
        self.cpg: Cpg | None = None
        self._reactor = reactor
        self._work_dir = work_dir
        self._conf_file = conf_dir / f"{self.name}.conf"
        self._log_file = work_dir / f"{self.name}.log"
        self._daemon: _Daemon | None = None
        self._process: IProcessTransport | None = None

    @property
    def socket(self) -> str:
        """Path of the daemon's socket for clients; run_dir of the configuration says the same."""
        return str(self._work_dir / "var" / self.name / SOCKET_NAME)

    @property
    def sender(self) -> str:
        """Name of this life of the node in messages."""
        return f"{self.name}.{self.starts}"

    def start(self) -> None:
        """Start the daemon, in the working directory that its paths are relative to."""
        self.starts += 1
        command = [sys.executable, "-c", _TWISTD, "-n", "corosync", "-c", str(self._conf_file)]
        source_dir = str(Path(corosync_tw.__file__).parents[1])
        environ = {**os.environ, "PYTHONPATH": source_dir}
        self._daemon = _Daemon()
        with open(self._log_file, "ab") as log, open(os.devnull, "rb") as nothing:
            self._process = self._reactor.spawnProcess(
                self._daemon,
                sys.executable,
                command,
                env=environ,
                path=str(self._work_dir),
                childFDs={0: nothing.fileno(), 1: log.fileno(), 2: log.fileno()},
            )

    async def connect(self) -> Node:
        """
        Connect as soon as the daemon listens.

        Raises: NodeFailed.
        """
        assert self._daemon is not None, "connect before start"
        deadline_s = self._reactor.seconds() + START_TIMEOUT_S
        while True:
            try:
                self.client = await connect(self._reactor, self.socket)
            except NoDaemon as fault:
                if self._daemon.exit_text is not None or self._reactor.seconds() > deadline_s:
                    raise NodeFailed(self._why_failed()) from fault
                await deferLater(self._reactor, CONNECT_INTERVAL_S)
            else:
                return self.client

    def when_ended(self, callback: Callable[[str], object]) -> None:
        """Call back with the reason when this life of the daemon ends."""
        assert self._daemon is not None, "a node that never started cannot end"
        self._daemon.ended.addCallback(lambda _: callback(self._why_failed()))

    def kill(self) -> None:
        """Kill the daemon without a word."""
        self._signal("KILL")
        self.client = self.cpg = None

    async def stop(self) -> None:
        """End the daemon: ask it to leave, and kill it when it does not."""
        daemon = self._daemon
        if daemon is None or daemon.exit_text is not None:
            return
        self._signal("TERM")
        last_resort = self._reactor.callLater(STOP_TIMEOUT_S, self._signal, "KILL")
        gone: Deferred[None] = Deferred()
        daemon.ended.addCallback(gone.callback)
        await gone
        if last_resort.active():
            last_resort.cancel()

    def log_tail(self, lines_max: int = 8) -> str:
        """Quote the end of the daemon's log."""
        lines = self._log_file.read_text(errors="replace").splitlines()[-lines_max:]
        return "\n".join(f"    {line}" for line in lines) or "    (its log is empty)"

    def _signal(self, name: str) -> None:
        if self._process is not None and self._process.pid is not None:
            os.kill(self._process.pid, getattr(signal, f"SIG{name}"))

    def _why_failed(self) -> str:
        exit_text = self._daemon.exit_text if self._daemon is not None else None
        what = f"did not answer within {START_TIMEOUT_S:.0f} s"
        if exit_text is not None:
            what = f"ended {exit_text}"
        return f"{self.name} {what}; its log says:\n{self.log_tail()}"
