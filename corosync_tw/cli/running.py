"""What all tools share: how a tool ends, and what an error looks like."""

import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any

from twisted.internet import task
from twisted.internet.defer import Deferred

from corosync_tw.cli.stock_tools import EXIT_INTERRUPTED, PROGRAM
from corosync_tw.errors import CsError
from corosync_tw.printable import printable_lines
from corosync_tw.timers.clock import install_monotonic


def complain(text: str) -> None:
    """Say on stderr what is wrong."""
    print(f"{PROGRAM}: {printable_lines(text)}", file=sys.stderr, flush=True)


def progress(text: str) -> None:
    """Say what is being done, to whoever waits for it at a terminal."""
    if sys.stderr.isatty():
        print(f"{printable_lines(text)} ...", file=sys.stderr, flush=True)


def write_no_more() -> None:
    """Leave a pipe that nobody reads; Python must not try again when it ends."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def run(tool: Callable[[Any], Coroutine[Deferred[Any], Any, int]]) -> None:
    """
    Run the reactor until ``tool`` has ended.

    Raises: SystemExit with the tool's exit code; 1 after an error, which is said on stderr.
    """
    ended: list[bool] = []

    async def guarded(reactor: Any) -> None:
        try:
            code = await tool(reactor)
            sys.stdout.flush()
        except BrokenPipeError:
            write_no_more()
            return
        except CsError as fault:
            if ended:
                # By a signal, which closed the connection to the daemon as well.
                raise SystemExit(EXIT_INTERRUPTED) from fault
            complain(str(fault) or fault.name)
            code = 1
        if code:
            raise SystemExit(code)

    def begin(reactor: Any) -> Deferred[None]:
        # A tool that runs for hours, as top does, must not stop when the clock is set back.
        install_monotonic(reactor)
        reactor.addSystemEventTrigger("before", "shutdown", ended.append, True)
        return Deferred.fromCoroutine(guarded(reactor))

    task.react(begin)
