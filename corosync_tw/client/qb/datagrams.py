"""
The transport over datagram sockets: one message a datagram, flow control in a small shared file.

Source: libqb lib/ipc_socket.c.
"""

import contextlib
import mmap
import os
import select
import socket
from typing import Final

from corosync_tw.client.qb.faults import Disconnected, ForeignBytes, fault_of
from corosync_tw.client.qb.handshake import NO_SIGNAL, Accepted
from corosync_tw.client.qb.sharing import SharedDirectory, remove_left_files
from corosync_tw.errors import CsTooBig, CsTryAgain
from corosync_tw.ipc.qb.layout import CONTROL, CONTROL_FLOW_CONTROL_WORD, abstract_address

_HUNG_UP: Final = select.POLLHUP | select.POLLERR | select.POLLNVAL


class DatagramTransport:
    """Messages to and from the daemon; all methods raise Disconnected when it is gone."""

    def __init__(self, accepted: Accepted) -> None:
        """
        Bind our sockets and connect them to the daemon's.

        Raises: ForeignBytes, OSError.
        """
        self._stream = accepted.stream
        self._max_msg_len = accepted.max_msg_len
        self._control_path = accepted.request
        directory = SharedDirectory(accepted.request)
        try:
            control = directory.open(accepted.request)
        finally:
            directory.close()
        try:
            if os.fstat(control).st_size < CONTROL.size:
                raise ForeignBytes("the control file is too short")
            self._control = mmap.mmap(control, CONTROL.size)
        finally:
            os.close(control)
        self._words = memoryview(self._control).cast("I")
        self._requests = _bound(accepted, "response", "request")
        self._events = _bound(accepted, "event", "event-tx")

    def filenos(self) -> tuple[int, ...]:
        """Give the descriptors of which one is readable when there is an event or the end."""
        return (self._events.fileno(), self._stream.fileno())

    def flow_control(self) -> int:
        """Read the level the daemon set, 0, 1 or 2."""
        return self._words[CONTROL_FLOW_CONTROL_WORD]

    def send(self, request: bytes) -> None:
        """
        Send a request.

        Raises: CsTryAgain when the daemon's socket is full, CsTooBig.
        """
        try:
            self._requests.send(request, NO_SIGNAL)
        except BlockingIOError as fault:
            raise CsTryAgain("the daemon's socket is full") from fault
        except OSError as fault:
            kind = fault_of(fault.errno or 0, str(fault))
            if isinstance(kind, CsTooBig | CsTryAgain):
                raise kind from fault
            raise Disconnected(str(fault)) from fault

    def receive(self, patience_s: float) -> bytes | None:
        """Take a response, waiting no longer than this."""
        return self._receive(self._requests, patience_s)

    def receive_event(self, patience_s: float | None) -> bytes | None:
        """Take an event, waiting no longer than this; None waits for ever."""
        return self._receive(self._events, patience_s)

    def close(self, *, orderly: bool) -> None:
        """Hang up, and remove the control file, which libqb leaves to the client."""
        del orderly
        with contextlib.suppress(OSError):
            self._stream.shutdown(socket.SHUT_RDWR)
        for one in (self._stream, self._requests, self._events):
            one.close()
        self._words.release()
        self._control.close()
        remove_left_files([self._control_path])

    def _receive(self, one: socket.socket, patience_s: float | None) -> bytes | None:
        poll = select.poll()
        poll.register(one, select.POLLIN)
        poll.register(self._stream, 0)
        ready = dict(poll.poll(None if patience_s is None else patience_s * 1000))
        if ready.get(one.fileno(), 0) & select.POLLIN:
            try:
                return one.recv(self._max_msg_len)
            except OSError as fault:
                raise Disconnected(str(fault)) from fault
        if any(events & _HUNG_UP for events in ready.values()):
            raise Disconnected("the daemon hung up")
        return None


def _bound(accepted: Accepted, ours: str, theirs: str) -> socket.socket:
    one = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    try:
        one.setblocking(False)
        one.bind(abstract_address(f"{accepted.response}-{ours}"))
        one.connect(abstract_address(f"{accepted.response}-{theirs}"))
        for option in (socket.SO_SNDBUF, socket.SO_RCVBUF):
            if one.getsockopt(socket.SOL_SOCKET, option) <= accepted.max_msg_len:
                one.setsockopt(socket.SOL_SOCKET, option, accepted.max_msg_len)
    except BaseException:
        one.close()
        raise
    return one


def open_datagrams(accepted: Accepted) -> DatagramTransport:
    """
    Take up the connection that the daemon offers.

    Raises: ForeignBytes, CsError.
    """
    if not accepted.response.startswith("/"):
        raise ForeignBytes(f"a socket at {accepted.response!r}")
    try:
        return DatagramTransport(accepted)
    except OSError as fault:
        raise fault_of(fault.errno or 0, str(fault)) from fault
