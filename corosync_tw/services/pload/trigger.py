"""
Starts pload when an administrator writes its magic sentence into the configuration map.

Source: Corosync exec/pload.c pload_read_config.
"""

from collections.abc import Callable
from typing import Final

from corosync_tw.corotypes import MESSAGE_SIZE_MAX
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.cmap.trackers import Track
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.cmap.wire import ValueType

MAGIC_SENTENCE: Final = "i_totally_understand_pload_will_crash_my_cluster_and_kill_corosync_on_exit"
COUNT_DEFAULT: Final = 1_500_000
SIZE_BYTES_DEFAULT: Final = 300


class PloadTrigger:
    """
    Follows the keys ``pload.*`` of a map.

    :param start: begins to load the cluster, given count and size in bytes.
    :param warn: takes a line for the log.
    """

    def __init__(
        self,
        store: CmapStore,
        start: Callable[[int, int], None],
        warn: Callable[[str], None],
    ) -> None:
        self._store = store
        self._start = start
        self._warn = warn
        mask = Track.ADD | Track.DELETE | Track.MODIFY | Track.PREFIX
        store.track_add("pload.", mask, self._on_change)

    def _on_change(
        self, event: Track, key: str, new: TypedValue | None, old: TypedValue | None
    ) -> None:
        """Start when the magic sentence stands there, whichever key changed."""
        del event, key, new, old
        size_bytes = self._number("pload.size", SIZE_BYTES_DEFAULT)
        if size_bytes > MESSAGE_SIZE_MAX:
            size_bytes = MESSAGE_SIZE_MAX
            self._warn(f"pload size limited to {size_bytes}")
        sentence = self._store.find("pload.start")
        if sentence is not None and sentence.value == MAGIC_SENTENCE:
            self._start(self._number("pload.count", COUNT_DEFAULT), size_bytes)

    def _number(self, key: str, default: int) -> int:
        """Read a number; of another type than Corosync asks for it counts as absent."""
        found = self._store.find(key)
        if found is None or found.kind is not ValueType.UINT32:
            return default
        assert isinstance(found.value, int)
        return found.value
