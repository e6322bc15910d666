"""
``corosync-tw top``: a node as it runs, on the whole screen.

Ring, members, links, queues and clients, and how much goes through them a second. q ends it. When
the daemon goes, the last view stays until it is back. Without a terminal, or with TERM=dumb, views
follow each other as text; NO_COLOR takes the colours away.
"""

import json
import signal
import sys
import time
from argparse import ArgumentParser, ArgumentTypeError, Namespace
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from rich.console import Console
from rich.control import Control
from rich.screen import Screen
from twisted.internet.defer import Deferred
from twisted.internet.defer import TimeoutError as DeferredTimeout
from twisted.internet.error import AlreadyCalled, AlreadyCancelled

from corosync_tw.cli.keys import keys
from corosync_tw.cli.reaching import add_options, reach
from corosync_tw.cli.running import run
from corosync_tw.cli.top_screen import screen
from corosync_tw.cli.top_view import Look, view
from corosync_tw.client.errors import DaemonLost, NoDaemon
from corosync_tw.client.node import Node

INTERVAL_S: Final = 1.0
INTERVAL_S_MIN: Final = 0.1
INTERVAL_S_MAX: Final = 3600.0
# What is asked of the configuration map, besides the whole map of counters.
_SHOWN: Final = ("totem.", "nodelist.", "runtime.members.", "runtime.services.cpg.")
_QUIT: Final = frozenset(b"qQ\x03\x1b")
# A daemon that does not answer so long is as good as gone.
ANSWER_TIMEOUT_S: Final = 10.0


def add_parser(tools: Any) -> None:
    """Describe the tool."""
    parser: ArgumentParser = tools.add_parser(
        "top",
        help="show a node as it runs, on the whole screen",
        description=(__doc__ or "").partition("\n\n")[2],
    )
    parser.add_argument("--once", action="store_true", help="one view, of one interval, and end")
    parser.add_argument("--json", action="store_true", help="one JSON object a view, on one line")
    parser.add_argument(
        "--interval",
        type=_interval,
        default=INTERVAL_S,
        metavar="SECONDS",
        help=f"between views ({INTERVAL_S:g})",
    )
    add_options(parser)
    parser.set_defaults(run=main)


def main(args: Namespace) -> None:
    """Run the tool."""

    async def show(reactor: Any) -> int:
        await Top(reactor, args, Console(highlight=False, soft_wrap=False)).run()
        return 0

    run(show)


def _interval(text: str) -> float:
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not INTERVAL_S_MIN <= seconds <= INTERVAL_S_MAX:
        raise ArgumentTypeError(
            f"{text!r} is no number of seconds from {INTERVAL_S_MIN:g} to {INTERVAL_S_MAX:g}"
        )
    return seconds


async def look(node: Node, now_s: Callable[[], float]) -> Look:
    """Look at a node once. Raises: CsError."""
    status = await node.status()
    stats = await node.stats().items("stats.")
    icmap = {}
    for prefix in _SHOWN:
        icmap.update(await node.cmap().items(prefix))
    return Look(now_s(), status, _values(stats), _values(icmap))


def _values(keys: Any) -> dict[str, Any]:
    return {key: typed.value for key, typed in keys.items()}


class Top:
    """One run of the tool."""

    def __init__(self, reactor: Any, args: Namespace, console: Console) -> None:
        self._reactor = reactor
        self._args = args
        self._console = console
        self._full = console.is_terminal and not console.is_dumb_terminal
        self._full &= not (args.once or args.json)
        self._node: Node | None = None
        self._before: Look | None = None
        self._shown: dict[str, Any] | None = None
        self._lost = ""
        self._over = False
        self._sleep: Deferred[None] | None = None

    async def run(self) -> None:
        """Show views until it is told to end. Raises: CsError, when there never was a daemon."""
        self._node = await reach(self._reactor, self._args)
        with self._screen():
            while not self._over:
                await self._step()
                if self._args.once and self._shown is not None:
                    break
                await self._rest()
        if self._node is not None:
            await self._node.disconnect()

    async def _step(self) -> None:
        """Look, and show what there is to be seen."""
        try:
            if self._node is None:
                self._node = await reach(self._reactor, self._args)
            looking = Deferred.fromCoroutine(look(self._node, self._reactor.seconds))
            now = await looking.addTimeout(ANSWER_TIMEOUT_S, self._reactor)
        except (DaemonLost, NoDaemon, DeferredTimeout) as fault:
            if self._args.once:
                raise NoDaemon("the daemon went while it was looked at") from fault
            self._lose(
                "the daemon is gone"
                if not isinstance(fault, DeferredTimeout)
                else f"no answer for {ANSWER_TIMEOUT_S:g} s"
            )
            return
        first, self._lost = self._before is None, ""
        before, self._before = self._before, now
        # A single view is one of rates: it takes a second look.
        if not (first and self._args.once):
            self._shown = view(now, before)
            self._draw()

    def _lose(self, why: str) -> None:
        if self._node is not None:
            self._node.disconnect()
        self._node = self._before = None
        self._lost = f"{why}, trying again"
        if self._shown is not None and self._full:
            self._draw()
        elif not self._full:
            print(self._lost, file=sys.stderr, flush=True)

    def _draw(self) -> None:
        if self._shown is None:
            return
        if self._args.json:
            print(json.dumps(self._shown), flush=True)
            return
        console = self._console
        clock = time.strftime("%H:%M:%S")
        width, height = console.size
        rows = height if self._full else 0
        laid_out = screen(self._shown, width, rows, clock=clock, lost=self._lost)
        if self._full:
            with console:
                console.control(Control.home())
                console.print(Screen(laid_out), end="")
        else:
            console.print(laid_out)
            if not self._args.once:
                console.print()

    async def _rest(self) -> None:
        """Wait until it is time for the next look, or over."""
        if self._over:
            return
        self._sleep = Deferred()
        call = self._reactor.callLater(self._args.interval, self._wake)
        await self._sleep
        try:
            call.cancel()
        except (AlreadyCalled, AlreadyCancelled):
            return

    def _wake(self) -> None:
        sleep, self._sleep = self._sleep, None
        if sleep is not None:
            sleep.callback(None)

    def _end(self) -> None:
        self._over = True
        self._wake()

    @contextmanager
    def _screen(self) -> Iterator[None]:
        """Have the screen, the keys and the news of its size, and give them back."""
        if not self._full:
            yield
            return
        console = self._console
        resized = signal.signal(signal.SIGWINCH, self._on_resize)
        console.set_alt_screen(True)
        console.show_cursor(False)
        try:
            with keys(self._reactor, self._on_keys):
                yield
        finally:
            console.show_cursor(True)
            console.set_alt_screen(False)
            signal.signal(signal.SIGWINCH, resized)

    def _on_resize(self, *_signal: object) -> None:
        self._reactor.callFromThread(self._draw)

    def _on_keys(self, typed: bytes) -> None:
        if not typed or _QUIT & set(typed):
            self._end()
        else:
            self._wake()
