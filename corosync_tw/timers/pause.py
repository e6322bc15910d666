"""
Notice that the process did not run: a stopped virtual machine, SIGSTOP, swap, a long handler.

Source: Corosync exec/main.c, timer_function_scheduler_timeout: a timer every third of the token
timeout, a warning when it comes more than 0.8 of the token timeout after the one before.
"""

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from corosync_tw.timers.clock import seconds_of

CHECKS_PER_TOKEN_TIMEOUT: Final = 3
THRESHOLD_PERCENT: Final = 80


class PauseDetector:
    """
    Compares the time between two firings of a timer with what it should be.

    :ivar pauses: how often the threshold was passed.
    :ivar longest_gap_ns: the longest time between two firings.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        now_ns: Callable[[], int],
        token_timeout_ns: Callable[[], int],
        on_pause: Callable[[int, int], None],
    ) -> None:
        """
        Prepare; ``start`` sets the timer.

        :param now_ns: monotonic clock, nanoseconds.
        :param token_timeout_ns: asked anew at each check, for it may change.
        :param on_pause: called with the gap and the threshold, nanoseconds.
        """
        self._reactor = reactor
        self._now_ns = now_ns
        self._on_pause = on_pause
        self._token_timeout_ns = token_timeout_ns
        self._threshold_ns = 0
        self._call: IDelayedCall | None = None
        self._previous_ns = 0
        self.pauses = 0
        self.longest_gap_ns = 0

    def start(self) -> None:
        """Begin to watch."""
        assert self._call is None
        self._previous_ns = self._now_ns()
        self._plan()

    def stop(self) -> None:
        """Watch no longer."""
        if self._call is not None:
            self._call.cancel()
            self._call = None

    def _check(self) -> None:
        now_ns = self._now_ns()
        gap_ns = now_ns - self._previous_ns
        self._previous_ns = now_ns
        threshold_ns = self._threshold_ns
        self._plan()
        self.longest_gap_ns = max(self.longest_gap_ns, gap_ns)
        if gap_ns > threshold_ns:
            self.pauses += 1
            self._on_pause(gap_ns, threshold_ns)

    def _plan(self) -> None:
        """Check again in a share of the token timeout that is in force now."""
        token_timeout_ns = self._token_timeout_ns()
        assert token_timeout_ns > 0
        self._threshold_ns = token_timeout_ns * THRESHOLD_PERCENT // 100
        interval_s = seconds_of(token_timeout_ns // CHECKS_PER_TOKEN_TIMEOUT)
        self._call = self._reactor.callLater(interval_s, self._check)
