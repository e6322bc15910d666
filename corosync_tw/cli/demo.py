"""
The demonstration behind ``make run``: three nodes on this machine, one of which dies and returns.

A text is sent line by line from all three nodes at once, over and over, into one group. In
mid-stream one node is killed, later started again. In the end the nodes that stayed must have heard
the same sequence, and every message of each other. Exit code 0 only then.
"""

import argparse
import os
import signal
import sys
import sysconfig
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from twisted.internet.defer import Deferred
from twisted.internet.task import LoopingCall, deferLater
from twisted.python.failure import Failure

from corosync_tw.cli.book import book
from corosync_tw.cli.cpg import LINE_LEN_BYTES_MAX
from corosync_tw.cli.demo_cluster import NODES, DemoCluster
from corosync_tw.cli.demo_nodes import DemoNode
from corosync_tw.cli.demo_report import Report
from corosync_tw.cli.demo_screen import Screen
from corosync_tw.cli.demo_tally import numbered
from corosync_tw.cli.stock_tools import PROGRAM
from corosync_tw.daemon.settings import SOCKET_PATH_LEN_BYTES_MAX
from corosync_tw.errors import CsError
from corosync_tw.ipc.pb.server import SOCKET_NAME

_ABOVE: Final = Path(__file__).parents[2]
_INSTALLED: Final = Path("share", "corosync_tw", "conf")
PHASE_S: Final = 4.0
LIVE_INTERVAL_S: Final = 0.25
_PREFIX: Final = "corosync_tw-demo-"
INTERRUPTED: Final = 130
# Room for the sender's name and number in front of a line.
HEAD_LEN_BYTES_MAX: Final = 64


class Demonstration:
    """
    The plot.

    :ivar code: exit code so far.
    """

    def __init__(self, reactor: Any, screen: Screen, args: argparse.Namespace) -> None:
        """Prepare; nothing is started."""
        self.code = INTERRUPTED
        self._reactor = reactor
        self._screen = screen
        self._args = args
        self.cluster = DemoCluster(reactor, screen, args.conf, make_work_dir())
        self.report = Report(self.cluster)
        self._text: list[bytes] = []
        self._sent: dict[str, int] = {}
        self._over = False
        self._streams: list[Deferred[Any]] = []

    async def run(self) -> None:
        """Play it all; sets ``code``."""
        live = LoopingCall(self._show_progress)
        live.clock = self._reactor
        try:
            self._text = read_text(self._args.file)
            await self._form()
            live.start(LIVE_INTERVAL_S)
            await self._stream_and_lose_one()
            await self._bring_it_back()
            await self._finish()
        finally:
            if live.running:
                live.stop()
        self.code = 0 if self.report.show(self._screen, self._sent) else 1
        for node in self.cluster.nodes:
            if node.cpg is not None:
                await node.cpg.leave()

    async def _form(self) -> None:
        cluster, nodes = self.cluster, self.cluster.nodes
        self._screen.event(f"starting {NODES} daemons with the files in {self._args.conf}")
        for node in nodes:
            cluster.start(node)
        for node in nodes:
            await cluster.enter(node)
        await cluster.until(
            "ring of three",
            lambda: all(len(cluster.rings.get(node.number, ())) == NODES for node in nodes),
        )
        for node in nodes:
            await cluster.join(node)
        await cluster.until("group of three", self._is_group_of_three)
        self._screen.event("a client of each node has joined the group")

    def _is_group_of_three(self) -> bool:
        groups = self.cluster.groups
        return all(len(groups.get(node.number, ())) == NODES for node in self.cluster.nodes)

    async def _stream_and_lose_one(self) -> None:
        cluster, victim = self.cluster, self.cluster.nodes[-1]
        name = self._args.file.name if self._args.file else "a generated book"
        self._screen.event(f"all three send {name}, {len(self._text):,} lines, over and over")
        for node in cluster.nodes:
            self._stream(node)
        self.report.stream_begins()
        await deferLater(self._reactor, self._args.phase_seconds)
        self.report.stream_was_undisturbed()
        self._screen.event(f"{victim.name} is killed with SIGKILL")
        self.report.killed_s = time.monotonic()
        cluster.kill(victim)
        await cluster.until("failover", lambda: len(cluster.left_s) == NODES - 1)
        await cluster.until("delivery again", lambda: len(cluster.silence_s) == NODES - 1)
        self._screen.event(f"the others go on: {self.report.failover_s():.2f} s after the kill")

    async def _bring_it_back(self) -> None:
        cluster, victim = self.cluster, self.cluster.nodes[-1]
        await deferLater(self._reactor, self._args.phase_seconds / 2)
        self._screen.event(f"{victim.name} is started again")
        self.report.restarted_s = time.monotonic()
        cluster.start(victim)
        await cluster.enter(victim)
        self.report.listening_s = time.monotonic()
        await cluster.until(
            "ring of three", lambda: len(cluster.rings.get(victim.number, ())) == NODES
        )
        await cluster.join(victim)
        await cluster.until("group of three", self._is_group_of_three)
        self.report.rejoined_s = time.monotonic()
        self._screen.event(f"{victim.name} is back in the group, and sends again")
        self._stream(victim)

    async def _finish(self) -> None:
        cluster = self.cluster
        await deferLater(self._reactor, self._args.phase_seconds)
        stayed = [node.sender for node in cluster.nodes[:-1]]
        while min(self._sent[sender] for sender in stayed) < len(self._text):
            await deferLater(self._reactor, LIVE_INTERVAL_S)
        self._over = True
        for stream in self._streams:
            await stream
        live = [node.sender for node in cluster.nodes]
        await cluster.until(
            "delivery of the last message",
            lambda: all(
                tally.last.get(sender, 0) >= self._sent[sender]
                for tally in cluster.tallies.values()
                for sender in live
            ),
        )
        self._screen.event("everything that was sent is delivered")

    def _stream(self, node: DemoNode) -> None:
        """Let a node send until the end, or until it is killed."""
        assert node.cpg is not None, "stream before join"
        sender, starts = node.sender, node.starts

        def ended(failure: Failure) -> None:
            killed = node.starts != starts or node.client is None
            if not killed:
                self.cluster.failed(failure.value)  # type: ignore[arg-type]

        self._sent[sender] = 0
        self._streams.append(node.cpg.mcast_many(self._messages(sender)).addErrback(ended))

    def _messages(self, sender: str) -> Iterator[bytes]:
        number = 0
        while True:
            for line in self._text:
                if self._over:
                    return
                number += 1
                self._sent[sender] = number
                yield numbered(sender, number, line)

    def _show_progress(self) -> None:
        self._screen.live(self.report.progress())


def make_work_dir() -> Path:
    """Make a directory whose name leaves room for the names of sockets."""
    room_len_bytes = SOCKET_PATH_LEN_BYTES_MAX - len(f"/{_PREFIX}12345678/var/node1/{SOCKET_NAME}")
    parent = tempfile.gettempdir()
    if len(os.fsencode(parent)) > room_len_bytes:
        parent = "/tmp"  # noqa: S108 - the directory in it has a name that nobody can foresee
    return Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))


def read_text(path: Path | None) -> list[bytes]:
    """
    Read the lines to send.

    Raises: CsError, when there are none.
    """
    if path is None:
        return [line.encode() for line in book()]
    try:
        lines = path.read_bytes().splitlines()
    except OSError as fault:
        raise CsError(f"cannot read {path}: {fault.strerror}") from fault
    if not lines:
        raise CsError(f"{path} has no lines to send")
    step = LINE_LEN_BYTES_MAX - HEAD_LEN_BYTES_MAX
    return [
        line[start : start + step] for line in lines for start in range(0, len(line) or 1, step)
    ]


def main(argv: Sequence[str] | None = None) -> None:
    """
    Run the demonstration.

    Raises: SystemExit; 0 when all is well, 1 when not, 130 after Ctrl-C.
    """
    from twisted.internet import reactor  # noqa: PLC0415 - importing it installs it

    args = _parse(argv)
    demonstration = Demonstration(reactor, Screen(sys.stdout), args)
    typed_reactor: Any = reactor
    typed_reactor.addSystemEventTrigger(
        "before", "shutdown", lambda: Deferred.fromCoroutine(demonstration.cluster.stop())
    )
    typed_reactor.callWhenRunning(_play, typed_reactor, demonstration, args)
    typed_reactor.run()
    raise SystemExit(demonstration.code)


def _play(reactor: Any, demonstration: Demonstration, args: argparse.Namespace) -> None:
    """Start the plot and see to its end."""
    # A closed terminal must not leave daemons behind.
    signal.signal(signal.SIGHUP, lambda *_: reactor.callFromThread(reactor.stop))

    def fail(fault: CsError) -> None:
        if stopped:
            return
        print(f"{PROGRAM} demo: {fault}", file=sys.stderr, flush=True)
        demonstration.code = 1
        stop()

    def stop() -> None:
        if not stopped:
            stopped.append(True)
            plot.cancel()
            reactor.stop()

    def ended(outcome: Any) -> None:
        if isinstance(outcome, Failure):
            if isinstance(outcome.value, CsError):
                fail(outcome.value)
            elif not stopped:
                print(outcome.getTraceback(), file=sys.stderr)
                demonstration.code = 1
                stop()
        elif args.stay:
            demonstration.report.show_how_to_talk(demonstration._screen)
        else:
            stop()

    stopped: list[bool] = []
    reactor.addSystemEventTrigger("before", "shutdown", stopped.append, True)
    demonstration.cluster.failed = fail
    plot = Deferred.fromCoroutine(demonstration.run())
    plot.addBoth(ended)


def conf_dir() -> Path:
    """Find the nodes' files: in the tree that we run from, or where they were installed."""
    schemes = (sysconfig.get_default_scheme(), sysconfig.get_preferred_scheme("user"))
    homes = [_ABOVE, *(Path(sysconfig.get_path("data", scheme)) for scheme in schemes)]
    found = [_ABOVE / "conf" / "demo", *(home / _INSTALLED / "demo" for home in homes)]
    return next((demo for demo in found if (demo / "node1.conf").is_file()), found[0])


def _parse(argv: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog=f"{PROGRAM}-demo", description=__doc__)
    parser.add_argument("--file", type=Path, metavar="FILE", help="text to send")
    parser.add_argument("--stay", action="store_true", help="leave the cluster up in the end")
    parser.add_argument(
        "--conf", type=Path, metavar="DIR", default=conf_dir(), help="directory of node1.conf to 3"
    )
    parser.add_argument(
        "--phase-seconds", type=float, metavar="S", default=PHASE_S, help="length of a scene"
    )
    return parser.parse_args(argv)


if __name__ == "__main__":
    main()
