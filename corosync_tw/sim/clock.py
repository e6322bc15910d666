"""
Virtual time: one event queue for the whole cluster, and one drifting clock for each node.

Events are plain tuples ``(time_ns, number, kind, node, payload)``; the number makes the order of
equal times the order
of insertion, so a run is repeatable. Nothing here reads a real clock.
"""

from collections.abc import Callable
from heapq import heappop, heappush
from typing import Any, Final

ARRIVE: Final = 0  # payload: tuple of frames for the node
TIMER: Final = 1  # payload: incarnation number; the node's next deadline may be due
PROCESS: Final = 2  # payload: incarnation number; the node reads its socket
CALL: Final = 3  # payload: a function without arguments
LINK_ARRIVE: Final = 4  # payload: number of the network, index of the sender, tuple of frames

# Of one moment; more mean that something is due for ever.
EVENTS_AT_ONCE_MAX: Final = 200_000
PPM: Final = 1_000_000

Event = tuple[int, int, int, int, Any]


class EventQueue:
    """A heap of events and the present moment."""

    __slots__ = ("_at_once", "count", "heap", "now_ns")

    def __init__(self) -> None:
        self.heap: list[Event] = []
        self.now_ns = 0
        self.count = 0  # events pushed so far
        self._at_once = 0

    def push(self, time_ns: int, kind: int, node: int, payload: Any) -> None:
        """Add an event, not before now."""
        self.count += 1
        heappush(self.heap, (time_ns, self.count, kind, node, payload))

    def call_at(self, time_ns: int, function: Callable[[], None]) -> None:
        """Run a function at a moment."""
        self.push(max(time_ns, self.now_ns), CALL, 0, function)

    def pop(self) -> Event:
        """Take the earliest event and move the present moment there."""
        event = heappop(self.heap)
        self._at_once = self._at_once + 1 if event[0] == self.now_ns else 0
        assert self._at_once < EVENTS_AT_ONCE_MAX, "time stands still: a deadline that never passes"
        self.now_ns = event[0]
        return event


class NodeClock:
    """
    A node's monotonic clock: its own offset and its own speed.

    :ivar offset_ns: reading at simulated time 0.
    :ivar drift_ppm: how much faster than simulated time it runs, parts per million.
    """

    __slots__ = ("drift_ppm", "offset_ns")

    def __init__(self, offset_ns: int = 0, drift_ppm: int = 0) -> None:
        self.offset_ns = offset_ns
        self.drift_ppm = drift_ppm

    def local(self, now_ns: int) -> int:
        """Read the clock at a simulated moment."""
        return self.offset_ns + now_ns + now_ns * self.drift_ppm // PPM

    def simulated(self, local_ns: int) -> int:
        """Return the first simulated moment at which the clock shows at least ``local_ns``."""
        elapsed = local_ns - self.offset_ns
        moment = -(-elapsed * PPM // (PPM + self.drift_ppm))
        while self.local(moment) < local_ns:
            moment += 1
        return moment
