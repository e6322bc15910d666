"""
The quorum service for C clients: libquorum's requests, and the events of its two models.

Source: Corosync exec/vsf_quorum.c message_handler_req_lib_quorum_*, send_library_notification,
send_nodelist_library_notification.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from corosync_tw.corotypes import TrackFlags
from corosync_tw.errors import CsExist, CsInvalidParam
from corosync_tw.services.effects import QuorumChange
from corosync_tw.services.exec_wire import ServiceId
from corosync_tw.services.lib_interfaces import EffectHandler, LibClient
from corosync_tw.services.lib_requests import (
    REQUEST_HEADER_LEN,
    Request,
    response,
    serve,
)
from corosync_tw.services.quorum.effects import QuorumNodelist
from corosync_tw.services.quorum.engine import QuorumEngine
from corosync_tw.services.quorum.lib_wire import (
    WORD,
    WORD_RESPONSE_LEN,
    QuorumModel,
    QuorumRequest,
    QuorumResponse,
    QuorumType,
    encode_notification,
    encode_v1_nodelist,
    encode_v1_quorum,
    encode_word,
)


@dataclass(slots=True)
class _Tracker:
    """A client: its model of events, and whether it is told of changes."""

    client: LibClient
    model: int = QuorumModel.V0
    tracking: bool = False


class QuorumHandler:
    """Implements LibHandler."""

    service_id: int = ServiceId.QUORUM
    socket_name = "quorum"

    def __init__(self, engine: QuorumEngine) -> None:
        self._engine = engine
        self._trackers: dict[int, _Tracker] = {}
        self._table: dict[int, Request] = {
            QuorumRequest.GETQUORATE: Request(
                REQUEST_HEADER_LEN, QuorumResponse.GETQUORATE, self._getquorate
            ),
            QuorumRequest.TRACKSTART: Request(
                WORD.size, QuorumResponse.TRACKSTART, self._trackstart
            ),
            QuorumRequest.TRACKSTOP: Request(
                REQUEST_HEADER_LEN, QuorumResponse.TRACKSTOP, self._trackstop
            ),
            QuorumRequest.GETTYPE: Request(
                REQUEST_HEADER_LEN, QuorumResponse.GETTYPE, self._gettype
            ),
            QuorumRequest.MODEL_GETTYPE: Request(
                WORD.size,
                QuorumResponse.MODEL_GETTYPE,
                self._model_gettype,
                WORD_RESPONSE_LEN,
            ),
        }

    # LibHandler

    def connected(self, client: LibClient) -> None:
        """Know a client, of the old model until it says otherwise."""
        self._trackers[client.conn] = _Tracker(client)

    def disconnected(self, client: LibClient) -> None:
        """Forget a client."""
        self._trackers.pop(client.conn, None)

    def requests(self, client: LibClient, batch: Sequence[bytes]) -> int:
        """Serve requests in order."""
        return serve(self._table, client, batch)

    def effect_handlers(self) -> Mapping[type, EffectHandler]:
        """Name what concerns clients."""
        return {QuorumNodelist: self.on_nodelist, QuorumChange: self.on_change}

    # Effects

    def on_nodelist(self, effect: Any) -> None:
        """Tell of a ring; clients of the old model do not know this event."""
        event = encode_v1_nodelist(effect.ring_id, effect.members, effect.joined, effect.left)
        for tracker in list(self._trackers.values()):
            if tracker.tracking and tracker.model == QuorumModel.V1:
                tracker.client.event((event,))

    def on_change(self, effect: Any) -> None:
        """Tell of the provider's answer; without a provider nothing is ever told."""
        for tracker in list(self._trackers.values()):
            if tracker.tracking and self._engine.provider:
                _tell_view(tracker, effect)

    # Requests

    def _getquorate(self, client: LibClient, data: bytes) -> bytes:
        del client, data
        return encode_word(QuorumResponse.GETQUORATE, self._engine.quorate)

    def _trackstart(self, client: LibClient, data: bytes) -> bytes:
        tracker = self._trackers[client.conn]
        flags = TrackFlags(WORD.unpack_from(data)[0] & 7)
        if flags & (TrackFlags.CURRENT | TrackFlags.CHANGES):
            engine = self._engine
            if tracker.model == QuorumModel.V1:
                client.event((encode_v1_nodelist(engine.ring_id, engine.members, (), ()),))
            _tell_view(tracker, engine.view)
        if tracker.tracking:
            raise CsExist("the client tracks already")
        tracker.tracking = bool(flags & (TrackFlags.CHANGES | TrackFlags.CHANGES_ONLY))
        return response(QuorumResponse.TRACKSTART)

    def _trackstop(self, client: LibClient, data: bytes) -> bytes:
        """Also of a client that does not track, as with Corosync."""
        del data
        self._trackers[client.conn].tracking = False
        return response(QuorumResponse.TRACKSTOP)

    def _gettype(self, client: LibClient, data: bytes) -> bytes:
        del client, data
        return encode_word(QuorumResponse.GETTYPE, self._type)

    def _model_gettype(self, client: LibClient, data: bytes) -> bytes:
        model = WORD.unpack_from(data)[0]
        if model not in {QuorumModel.V0, QuorumModel.V1}:
            error = CsInvalidParam.code
            return encode_word(QuorumResponse.MODEL_GETTYPE, self._type, error)
        self._trackers[client.conn].model = model
        return encode_word(QuorumResponse.MODEL_GETTYPE, self._type)

    @property
    def _type(self) -> QuorumType:
        return QuorumType.SET if self._engine.provider else QuorumType.FREE


def _tell_view(tracker: _Tracker, view: QuorumChange) -> None:
    encode = encode_v1_quorum if tracker.model == QuorumModel.V1 else encode_notification
    tracker.client.event((encode(view.quorate, view.ring_id, view.members),))
