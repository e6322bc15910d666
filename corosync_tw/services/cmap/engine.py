"""
The configuration map's part in synchronization: members compare totem.config_version.

A node that meets others for the first time and finds a higher version than its own among them ends
itself; its configuration is out of date. Source: Corosync exec/cmap.c cmap_sync_init to
cmap_sync_activate.
"""

from corosync_tw.corotypes import PROCESSOR_COUNT_MAX, Buffer, RingId
from corosync_tw.errors import CsTryAgain
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

_CONFIG_VERSION = b"totem.config_version"


class CmapEngine:
    """
    Config versions of all members.

    :ivar config_versions: of the members, as last told (runtime.members.ID.config_version).
    """

    service_id: int = ServiceId.CMAP
    name = "corosync configuration map access"

    def __init__(self, nodeid: int, config_version: int, bus: ServiceBus) -> None:
        self._nodeid = nodeid
        self._config_version = config_version
        self._bus = bus
        self._first_sync = True
        self._met_others = False
        self._highest_received = 0
        self.config_versions: dict[int, int] = {}

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
        self._highest_received = self._config_version
        told = self.config_versions
        self.config_versions = {n: told[n] for n in members if n in told}

    def sync_process(self) -> bool:
        """Tell our version."""
        value_type, value = ValueType.NOT_EXIST, b""
        if self._config_version:
            value_type, value = ValueType.UINT64, encode_uint64(self._config_version)
        item = CmapItem(_CONFIG_VERSION, value_type, value)
        try:
            self._bus.sync_mcast((encode(McastReason.SYNC, (item,)),))
        except CsTryAgain:
            return False
        return True

    def sync_activate(self) -> None:
        """Compare, once, when we first meet others."""
        if not self._met_others or not self._first_sync:
            return
        self._first_sync = False
        if self._config_version in {0, self._highest_received}:
            return
        text = (
            f"Received config version ({self._highest_received}) is different than my config "
            f"version ({self._config_version})! Exiting"
        )
        self._bus.emit(FatalError(text, 0, leave_first=True))

    def sync_abort(self) -> None:
        """Nothing is held."""

    def on_mcast(self, nodeid: int, seq: int, data: Buffer, big_endian: bool) -> None:
        """Note a member's version; raises MalformedFrame."""
        del seq
        version = 0
        for item in decode(data, big_endian).items:
            if item.key == _CONFIG_VERSION and item.value_type == ValueType.UINT64:
                version = decode_uint64(item.value, big_endian)
        if nodeid != self._nodeid:
            self._highest_received = max(self._highest_received, version)
        if nodeid in self.config_versions or len(self.config_versions) < PROCESSOR_COUNT_MAX:
            self.config_versions[nodeid] = version
