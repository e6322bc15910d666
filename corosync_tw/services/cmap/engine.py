"""
The configuration map of this node, and what of it the members compare: totem.config_version.

A node that meets others for the first time and finds a higher version than its own among them ends
itself; its configuration is out of date. A version that changes later is told to all. Source:
Corosync exec/cmap.c cmap_sync_init to cmap_sync_activate, cmap_config_version_track_cb.
"""

from contextlib import suppress
from typing import Final

from corosync_tw.corotypes import PROCESSOR_COUNT_MAX, Buffer, RingId
from corosync_tw.errors import CsTryAgain
from corosync_tw.services.cmap.effects import ConfigVersionDiffers
from corosync_tw.services.cmap.readonly import protect
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.cmap.trackers import Track
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.cmap.wire import (
    CmapItem,
    McastReason,
    ValueType,
    decode,
    decode_uint64,
    encode,
    encode_uint64,
)
from corosync_tw.services.effects import FatalError
from corosync_tw.services.exec_wire import ServiceId
from corosync_tw.services.interfaces import ExecHandler, ServiceBus

_CONFIG_VERSION: Final = "totem.config_version"
_CONFIG_VERSION_ITEM: Final = _CONFIG_VERSION.encode()


class CmapEngine:
    """
    The map and the config versions of all members.

    :ivar store: the map ``icmap``; the key totem.config_version in it is ours.
    :ivar config_versions: of the members, as last told (runtime.members.ID.config_version).
    """

    service_id: int = ServiceId.CMAP
    name = "corosync configuration map access"

    def __init__(self, nodeid: int, config_version: int, bus: ServiceBus) -> None:
        self._nodeid = nodeid
        self._bus = bus
        self.store = CmapStore()
        protect(self.store)
        if config_version:
            self.store.set(_CONFIG_VERSION, TypedValue.u64(config_version))
        every_event = Track.ADD | Track.DELETE | Track.MODIFY
        self.store.track_add(_CONFIG_VERSION, every_event, self._on_config_version)
        self._first_sync = True
        self._met_others = False
        self._highest_received = 0
        self.config_versions: dict[int, int] = {}

    @property
    def config_version(self) -> int:
        """Ours, 0 when there is none, or it is no UINT64."""
        found = self.store.find(_CONFIG_VERSION)
        if found is None or found.kind is not ValueType.UINT64 or not isinstance(found.value, int):
            return 0
        return found.value

    def exec_handlers(self) -> dict[int, ExecHandler]:
        """Name the handlers by function number."""
        return {0: self.on_mcast}

    def sync_init(
        self, trans_members: tuple[int, ...], members: tuple[int, ...], ring_id: RingId
    ) -> None:
        """Start from our own version."""
        del ring_id
        # A stock node is alone in its first ring; ours may meet the others in it.
        self._met_others = bool(trans_members) or len(members) > 1
        self._highest_received = self.config_version
        told = self.config_versions
        self.config_versions = {n: told[n] for n in members if n in told}

    def sync_process(self) -> bool:
        """Tell our version."""
        try:
            self._bus.sync_mcast((self._version_message(McastReason.SYNC),))
        except CsTryAgain:
            return False
        return True

    def sync_activate(self) -> None:
        """Compare, once, when we first meet others."""
        if not self._met_others or not self._first_sync:
            return
        self._first_sync = False
        if self.config_version in {0, self._highest_received}:
            return
        text = (
            f"Received config version ({self._highest_received}) is different than my config "
            f"version ({self.config_version})! Exiting"
        )
        self._bus.emit(FatalError(text, 0, leave_first=True, subsys="CMAP"))

    def sync_abort(self) -> None:
        """Nothing is held."""

    def on_mcast(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Note a member's version; raises MalformedFrame."""
        del seq
        version = 0
        for item in decode(data, big_endian).items:
            if item.key == _CONFIG_VERSION_ITEM and item.value_type == ValueType.UINT64:
                version = decode_uint64(item.value, big_endian)
        if nodeid != self._nodeid:
            self._highest_received = max(self._highest_received, version)
            self._compare(nodeid, version)
        if nodeid in self.config_versions or len(self.config_versions) < PROCESSOR_COUNT_MAX:
            self.config_versions[nodeid] = version
            self.store.set(f"runtime.members.{nodeid}.config_version", TypedValue.u64(version))

    def _compare(self, nodeid: int, version: int) -> None:
        ours = self.config_version
        if version and ours and version != ours and version != self.config_versions.get(nodeid):
            self._bus.emit(ConfigVersionDiffers(nodeid, version, ours))

    def _version_message(self, reason: McastReason) -> bytes:
        value_type, value = ValueType.NOT_EXIST, b""
        if self.config_version:
            value_type, value = ValueType.UINT64, encode_uint64(self.config_version)
        return encode(reason, (CmapItem(_CONFIG_VERSION_ITEM, value_type, value),))

    def _on_config_version(self, *change: object) -> None:
        """Tell the others of a new version; the next synchronization does it when we cannot."""
        del change
        with suppress(CsTryAgain):
            self._bus.mcast((self._version_message(McastReason.NEW_CONFIG_VERSION),))
