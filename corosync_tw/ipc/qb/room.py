"""
Hearing that a client has read: its socket has given back the memory of bells that we sent.

Nothing in shared memory tells when a client reads its events; but it takes their bells off the
socket afterwards, and then the kernel reports that the socket, writable as it was, has more room.
An edge-triggered epoll hears that, where the reactor's own would report a writable socket for ever.
Without epoll nobody tells: the server then looks at its clients' rings now and then alone.
Source: libqb 2.0.6 lib/ipcc.c qb_ipcc_event_recv; epoll(7).
"""

import select
import socket
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from corosync_tw import features

_EVENTS_PER_READ_MAX: Final = 64


@implementer(IReadDescriptor)
class RoomWatch:
    """Watches sockets of clients that have events waiting."""

    def __init__(self, reactor: Any) -> None:
        """Prepare; nothing is open before ``start``."""
        self._reactor = reactor
        # A select.epoll, which not every system has.
        self._epoll: Any = None
        self._told: dict[int, Callable[[], None]] = {}

    def start(self) -> None:
        """
        Begin, if the system has epoll.

        Raises: OSError.
        """
        if features.is_off("epoll") or not hasattr(select, "epoll"):
            return
        self._epoll = select.epoll()
        self._reactor.addReader(self)

    def add(self, sock: socket.socket, on_read: Callable[[], None]) -> None:
        """Call ``on_read`` now and then while the client reads; at once for the first time."""
        if self._epoll is None:
            return
        number = sock.fileno()
        self._epoll.register(number, select.EPOLLOUT | select.EPOLLET)
        self._told[number] = on_read

    def remove(self, sock: socket.socket) -> None:
        """Forget a socket, which is still open."""
        number = sock.fileno()
        if self._told.pop(number, None) is not None and self._epoll is not None:
            self._epoll.unregister(number)

    def close(self) -> None:
        """Watch no more."""
        self._told.clear()
        if self._epoll is not None:
            self._reactor.removeReader(self)
            self._epoll.close()
            self._epoll = None

    # IReadDescriptor

    def fileno(self) -> int:
        """Give the descriptor, -1 when it is no more."""
        return -1 if self._epoll is None else self._epoll.fileno()

    def doRead(self) -> None:
        """Tell those whose clients have read."""
        if self._epoll is None:
            return
        for number, _ in self._epoll.poll(0, _EVENTS_PER_READ_MAX):
            on_read = self._told.get(number)
            if on_read is not None:
                on_read()

    def connectionLost(self, reason: Failure) -> None:
        """Nothing to do: an epoll has no other side."""

    def logPrefix(self) -> str:
        """Name this in Twisted's log."""
        return "qb"
