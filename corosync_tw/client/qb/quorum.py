"""
What libquorum offers in its first model: whether this node is quorate, and with whom.

Source: Corosync lib/quorum.c.
"""

from struct import Struct
from typing import Final, NamedTuple

from corosync_tw.client.qb.connection import Connection, connect
from corosync_tw.client.qb.faults import ForeignBytes
from corosync_tw.corotypes import TrackFlags
from corosync_tw.services.lib_requests import RESPONSE_HEADER, RESPONSE_HEADER_LEN
from corosync_tw.services.quorum.lib_wire import (
    NOTIFICATION,
    WORD,
    WORD_RESPONSE,
    WORD_RESPONSE_LEN,
    QuorumRequest,
    QuorumResponse,
    QuorumType,
)

_NODEIDS_AT: Final = RESPONSE_HEADER_LEN + NOTIFICATION.size


class View(NamedTuple):
    """
    A notification.

    :ivar ring_seq: number of the ring; who leads it, this model does not say.
    """

    quorate: bool
    ring_seq: int
    nodeids: tuple[int, ...]


class Quorum:
    """
    A connection to the service; methods raise CsError.

    :ivar kind: whether anybody decides quorum; a number that QuorumType does not know stays one.
    """

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self.kind = self._number(QuorumRequest.GETTYPE)

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def is_free(self) -> bool:
        """Tell whether nobody decides quorum."""
        return self.kind == QuorumType.FREE

    def quorate(self) -> bool:
        """Ask whether this node is quorate."""
        return bool(self._number(QuorumRequest.GETQUORATE))

    def track(self, flags: TrackFlags) -> None:
        """Ask to be told; of the present view, of changes, or both."""
        self._connection.request(QuorumRequest.TRACKSTART, WORD.pack(flags))

    def untrack(self) -> None:
        """Ask no more. Raises: CsNotExist."""
        self._connection.request(QuorumRequest.TRACKSTOP)

    def view(self) -> View:
        """Wait for the next notification."""
        event = None
        while event is None:
            event = self._connection.event()
        return _view(event)

    def _number(self, request: QuorumRequest) -> int:
        answer = self._connection.request(request, least_len=WORD_RESPONSE_LEN)
        number: int = WORD_RESPONSE.unpack_from(answer, RESPONSE_HEADER_LEN)[0]
        return number


def _view(event: bytes) -> View:
    if RESPONSE_HEADER.unpack_from(event)[0] != QuorumResponse.NOTIFICATION:
        raise ForeignBytes("an event of another kind")
    if len(event) < _NODEIDS_AT:
        raise ForeignBytes(f"a notification of {len(event)} bytes")
    quorate, ring_seq, count = NOTIFICATION.unpack_from(event, RESPONSE_HEADER_LEN)
    if _NODEIDS_AT + count * 4 > len(event):
        raise ForeignBytes(f"{count} nodes in {len(event)} bytes")
    nodeids = Struct(f"={count}I").unpack_from(event, _NODEIDS_AT)
    return View(bool(quorate), ring_seq, nodeids)


def connect_quorum(timeout_s: float | None = None) -> Quorum:
    """Connect to this machine's daemon. Raises: CsError."""
    connection = connect("quorum", timeout_s)
    try:
        return Quorum(connection)
    except BaseException:
        connection.close()
        raise
