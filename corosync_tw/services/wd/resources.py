"""
A resource as the watchdog sees it: its keys, and whether whoever monitors it keeps them fresh.

Source: Corosync exec/wd.c wd_resource_state_is_ok.
"""

from dataclasses import dataclass, field
from typing import Final

from corosync_tw.corotypes import NS_PER_MS
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.cmap.trackers import Tracker
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.cmap.wire import ValueType
from corosync_tw.services.mon.machine import ResourceMachine, ResourceState

PERIOD_MS_DEFAULT: Final = 6000
PERIOD_MS_MIN: Final = 500
PERIOD_MS_MAX: Final = 120_000
DISABLED: Final = "disabled"


@dataclass(slots=True)
class WdResource:
    """
    One resource.

    :ivar prefix: of its keys, ``resources.TYPE.NAME.``.
    :ivar recovery: what to do when it fails; None while nobody said.
    :ivar period_ms: how often it is looked at; its monitor may be half as late again.
    :ivar due_ns: when it is looked at next; None while it is not.
    """

    prefix: str
    name: str
    recovery: str | None = None
    period_ms: int = PERIOD_MS_DEFAULT
    due_ns: int | None = None
    machine: ResourceMachine = field(default_factory=ResourceMachine)
    tracker: Tracker | None = None


def text_of(store: CmapStore, key: str) -> str | None:
    """Look up a string; None when there is none."""
    value = store.find(key)
    return None if value is None or value.kind is not ValueType.STRING else str(value.value)


def u64_of(store: CmapStore, key: str) -> int | None:
    """Look up a number of 64 bits; None when there is none."""
    value: TypedValue | None = store.find(key)
    return None if value is None or value.kind is not ValueType.UINT64 else int(value.value)


def lateness_ms(store: CmapStore, resource: WdResource, now_ns: int) -> int:
    """Tell by how much the monitor is late beyond what is allowed; 0 and below is in time."""
    updated_ns = u64_of(store, resource.prefix + "last_updated")
    if not updated_ns:
        return 0
    allowed_ns = resource.period_ms * NS_PER_MS * 3 // 2
    return (now_ns - updated_ns - allowed_ns) // NS_PER_MS


def is_well(store: CmapStore, resource: WdResource, now_ns: int) -> bool:
    """Judge a resource by its keys; one that was never updated is well."""
    state = text_of(store, resource.prefix + "state")
    updated_ns = u64_of(store, resource.prefix + "last_updated")
    if updated_ns is None or state is None or state == DISABLED:
        return False
    if not updated_ns:
        return True
    late = lateness_ms(store, resource, now_ns) > 0
    return not late and state != ResourceState.FAILED.value
