"""
The daemon's event loop: Twisted's epoll reactor with a shorter way from the kernel to a descriptor.

Twisted opens a context of its logging around every event, which costs more than to handle a token
does; our log has no use for it. What went wrong in a descriptor's callback is dealt with as Twisted
does. The loop also times its callbacks, and has a place for work at the end of the turn.
"""

from collections import deque
from collections.abc import Callable
from select import EPOLLIN
from time import monotonic_ns
from typing import Any, Final

from twisted.internet.epollreactor import EPollReactor
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
