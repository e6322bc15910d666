"""
The transport over shared memory, Corosync's default: three rings and a stream of wake-up bytes.

The stream carries one byte for each request and one for each event; responses have none, a client
sleeps on their semaphore. Source: libqb lib/ipc_shm.c, lib/ipcc.c.
"""

import contextlib
import select
import socket
from typing import Final

from corosync_tw.client.qb.faults import Disconnected, ForeignBytes, fault_of
from corosync_tw.client.qb.handshake import NO_SIGNAL, Accepted
from corosync_tw.client.qb.ring import Ring, open_ring
from corosync_tw.client.qb.sharing import SharedDirectory, remove_left_files
from corosync_tw.errors import CsTryAgain
from corosync_tw.ipc.qb.directory import is_alive

_HUNG_UP: Final = select.POLLHUP | select.POLLERR | select.POLLNVAL
# How long an event may come after its wake-up byte: it is written before.
_EVENT_PATIENCE_S: Final = 1.0
# How long a client sleeps before it looks whether the daemon is still there.
SLICE_S: Final = 0.25


class ShmTransport:
    """Messages to and from the daemon; all methods raise Disconnected when it is gone."""

    def __init__(self, accepted: Accepted) -> None:
        """
        Map what the daemon made.

        Raises: ForeignBytes, CsError.
        """
        self._stream = accepted.stream
        self._server_pid = accepted.server_pid
        self._names = (accepted.request, accepted.response, accepted.event)
        self._rings: list[Ring] = []
        directory = SharedDirectory(accepted.request)
        try:
            for name in self._names:
                self._rings.append(open_ring(directory, name, accepted.max_msg_len))
        except BaseException:
            self._close_rings()
            raise
        finally:
            directory.close()
        self._requests, self._responses, self._events = self._rings

    def filenos(self) -> tuple[int, ...]:
        """Give the descriptors of which one is readable when there is an event or the end."""
        return (self._stream.fileno(),)

    def flow_control(self) -> int:
        """Read the level the daemon set, 0, 1 or 2."""
        if not self._requests.held_by_both():
            raise Disconnected("the daemon let go of its memory")
        return self._requests.flow_control()

    def send(self, request: bytes) -> None:
        """
        Send a request.

        Raises: CsTryAgain when the ring is full.
        """
        if not self._requests.write(request):
            raise CsTryAgain("the ring of requests is full")
        while True:
            try:
                self._stream.send(b"\0", NO_SIGNAL)
            except BlockingIOError:
                self._poll(select.POLLOUT, None)
            except OSError as fault:
                raise Disconnected(str(fault)) from fault
            else:
                return

    def receive(self, patience_s: float) -> bytes | None:
        """Take a response, waiting no longer than this."""
        message = self._responses.read(min(patience_s, SLICE_S))
        if message is None and self._poll(0, 0) & _HUNG_UP:
            message = self._responses.read(0)
            if message is None:
                raise Disconnected("the daemon hung up")
        return message

    def receive_event(self, patience_s: float | None) -> bytes | None:
        """Take an event, waiting no longer than this; None waits for ever."""
        ready = self._poll(select.POLLIN, patience_s)
        if not ready:
            return None
        if ready & _HUNG_UP:
            message = self._events.read(0)
            if message is None:
                raise Disconnected("the daemon hung up")
            return message
        message = self._events.read(_EVENT_PATIENCE_S)
        if message is None:
            raise ForeignBytes("the daemon announced an event that does not come")
        with contextlib.suppress(BlockingIOError):
            self._stream.recv(1)
        return message

    def close(self, *, orderly: bool) -> None:
        """Hang up; after a disorderly end, remove what a dead daemon left behind."""
        with contextlib.suppress(OSError):
            self._stream.shutdown(socket.SHUT_RDWR)
        self._stream.close()
        self._close_rings()
        if not orderly and self._server_pid and not is_alive(self._server_pid):
            remove_left_files([f"{n}-{part}" for n in self._names for part in ("header", "data")])

    def _close_rings(self) -> None:
        for ring in self._rings:
            ring.close()

    def _poll(self, events: int, patience_s: float | None) -> int:
        poll = select.poll()
        poll.register(self._stream, events)
        ready = poll.poll(None if patience_s is None else patience_s * 1000)
        return ready[0][1] if ready else 0


def open_shm(accepted: Accepted) -> ShmTransport:
    """
    Take up the connection that the daemon offers.

    Raises: ForeignBytes, CsError.
    """
    try:
        return ShmTransport(accepted)
    except OSError as fault:
        raise fault_of(fault.errno or 0, str(fault)) from fault
