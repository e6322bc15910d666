"""
Watch the wall clock against the monotonic one: somebody sets it, time service bends it, the machine
sleeps.

The protocol follows neither of these; people who compare the logs of nodes do.
"""

import time
from collections.abc import Callable
from typing import Final, Protocol

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from corosync_tw.corotypes import NS_PER_MS

LOOK_INTERVAL_S: Final = 1.0
# More than a time service bends in a second, and than users of logs want to bear.
STEP_NS_MIN: Final = 100 * NS_PER_MS
# Clocks that are read one after the other are read again when somebody came in between for longer.
READ_NS_MAX: Final = NS_PER_MS
READ_TRIES: Final = 3


class Noticed(Protocol):
    """Whoever is told."""

    def looked(self, offset_ns: int) -> None:
        """Once a second: what is to be added to the monotonic clock to have the wall clock."""

    def stepped(self, step_ns: int) -> None:
        """The wall clock was set forward, or back."""

    def suspended(self, length_ns: int) -> None:
        """The machine slept; its monotonic clock stood still."""


def boottime_ns() -> int:
    """Read the clock that counts sleep, too; the monotonic one where there is none."""
    clock = getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC)
    return time.clock_gettime_ns(clock)


class ClockWatch:
    """Looks once a second."""

    def __init__(
        self,
        reactor: IReactorTime,
        noticed: Noticed,
        *,
        now_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
        awake_ns: Callable[[], int] = boottime_ns,
    ) -> None:
        """
        Prepare; ``start`` takes the first look.

        :param awake_ns: clock that counts sleep as well.
        """
        self._reactor = reactor
        self._noticed = noticed
        self._now_ns = now_ns
        self._wall_ns = wall_ns
        self._awake_ns = awake_ns
        self._offset_ns = 0
        self._asleep_ns = 0
        self._call: IDelayedCall | None = None

    def start(self) -> None:
        """Begin."""
        self._offset_ns, self._asleep_ns, _ = self._read()
        self._call = self._reactor.callLater(LOOK_INTERVAL_S, self._look)

    def stop(self) -> None:
        """End."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def _look(self) -> None:
        self._call = self._reactor.callLater(LOOK_INTERVAL_S, self._look)
        offset_ns, asleep_ns, doubt_ns = self._read()
        slept_ns = asleep_ns - self._asleep_ns
        step_ns = offset_ns - self._offset_ns - slept_ns
        self._offset_ns, self._asleep_ns = offset_ns, asleep_ns
        if slept_ns >= STEP_NS_MIN + doubt_ns:
            self._noticed.suspended(slept_ns)
        if abs(step_ns) >= STEP_NS_MIN + doubt_ns:
            self._noticed.stepped(step_ns)
        self._noticed.looked(offset_ns)

    def _read(self) -> tuple[int, int, int]:
        """Give how far the other clocks are ahead of the monotonic one, and the doubt of both."""
        for _ in range(READ_TRIES):
            before_ns = self._now_ns()
            wall_ns, awake_ns = self._wall_ns(), self._awake_ns()
            doubt_ns = self._now_ns() - before_ns
            if doubt_ns <= READ_NS_MAX:
                break
        middle_ns = before_ns + doubt_ns // 2
        return wall_ns - middle_ns, awake_ns - middle_ns, doubt_ns
