"""
The configuration map: typed values by key, read-only keys, trackers, iteration, live values.

Keys are ordered by their bytes, as clients of stock see them. Whoever changes a value is told of
errors by CsError; who tracks it is called back before the change returns.
Source: Corosync exec/icmap.c; libqb lib/trie.c for the order.
Deviation: a key that is deleted while an iterator stands on it is gone at once; in stock it lives
on until the iterator moves. A type that is no ValueType is refused; stock takes it with length 0.
"""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from corosync_tw.errors import CsExist, CsNameTooLong, CsNoMemory, CsNotExist
from corosync_tw.services.cmap.live import LiveKeys, Provider
from corosync_tw.services.cmap.trackers import Notify, Track, Tracker, Trackers
from corosync_tw.services.cmap.values import TypedValue

# Source: include/corosync/icmap.h ICMAP_KEYNAME_MINLEN, ICMAP_KEYNAME_MAXLEN.
KEY_LEN_MIN: Final = 3
KEY_LEN_MAX: Final = 255
# What clients may fill; the daemon's own keys always find room. In stock memory is the limit.
KEYS_MAX: Final = 131072
CONTENT_BYTES_MAX: Final = 64 * 1024 * 1024
# Beyond so many live keys that came or went, sorting all is quicker than placing each.
SINGLY_LISTED_MAX: Final = 1000
_KEY: Final = re.compile(rf"[A-Za-z0-9._/:-]{{{KEY_LEN_MIN},{KEY_LEN_MAX}}}")

assert KEY_LEN_MAX < 256, "a key must fit a mar_name_t"


def check_key(key: str) -> None:
    """Raise CsNameTooLong when a key cannot be made: its length, or a character it has."""
    if not _KEY.fullmatch(key):
        raise CsNameTooLong(f"key {key!r}")


class CmapStore:
    """A map of the daemon; ``icmap`` is one."""

    def __init__(self) -> None:
        self._values: dict[str, TypedValue] = {}
        # What is stored or live, ascending; version counts its changes.
        self._keys: list[str] = []
        self._version = 0
        self._content_bytes = 0
        self._readonly_keys: set[str] = set()
        self._readonly_prefixes: set[str] = set()
        self._trackers = Trackers()
        self._live: list[LiveKeys] = []

    def __len__(self) -> int:
        """Count the stored keys."""
        return len(self._values)

    def __contains__(self, key: str) -> bool:
        """Tell whether there is a value, stored or live."""
        return self.find(key) is not None

    def find(self, key: str) -> TypedValue | None:
        """Look up a value, None when there is none."""
        try:
            return self.get(key)
        except CsNotExist:
            return None

    def get(self, key: str) -> TypedValue:
        """
        Look up a value.

        Raises CsNotExist: there is no such key.
        """
        value = self._values.get(key)
        if value is not None:
            return value
        for live in self._live:
            if key.startswith(live.prefix):
                return live.provider.get(key)
        raise CsNotExist(f"key {key!r}")

    def set(self, key: str, value: TypedValue) -> None:
        """
        Store a value; nobody is told when it is what it was.

        Raises CsInvalidParam: the value does not fit its type. CsNameTooLong: no valid new key.
        Source: exec/icmap.c icmap_set_r.
        """
        old = self._values.get(key)
        if old is not None and old.same(value):
            return
        content_bytes = len(key) + len(value.encode())
        if old is None:
            check_key(key)
        self._put(key, value, content_bytes)
        self._trackers.tell(Track.ADD if old is None else Track.MODIFY, key, value, old)

    def check_room(self, key: str, value: TypedValue) -> None:
        """
        Ask before a client sets a value.

        Raises CsNoMemory: clients have filled the map.
        """
        content_bytes = self._content_bytes + len(key) + len(value.encode())
        if content_bytes > CONTENT_BYTES_MAX:
            raise CsNoMemory(f"map of {content_bytes} bytes")
        if key not in self._values and len(self._values) >= KEYS_MAX:
            raise CsNoMemory(f"map of {KEYS_MAX} keys")

    def delete(self, key: str) -> None:
        """
        Remove a stored key.

        Raises CsNotExist: there is none.
        """
        if key not in self._values:
            raise CsNotExist(f"key {key!r}")
        self._trackers.tell(Track.DELETE, key, None, self._remove(key))

    def adjust(self, key: str, step: int) -> None:
        """
        Add to an integer, which wraps around.

        Raises CsNotExist; CsInvalidParam: the value is no integer.
        """
        value = self._values.get(key)
        if value is None:
            raise CsNotExist(f"key {key!r}")
        self.set(key, value.adjusted(step))

    def replace(self, prefixes: Iterable[str], values: Mapping[str, TypedValue]) -> None:
        """
        Make ``values`` all there is under some prefixes, and store those elsewhere too.

        Nothing is changed when an error is raised. When trackers are called, first of what was
        deleted, then of the rest, in the order of the keys, the map already holds the new values.

        Raises CsInvalidParam, CsNameTooLong: as set does.
        Source: exec/cfg.c remove_deleted_entries; exec/icmap.c icmap_copy_map.
        """
        content_bytes = {key: len(key) + len(value.encode()) for key, value in values.items()}
        for key in values.keys() - self._values.keys():
            check_key(key)
        news: list[tuple[Track, str, TypedValue | None, TypedValue | None]] = []
        for prefix in prefixes:
            for key in self._stored(prefix):
                if key not in values:
                    news.append((Track.DELETE, key, None, self._remove(key)))
        for key in sorted(values):
            value, old = values[key], self._values.get(key)
            if old is None or not old.same(value):
                self._put(key, value, content_bytes[key])
                news.append((Track.ADD if old is None else Track.MODIFY, key, value, old))
        for change in news:
            self._trackers.tell(*change)

    def keys(self, prefix: str = "") -> list[str]:
        """List the keys under a prefix, stored and live, ascending."""
        self._relist(prefix)
        first = bisect_left(self._keys, prefix)
        last = bisect_left(self._keys, prefix + chr(0x10FFFF))
        return self._keys[first:last]

    def iterate(self, prefix: str = "") -> "KeyIterator":
        """Begin a walk over the keys under a prefix, in order, that sees changes ahead of it."""
        return KeyIterator(self, prefix)

    def set_readonly(self, name: str, *, prefix: bool = False, readonly: bool = True) -> None:
        """
        Keep clients from changing a key, or all under a prefix; the daemon itself still may.

        Raises CsExist, CsNotExist: it is so already.
        Source: exec/icmap.c icmap_set_ro_access.
        """
        names = self._readonly_prefixes if prefix else self._readonly_keys
        if readonly:
            if name in names:
                raise CsExist(f"{name} is read-only already")
            names.add(name)
        elif name in names:
            names.remove(name)
        else:
            raise CsNotExist(f"{name} is not read-only")

    def is_readonly(self, key: str) -> bool:
        """Tell whether clients may not change a key."""
        return key in self._readonly_keys or key.startswith(tuple(self._readonly_prefixes))

    def track_add(self, key: str | None, mask: int, notify: Notify) -> Tracker:
        """
        Have changes told.

        :param key: or prefix, with Track.PREFIX in ``mask``; None for all keys, with Track.PREFIX.
        Raises CsInvalidParam: unknown bits in ``mask``.
        """
        tracker = self._trackers.add(key, mask, notify)
        for live in self._live:
            live.watch(tracker)
        return tracker

    def track_delete(self, tracker: Tracker) -> None:
        """End a registration; nothing when it has ended."""
        self._trackers.delete(tracker)

    def provide(self, prefix: str, provider: Provider) -> None:
        """Have the keys under a prefix computed; a stored key of the same name hides a live one."""
        self._live.append(LiveKeys(prefix, provider))
        self._live.sort(key=lambda live: len(live.prefix), reverse=True)

    def poll_providers(self) -> None:
        """Tell trackers what changed among live values since the last poll."""
        for live in self._live:
            for change in live.poll(self._trackers):
                self._trackers.tell(*change)

    def live_came(self, keys: Sequence[str]) -> None:
        """Tell trackers of live keys, all under one prefix, that are new since just now."""
        if self._trackers.count:
            for change in self._providing(keys).came(keys, self._trackers):
                self._trackers.tell(*change)

    def live_went(self, keys: Sequence[str]) -> None:
        """Tell trackers of live keys, all under one prefix, that are no more since just now."""
        for change in self._providing(keys).went(keys):
            self._trackers.tell(*change)

    def _providing(self, keys: Sequence[str]) -> LiveKeys:
        return next(live for live in self._live if keys[0].startswith(live.prefix))

    def _put(self, key: str, value: TypedValue, content_bytes: int) -> None:
        self._content_bytes += content_bytes
        old = self._values.get(key)
        self._values[key] = value
        if old is not None:
            self._content_bytes -= len(key) + len(old.encode())
        else:
            self._list(key)

    def _remove(self, key: str) -> TypedValue:
        old = self._values.pop(key)
        self._content_bytes -= len(key) + len(old.encode())
        if not self._is_live(key):
            del self._keys[bisect_left(self._keys, key)]
            self._version += 1
        return old

    def _is_live(self, key: str) -> bool:
        return any(key in live.known for live in self._live)

    def _list(self, key: str) -> None:
        index = bisect_left(self._keys, key)
        if index == len(self._keys) or self._keys[index] != key:
            self._keys.insert(index, key)
            self._version += 1

    def _stored(self, prefix: str) -> list[str]:
        """List the stored keys under a prefix, ascending."""
        return sorted(key for key in self._values if key.startswith(prefix))

    def _relist(self, prefix: str) -> None:
        """Bring the live keys that an iteration over a prefix may meet up to date."""
        came, went = set[str](), set[str]()
        for live in self._live:
            if live.concerns(prefix):
                new, gone = live.relist()
                came |= new
                went |= gone
        if len(came) + len(went) > SINGLY_LISTED_MAX:
            live_keys = {key for live in self._live for key in live.known}
            self._keys = sorted(self._values.keys() | live_keys)
            self._version += 1
            return
        for key in came:
            self._list(key)
        for key in went:
            if key not in self._values and not self._is_live(key):
                del self._keys[bisect_left(self._keys, key)]
                self._version += 1


class KeyIterator:
    """
    A place in the order of the keys.

    Keys that come or go behind it do not matter; those ahead of it are met as they are then.
    """

    __slots__ = ("_done", "_index", "_last", "_prefix", "_store", "_version")

    def __init__(self, store: CmapStore, prefix: str) -> None:
        self._store = store
        self._prefix = prefix
        self._last: str | None = None
        self._index = 0
        self._version = -1
        self._done = False

    def next(self) -> tuple[str, TypedValue] | None:
        """Step to the next key; None, for good, behind the last."""
        store = self._store
        while not self._done:
            if self._last is None:
                store._relist(self._prefix)
            keys = store._keys
            if self._version != store._version:
                self._index = self._find(keys)
                self._version = store._version
            if self._index == len(keys) or not keys[self._index].startswith(self._prefix):
                self._done = True
                break
            key = self._last = keys[self._index]
            self._index += 1
            value = store.find(key)
            if value is not None:
                return key, value
        return None

    def _find(self, keys: list[str]) -> int:
        if self._last is None:
            return bisect_left(keys, self._prefix)
        return bisect_right(keys, self._last)
