"""
The configuration map of a node: read, write, follow.

::

    icmap = node.cmap()
    version = yield icmap.get("totem.config_version")
    yield icmap.set("my.key", TypedValue.string("value"))
    members = yield icmap.items("runtime.members.")
    yield icmap.track("runtime.members.", lambda change: print(change))
"""

from collections.abc import Callable, Generator
from typing import Any, NamedTuple

from twisted.internet.defer import Deferred, inlineCallbacks

from corosync_tw.client.connection import Caller
from corosync_tw.ipc.pb.values import plain, typed
from corosync_tw.services.cmap.session import MapId
from corosync_tw.services.cmap.trackers import Track
from corosync_tw.services.cmap.values import TypedValue

ALL_CHANGES = Track.ADD | Track.MODIFY | Track.DELETE


class Change(NamedTuple):
    """
    A key changed.

    :ivar event: Track.ADD, MODIFY or DELETE.
    :ivar new: None for a key that is gone; ``old``: None for a new one.
    """

    event: Track
    key: str
    new: TypedValue | None
    old: TypedValue | None


OnChange = Callable[[Change], object]


class Cmap:
    """One map; `corosync_tw.client.node.Node.cmap` and `stats` make them. All fail with CsError."""

    def __init__(self, caller: Caller, which: MapId) -> None:
        self._caller = caller
        self._which = int(which)

    @inlineCallbacks
    def get(self, key: str) -> Generator[Deferred[Any], Any, TypedValue]:
        """Look up a value; fails with CsNotExist."""
        value = yield self._caller.call("cmap_get", key, self._which)
        return typed(*value)

    def set(self, key: str, value: TypedValue) -> Deferred[None]:
        """Store a value; fails with CsAccess, CsInvalidParam, CsNameTooLong, CsNoMemory."""
        return self._caller.call("cmap_set", key, *plain(value), self._which)

    def delete(self, key: str) -> Deferred[None]:
        """Remove a key; fails with CsAccess, CsNotExist."""
        return self._caller.call("cmap_delete", key, self._which)

    def adjust(self, key: str, step: int) -> Deferred[None]:
        """Add to an integer; fails with CsAccess, CsNotExist, CsInvalidParam."""
        return self._caller.call("cmap_adjust", key, step, self._which)

    @inlineCallbacks
    def items(self, prefix: str = "") -> Generator[Deferred[Any], Any, dict[str, TypedValue]]:
        """Get all keys under a prefix with their values, in the order of the map."""
        handle = yield self._caller.call("cmap_list", prefix, self._which)
        found: dict[str, TypedValue] = {}
        while True:
            page = yield self._caller.call("cmap_next", handle, self._which)
            if not page:
                return found
            found.update((key, typed(*value)) for key, *value in page)

    @inlineCallbacks
    def track(
        self, key: str, on_change: OnChange, mask: Track = ALL_CHANGES | Track.PREFIX
    ) -> Generator[Deferred[Any], Any, int]:
        """
        Follow a key, or all keys under it.

        :param mask: without Track.PREFIX, of the very key alone.
        :return: fires with the handle for `untrack`.
        """

        def changed(event: int, name: str, new: object, old: object) -> object:
            return on_change(Change(Track(event), name, _maybe(new), _maybe(old)))

        handle: int = yield self._caller.call("cmap_track", key, int(mask), self._which)
        self._caller.hear(f"cmap_changed_{self._which}_{handle}", changed)
        return handle

    def untrack(self, handle: int) -> Deferred[None]:
        """Follow it no longer; fails with CsBadHandle."""
        return self._caller.call("cmap_untrack", handle, self._which)


def _maybe(value: Any) -> TypedValue | None:
    return None if value is None else typed(*value)
