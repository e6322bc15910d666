"""
One socket in the reactor, with plain callbacks.

Twisted looks through all descriptors for one whose number it cannot learn any more, so a socket is
removed while it is open: with thousands of clients that counts.
"""

import socket
from collections.abc import Callable
from typing import Any

from twisted.internet.interfaces import IReadDescriptor, IWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer


@implementer(IReadDescriptor, IWriteDescriptor)
class Descriptor:
    """
    Watches a socket that does not block.

    :ivar sock: for everything else; closed by ``close``.
    :ivar closed: whether it was closed or given away.
    """

    def __init__(
        self,
        reactor: Any,
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
        self.closed = False

    def watch(self) -> None:
        """Call ``on_readable`` whenever there is something to read."""
        if not self.closed:
            self._reactor.addReader(self)

    def unwatch(self) -> None:
        """Stop ``watch``."""
        if not self.closed:
            self._reactor.removeReader(self)

    def watch_room(self, on_writable: Callable[[], None]) -> None:
        """Call ``on_writable`` once, as soon as the socket takes more."""
        if not self.closed:
            self._on_writable = on_writable
            self._reactor.addWriter(self)

    def close(self) -> None:
        """Close the socket; nothing is called afterwards; idempotent."""
        if not self.closed:
            self.release().close()

    def release(self) -> socket.socket:
        """Give the socket away, unwatched."""
        self._reactor.removeReader(self)
        self._reactor.removeWriter(self)
        self.closed = True
        return self.sock

    # IReadDescriptor, IWriteDescriptor

    def fileno(self) -> int:
        """Give the descriptor, -1 when it is no more."""
        return self.sock.fileno()

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
        if not self.closed:
            self._on_end()

    def logPrefix(self) -> str:
        """Name this in Twisted's log."""
        return "qb"
