"""
What the tools that stand in for stock ones share: how they begin, speak and end.

They import no reactor, since administrators call them in loops.
"""

import json
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final, NoReturn, TypeVar

from corosync_tw.cli.gnu_options import WrongOption
from corosync_tw.errors import CsTryAgain

EXIT_SUCCESS: Final = 0
EXIT_FAILURE: Final = 1

_T = TypeVar("_T")


class Ended(Exception):
    """
    A tool is done, and has said what is to be said.

    :ivar code: to exit with.
    """

    def __init__(self, code: int) -> None:
        super().__init__(code)
        self.code = code


def complain(text: str) -> None:
    """Say on stderr what is wrong, behind everything that was printed before."""
    # Not by sys.stdout.flush(), since there is no sys.stdout when it was closed.
    print(end="", flush=True)
    print(text, file=sys.stderr, flush=True)


def fail(text: str, code: int = EXIT_FAILURE) -> NoReturn:
    """Complain, and end. Raises: Ended."""
    complain(text)
    raise Ended(code)


def print_json(document: Any) -> None:
    """Print one document on one line, in ASCII; bytes that are no UTF-8 as lone surrogates."""
    print(json.dumps(document), flush=True)


def repeated(call: Callable[[], _T], tries: int, pause_s: float = 1.0) -> _T:
    """
    Call until it is not told to try again, at most so many times.

    Raises: what the last call raised.
    """
    for _ in range(tries - 1):
        try:
            return call()
        except CsTryAgain:
            time.sleep(pause_s)
    return call()


def run(tool: Callable[[Sequence[str]], int], argv: Sequence[str], name: str) -> NoReturn:
    """
    Run a tool as a C program would run: signals end it silently, bytes pass unchanged.

    :param name: of the process, by which the daemon knows its clients.
    Raises: SystemExit with the tool's exit code.
    """
    for number in (signal.SIGINT, signal.SIGPIPE):
        signal.signal(number, signal.SIG_DFL)
    for stream in (sys.stdout, sys.stderr):
        # What a caller put in its place has no such method.
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="surrogateescape")
    with suppress(OSError), open("/proc/self/comm", "w", encoding="utf-8") as comm:
        comm.write(name)
    raise SystemExit(exit_code(tool, argv))


def exit_code(tool: Callable[[Sequence[str]], int], argv: Sequence[str]) -> int:
    """Run a tool in this process."""
    try:
        return tool(argv)
    except Ended as end:
        return end.code
    except WrongOption:
        return EXIT_FAILURE
