"""
Clients of libcfg.

Source: Corosync exec/cfg.c, message_handler_req_lib_cfg_*.
"""

from collections.abc import Mapping, Sequence
from functools import partial

from corosync_tw.errors import CsBusy, CsNotExist, CsNotSupported
from corosync_tw.services.cfg import lib_wire as wire
from corosync_tw.services.cfg.effects import (
    LogsReopened,
    ReloadAnswered,
    RingsReenabled,
    ShutdownAnswered,
    TestShutdown,
)
from corosync_tw.services.cfg.facts import CfgFacts
from corosync_tw.services.cfg.lib_wire import CfgRequest, CfgResponse
from corosync_tw.services.exec_wire import ServiceId
from corosync_tw.services.lib_interfaces import EffectHandler, LibClient, Shell
from corosync_tw.services.lib_requests import (
    REQUEST_HEADER_LEN,
    Request,
    RequestHandler,
    response,
    serve,
)
from corosync_tw.services.stack import Stack


class CfgHandler:
    """
    Serves libcfg.

    :param facts: what the stack does not know of the node.
    """

    service_id: int = ServiceId.CFG
    socket_name = "cfg"

    def __init__(self, stack: Stack, shell: Shell, facts: CfgFacts) -> None:
        self._stack = stack
        self._cfg = stack.cfg
        self._shell = shell
        self._facts = facts
        self._clients: dict[int, LibClient] = {}
        # Connections whose request is under way, with the id of its response.
        self._waiting: dict[int, CfgResponse] = {}
        self._table = self._make_table()

    def _make_table(self) -> dict[int, Request]:
        header, number = REQUEST_HEADER_LEN, wire.NUMBER.size
        sending = self._sending
        return {
            CfgRequest.RINGSTATUSGET: Request(
                header,
                CfgResponse.RINGSTATUSGET,
                sending(self._ring_status),
                wire.RINGSTATUS_RESPONSE_LEN,
            ),
            CfgRequest.RINGREENABLE: Request(
                header, CfgResponse.RINGREENABLE, sending(self._ring_reenable)
            ),
            CfgRequest.KILLNODE: Request(
                wire.KILLNODE.size, CfgResponse.KILLNODE, sending(self._kill_node)
            ),
            CfgRequest.TRYSHUTDOWN: Request(
                number, CfgResponse.TRYSHUTDOWN, sending(self._try_shutdown)
            ),
            CfgRequest.REPLYTOSHUTDOWN: Request(
                number, CfgResponse.REPLYTOSHUTDOWN, sending(self._reply_to_shutdown)
            ),
            CfgRequest.GET_NODE_ADDRS: Request(
                number, CfgResponse.GET_NODE_ADDRS, self._node_addrs, wire.ADDRS_RESPONSE_LEN
            ),
            CfgRequest.LOCAL_GET: Request(header, CfgResponse.LOCAL_GET, self._local_get),
            CfgRequest.RELOAD_CONFIG: Request(
                header, CfgResponse.RELOAD_CONFIG, sending(self._reload_config)
            ),
            CfgRequest.REOPEN_LOG_FILES: Request(
                header, CfgResponse.REOPEN_LOG_FILES, self._reopen_log_files
            ),
            CfgRequest.NODESTATUSGET: Request(
                wire.NODESTATUS.size,
                CfgResponse.NODESTATUSGET,
                self._node_status,
                wire.NODESTATUS_VERSION_RESPONSE_LEN,
            ),
            CfgRequest.TRACKSTART: Request(
                wire.TRACKSTART_LEN, CfgResponse.STATETRACKSTART, sending(self._track_start)
            ),
            CfgRequest.TRACKSTOP: Request(
                header, CfgResponse.STATETRACKSTOP, sending(self._track_stop)
            ),
        }

    def _sending(self, handler: RequestHandler) -> RequestHandler:
        """Refuse a request while clients may not send (CS_LIB_FLOW_CONTROL_REQUIRED)."""

        def checked(client: LibClient, data: bytes) -> bytes | None:
            self._stack.check_sending()
            return handler(client, data)

        return checked

    # LibHandler

    def connected(self, client: LibClient) -> None:
        """Note a client."""
        self._clients[client.conn] = client

    def requests(self, client: LibClient, batch: Sequence[bytes]) -> int:
        """Serve requests one by one."""
        return serve(self._table, client, batch)

    def disconnected(self, client: LibClient) -> None:
        """Forget a client; a vote it took part in may be over."""
        if self._clients.pop(client.conn, None) is None:
            return
        self._waiting.pop(client.conn, None)
        self._cfg.disconnect(client.conn)
        self._shell.pump()

    def effect_handlers(self) -> Mapping[type, EffectHandler]:
        """Name the effects that answer or ask clients."""
        return {
            TestShutdown: self._on_test_shutdown,
            ShutdownAnswered: partial(self._on_answer, CfgResponse.TRYSHUTDOWN),
            ReloadAnswered: partial(self._on_answer, CfgResponse.RELOAD_CONFIG),
            LogsReopened: partial(self._on_answer, CfgResponse.REOPEN_LOG_FILES),
            RingsReenabled: self._on_rings_reenabled,
        }

    # Effects

    def _on_test_shutdown(self, effect: object) -> None:
        assert isinstance(effect, TestShutdown)
        client = self._clients.get(effect.conn)
        if client is not None:
            client.event((wire.encode_test_shutdown(effect.flags, effect.error),))

    def _on_rings_reenabled(self, effect: object) -> None:
        assert isinstance(effect, RingsReenabled)
        if self._waiting.get(effect.conn) is CfgResponse.RINGREENABLE:
            del self._waiting[effect.conn]
            self._clients[effect.conn].respond(response(CfgResponse.RINGREENABLE))

    def _on_answer(self, response_id: CfgResponse, effect: object) -> None:
        assert isinstance(effect, ShutdownAnswered | ReloadAnswered | LogsReopened)
        if self._waiting.get(effect.conn) is response_id:
            del self._waiting[effect.conn]
            self._clients[effect.conn].respond(response(response_id, error=effect.error))

    def _check_free(self, client: LibClient) -> None:
        """Refuse a second request whose answer takes time: a client has one under way."""
        if client.conn in self._waiting:
            raise CsBusy("a request of this client is under way")

    # Requests

    def _ring_status(self, client: LibClient, data: bytes) -> bytes:
        del client, data
        return wire.encode_ring_status(self._facts.interfaces())

    def _ring_reenable(self, client: LibClient, data: bytes) -> None:
        del data
        if not self._facts.redundant():
            raise CsNotSupported("there are no redundant rings (totem.rrp_mode)")
        self._check_free(client)
        self._cfg.reenable_rings(client.conn)
        self._waiting[client.conn] = CfgResponse.RINGREENABLE
        self._shell.pump()

    def _kill_node(self, client: LibClient, data: bytes) -> bytes:
        del client
        request = wire.decode_kill(data)
        self._cfg.kill_node(request.nodeid, request.reason)
        self._shell.pump()
        return response(CfgResponse.KILLNODE)

    def _try_shutdown(self, client: LibClient, data: bytes) -> bytes | None:
        self._check_free(client)
        flags = wire.decode_number(data)
        timeout_ms = self._facts.shutdown_timeout_ms()
        granted = self._cfg.try_shutdown(client.conn, flags, timeout_ms, self._shell.now_ns())
        self._shell.pump()
        if granted:
            return response(CfgResponse.TRYSHUTDOWN)
        self._waiting[client.conn] = CfgResponse.TRYSHUTDOWN
        return None

    def _reply_to_shutdown(self, client: LibClient, data: bytes) -> bytes:
        self._cfg.reply_to_shutdown(client.conn, yes=bool(wire.decode_number(data)))
        self._shell.pump()
        return response(CfgResponse.REPLYTOSHUTDOWN)

    def _node_addrs(self, client: LibClient, data: bytes) -> bytes:
        del client
        nodeid = wire.decode_number(data) or self._stack.params.my_id
        addresses = self._facts.node_addresses(nodeid)
        if not addresses:
            raise CsNotExist(f"node {nodeid} is not configured")
        return wire.encode_node_addresses(addresses)

    def _local_get(self, client: LibClient, data: bytes) -> bytes:
        del client, data
        return wire.encode_local(self._stack.params.my_id)

    def _reload_config(self, client: LibClient, data: bytes) -> None:
        del data
        self._check_free(client)
        self._cfg.reload_config(client.conn)
        self._waiting[client.conn] = CfgResponse.RELOAD_CONFIG
        self._shell.pump()

    def _reopen_log_files(self, client: LibClient, data: bytes) -> None:
        del data
        self._check_free(client)
        self._cfg.reopen_log_files(client.conn)
        self._waiting[client.conn] = CfgResponse.REOPEN_LOG_FILES
        self._shell.pump()

    def _node_status(self, client: LibClient, data: bytes) -> bytes:
        del client
        request = wire.decode_node_status(data)
        if request.version != wire.NODE_STATUS_V1:
            raise CsNotSupported(f"version {request.version} of the node status")
        return wire.encode_node_status(request.nodeid, self._facts.node_state(request.nodeid))

    def _track_start(self, client: LibClient, data: bytes) -> bytes:
        del data
        self._cfg.track_start(client.conn)
        self._shell.pump()
        return response(CfgResponse.STATETRACKSTART)

    def _track_stop(self, client: LibClient, data: bytes) -> bytes:
        del data
        self._cfg.track_stop(client.conn)
        self._shell.pump()
        return response(CfgResponse.STATETRACKSTOP)
