"""
The last times the process was not scheduled: ``stats.schedmiss.*``, 0 the latest.

Source: Corosync exec/stats.c stats_add_schedmiss_event.
"""

from collections import deque
from collections.abc import Sequence
from typing import Final

from corosync_tw.errors import CsNotExist
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.cmap.wire import ValueType

PREFIX: Final = "stats.schedmiss."
EVENTS_MAX: Final = 10


class SchedMisses:
    """A Provider of cmap that remembers EVENTS_MAX events."""

    def __init__(self) -> None:
        self._events: deque[tuple[int, float]] = deque(maxlen=EVENTS_MAX)
        self._keys: tuple[str, ...] = ()

    def add(self, timestamp_ms: int, delay_ms: float) -> None:
        """
        Remember one.

        :param timestamp_ms: since the epoch, by the wall clock: people read it.
        """
        self._events.appendleft((timestamp_ms, delay_ms))
        self._list()

    def events(self) -> Sequence[tuple[int, float]]:
        """List the time of each, as ``add`` took it, and how long it was, latest first."""
        return tuple(self._events)

    def clear(self) -> None:
        """Forget all."""
        self._events.clear()
        self._list()

    def _list(self) -> None:
        names = ("timestamp", "delay")
        if len(self._keys) != len(names) * len(self._events):
            self._keys = tuple(
                f"{PREFIX}{number}.{name}" for number in range(len(self._events)) for name in names
            )

    def keys(self) -> Sequence[str]:
        """List the keys."""
        return self._keys

    def get(self, key: str) -> TypedValue:
        """Give a value; raises CsNotExist."""
        if key not in self._keys:
            raise CsNotExist(f"key {key!r}")
        number, _, name = key.removeprefix(PREFIX).partition(".")
        timestamp_ms, delay_ms = self._events[int(number)]
        if name == "timestamp":
            return TypedValue.u64(timestamp_ms)
        return TypedValue(ValueType.FLOAT, delay_ms)
