"""
Signals of the daemon.

The reactor's own handlers would end the process with the signal's status; Corosync ends with 0
after a clean leave.
Handlers run between two byte codes of the main thread, so they only wake the reactor.
Source: Corosync exec/main.c, sig_exit_handler and sig_diag_handler.
"""

import signal
from collections.abc import Callable, Mapping
from types import FrameType
from typing import Final

from twisted.internet.interfaces import IReactorFromThreads

Handler = Callable[[], None]
_Previous = Callable[[int, FrameType | None], object] | int | None

EXIT_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


class Signals:
    """Installed handlers, to be put back at the end."""

    def __init__(self, reactor: IReactorFromThreads) -> None:
        self._reactor = reactor
        self._previous: dict[signal.Signals, _Previous] = {}

    def install(self, handlers: Mapping[signal.Signals, Handler]) -> None:
        """Call each handler from the reactor when its signal arrives; main thread only."""

        def catch(handler: Handler) -> Callable[[int, FrameType | None], None]:
            return lambda _number, _frame: self._reactor.callFromThread(handler)

        for number, handler in handlers.items():
            self._previous.setdefault(number, signal.getsignal(number))
            signal.signal(number, catch(handler))

    def restore(self) -> None:
        """Put back what was there before."""
        for number, previous in self._previous.items():
            signal.signal(number, signal.SIG_DFL if previous is None else previous)
        self._previous.clear()
