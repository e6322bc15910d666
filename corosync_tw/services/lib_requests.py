"""
Requests and responses of C clients: their headers, and a table of what a service understands.

Native byte order and 8-byte alignment, since both ends run on one machine. Source: libqb
include/qb/qbipc_common.h struct qb_ipc_request_header, qb_ipc_response_header; Corosync
exec/ipc_glue.c cs_ipcs_msg_process, exec/main.c corosync_sending_allowed.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from struct import Struct
from typing import Final

from corosync_tw.corotypes import CS_OK
from corosync_tw.errors import CsError, CsInvalidParam
from corosync_tw.services.lib_interfaces import LibClient

# id, size
REQUEST_HEADER: Final = Struct("=i4xi4x")
# id, size, error
RESPONSE_HEADER: Final = Struct("=i4xi4xi4x")
REQUEST_HEADER_LEN: Final = REQUEST_HEADER.size
RESPONSE_HEADER_LEN: Final = RESPONSE_HEADER.size

assert (REQUEST_HEADER_LEN, RESPONSE_HEADER_LEN) == (16, 24)

# Serves one request; returns the response, or None when this request has none or will be answered
# later. A CsError becomes a response that is a bare header.
RequestHandler = Callable[[LibClient, bytes], bytes | None]


@dataclass(frozen=True, slots=True)
class Request:
    """
    One request of a service.

    :ivar size: shortest length with its header, bytes; the handler may rely on it.
    :ivar response_id: of the bare header that tells of an error.
    :ivar error_len: length of the response that tells of an error, bytes, zeros behind the header;
        a client that reads a longer struct waits for all of it.
    """

    size: int
    response_id: int
    serve: RequestHandler
    error_len: int = RESPONSE_HEADER_LEN


def response(response_id: int, body: bytes = b"", error: int = CS_OK) -> bytes:
    """Put a header before the body of a response."""
    return RESPONSE_HEADER.pack(response_id, RESPONSE_HEADER_LEN + len(body), error) + body


def event_header(event_id: int, body_len: int) -> bytes:
    """Make the header of an event; its error is always CS_OK."""
    return RESPONSE_HEADER.pack(event_id, RESPONSE_HEADER_LEN + body_len, CS_OK)


def serve(table: Mapping[int, Request], client: LibClient, batch: Sequence[bytes]) -> int:
    """
    Serve requests one by one from a table; LibHandler.requests of a service without a hot path.

    An unknown id or a request that is too short is answered with id 0 and CsInvalidParam.
    """
    for data in batch:
        serve_one(table, client, data)
    return len(batch)


def serve_one(table: Mapping[int, Request], client: LibClient, data: bytes) -> None:
    """Serve one request."""
    request = table.get(REQUEST_HEADER.unpack_from(data)[0])
    if request is None or len(data) < request.size:
        client.stats.invalid_request += 1
        client.respond(response(0, error=CsInvalidParam.code))
        return
    try:
        answer = request.serve(client, data)
    except CsError as error:
        body = bytes(request.error_len - RESPONSE_HEADER_LEN)
        answer = response(request.response_id, body, error.code)
    if answer is not None:
        client.respond(answer)
