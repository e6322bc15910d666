"""
The configuration maps for Perspective Broker clients.

Keys are listed in pages, because a map may be larger than one answer.
"""

from collections.abc import Mapping

from corosync_tw.errors import CsInvalidParam, CsNoSections
from corosync_tw.ipc.pb.broker import Method
from corosync_tw.ipc.pb.hubs import Peer, number, text
from corosync_tw.ipc.pb.values import plain, typed
from corosync_tw.services.cmap.session import CmapSession, CmapSessions, MapId
from corosync_tw.services.cmap.trackers import Track
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.lib_interfaces import EffectHandler

PAGE_KEYS_MAX = 256
# A page ends behind the value that reaches this.
PAGE_CONTENT_BYTES = 64 * 1024


class CmapHub:
    """Both maps."""

    def __init__(self, sessions: CmapSessions) -> None:
        self._sessions = sessions

    def open(self, peer: Peer) -> "CmapDesk":
        """Welcome a client."""
        return CmapDesk(peer, self._sessions)

    def effect_handlers(self) -> Mapping[type, EffectHandler]:
        """Changes of a map are told by its trackers."""
        return {}


class CmapDesk:
    """One client of the maps."""

    def __init__(self, peer: Peer, sessions: CmapSessions) -> None:
        self._peer = peer
        self._maps: dict[int, CmapSession] = {}
        for which in sessions.maps:
            self._maps[which] = sessions.open()
            self._maps[which].set_current_map(which)

    def methods(self) -> Mapping[str, Method]:
        """Name what the client may call; ``which`` is 0 for icmap and 1 for stats."""
        return {
            "cmap_get": self.get,
            "cmap_set": self.set,
            "cmap_delete": self.delete,
            "cmap_adjust": self.adjust,
            "cmap_list": self.keys,
            "cmap_next": self.next,
            "cmap_track": self.track,
            "cmap_untrack": self.untrack,
        }

    def close(self) -> None:
        """Forget the client; the keys it made stay."""
        for session in self._maps.values():
            session.close()

    def get(self, key: object, which: object = MapId.ICMAP) -> list[object]:
        """Look up a value; raises CsNotExist."""
        return plain(self._session(which).get(text(key, "a key")))

    def set(self, key: object, kind: object, value: object, which: object = MapId.ICMAP) -> None:
        """Store a value; raises CsAccess, CsInvalidParam, CsNameTooLong, CsNoMemory."""
        self._session(which).set(text(key, "a key"), typed(kind, value))

    def delete(self, key: object, which: object = MapId.ICMAP) -> None:
        """Remove a key; raises CsAccess, CsNotExist."""
        self._session(which).delete(text(key, "a key"))

    def adjust(self, key: object, step: object, which: object = MapId.ICMAP) -> None:
        """Add to an integer; raises CsAccess, CsNotExist, CsInvalidParam."""
        if not isinstance(step, int) or not -(2**31) <= step < 2**31:
            raise CsInvalidParam("a step is a number of 32 bits")
        self._session(which).adjust(text(key, "a key"), step)

    def keys(self, prefix: object = "", which: object = MapId.ICMAP) -> int:
        """Begin to list the keys under a prefix; give the handle for `next`."""
        return self._session(which).iter_init(text(prefix, "a prefix"))

    def next(self, handle: object, which: object = MapId.ICMAP) -> list[list[object]]:
        """Give the next page of ``[key, type, value]``; an empty one is the end, and closes."""
        session, walk = self._session(which), number(handle, "a handle")
        page: list[list[object]] = []
        content_bytes = 0
        while len(page) < PAGE_KEYS_MAX and content_bytes < PAGE_CONTENT_BYTES:
            try:
                key, value = session.iter_next(walk)
            except CsNoSections:
                break
            page.append([key, *plain(value)])
            content_bytes += len(key) + len(value.encode())
        if not page:
            session.iter_finalize(walk)
        return page

    def track(self, key: object, mask: object, which: object = MapId.ICMAP) -> int:
        """
        Have changes told by ``cmap_changed_WHICH_HANDLE``; give the handle.

        :param key: None for all keys, with the bit PREFIX; ``mask``: of Track.
        """
        session, bits = self._session(which), number(mask, "a mask")
        name = None if key is None else text(key, "a key")
        method = ""

        def notify(event: Track, key: str, new: TypedValue | None, old: TypedValue | None) -> None:
            values = (None if value is None else plain(value) for value in (new, old))
            self._peer.event(method, int(event), key, *values)

        handle = session.track_add(name, bits, notify)
        method = f"cmap_changed_{which}_{handle}"
        return handle

    def untrack(self, handle: object, which: object = MapId.ICMAP) -> None:
        """End a registration; raises CsBadHandle."""
        self._session(which).track_delete(number(handle, "a handle"))

    def _session(self, which: object) -> CmapSession:
        session = self._maps.get(number(which, "a map", 1))
        if session is None:
            raise CsInvalidParam(f"map {which}")
        return session
