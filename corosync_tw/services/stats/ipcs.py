"""
The connections of C clients as keys: ``stats.ipcs.*``.

Source: Corosync exec/stats.c cs_ipcs_conn_stats, cs_ipcs_global_stats; exec/ipc_glue.c
cs_ipcs_get_conn_stats.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from corosync_tw.errors import CsNotExist
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.lib_interfaces import LibClient

PREFIX: Final = "stats.ipcs."

_CLIENT: Final[dict[str, Callable[[LibClient], TypedValue]]] = {
    "queueing": lambda client: TypedValue.i32(int(client.stats.queued > 0)),
    "queued": lambda client: TypedValue.u32(client.stats.queued),
    "invalid_request": lambda client: TypedValue.u64(client.stats.invalid_request),
    "overload": lambda client: TypedValue.u64(client.stats.overload),
    "sent": lambda client: TypedValue.u32(client.stats.sent),
    "procname": lambda client: TypedValue.string(client.procname),
    "requests": lambda client: TypedValue.u64(client.stats.requests),
    "responses": lambda client: TypedValue.u64(client.stats.responses),
    "dispatched": lambda client: TypedValue.u64(client.stats.dispatched),
    "send_retries": lambda client: TypedValue.u64(client.stats.send_retries),
    "recv_retries": lambda client: TypedValue.u64(client.stats.recv_retries),
    "flow_control": lambda client: TypedValue.u32(client.stats.flow_control),
    "flow_control_count": lambda client: TypedValue.u64(client.stats.flow_control_count),
}


class IpcServer(Protocol):
    """
    What is asked of the server of C clients.

    :ivar active: connections now; ``closed`` those that are gone.
    """

    @property
    def active(self) -> int:
        """Connections now."""

    @property
    def closed(self) -> int:
        """Connections that are gone."""

    @property
    def version(self) -> int:
        """Another number after each connection that came or went."""

    def clients(self) -> Iterable[tuple[int, LibClient]]:
        """Give the service id and the client of each connection."""

    def clear_stats(self) -> None:
        """Begin to count anew."""


class IpcsKeys:
    """A Provider of cmap."""

    def __init__(self, server: IpcServer) -> None:
        self._server = server
        self._by_prefix: dict[str, LibClient] = {}
        self._version: int | None = None
        self._keys: tuple[str, ...] = ()

    def keys(self) -> Sequence[str]:
        """List the keys of all connections."""
        if self._server.version != self._version:
            self._version = self._server.version
            self._by_prefix = {
                _prefix(service_id, client): client for service_id, client in self._server.clients()
            }
            self._keys = (
                f"{PREFIX}global.active",
                f"{PREFIX}global.closed",
                *(f"{prefix}.{name}" for prefix in self._by_prefix for name in _CLIENT),
            )
        return self._keys

    def get(self, key: str) -> TypedValue:
        """Compute a value; raises CsNotExist."""
        if key == f"{PREFIX}global.active":
            return TypedValue.u64(self._server.active)
        if key == f"{PREFIX}global.closed":
            return TypedValue.u64(self._server.closed)
        prefix, _, name = key.rpartition(".")
        self.keys()
        client, getter = self._by_prefix.get(prefix), _CLIENT.get(name)
        if client is None or getter is None:
            raise CsNotExist(f"key {key!r}")
        return getter(client)


def keys_of(service_id: int, client: LibClient) -> list[str]:
    """List the keys of one connection."""
    return [f"{_prefix(service_id, client)}.{name}" for name in _CLIENT]


def _prefix(service_id: int, client: LibClient) -> str:
    # The number of a connection stands where stock shows a pointer.
    return f"{PREFIX}service{service_id}.{client.pid}.{client.conn:#x}"
