"""
The watchdog: it is tickled as long as no resource failed whose recovery it is.

Resources are what has a key ``resources.TYPE.NAME.state``: the monitors of mon, processes under
SAM, and anything a program writes. Source: Corosync exec/wd.c.
Deviation: a changed poll_period counts; Corosync looks it up under a wrong name.
"""

import re
from contextlib import suppress
from functools import partial
from typing import Final

from corosync_tw.corotypes import MS_PER_S, NS_PER_MS
from corosync_tw.errors import CsNameTooLong
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.cmap.trackers import Track
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.cmap.wire import ValueType
from corosync_tw.services.exec_wire import ServiceId
from corosync_tw.services.interfaces import ServiceBus
from corosync_tw.services.log_line import LogLine
from corosync_tw.services.mon.machine import ResourceEvent, ResourceState, transition_text
from corosync_tw.services.wd.effects import OpenDog, PowerWanted, SetDogTimeout, TickleDog
from corosync_tw.services.wd.resources import (
    PERIOD_MS_DEFAULT,
    PERIOD_MS_MAX,
    PERIOD_MS_MIN,
    WdResource,
    is_well,
    lateness_ms,
    text_of,
    u64_of,
)

TIMEOUT_S_DEFAULT: Final = 6
TIMEOUT_S_MIN: Final = 2
TIMEOUT_S_MAX: Final = 120
DEVICE_KEY: Final = "resources.watchdog_device"
TIMEOUT_KEY: Final = "resources.watchdog_timeout"
# Clients may make keys without end; beyond these nobody is watched.
RESOURCES_MAX: Final = 1024
_STATE_KEY: Final = re.compile(r"(resources\.[^.]+\.([^.]+)\.)state")
_NO_CONFIGURATION: Final = frozenset({"last_updated", "current"})
_OUT_OF_RANGE: Final = f"Set watchdog_timeout is out of range ({TIMEOUT_S_MIN}..{TIMEOUT_S_MAX})."


class WdEngine:
    """
    Watches resources and keeps the dog quiet; ``start`` begins.

    :ivar well: no resource failed whose recovery is the watchdog; never True again afterwards.
    """

    service_id: int = ServiceId.WD
    name = "corosync watchdog service"

    def __init__(self, store: CmapStore, bus: ServiceBus) -> None:
        self._store = store
        self._bus = bus
        self.well = True
        self._armed = False
        self._timeout_s = TIMEOUT_S_DEFAULT
        self._tickle_ns: int | None = None
        self._resources: dict[str, WdResource] = {}
        self._deadline_ns: int | None = None

    def start(self) -> None:
        """Open the dog that the configuration names; look for resources."""
        store = self._store
        self._timeout_s = self._configured_timeout()
        store.set(TIMEOUT_KEY, TypedValue.u32(self._timeout_s))
        store.track_add(TIMEOUT_KEY, Track.MODIFY, self._on_timeout_key)
        self._schedule_tickle()
        self._open()
        created = [
            self._create(match[1], match[2])
            for key in store.keys("resources.")
            if (match := _STATE_KEY.fullmatch(key))
        ]
        for prefix in ("resources.process.", "resources.system."):
            store.track_add(prefix, Track.ADD | Track.PREFIX, self._on_new_key)
        if not any(created):
            self._log("info", "no resources configured.")
        self._measure()

    def next_deadline(self) -> int | None:
        """Tell when to tickle or to look, absolute, in nanoseconds."""
        return self._deadline_ns

    def advance(self, now_ns: int) -> None:
        """Look at the resources that are due, then tickle."""
        for resource in list(self._resources.values()):
            if resource.due_ns is not None and now_ns >= resource.due_ns:
                self._check(resource, now_ns)
        if self._tickle_ns is not None and now_ns >= self._tickle_ns:
            self._tickle(now_ns)
        self._measure()

    def dog_armed(self, timeout_s: int) -> None:
        """
        Take note that the device is open and what its timeout is.

        :param timeout_s: as the device has it, maybe not what was asked for.
        """
        self._armed = True
        self._timeout_s = timeout_s
        self._schedule_tickle()

    # The dog

    def _configured_timeout(self) -> int:
        value = self._store.find(TIMEOUT_KEY)
        if value is None or value.kind is not ValueType.UINT32:
            return TIMEOUT_S_DEFAULT
        timeout_s = int(value.value)
        if TIMEOUT_S_MIN <= timeout_s <= TIMEOUT_S_MAX:
            return timeout_s
        self._log("warning", _OUT_OF_RANGE)
        self._log("info", f"use default value {TIMEOUT_S_DEFAULT} seconds.")
        return TIMEOUT_S_DEFAULT

    def _open(self) -> None:
        device = text_of(self._store, DEVICE_KEY)
        if device is None:
            self._log("warning", "Watchdog not enabled by configuration")
        elif device in {"", "off"}:
            self._log("warning", "Watchdog disabled by configuration")
        else:
            self._bus.emit(OpenDog(device, self._timeout_s))

    def _on_timeout_key(
        self, event: Track, key: str, new: TypedValue | None, old: TypedValue | None
    ) -> None:
        del event, key, old
        if new == TypedValue.u32(self._timeout_s):
            return
        number = int(new.value) if new is not None and new.kind is ValueType.UINT32 else 0
        if not TIMEOUT_S_MIN <= number <= TIMEOUT_S_MAX:
            self._log("warning", _OUT_OF_RANGE)
            self._store.set(TIMEOUT_KEY, TypedValue.u32(self._timeout_s))
        elif self._armed:
            self._bus.emit(SetDogTimeout(number))
        else:
            self._timeout_s = number
            self._schedule_tickle()

    def _schedule_tickle(self) -> None:
        if self.well:
            self._tickle_ns = self._bus.now_ns + self._timeout_s * MS_PER_S * NS_PER_MS // 2
        self._measure()

    def _tickle(self, now_ns: int) -> None:
        if self.well:
            self._tickle_ns = now_ns + self._timeout_s * MS_PER_S * NS_PER_MS // 2
            if self._armed:
                self._bus.emit(TickleDog())
        else:
            self._tickle_ns = None
            self._log("alert", "NOT tickling the watchdog!")

    def _measure(self) -> None:
        dues = [r.due_ns for r in self._resources.values() if r.due_ns is not None]
        if self._tickle_ns is not None:
            dues.append(self._tickle_ns)
        self._deadline_ns = min(dues, default=None)

    # Resources

    def _create(self, prefix: str, name: str) -> bool:
        """Watch a resource; True when it is configured wholly. Source: wd_resource_create."""
        if prefix in self._resources:
            return False
        resource = WdResource(prefix, name)
        if len(self._resources) >= RESOURCES_MAX:
            self._log("warning", f"resource {name} is not watched: there are too many.")
            return False
        self._resources[prefix] = resource
        self._track(resource)
        self._set_period(resource)
        if not self._read_recovery(resource):
            return False
        first_ms = max(2 * resource.period_ms, PERIOD_MS_DEFAULT)
        resource.due_ns = self._bus.now_ns + first_ms * NS_PER_MS
        self._enter(resource, ResourceEvent.CONFIG_CHANGED, ResourceState.RUNNING)
        self._measure()
        return True

    def _track(self, resource: WdResource) -> None:
        """Follow a resource's keys, and show the period that counts when it names none."""
        store, prefix = self._store, resource.prefix
        if u64_of(store, prefix + "poll_period") is None:
            # A client may have made the longest key there is, which has no room for this one.
            with suppress(CsNameTooLong):
                store.set(prefix + "poll_period", TypedValue.u64(resource.period_ms))
        mask = Track.ADD | Track.MODIFY | Track.DELETE | Track.PREFIX
        resource.tracker = store.track_add(prefix, mask, partial(self._on_key, resource))

    def _set_period(self, resource: WdResource) -> None:
        period_ms = u64_of(self._store, resource.prefix + "poll_period")
        if period_ms is None:
            return
        if PERIOD_MS_MIN <= period_ms <= PERIOD_MS_MAX:
            resource.period_ms = period_ms
        else:
            self._log(
                "warning",
                f"Could NOT use poll_period:{period_ms} ms for resource {resource.name}",
            )

    def _read_recovery(self, resource: WdResource) -> bool:
        """Read what a resource needs; False, with a line in the log, when something is missing."""
        resource.recovery = text_of(self._store, resource.prefix + "recovery")
        for key, value in (
            ("recovery", resource.recovery),
            ("state", text_of(self._store, resource.prefix + "state")),
        ):
            if value is None:
                self._log("warning", f"resource {resource.name} missing a {key} key.")
                return False
        return True

    def _on_new_key(
        self, event: Track, key: str, new: TypedValue | None, old: TypedValue | None
    ) -> None:
        del event, new, old
        match = _STATE_KEY.fullmatch(key)
        if match:
            self._create(match[1], match[2])

    def _on_key(
        self,
        resource: WdResource,
        event: Track,
        key: str,
        new: TypedValue | None,
        old: TypedValue | None,
    ) -> None:
        del new, old
        last = key.rpartition(".")[2]
        if event is Track.DELETE:
            if last == "state":
                self._forget(resource)
        elif last not in _NO_CONFIGURATION:
            self._configure(resource)

    def _forget(self, resource: WdResource) -> None:
        self._log("warning", f'resource "{resource.name}" deleted from cmap!')
        assert resource.tracker is not None
        self._store.track_delete(resource.tracker)
        del self._resources[resource.prefix]
        self._measure()

    def _configure(self, resource: WdResource) -> None:
        """Follow the keys. Source: wd_config_changed."""
        event = ResourceEvent.CONFIG_CHANGED
        before_ms = resource.period_ms
        self._set_period(resource)
        resource.due_ns = None
        state = ResourceState.STOPPED
        if self._read_recovery(resource):
            text = text_of(self._store, resource.prefix + "state")
            if text != ResourceState.STOPPED.value:
                # The longer of both periods lets the monitor get used to the new one.
                delay_ms = max(before_ms, resource.period_ms)
                resource.due_ns = self._bus.now_ns + delay_ms * NS_PER_MS
                state = ResourceState.RUNNING
        self._enter(resource, event, state)
        self._measure()

    def _check(self, resource: WdResource, now_ns: int) -> None:
        if is_well(self._store, resource, now_ns):
            resource.due_ns = now_ns + resource.period_ms * NS_PER_MS
            return
        late_ms = lateness_ms(self._store, resource, now_ns)
        if late_ms > 0:
            self._log("error", f"last_updated {late_ms} ms too late, period:{resource.period_ms}.")
        resource.due_ns = None
        if resource.machine.accepts(ResourceEvent.FAILURE):
            self._fail(resource)

    def _fail(self, resource: WdResource) -> None:
        """Recover as the resource wants it. Source: wd_resource_failed."""
        self._log("crit", f'{resource.recovery} resource "{resource.name}" failed!')
        if resource.recovery in {"watchdog", "quit"}:
            self.well = False
        elif resource.recovery in {"reboot", "shutdown"}:
            self._bus.emit(PowerWanted(off=resource.recovery == "shutdown"))
        self._enter(resource, ResourceEvent.FAILURE, ResourceState.FAILED)

    def _enter(self, resource: WdResource, event: ResourceEvent, state: ResourceState) -> None:
        old = resource.machine.state
        if resource.machine.enter(event, state):
            self._log("info", transition_text(resource.name, event, old, state))

    def _log(self, level: str, text: str) -> None:
        self._bus.emit(LogLine("WD", level, text))
