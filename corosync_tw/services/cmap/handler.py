"""
The configuration map for C clients.

Source: Corosync exec/cmap.c, cmap_lib_engine.
"""

from collections.abc import Mapping, Sequence

from corosync_tw.errors import CsInvalidParam
from corosync_tw.services.cmap import lib_wire as wire
from corosync_tw.services.cmap.lib_wire import CmapRequest, CmapResponse
from corosync_tw.services.cmap.session import CmapSession, CmapSessions
from corosync_tw.services.cmap.trackers import Track
from corosync_tw.services.cmap.values import TypedValue, decode_value
from corosync_tw.services.exec_wire import ServiceId
from corosync_tw.services.lib_interfaces import EffectHandler, LibClient, Shell
from corosync_tw.services.lib_requests import RESPONSE_HEADER_LEN, Request, response, serve


class _Client:
    """
    What is kept for a connection.

    :ivar instances: the library's number of each tracker, by our handle.
    """

    def __init__(self, session: CmapSession) -> None:
        self.session = session
        self.instances: dict[int, int] = {}


class CmapHandler:
    """LibHandler of both maps."""

    service_id: int = ServiceId.CMAP
    socket_name = "cmap"

    def __init__(self, sessions: CmapSessions, shell: Shell) -> None:
        """
        Serve the maps of ``sessions``.

        :param shell: pumped after each change, for a tracker of the daemon may send.
        """
        self.sessions = sessions
        self._shell = shell
        self._clients: dict[int, _Client] = {}
        named, handle_len = wire.NAMED_LEN, wire.HANDLE_LEN
        rows = (
            (CmapRequest.SET, wire.SET_LEN, self._set, RESPONSE_HEADER_LEN),
            (CmapRequest.DELETE, named, self._delete, RESPONSE_HEADER_LEN),
            (CmapRequest.GET, wire.GET_LEN, self._get, wire.GET_RESPONSE_LEN),
            (CmapRequest.ADJUST_INT, wire.ADJUST_INT_LEN, self._adjust_int, RESPONSE_HEADER_LEN),
            (CmapRequest.ITER_INIT, named, self._iter_init, wire.HANDLE_RESPONSE_LEN),
            (CmapRequest.ITER_NEXT, handle_len, self._iter_next, wire.ITER_NEXT_RESPONSE_LEN),
            (CmapRequest.ITER_FINALIZE, handle_len, self._iter_finalize, RESPONSE_HEADER_LEN),
            (CmapRequest.TRACK_ADD, wire.TRACK_ADD_LEN, self._track_add, wire.HANDLE_RESPONSE_LEN),
            (CmapRequest.TRACK_DELETE, handle_len, self._track_delete, wire.HANDLE_RESPONSE_LEN),
        )
        self._table: dict[int, Request] = {
            number: Request(size, number, method, error_len)
            for number, size, method, error_len in rows
        }
        self._table[CmapRequest.SET_CURRENT_MAP] = Request(
            wire.SET_CURRENT_MAP_LEN, CmapResponse.SET_CURRENT_MAP, self._set_current_map
        )

    def connected(self, client: LibClient) -> None:
        """Welcome a client."""
        self._clients[client.conn] = _Client(self.sessions.open())

    def requests(self, client: LibClient, batch: Sequence[bytes]) -> int:
        """Serve requests; all of them, for none has to wait for the ring."""
        return serve(self._table, client, batch)

    def disconnected(self, client: LibClient) -> None:
        """Forget a client, its iterators and trackers."""
        known = self._clients.pop(client.conn, None)
        if known is not None:
            known.session.close()

    def effect_handlers(self) -> Mapping[type, EffectHandler]:
        """Name no effects: clients are told of changes by trackers."""
        return {}

    def _session(self, client: LibClient) -> CmapSession:
        return self._clients[client.conn].session

    def _set(self, client: LibClient, request: bytes) -> bytes:
        value_len, kind = wire.decode_set(request)
        key, session = wire.decode_key(request), self._session(client)
        # Stock looks at the rights before the value.
        session.check_writable(key)
        if value_len > len(request) - wire.SET_LEN:
            raise CsInvalidParam(f"a value of {value_len} bytes")
        value = decode_value(kind, request[wire.SET_LEN : wire.SET_LEN + value_len])
        session.set(key, value)
        self._shell.pump()
        return response(CmapRequest.SET)

    def _delete(self, client: LibClient, request: bytes) -> bytes:
        self._session(client).delete(wire.decode_key(request))
        self._shell.pump()
        return response(CmapRequest.DELETE)

    def _get(self, client: LibClient, request: bytes) -> bytes:
        value = self._session(client).get(wire.decode_key(request))
        data, room = value.encode(), wire.decode_get(request)
        if not room:
            return wire.encode_get(value.kind, len(data), b"")
        if room < len(data):
            raise CsInvalidParam(f"{room} bytes for a value of {len(data)}")
        return wire.encode_get(value.kind, len(data), data)

    def _adjust_int(self, client: LibClient, request: bytes) -> bytes:
        self._session(client).adjust(wire.decode_key(request), wire.decode_step(request))
        self._shell.pump()
        return response(CmapRequest.ADJUST_INT)

    def _iter_init(self, client: LibClient, request: bytes) -> bytes:
        handle = self._session(client).iter_init(wire.decode_optional_key(request) or "")
        return wire.encode_handle(CmapRequest.ITER_INIT, handle)

    def _iter_next(self, client: LibClient, request: bytes) -> bytes:
        key, value = self._session(client).iter_next(wire.decode_handle(request))
        return wire.encode_iter_next(key, value.kind, len(value.encode()))

    def _iter_finalize(self, client: LibClient, request: bytes) -> bytes:
        self._session(client).iter_finalize(wire.decode_handle(request))
        return response(CmapRequest.ITER_FINALIZE)

    def _track_add(self, client: LibClient, request: bytes) -> bytes:
        mask, instance = wire.decode_track_add(request)

        def notify(event: Track, key: str, new: TypedValue | None, old: TypedValue | None) -> None:
            client.event(wire.encode_notify(instance, event, key, new, old))

        known = self._clients[client.conn]
        handle = known.session.track_add(wire.decode_optional_key(request), mask, notify)
        known.instances[handle] = instance
        return wire.encode_handle(CmapRequest.TRACK_ADD, handle)

    def _track_delete(self, client: LibClient, request: bytes) -> bytes:
        known, handle = self._clients[client.conn], wire.decode_handle(request)
        known.session.track_delete(handle)
        return wire.encode_handle(CmapRequest.TRACK_DELETE, known.instances.pop(handle))

    def _set_current_map(self, client: LibClient, request: bytes) -> bytes:
        self._session(client).set_current_map(wire.decode_map(request))
        return response(CmapResponse.SET_CURRENT_MAP)
