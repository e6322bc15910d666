"""
Feeds the service manager's watchdog from the token loop.

The reactor alone says little: a ring that neither passes the token nor misses it is stuck, and must
not be petted. It is alive as long as it sends: in each state it sends within a token timeout, the
token, a Join or another try. What the ring hears does not count, for others make that.
"""

from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from corosync_tw.daemon.notify import notify
from corosync_tw.totem.stats import SrpStats

# Looks within the time that the service manager allows, so that one may come late.
LOOKS: Final = 3
# Token timeouts without a send that are no reason to worry: a token that is lost is missed after
# one.
SILENT_TIMEOUTS: Final = 2


def ring_progress(stats: SrpStats) -> int:
    """Count what the ring sent and the tries it made; it grows in every state."""
    return (
        stats.orf_token_tx
        + stats.memb_join_tx
        + stats.memb_commit_token_tx
        + stats.memb_merge_detect_tx
        + stats.gather_entered
        + stats.consensus_timeouts
    )


class Petting:
    """
    Says WATCHDOG=1 as long as the ring makes progress.

    :param interval_s: what ``notify.watchdog_interval_s`` gave; None never says anything.
    :param progress: a number that changes with each step of the ring.
    :param blocked: whether the ring's steps come to nothing, as while it waits for the disk.
    :param now_ns: monotonic clock.
    :param silence_max_ns: how long a healthy ring may go without a step; a reload changes it.
    """

    def __init__(
        self,
        reactor: IReactorTime,
        interval_s: float | None,
        *,
        progress: Callable[[], int],
        blocked: Callable[[], bool],
        now_ns: Callable[[], int],
        silence_max_ns: Callable[[], int],
        say: Callable[[str], None] = notify,
    ) -> None:
        self._reactor = reactor
        self._interval_s = interval_s
        self._progress = progress
        self._blocked = blocked
        self._now_ns = now_ns
        self._silence_max_ns = silence_max_ns
        self._say = say
        self._call: IDelayedCall | None = None
        self._last = -1
        self._last_ns = 0

    def start(self) -> None:
        """Begin; a node that starts is well."""
        if self._interval_s is not None:
            self._last, self._last_ns = self._progress(), self._now_ns()
            self._look()

    def stop(self) -> None:
        """Say no more."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def _look(self) -> None:
        assert self._interval_s is not None
        self._call = self._reactor.callLater(self._interval_s / LOOKS, self._look)
        now_ns, progress = self._now_ns(), self._progress()
        if progress != self._last and not self._blocked():
            self._last, self._last_ns = progress, now_ns
        if now_ns - self._last_ns <= self._silence_max_ns():
            self._say("WATCHDOG=1")
