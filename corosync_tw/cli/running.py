"""What all tools share: where the daemon's socket is, how a tool ends, what an error looks like."""

import os
import sys
from argparse import ArgumentParser
from collections.abc import Callable, Coroutine, Mapping
from typing import Any, Final

from twisted.internet import task
from twisted.internet.defer import Deferred

from corosync_tw.client.errors import NoDaemon
from corosync_tw.client.node import Node, connect
from corosync_tw.errors import CsError

PROGRAM: Final = "corosync-tw"
DEFAULT_SOCKET: Final = "/run/corosync_tw.sock"
SOCKET_VARIABLE: Final = "COROSYNC_TW_SOCKET"


def socket_path(given: str | None, environ: Mapping[str, str] = os.environ) -> str:
    """Choose the daemon's socket: the option, the environment, the default."""
    return given or environ.get(SOCKET_VARIABLE) or DEFAULT_SOCKET


def add_socket_option(parser: ArgumentParser) -> None:
    """Give a tool the option --socket."""
    parser.add_argument(
        "--socket",
        metavar="PATH",
        help=f"socket of the daemon (else ${SOCKET_VARIABLE}, else {DEFAULT_SOCKET})",
    )


def complain(text: str) -> None:
    """Say on one line of stderr what is wrong."""
    print(f"{PROGRAM}: {text}", file=sys.stderr, flush=True)


async def reach(reactor: Any, path: str) -> Node:
    """
    Connect to the daemon.

    Raises: NoDaemon, whose text says what to do; CsError.
    """
    try:
        return await connect(reactor, path)
    except NoDaemon as fault:
        raise NoDaemon(
            f"no daemon answers on {path} ({fault}); start one with 'twistd -n corosync -c FILE',"
            " or name its socket with --socket PATH"
        ) from fault


def run(tool: Callable[[Any], Coroutine[Deferred[Any], Any, int]]) -> None:
    """
    Run the reactor until ``tool`` has ended.

    Raises: SystemExit with the tool's exit code; 1 after an error, which is said on stderr.
    """

    async def guarded(reactor: Any) -> None:
        try:
            code = await tool(reactor)
        except CsError as fault:
            complain(str(fault) or fault.name)
            code = 1
        if code:
            raise SystemExit(code)

    task.react(lambda reactor: Deferred.fromCoroutine(guarded(reactor)))
