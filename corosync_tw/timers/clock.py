"""
One monotonic clock for the reactor and for the protocol.

Twisted's reactor takes the wall clock: a step of the clock fires or hangs every timer, which for
Totem is a lost token or a dead failure detector. The daemon calls ``install_monotonic`` before
the first ``callLater`` and ``assert_monotonic`` when it starts. Wall time is for people to read.
"""

import time
from collections.abc import Callable, Sequence
from typing import Final, Protocol

from twisted.internet.interfaces import IDelayedCall

NS_PER_SECOND: Final = 1_000_000_000


class ClockError(Exception):
    """The reactor follows the wall clock, or can no longer be made to follow the monotonic."""


class TimedReactor(Protocol):
    """The part of a reactor that keeps time."""

    seconds: Callable[[], float]

    def getDelayedCalls(self) -> Sequence[IDelayedCall]:
        """List the calls that are pending."""


def install_monotonic(reactor: TimedReactor) -> None:
    """
    Make ``reactor`` count time with ``time.monotonic``.

    Doing it again changes nothing.

    :raises ClockError: a delayed call is pending; it was computed with the other clock.
    """
    if reactor.seconds is time.monotonic:
        return
    pending = reactor.getDelayedCalls()
    if pending:
        raise ClockError(
            f"{len(pending)} delayed calls are pending, the first is {pending[0]}; "
            "install the monotonic clock before anything calls callLater"
        )
    # The one attribute that callLater, its timeout and every DelayedCall take their time from.
    reactor.seconds = time.monotonic


def assert_monotonic(reactor: TimedReactor) -> None:
    """
    Check that ``install_monotonic`` was called and nobody undid it.

    :raises ClockError: it was not.
    """
    if reactor.seconds is not time.monotonic:
        raise ClockError(
            "the reactor follows the wall clock, a step of which would break every timeout; "
            "call corosync_tw.timers.clock.install_monotonic first"
        )


def seconds_of(duration_ns: int) -> float:
    """Turn nanoseconds into the seconds that ``callLater`` takes; what is past is 0."""
    return duration_ns / NS_PER_SECOND if duration_ns > 0 else 0.0
