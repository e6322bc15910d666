"""
Clients of libvotequorum.

Votes may be asked for and changed at any time, also while the services are synchronized: a quorum
device has to poll then.

Source: Corosync exec/votequorum.c, message_handler_req_lib_votequorum_*.
"""

from collections.abc import Mapping, Sequence

from corosync_tw.errors import CsBusy
from corosync_tw.services.exec_wire import ServiceId
from corosync_tw.services.lib_interfaces import EffectHandler, LibClient, Shell
from corosync_tw.services.lib_requests import REQUEST_HEADER_LEN, Request, response, serve
from corosync_tw.services.votequorum import lib_wire as wire
from corosync_tw.services.votequorum.effects import (
    ExpectedVotesNotification,
    NodelistNotification,
    QdeviceRegistered,
    QuorumNotification,
    Tracker,
)
from corosync_tw.services.votequorum.engine import VotequorumEngine
from corosync_tw.services.votequorum.lib_wire import VotequorumRequest, VotequorumResponse

_STATUS_OK = response(VotequorumResponse.STATUS)


class VotequorumHandler:
    """
    Serves libvotequorum; there is none without votequorum as the quorum provider.

    :param engine: the stack's.
    """

    service_id: int = ServiceId.VOTEQUORUM
    socket_name = "votequorum"

    def __init__(self, engine: VotequorumEngine, shell: Shell) -> None:
        self._engine = engine
        self._shell = shell
        self._clients: dict[int, LibClient] = {}
        self._registering: set[int] = set()  # connections whose registration is not answered yet
        self._table = self._make_table()

    def _make_table(self) -> dict[int, Request]:
        status = VotequorumResponse.STATUS
        number, name = wire.NUMBER.size, wire.NAME.size
        return {
            VotequorumRequest.GETINFO: Request(
                number, VotequorumResponse.GETINFO, self._getinfo, wire.GETINFO_RESPONSE_LEN
            ),
            VotequorumRequest.SETEXPECTED: Request(number, status, self._setexpected),
            VotequorumRequest.SETVOTES: Request(wire.SETVOTES.size, status, self._setvotes),
            VotequorumRequest.TRACKSTART: Request(wire.TRACKSTART.size, status, self._trackstart),
            VotequorumRequest.TRACKSTOP: Request(REQUEST_HEADER_LEN, status, self._trackstop),
            VotequorumRequest.QDEVICE_REGISTER: Request(name, status, self._register),
            VotequorumRequest.QDEVICE_UNREGISTER: Request(name, status, self._unregister),
            VotequorumRequest.QDEVICE_UPDATE: Request(wire.TWO_NAMES.size, status, self._update),
            VotequorumRequest.QDEVICE_POLL: Request(wire.POLL.size, status, self._poll),
            VotequorumRequest.QDEVICE_MASTER_WINS: Request(
                wire.MASTER_WINS.size, status, self._master_wins
            ),
        }

    # LibHandler

    def connected(self, client: LibClient) -> None:
        """Note a client."""
        self._clients[client.conn] = client

    def requests(self, client: LibClient, batch: Sequence[bytes]) -> int:
        """Serve requests one by one."""
        served = serve(self._table, client, batch)
        self._shell.pump()
        return served

    def disconnected(self, client: LibClient) -> None:
        """Forget a client; its quorum device stays until it has been silent for too long."""
        if self._clients.pop(client.conn, None) is not None:
            self._registering.discard(client.conn)
            self._engine.disconnect(client.conn)

    def effect_handlers(self) -> Mapping[type, EffectHandler]:
        """Name the effects that clients are told of."""
        return {
            QuorumNotification: self._on_quorum,
            NodelistNotification: self._on_nodelist,
            ExpectedVotesNotification: self._on_expected_votes,
            QdeviceRegistered: self._on_registered,
        }

    # Effects

    def _on_quorum(self, effect: object) -> None:
        assert isinstance(effect, QuorumNotification)
        for client, context in self._known(effect.trackers):
            client.event((wire.encode_quorum(context, effect.quorate, effect.nodes),))

    def _on_nodelist(self, effect: object) -> None:
        assert isinstance(effect, NodelistNotification)
        for client, context in self._known(effect.trackers):
            client.event((wire.encode_nodelist(context, effect.ring_id, effect.members),))

    def _on_expected_votes(self, effect: object) -> None:
        assert isinstance(effect, ExpectedVotesNotification)
        for client, context in self._known(effect.trackers):
            client.event((wire.encode_expectedvotes(context, effect.expected_votes),))

    def _on_registered(self, effect: object) -> None:
        assert isinstance(effect, QdeviceRegistered)
        if effect.conn in self._registering:
            self._registering.discard(effect.conn)
            answer = response(VotequorumResponse.STATUS, error=effect.error)
            self._clients[effect.conn].respond(answer)

    def _known(self, trackers: tuple[Tracker, ...]) -> list[tuple[LibClient, int]]:
        clients = self._clients
        return [(clients[conn], context) for conn, context in trackers if conn in clients]

    # Requests

    def _getinfo(self, client: LibClient, data: bytes) -> bytes:
        del client
        return wire.encode_getinfo(self._engine.getinfo(wire.decode_number(data)))

    def _setexpected(self, client: LibClient, data: bytes) -> bytes:
        del client
        self._engine.set_expected(wire.decode_number(data))
        return _STATUS_OK

    def _setvotes(self, client: LibClient, data: bytes) -> bytes:
        del client
        votes, nodeid = wire.SETVOTES.unpack_from(data)
        self._engine.set_votes(nodeid, votes)
        return _STATUS_OK

    def _trackstart(self, client: LibClient, data: bytes) -> bytes:
        """Show the present state even to those who follow it already, as Corosync does."""
        context, flags = wire.TRACKSTART.unpack_from(data)
        present = self._engine.present(client.conn, flags, context)
        if present is not None:
            self._on_nodelist(present[0])
            self._on_quorum(present[1])
        self._engine.track_start(client.conn, flags, context)
        return _STATUS_OK

    def _trackstop(self, client: LibClient, data: bytes) -> bytes:
        del data
        self._engine.track_stop(client.conn)
        return _STATUS_OK

    def _register(self, client: LibClient, data: bytes) -> bytes | None:
        if client.conn in self._registering:
            raise CsBusy("a registration of this client is under way")
        if self._engine.qdevice_register(client.conn, wire.decode_name(data)):
            return _STATUS_OK
        self._registering.add(client.conn)
        return None

    def _unregister(self, client: LibClient, data: bytes) -> bytes:
        del client
        self._engine.qdevice_unregister(wire.decode_name(data))
        return _STATUS_OK

    def _update(self, client: LibClient, data: bytes) -> bytes:
        del client
        self._engine.qdevice_update(*wire.decode_two_names(data))
        return _STATUS_OK

    def _poll(self, client: LibClient, data: bytes) -> bytes:
        del client
        poll = wire.decode_poll(data)
        now_ns = self._shell.now_ns()
        self._engine.qdevice_poll(poll.name, poll.cast_vote, poll.ring_id, now_ns)
        return _STATUS_OK

    def _master_wins(self, client: LibClient, data: bytes) -> bytes:
        del client
        self._engine.qdevice_master_wins(*wire.decode_master_wins(data))
        return _STATUS_OK
