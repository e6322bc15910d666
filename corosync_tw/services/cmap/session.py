"""
What one client does to the maps: the rights it has, its iterators and trackers, their limits.

Source: Corosync exec/cmap.c, struct cmap_conn_info and the lib handlers.
"""

from collections.abc import Mapping
from enum import IntEnum
from typing import Final, Protocol

from corosync_tw.errors import (
    CsAccess,
    CsBadHandle,
    CsBusy,
    CsNoMemory,
    CsNoSections,
    CsNotExist,
)
from corosync_tw.services.cmap.trackers import Notify, Tracker
from corosync_tw.services.cmap.values import TypedValue

KEYS_PER_CLIENT_MAX: Final = 32768
ITERATORS_PER_CLIENT_MAX: Final = 1024
ITERATORS_MAX: Final = 16384
TRACKERS_PER_CLIENT_MAX: Final = 1024
# All may be told of one change, which must not take long.
TRACKERS_MAX: Final = 4096


class MapId(IntEnum):
    """Numbers of the maps (ipc_cmap.h CMAP_SETMAP_*)."""

    ICMAP = 0
    STATS = 1


class MapIterator(Protocol):
    """A place in the order of a map's keys."""

    def next(self) -> tuple[str, TypedValue] | None:
        """Step to the next key; None, for good, behind the last."""


class CmapMap(Protocol):
    """A map that clients may choose; CmapStore is one."""

    def is_readonly(self, key: str) -> bool:
        """Tell whether clients may not change a key."""

    def check_room(self, key: str, value: TypedValue) -> None:
        """Raise CsNoMemory when a client may not set one more value."""

    def get(self, key: str) -> TypedValue:
        """Look up a value; raises CsNotExist."""

    def set(self, key: str, value: TypedValue) -> None:
        """Store a value."""

    def delete(self, key: str) -> None:
        """Remove a key; raises CsNotExist."""

    def adjust(self, key: str, step: int) -> None:
        """Add to an integer; raises CsNotExist, CsInvalidParam."""

    def iterate(self, prefix: str = "") -> MapIterator:
        """Begin a walk over the keys under a prefix."""

    def track_add(self, key: str | None, mask: int, notify: Notify) -> Tracker:
        """Have changes told; raises CsInvalidParam."""

    def track_delete(self, tracker: Tracker) -> None:
        """End a registration."""


class CmapSessions:
    """
    All clients of the maps.

    :ivar maps: by number, MapId.
    :ivar iterators: open ones of all clients; likewise trackers.
    """

    def __init__(self, maps: Mapping[int, CmapMap]) -> None:
        self.maps = maps
        self.iterators = 0
        self.trackers = 0

    def open(self) -> "CmapSession":
        """Welcome a client."""
        return CmapSession(self)


class CmapSession:
    """One client, which begins with the map ``icmap``; every method raises CsError."""

    def __init__(self, sessions: CmapSessions) -> None:
        self._sessions = sessions
        self._map = sessions.maps[MapId.ICMAP]
        self._iterators: dict[int, MapIterator] = {}
        self._trackers: dict[int, Tracker] = {}
        self._next_handle = 1
        self._made: set[str] = set()

    def set_current_map(self, number: int) -> None:
        """
        Choose a map.

        Raises CsBusy: iterators or trackers are open. CsNotExist: there is no such map.
        """
        if self._iterators or self._trackers:
            raise CsBusy("iterators or trackers are open")
        chosen = self._sessions.maps.get(number)
        if chosen is None:
            raise CsNotExist(f"map {number}")
        self._map = chosen

    def get(self, key: str) -> TypedValue:
        """Look up a value; raises CsNotExist."""
        return self._map.get(key)

    def set(self, key: str, value: TypedValue) -> None:
        """
        Store a value.

        Raises CsAccess: the key is read-only. CsInvalidParam, CsNameTooLong: see CmapStore.set.
        CsNoMemory: the map is full, or this client has made too many keys.
        """
        self.check_writable(key)
        self._map.check_room(key, value)
        fresh = key not in self._made and not _exists(self._map, key)
        if fresh and len(self._made) >= KEYS_PER_CLIENT_MAX:
            self._forget_deleted()
        self._map.set(key, value)
        if fresh:
            self._made.add(key)

    def delete(self, key: str) -> None:
        """Remove a key; raises CsAccess, CsNotExist."""
        self.check_writable(key)
        self._map.delete(key)
        self._made.discard(key)

    def adjust(self, key: str, step: int) -> None:
        """Add to an integer; raises CsAccess, CsNotExist, CsInvalidParam."""
        self.check_writable(key)
        self._map.adjust(key, step)

    def check_writable(self, key: str) -> None:
        """Raise CsAccess when this client may not change a key."""
        if self._map.is_readonly(key):
            raise CsAccess(f"{key} is read-only")

    def _forget_deleted(self) -> None:
        self._made = {key for key in self._made if _exists(self._map, key)}
        if len(self._made) >= KEYS_PER_CLIENT_MAX:
            raise CsNoMemory(f"client with {KEYS_PER_CLIENT_MAX} keys")

    def iter_init(self, prefix: str = "") -> int:
        """
        Begin to walk over the keys under a prefix; give the handle.

        Raises CsNoMemory: too many iterators are open.
        """
        if len(self._iterators) >= ITERATORS_PER_CLIENT_MAX:
            raise CsNoMemory(f"client with {ITERATORS_PER_CLIENT_MAX} iterators")
        if self._sessions.iterators >= ITERATORS_MAX:
            raise CsNoMemory(f"{ITERATORS_MAX} iterators")
        handle = self._new_handle()
        self._iterators[handle] = self._map.iterate(prefix)
        self._sessions.iterators += 1
        return handle

    def iter_next(self, handle: int) -> tuple[str, TypedValue]:
        """Step to the next key; raises CsNoSections behind the last, CsBadHandle."""
        iterator = self._iterators.get(handle)
        if iterator is None:
            raise CsBadHandle(f"iterator {handle}")
        found = iterator.next()
        if found is None:
            raise CsNoSections
        return found

    def iter_finalize(self, handle: int) -> None:
        """End a walk; raises CsBadHandle."""
        if self._iterators.pop(handle, None) is None:
            raise CsBadHandle(f"iterator {handle}")
        self._sessions.iterators -= 1

    def track_add(self, key: str | None, mask: int, notify: Notify) -> int:
        """
        Have changes told; give the handle.

        :param key: as for CmapStore.track_add; likewise ``mask``.
        Raises CsInvalidParam: unknown bits in ``mask``. CsNoMemory: too many trackers.
        """
        if len(self._trackers) >= TRACKERS_PER_CLIENT_MAX:
            raise CsNoMemory(f"client with {TRACKERS_PER_CLIENT_MAX} trackers")
        if self._sessions.trackers >= TRACKERS_MAX:
            raise CsNoMemory(f"{TRACKERS_MAX} trackers")
        tracker = self._map.track_add(key, mask, notify)
        handle = self._new_handle()
        self._trackers[handle] = tracker
        self._sessions.trackers += 1
        return handle

    def track_delete(self, handle: int) -> None:
        """End a registration; raises CsBadHandle."""
        tracker = self._trackers.pop(handle, None)
        if tracker is None:
            raise CsBadHandle(f"tracker {handle}")
        self._map.track_delete(tracker)
        self._sessions.trackers -= 1

    def close(self) -> None:
        """Forget the client; the keys it made stay."""
        for handle in list(self._iterators):
            self.iter_finalize(handle)
        for handle in list(self._trackers):
            self.track_delete(handle)

    def _new_handle(self) -> int:
        handle = self._next_handle
        self._next_handle += 1
        return handle


def _exists(cmap: CmapMap, key: str) -> bool:
    try:
        cmap.get(key)
    except CsNotExist:
        return False
    return True
