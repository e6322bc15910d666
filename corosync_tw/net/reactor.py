"""
Which event loop the daemon runs: ours where the system has epoll, else the one Twisted chooses.

With another one than ours callbacks are not timed, and what belongs to a turn's end comes with the
next turn.
"""

import sys
from collections.abc import Callable
from typing import Protocol, runtime_checkable

from twisted.internet.interfaces import IReactorTime
from twisted.internet.main import installReactor

from corosync_tw import features
from corosync_tw.services.stats.histogram import Histogram


@runtime_checkable
class TurnLoop(Protocol):
    """
    A reactor that has turns.

    :ivar callback_time: how long each callback took.
    """

    callback_time: Histogram

    def at_turn_end(self, call: Callable[[], None]) -> None:
        """Call ``call`` before the loop sleeps again, after the events at hand; not cancellable."""


def install() -> None:
    """Make ours the reactor of this process, unless it cannot be or somebody chose another."""
    if "twisted.internet.reactor" in sys.modules or features.is_off("epoll"):
        return
    try:
        # Here, because the module can be loaded only where there is epoll.
        from corosync_tw.net.epoll_reactor import TurnReactor  # noqa: PLC0415
    except ImportError:
        return
    installReactor(TurnReactor())  # type: ignore[no-untyped-call]


def time_callbacks(reactor: IReactorTime, histogram: Histogram) -> None:
    """Have a reactor's callbacks timed here, if it is one that times them."""
    if isinstance(reactor, TurnLoop):
        reactor.callback_time = histogram


def turn_end_of(reactor: IReactorTime) -> Callable[[Callable[[], None]], None]:
    """Give what puts calls off to the end of a reactor's turn, or to the next turn of another's."""
    if isinstance(reactor, TurnLoop):
        return reactor.at_turn_end

    def next_turn(call: Callable[[], None]) -> None:
        reactor.callLater(0, call)

    return next_turn
