"""One socket in the reactor, with plain callbacks."""

import socket
from collections.abc import Callable

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor, IWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer


@implementer(IReadDescriptor, IWriteDescriptor)
class Descriptor:
    """
    Watches a socket that does not block.

    :ivar sock: for everything else; closed by ``close``.
    """

    def __init__(
        self,
        reactor: IReactorFDSet,
        sock: socket.socket,
        on_readable: Callable[[], None],
        on_end: Callable[[], None],
    ) -> None:
        """
        Take over ``sock``; it is watched when ``watch`` is called.

        :param on_end: the reactor saw the peer go and watches no longer.
        """
        self.sock = sock
        self._reactor = reactor
        self._on_readable = on_readable
        self._on_writable: Callable[[], None] | None = None
        self._on_end = on_end
        self._closed = False

    def watch(self) -> None:
        """Call ``on_readable`` whenever there is something to read."""
        if not self._closed:
            self._reactor.addReader(self)

    def unwatch(self) -> None:
        """Stop ``watch``."""
        self._reactor.removeReader(self)

    def watch_room(self, on_writable: Callable[[], None]) -> None:
        """Call ``on_writable`` once, as soon as the socket takes more."""
        if not self._closed:
            self._on_writable = on_writable
            self._reactor.addWriter(self)

    def close(self) -> None:
        """Close the socket; nothing is called afterwards; idempotent."""
        if not self._closed:
            self._closed = True
            self._reactor.removeReader(self)
            self._reactor.removeWriter(self)
            self.sock.close()

    def release(self) -> socket.socket:
        """Give the socket away, unwatched."""
        self._closed = True
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
        return self.sock

    # IReadDescriptor, IWriteDescriptor

    def fileno(self) -> int:
        """Give the descriptor, -1 once closed."""
        return -1 if self._closed else self.sock.fileno()

    def doRead(self) -> None:
        """Pass it on."""
        self._on_readable()

    def doWrite(self) -> None:
        """Pass it on, once."""
        self._reactor.removeWriter(self)
        on_writable, self._on_writable = self._on_writable, None
        if on_writable is not None:
            on_writable()

    def connectionLost(self, reason: Failure) -> None:  # noqa: ARG002
        """Tell of the end, unless it is our own doing."""
        if not self._closed:
            self._on_end()

    def logPrefix(self) -> str:
        """Name this in Twisted's log."""
        return "qb"
