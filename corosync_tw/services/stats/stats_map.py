"""
The second map of cmap: what a node counts, live; writing to ``stats.clear.*`` begins anew.

Source: Corosync exec/stats.c.
Deviation: stats.clear.knet clears the counters of transport and links alone, in Corosync the
ring's as well. A connection is called by its number, in Corosync by a pointer. stats.pg tells of
the real queue.
"""

from collections.abc import Callable
from dataclasses import fields
from typing import Any, Final

from corosync_tw.errors import CsNotSupported
from corosync_tw.services.cmap.live import Provider
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.cmap.trackers import Notify, Track, Tracker
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.lib_interfaces import LibClient
from corosync_tw.services.stack import Stack
from corosync_tw.services.stats import ipcs, schedmiss
from corosync_tw.services.stats.ipcs import IpcServer, IpcsKeys
from corosync_tw.services.stats.knet import KnetKeys
from corosync_tw.services.stats.schedmiss import SchedMisses
from corosync_tw.services.stats.tables import (
    counters_table,
    histogram_table,
    pg_table,
    srp_table,
    window_table,
)

CLEAR: Final = "stats.clear."
# Stock polls its trackers so often.
POLL_INTERVAL_MS: Final = 1500
OUR_PREFIX: Final = "stats.corosync_tw."
# Of SrpStats, what is no counter.
_MOMENTS: Final = frozenset({"token_last_received_ns", "token_rotation_ns"})


class StatsMap(CmapStore):
    """
    A map that clients can read, and track by polling, and clear in parts.

    :ivar schedmiss: when the process was not scheduled; whoever notices adds it.
    """

    def __init__(
        self,
        stack: Stack,
        server: IpcServer,
        now_ns: Callable[[], int],
        transport_stats: Any,
    ) -> None:
        """
        Watch a node.

        :param transport_stats: a dataclass of plain counters.
        """
        super().__init__()
        self._stack = stack
        self._server = server
        self._transport_stats = transport_stats
        self._knet_keys: KnetKeys | None = None
        self.schedmiss = SchedMisses()
        srp = srp_table(stack.srp.stats, stack.meter, now_ns)
        providers: dict[str, Provider] = {
            "stats.srp.": srp,
            "stats.pg.": pg_table(stack.pg),
            ipcs.PREFIX: IpcsKeys(server),
            schedmiss.PREFIX: self.schedmiss,
            f"{OUR_PREFIX}stack.": counters_table(f"{OUR_PREFIX}stack.", stack.stats),
            f"{OUR_PREFIX}window.": window_table(stack.srp),
            f"{OUR_PREFIX}transport.": counters_table(f"{OUR_PREFIX}transport.", transport_stats),
        }
        for name, histogram in stack.meter.histograms().items():
            prefix = f"{OUR_PREFIX}{name}."
            providers[prefix] = histogram_table(prefix, histogram)
        for prefix, provider in providers.items():
            self.provide(prefix, provider)

    def provide(self, prefix: str, provider: Provider) -> None:
        """Show the keys of a provider; those of knet's links can be cleared."""
        super().provide(prefix, provider)
        if isinstance(provider, KnetKeys):
            self._knet_keys = provider

    def is_readonly(self, key: str) -> bool:
        """Tell whether clients may not change a key: all but those that clear something."""
        return not key.startswith(CLEAR)

    def set(self, key: str, value: TypedValue) -> None:
        """
        Clear what the key names; the value is of no interest, and a longer name is as good.

        Raises CsNotSupported: the key clears nothing.
        """
        del value
        parts: dict[str, Callable[[], None]] = {
            "knet": self._clear_transport,
            "ipc": self._server.clear_stats,
            "totem": self._clear_totem,
            "schedmiss": self.schedmiss.clear,
            "all": self._clear_all,
        }
        cleared = [part for name, part in parts.items() if key.startswith(CLEAR + name)]
        if not cleared:
            raise CsNotSupported(f"{key} clears nothing")
        for part in cleared:
            part()

    def delete(self, key: str) -> None:
        """Refuse; raises CsNotSupported."""
        raise CsNotSupported(f"{key} cannot be deleted")

    def adjust(self, key: str, step: int) -> None:
        """Refuse; raises CsNotSupported."""
        del step
        raise CsNotSupported(f"{key} cannot be changed")

    def track_add(self, key: str | None, mask: int, notify: Notify) -> Tracker:
        """
        Have changes told at the next poll; a prefix tells of keys that come and go alone.

        Raises CsNotSupported: a prefix without both of these events. CsInvalidParam, CsNoMemory.
        """
        if mask & Track.PREFIX:
            if not (mask & Track.ADD and mask & Track.DELETE):
                raise CsNotSupported("a prefix of the stats map is tracked for ADD and DELETE")
            mask &= ~Track.MODIFY
        return super().track_add(key, mask, notify)

    def connection(self, service_id: int, client: LibClient, came: bool) -> None:
        """Tell trackers at once of a client that came or went: it may not be there at a poll."""
        keys = ipcs.keys_of(service_id, client)
        if came:
            self.live_came(keys)
        else:
            self.live_went(keys)

    def _clear_transport(self) -> None:
        _zero(self._transport_stats)
        if self._knet_keys is not None:
            self._knet_keys.clear_stats()

    def _clear_totem(self) -> None:
        _zero(self._stack.srp.stats, *_MOMENTS)
        self._stack.meter.clear()

    def _clear_all(self) -> None:
        self._clear_transport()
        self._server.clear_stats()
        self._clear_totem()
        self.schedmiss.clear()


def _zero(counters: Any, *spared: str) -> None:
    for field in fields(counters):
        if field.name not in spared:
            setattr(counters, field.name, 0)
