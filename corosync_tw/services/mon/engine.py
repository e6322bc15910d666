"""
Monitors of memory and load: their limits, their values and their states in cmap.

Idle until a ``max`` is set. Source: Corosync exec/mon.c.
Deviation: poll_period counts when it is a number, as corosync.conf makes it; Corosync reads a
string, and overwrites the number with its default. A ``max`` that appears at run time starts the
monitor, and one that is removed stops it.
"""

import re
from dataclasses import dataclass
from functools import partial
from typing import Final

from corosync_tw.corotypes import NS_PER_MS
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.cmap.trackers import Track
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.cmap.wire import ValueType
from corosync_tw.services.exec_wire import ServiceId
from corosync_tw.services.interfaces import ServiceBus
from corosync_tw.services.log_line import LogLine
from corosync_tw.services.mon.effects import SampleWanted
from corosync_tw.services.mon.machine import (
    ResourceEvent,
    ResourceMachine,
    ResourceState,
    transition_text,
)

PERIOD_MS_DEFAULT: Final = 3000
PERIOD_MS_MIN: Final = 500
PERIOD_MS_MAX: Final = 120_000
_SETTINGS: Final = frozenset({"max", "poll_period"})
# What scanf reads of a text; the rest is ignored, for instance a percent sign.
_NUMBER: Final = re.compile(r"\s*([-+]?\d{1,15}(?:\.\d{1,15})?)")


@dataclass(slots=True)
class _Resource:
    """
    One monitor.

    :ivar kind: of ``current`` before the first value; it tells how ``max`` is read.
    :ivar written: of ``current`` afterwards.
    :ivar due_ns: when the next value is wanted; None while stopped.
    """

    name: str
    kind: ValueType
    written: ValueType
    machine: ResourceMachine
    period_ms: int = PERIOD_MS_DEFAULT
    limit: float | None = None
    due_ns: int | None = None

    @property
    def prefix(self) -> str:
        return f"resources.system.{self.name}."


class MonEngine:
    """The two monitors; ``start`` makes their keys."""

    service_id: int = ServiceId.MON
    name = "corosync resource monitoring service"

    def __init__(self, store: CmapStore, bus: ServiceBus) -> None:
        self._store = store
        self._bus = bus
        self._resources = {
            "memory_used": _Resource(
                "memory_used", ValueType.INT32, ValueType.UINT32, ResourceMachine()
            ),
            "load_15min": _Resource(
                "load_15min", ValueType.DOUBLE, ValueType.DOUBLE, ResourceMachine()
            ),
        }
        self._deadline_ns: int | None = None

    def start(self) -> None:
        """Make the keys, and begin to monitor what has a limit; corosync.conf is in the store."""
        mask = Track.ADD | Track.MODIFY | Track.DELETE | Track.PREFIX
        for resource in self._resources.values():
            prefix = resource.prefix
            self._store.set(prefix + "current", TypedValue(resource.kind, 0))
            self._store.set(prefix + "last_updated", TypedValue.u64(0))
            self._store.set(prefix + "state", TypedValue.string(resource.machine.state.value))
            if prefix + "poll_period" not in self._store:
                self._store.set(prefix + "poll_period", TypedValue.u64(resource.period_ms))
            self._configure(resource)
            self._store.track_add(prefix, mask, partial(self._on_key, resource))

    def next_deadline(self) -> int | None:
        """Tell when the next value is wanted, absolute, in nanoseconds."""
        return self._deadline_ns

    def advance(self, now_ns: int) -> None:
        """Ask for the values that are due."""
        for resource in self._resources.values():
            if resource.due_ns is not None and now_ns >= resource.due_ns:
                self._ask(resource, now_ns)

    def sampled(self, name: str, value: float, now_ns: int) -> None:
        """
        Take a value; 0 and below say that there is none.

        :param name: of the resource.
        :param now_ns: the monotonic clock, which ``last_updated`` shows.
        """
        resource = self._resources[name]
        if value <= 0 or resource.due_ns is None:
            return
        number = value if resource.written is ValueType.DOUBLE else int(value)
        self._store.set(resource.prefix + "current", TypedValue(resource.written, number))
        self._store.set(resource.prefix + "last_updated", TypedValue.u64(now_ns))
        over = resource.limit is not None and number > resource.limit
        if over and resource.machine.accepts(ResourceEvent.FAILURE):
            self._enter(resource, ResourceEvent.FAILURE, ResourceState.FAILED)

    def _on_key(
        self,
        resource: _Resource,
        event: Track,
        key: str,
        new: TypedValue | None,
        old: TypedValue | None,
    ) -> None:
        del new, old
        if key.rpartition(".")[2] not in _SETTINGS:
            return
        if event is Track.DELETE:
            self._log("warning", f'resource "{resource.name}" deleted from cmap!')
        self._configure(resource)

    def _configure(self, resource: _Resource) -> None:
        """Follow the settings. Source: mon_config_changed."""
        self._set_period(resource)
        resource.limit = self._limit(resource)
        resource.due_ns = None
        if resource.limit is None:
            self._enter(resource, ResourceEvent.CONFIG_CHANGED, ResourceState.STOPPED)
            self._measure()
        else:
            self._enter(resource, ResourceEvent.CONFIG_CHANGED, ResourceState.RUNNING)
            self._ask(resource, self._bus.now_ns)

    def _set_period(self, resource: _Resource) -> None:
        value = self._store.find(resource.prefix + "poll_period")
        if value is None:
            return
        try:
            period_ms = int(value.value)
        except (ValueError, OverflowError):
            self._log(
                "warning",
                f"Could NOT use poll_period: {value.value!r} (not uint64 type) for resource"
                f" {resource.name}",
            )
            return
        if PERIOD_MS_MIN <= period_ms <= PERIOD_MS_MAX:
            resource.period_ms = period_ms
        else:
            self._log(
                "warning",
                f"Could NOT use poll_period:{period_ms} ms for resource {resource.name}",
            )

    def _limit(self, resource: _Resource) -> float | None:
        value = self._store.find(resource.prefix + "max")
        read = None if value is None else _NUMBER.match(str(value.value))
        if read is None:
            return None
        limit = float(read[1])
        return limit if resource.kind is ValueType.DOUBLE else int(limit)

    def _ask(self, resource: _Resource, now_ns: int) -> None:
        resource.due_ns = now_ns + resource.period_ms * NS_PER_MS
        self._measure()
        self._bus.emit(SampleWanted(resource.name))

    def _measure(self) -> None:
        dues = [r.due_ns for r in self._resources.values() if r.due_ns is not None]
        self._deadline_ns = min(dues, default=None)

    def _enter(self, resource: _Resource, event: ResourceEvent, state: ResourceState) -> None:
        old = resource.machine.state
        if resource.machine.enter(event, state):
            self._log("info", transition_text(resource.name, event, old, state))
            self._store.set(resource.prefix + "state", TypedValue.string(state.value))

    def _log(self, level: str, text: str) -> None:
        self._bus.emit(LogLine("MON", level, text))
