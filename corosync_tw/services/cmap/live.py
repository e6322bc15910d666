"""
Keys of the configuration map whose values are computed when somebody looks.

Their trackers hear of changes at the next poll only, and of the last value alone, but for keys of
which the provider's owner says at once that they came or went.
Source: Corosync exec/stats.c stats_trigger_trackers.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple, Protocol

from corosync_tw.errors import CsNotExist
from corosync_tw.services.cmap.trackers import Track, Tracker, Trackers
from corosync_tw.services.cmap.values import TypedValue


class Provider(Protocol):
    """Computes the keys under one prefix."""

    def keys(self) -> Sequence[str]:
        """
        List the keys there are now, all under the prefix, in any order.

        The same object as last time says, cheaply, that nothing came or went.
        """

    def get(self, key: str) -> TypedValue:
        """
        Compute a value.

        Raises CsNotExist: there is no such key.
        """


class LiveChange(NamedTuple):
    """What a poll found."""

    event: Track
    key: str
    new: TypedValue | None
    old: TypedValue | None


class LiveKeys:
    """
    One provider in its place.

    :ivar known: its keys as last listed.
    """

    def __init__(self, prefix: str, provider: Provider) -> None:
        self.prefix = prefix
        self.provider = provider
        self.known: frozenset[str] = frozenset()
        self._listed: Sequence[str] = ()
        self._polled: Sequence[str] | None = None
        # Whether the values seen were not looked at in the last poll.
        self._stale = False
        self._seen: dict[str, TypedValue] = {}

    def relist(self) -> tuple[frozenset[str], frozenset[str]]:
        """List the keys anew; give those that came and those that went."""
        listed, known = self.provider.keys(), self.known
        if listed is not self._listed:
            self._listed, self.known = listed, frozenset(listed)
        return self.known - known, known - self.known

    def concerns(self, prefix: str) -> bool:
        """Tell whether an iteration over a prefix may meet these keys."""
        return prefix.startswith(self.prefix) or self.prefix.startswith(prefix)

    def watch(self, tracker: Tracker) -> None:
        """Note the values that a new tracker starts from; it hears of what others have not yet."""
        key = tracker.key or ""
        if self._stale:
            self._seen.update(self._values(tuple(self._seen)))
            self._stale = False
        if tracker.mask & Track.PREFIX:
            if self.concerns(key):
                listed = self.provider.keys()
                self._note([name for name in listed if name.startswith(key)])
        elif key.startswith(self.prefix):
            self._note([key])

    def _note(self, keys: Sequence[str]) -> None:
        for key in keys:
            if key not in self._seen:
                self._seen.update(self._values((key,)))

    def poll(self, trackers: Trackers) -> list[LiveChange]:
        """Compare tracked values with those of the last poll, in the order of the keys."""
        polled, self._polled = self._polled, self.provider.keys()
        self._stale = self._polled is polled and not trackers.follows_values_under(self.prefix)
        if self._stale:
            return []
        now = dict(self._tracked(trackers))
        seen, self._seen = self._seen, now
        changes = []
        for key in sorted(now.keys() | seen.keys()):
            new, old = now.get(key), seen.get(key)
            if new is None:
                # Or nobody tracks it any more; then nobody is told.
                changes.append(LiveChange(Track.DELETE, key, None, old))
            elif old is None:
                changes.append(LiveChange(Track.ADD, key, new, None))
            elif not new.same(old):
                changes.append(LiveChange(Track.MODIFY, key, new, old))
        return changes

    def came(self, keys: Sequence[str], trackers: Trackers) -> list[LiveChange]:
        """Take in tracked keys that are new, ahead of the poll."""
        single = set(trackers.keys_under(self.prefix))
        tracked = [key for key in keys if key in single or trackers.matches(key)]
        changes = [
            LiveChange(Track.ADD, key, value, None)
            for key, value in self._values(tracked)
            if key not in self._seen
        ]
        self._seen.update((change.key, change.new) for change in changes if change.new)
        return changes

    def went(self, keys: Sequence[str]) -> list[LiveChange]:
        """Let keys go, ahead of the poll; only those whose value was noted are of interest."""
        return [
            LiveChange(Track.DELETE, key, None, self._seen.pop(key))
            for key in keys
            if key in self._seen
        ]

    def _tracked(self, trackers: Trackers) -> Iterator[tuple[str, TypedValue]]:
        keys = set(trackers.keys_under(self.prefix))
        if trackers.may_match_under(self.prefix):
            listed = self.provider.keys()
            keys.update(key for key in listed if trackers.matches(key))
        return self._values(keys)

    def _values(self, keys: Collection[str]) -> Iterator[tuple[str, TypedValue]]:
        for key in keys:
            with suppress(CsNotExist):
                yield key, self.provider.get(key)
