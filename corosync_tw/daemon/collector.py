"""
When the garbage collector looks for cycles: at times of our choosing, for the token waits then.

What is there when the daemon has started stays, and is never looked at again. New objects are
looked at when nobody speaks, or when there are many of them; all that came since the start, when
nobody speaks, or at last after a long time. Reference counting frees nearly everything by itself.
"""

import gc
import time
from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from corosync_tw.services.stats.histogram import Histogram

CHECK_INTERVAL_S: Final = 0.5
# New objects that are worth a look when nobody speaks, and those that are looked at in any case:
# so many take a millisecond or so.
YOUNG_OBJECTS_MIN: Final = 1000
YOUNG_OBJECTS_MAX: Final = 20_000
# Between two looks at all that came since the start: when nobody speaks, and in any case.
FULL_INTERVAL_S: Final = 60.0
FULL_INTERVAL_BUSY_S: Final = 900.0
_YOUNG: Final = 0


class Collector:
    """
    Takes the place of the interpreter's own schedule.

    :param activity: a number that changes while the node has something to do.
    :param collection_time: how long each look took.
    """

    def __init__(
        self, reactor: IReactorTime, activity: Callable[[], object], collection_time: Histogram
    ) -> None:
        self._reactor = reactor
        self._activity = activity
        self._collection_time = collection_time
        self._call: IDelayedCall | None = None
        self._last_activity: object = None
        self._full_s = 0.0

    def start(self) -> None:
        """Take over; what is there now is taken to stay."""
        gc.disable()
        gc.collect()
        gc.freeze()
        self._full_s = self._reactor.seconds()
        self._plan()

    def stop(self) -> None:
        """Leave it to the interpreter again."""
        if self._call is not None:
            self._call.cancel()
            self._call = None
            gc.enable()

    def _plan(self) -> None:
        self._call = self._reactor.callLater(CHECK_INTERVAL_S, self._check)

    def _check(self) -> None:
        self._plan()
        activity = self._activity()
        idle = activity == self._last_activity
        self._last_activity = activity
        young = gc.get_count()[_YOUNG]
        since_full_s = self._reactor.seconds() - self._full_s
        if since_full_s >= (FULL_INTERVAL_S if idle else FULL_INTERVAL_BUSY_S):
            self._full_s += since_full_s
            self._collect(gc.collect)
        elif young >= (YOUNG_OBJECTS_MIN if idle else YOUNG_OBJECTS_MAX):
            self._collect(lambda: gc.collect(_YOUNG))

    def _collect(self, collect: Callable[[], int]) -> None:
        began_ns = time.monotonic_ns()
        collect()
        self._collection_time.record(time.monotonic_ns() - began_ns)
