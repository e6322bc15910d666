"""The two configuration maps of a running node, for all who serve clients."""

from collections.abc import Callable, Iterable
from typing import Any

from corosync_tw.config.keys import readonly_keys
from corosync_tw.config.schema import Config
from corosync_tw.daemon import process_keys
from corosync_tw.services.cmap.session import CmapSessions, MapId
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.lib_interfaces import LibClient
from corosync_tw.services.stack import Stack
from corosync_tw.services.stats.stats_map import StatsMap


class ConnectionCounts:
    """
    The connections of C clients, for the stats map, which is made before their server.

    :ivar server: None until there is one.
    """

    def __init__(self) -> None:
        self.server: Any = None

    @property
    def active(self) -> int:
        """Connections now."""
        return int(self.server.stats.active) if self.server else 0

    @property
    def closed(self) -> int:
        """Connections that are gone."""
        return int(self.server.stats.closed) if self.server else 0

    @property
    def version(self) -> int:
        """Another number after each connection that came or went."""
        return int(self.server.version) if self.server else 0

    def clients(self) -> Iterable[tuple[int, LibClient]]:
        """Give the service id and the client of each connection."""
        return self.server.clients() if self.server else ()

    def clear_stats(self) -> None:
        """Begin to count anew."""
        if self.server:
            self.server.clear_stats()


class Maps:
    """
    Both maps.

    :ivar icmap: configuration and state; ``stats``: counters.
    :ivar sessions: of all clients, with the limits that hold for them together.
    :ivar connections: to be told of the server of C clients.
    """

    def __init__(
        self, config: Config, stack: Stack, now_ns: Callable[[], int], transport_stats: Any
    ) -> None:
        self.connections = ConnectionCounts()
        self.icmap = stack.cmap.store
        for key in readonly_keys(config):
            self.icmap.set_readonly(key)
        self.stats = StatsMap(stack, self.connections, now_ns, transport_stats)
        self.stats.provide(process_keys.PREFIX, process_keys.process_table())
        self.sessions = CmapSessions({MapId.ICMAP: self.icmap, MapId.STATS: self.stats})

    def show(self, key: str, text: str) -> None:
        """Show a fact of this daemon, which no client changes."""
        self.icmap.set(key, TypedValue.string(text))
        self.icmap.set_readonly(key)
