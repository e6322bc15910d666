"""
One connection to a service: requests that are answered, and events.

What a blocking program needs; a reactor can watch ``filenos`` and call ``event(0)``. Source: libqb
lib/ipcc.c.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final, Protocol, Self

from corosync_tw.client.qb.datagrams import open_datagrams
from corosync_tw.client.qb.faults import Disconnected, ForeignBytes
from corosync_tw.client.qb.handshake import Accepted, dial
from corosync_tw.client.qb.shm import open_shm
from corosync_tw.corotypes import CS_OK
from corosync_tw.errors import CsTimeout, CsTooBig, CsTryAgain, error_of
from corosync_tw.ipc.qb.layout import IpcType
from corosync_tw.services.lib_requests import (
    REQUEST_HEADER,
    REQUEST_HEADER_LEN,
    RESPONSE_HEADER,
    RESPONSE_HEADER_LEN,
)

# Highest level of flow control that holds back a request of any kind.
ALL_HELD: Final = 1
HEADER_ALONE: Final = bytes(REQUEST_HEADER_LEN)
_POLL_S: Final = 1.0


class Transport(Protocol):
    """How messages travel."""

    def filenos(self) -> tuple[int, ...]:
        """Give the descriptors of which one is readable when there is an event or the end."""

    def flow_control(self) -> int:
        """Read the level the daemon set, 0, 1 or 2."""

    def send(self, request: bytes) -> None:
        """Send a request."""

    def receive(self, patience_s: float) -> bytes | None:
        """Take a response."""

    def receive_event(self, patience_s: float | None) -> bytes | None:
        """Take an event."""

    def close(self, *, orderly: bool) -> None:
        """Hang up."""


class Connection:
    """
    A connection to one service; a context manager.

    After Disconnected, ForeignBytes or CsTimeout it is closed: an answer may still be under way,
    and would be taken for the next one's.

    :ivar max_msg_len: no message is longer, bytes.
    """

    def __init__(
        self, transport: Transport, max_msg_len: int, timeout_s: float | None = None
    ) -> None:
        self._transport: Transport | None = transport
        self._timeout_s = timeout_s
        self.max_msg_len = max_msg_len

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def filenos(self) -> tuple[int, ...]:
        """
        Give the descriptors of which one is readable when there is an event or the end.

        Raises: Disconnected.
        """
        with self._ending() as transport:
            return transport.filenos()

    def close(self) -> None:
        """Hang up; harmless when that was done."""
        self._end(orderly=True)

    def send(
        self, request_id: int, message: bytes = HEADER_ALONE, held_up_to: int = ALL_HELD
    ) -> None:
        """
        Send a request.

        :param message: with room for its header, which is written here.
        :param held_up_to: highest level of flow control that holds it back, 1 or 2.
        Raises: CsTryAgain, CsTooBig, Disconnected.
        """
        request = REQUEST_HEADER.pack(request_id, len(message)) + message[REQUEST_HEADER_LEN:]
        if len(request) > self.max_msg_len:
            raise CsTooBig(f"{len(request)} bytes, {self.max_msg_len} are allowed")
        with self._ending() as transport:
            if 0 < transport.flow_control() <= held_up_to:
                raise CsTryAgain("the daemon asks to wait")
            transport.send(request)

    def request(
        self, request_id: int, message: bytes = HEADER_ALONE, least_len: int = RESPONSE_HEADER_LEN
    ) -> bytes:
        """
        Send a request and wait for its response.

        :param message: with room for its header, which is written here.
        :param least_len: of a response that is no error, with its header, bytes.
        :return: the response with its header, at least so long.
        Raises: CsError, of the response or of the connection.
        """
        self.send(request_id, message)
        deadline = None if self._timeout_s is None else time.monotonic() + self._timeout_s
        response = None
        while response is None:
            left_s = _POLL_S if deadline is None else min(_POLL_S, deadline - time.monotonic())
            if left_s <= 0:
                self._end(orderly=True)
                raise CsTimeout("the daemon does not answer")
            with self._ending() as transport:
                response = _checked(transport.receive(left_s))
        _, _, error = RESPONSE_HEADER.unpack_from(response)
        if error != CS_OK:
            raise error_of(error)
        if len(response) < least_len:
            self._end(orderly=False)
            raise ForeignBytes(f"a response of {len(response)} bytes, {least_len} are due")
        return response

    def event(self, timeout_s: float | None = None) -> bytes | None:
        """
        Take the next event, with its header; None when there is none in this time.

        Raises: Disconnected, ForeignBytes.
        """
        with self._ending() as transport:
            return _checked(transport.receive_event(timeout_s))

    def _end(self, *, orderly: bool) -> None:
        transport, self._transport = self._transport, None
        if transport is not None:
            transport.close(orderly=orderly)

    @contextmanager
    def _ending(self) -> Iterator[Transport]:
        """Close the connection when the daemon turns out to be gone or strange."""
        if self._transport is None:
            raise Disconnected("the connection is closed")
        try:
            yield self._transport
        except (Disconnected, ForeignBytes):
            self._end(orderly=False)
            raise


def _checked(message: bytes | None) -> bytes | None:
    if message is None:
        return None
    if len(message) < RESPONSE_HEADER_LEN:
        raise ForeignBytes(f"a message of {len(message)} bytes")
    size = RESPONSE_HEADER.unpack_from(message)[1]
    if size != len(message):
        raise ForeignBytes(f"a message of {len(message)} bytes says it has {size}")
    return message


def connect(service: str, timeout_s: float | None = None) -> Connection:
    """
    Connect to a service of this machine's daemon.

    :param service: cmap, cfg, cpg, quorum or votequorum.
    :param timeout_s: for the handshake and for every request; None waits as long as the daemon
        lives, like the C libraries.
    Raises: CsError; CsTryAgain while the daemon starts.
    """
    accepted = dial(service, timeout_s)
    try:
        return Connection(_transport(accepted), accepted.max_msg_len, timeout_s)
    except BaseException:
        accepted.stream.close()
        raise


def _transport(accepted: Accepted) -> Transport:
    if accepted.kind == IpcType.SHM:
        return open_shm(accepted)
    if accepted.kind == IpcType.SOCKET:
        return open_datagrams(accepted)
    raise ForeignBytes(f"a connection of type {accepted.kind}")
