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

EXIT_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT, signal.SIGQUIT)


def install(reactor: IReactorFromThreads, handlers: Mapping[signal.Signals, Handler]) -> None:
    """
    Call each handler from the reactor when its signal arrives; main thread only.

    They stay to the end of the process, so that a second signal does not cut a leave short.
    """

    def catch(handler: Handler) -> Callable[[int, FrameType | None], None]:
        return lambda _number, _frame: reactor.callFromThread(handler)

    for number, handler in handlers.items():
        signal.signal(number, catch(handler))
