"""
The daemon's event loop: Twisted's epoll reactor with a shorter way from the kernel to a descriptor.

Twisted opens a context of its logging around every event, which costs more than to handle a token
does; our log has no use for it. What went wrong in a descriptor's callback is dealt with as Twisted
does. The loop also times its callbacks, and has a place for work at the end of the turn.
"""

import sys
from collections import deque
from collections.abc import Callable
from select import EPOLLIN
from time import monotonic_ns
from typing import Any, Final

from twisted.internet.epollreactor import EPollReactor
from twisted.internet.interfaces import IReactorTime
from twisted.internet.main import installReactor
from twisted.python import log

from corosync_tw.services.stats.histogram import Histogram
from corosync_tw.timers.interludes import Interludes

_WITHOUT_END: Final = -1


class TurnReactor(EPollReactor):
    """
    Handles the events of a turn one after the other, then what was put off to the turn's end.

    :ivar callback_time: how long each callback took; the delayed calls of a turn count as one.
    :ivar interludes: called by callbacks that take long.
    """

    def __init__(self) -> None:
        self.callback_time = Histogram()
        self.interludes: Final = Interludes()
        self._turn_end_calls: deque[Callable[[], None]] = deque()
        super().__init__()  # type: ignore[no-untyped-call]

    def at_turn_end(self, call: Callable[[], None]) -> None:
        """Call ``call`` before the loop sleeps again, after the events at hand; not cancellable."""
        self._turn_end_calls.append(call)

    def runUntilCurrent(self) -> None:
        """Make the delayed calls that are due, if any are."""
        pending = self._pendingTimedCalls
        if (
            self._newTimedCalls
            or self.threadCallQueue
            or self._justStopped
            or (pending and pending[0].time <= self.seconds())
        ):
            began_ns = monotonic_ns()
            super().runUntilCurrent()
            self.callback_time.record(monotonic_ns() - began_ns)

    def timeout(self) -> float | None:
        """End the turn, then tell how long the loop may sleep."""
        calls = self._turn_end_calls
        if calls:
            began_ns = monotonic_ns()
            for _ in range(len(calls)):
                calls.popleft()()
            self.callback_time.record(monotonic_ns() - began_ns)
            if calls:
                return 0.0
        return super().timeout()

    def doPoll(self, timeout: float | None) -> None:
        """Wait for events and handle them."""
        selectables: dict[int, Any] = self._selectables
        try:
            events = self._poller.poll(
                _WITHOUT_END if timeout is None else timeout, len(selectables)
            )
        except InterruptedError:
            return
        began_ns = monotonic_ns()
        for fd, event in events:
            selectable = selectables.get(fd)
            if selectable is None:
                continue
            if event == EPOLLIN:
                self._read(selectable)
            else:
                self._doReadOrWrite(selectable, fd, event)  # type: ignore[no-untyped-call]
            ended_ns = monotonic_ns()
            self.callback_time.record(ended_ns - began_ns)
            began_ns = ended_ns

    doIteration = doPoll

    def _read(self, selectable: Any) -> None:
        try:
            why = selectable.doRead()
        except BaseException as error:  # noqa: BLE001 - as Twisted: logged, and the descriptor goes
            log.err()  # type: ignore[no-untyped-call]
            why = error
        if why:
            self._disconnectSelectable(selectable, why, True)  # type: ignore[no-untyped-call]


def install() -> None:
    """Make it the reactor of this process, unless somebody chose another before."""
    if "twisted.internet.reactor" not in sys.modules:
        installReactor(TurnReactor())  # type: ignore[no-untyped-call]


def time_callbacks(reactor: IReactorTime, histogram: Histogram) -> None:
    """Have a reactor's callbacks timed here, if it is one that times them."""
    if isinstance(reactor, TurnReactor):
        reactor.callback_time = histogram


def turn_end_of(reactor: IReactorTime) -> Callable[[Callable[[], None]], None]:
    """Give what puts calls off to the end of a reactor's turn, or to the next turn of another's."""
    if isinstance(reactor, TurnReactor):
        return reactor.at_turn_end

    def next_turn(call: Callable[[], None]) -> None:
        reactor.callLater(0, call)

    return next_turn
