"""
Who wants to hear of which keys of the configuration map.

Source: Corosync exec/icmap.c icmap_track_add, icmap_notify_fn; libqb lib/trie.c trie_notify_add,
trie_notify, which fix the order in which trackers hear of a change.
"""

from collections import Counter
from collections.abc import Callable
from enum import IntFlag

from corosync_tw.errors import CsInvalidParam
from corosync_tw.services.cmap.values import TypedValue


class Track(IntFlag):
    """Events and how to match keys (icmap.h ICMAP_TRACK_*)."""

    DELETE = 1
    MODIFY = 2
    ADD = 4
    PREFIX = 8


# (DELETE, MODIFY or ADD; key; new value; old value); None where there is no such value.
Notify = Callable[[Track, str, TypedValue | None, TypedValue | None], None]
_ALL_BITS = int(Track.DELETE | Track.MODIFY | Track.ADD | Track.PREFIX)


class Tracker:
    """
    One registration.

    :ivar key: or prefix; None for all keys, which needs the bit PREFIX to match any.
    :ivar active: False once deleted.
    """

    __slots__ = ("active", "key", "mask", "notify")

    def __init__(self, key: str | None, mask: Track, notify: Notify) -> None:
        self.key = key
        self.mask = mask
        self.notify = notify
        self.active = True


class Trackers:
    """
    All registrations of one map.

    A change is told first to trackers of the very key, the newest first, then to prefixes from the
    longest to the shortest, the oldest first, and at last to trackers of all keys, newest first.
    """

    def __init__(self) -> None:
        self._exact: dict[str, list[Tracker]] = {}
        self._prefixes: dict[str, list[Tracker]] = {}
        self._all: list[Tracker] = []
        # Of the tracked prefixes, longest first, and how many prefixes have each.
        self._lengths: tuple[int, ...] = ()
        self._with_length: Counter[int] = Counter()
        self.count = 0

    def add(self, key: str | None, mask: int, notify: Notify) -> Tracker:
        """
        Register for the events of a mask.

        Raises CsInvalidParam: the mask has other bits than those of Track.
        """
        if mask & ~_ALL_BITS:
            raise CsInvalidParam(f"track type {mask}")
        tracker = Tracker(key, Track(mask), notify)
        self.count += 1
        if key is None:
            self._all.insert(0, tracker)
        elif mask & Track.PREFIX:
            if key not in self._prefixes:
                self._count_length(len(key), 1)
            self._prefixes.setdefault(key, []).append(tracker)
        else:
            self._exact.setdefault(key, []).insert(0, tracker)
        return tracker

    def delete(self, tracker: Tracker) -> None:
        """Forget a registration, also while it is being told of a change."""
        if not tracker.active:
            return
        tracker.active = False
        self.count -= 1
        if tracker.key is None:
            self._all.remove(tracker)
            return
        table = self._prefixes if tracker.mask & Track.PREFIX else self._exact
        trackers = table[tracker.key]
        trackers.remove(tracker)
        if not trackers:
            del table[tracker.key]
            if table is self._prefixes:
                self._count_length(len(tracker.key), -1)

    def _count_length(self, length: int, step: int) -> None:
        before = self._with_length[length]
        self._with_length[length] += step
        if not before or not self._with_length[length]:
            lengths = (length for length, count in self._with_length.items() if count)
            self._lengths = tuple(sorted(lengths, reverse=True))

    def tell(self, event: Track, key: str, new: TypedValue | None, old: TypedValue | None) -> None:
        """Call everybody whom a change concerns."""
        if not self.count:
            return
        found = list(self._exact.get(key, ()))
        for length in self._lengths:
            if length <= len(key):
                found += self._prefixes.get(key[:length], ())
        found += [tracker for tracker in self._all if tracker.mask & Track.PREFIX]
        for tracker in found:
            if tracker.active and tracker.mask & event:
                tracker.notify(event, key, new, old)

    def keys_under(self, prefix: str) -> list[str]:
        """Give the single keys under a prefix that somebody tracks."""
        return [key for key in self._exact if key.startswith(prefix)]

    def may_match_under(self, prefix: str) -> bool:
        """Tell whether a tracked prefix may match keys under a prefix."""
        if any(tracker.mask & Track.PREFIX for tracker in self._all):
            return True
        return any(p.startswith(prefix) or prefix.startswith(p) for p in self._prefixes)

    def follows_values_under(self, prefix: str) -> bool:
        """Tell whether somebody may want to hear of a key under a prefix more than that it is."""
        if self.keys_under(prefix):
            return True
        wide = Track.PREFIX | Track.MODIFY
        return any(tracker.mask & wide == wide for tracker in self._all) or any(
            tracker.mask & Track.MODIFY
            for tracked, trackers in self._prefixes.items()
            if tracked.startswith(prefix) or prefix.startswith(tracked)
            for tracker in trackers
        )

    def matches(self, key: str) -> bool:
        """Tell whether a tracked prefix, or a tracker of all, matches a key."""
        if any(tracker.mask & Track.PREFIX for tracker in self._all):
            return True
        return any(
            length <= len(key) and key[:length] in self._prefixes for length in self._lengths
        )
