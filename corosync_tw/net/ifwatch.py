"""
Watches the interface that carries our address, so that a cable pulled and put back is noticed.

Nothing is done to the sockets: they stay bound to the configured address, sends fail and are
counted, and the ring re-forms when the network returns. Corosync 1.x bound everything to 127.0.0.1
instead, and such a node came back as a stranger. Only multicast groups need joining again: the
kernel forgets them together with the interface's last address.

Source: Linux rtnetlink(7), groups of link and address changes.
"""

import socket
from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from corosync_tw.net.errors import NetError
from corosync_tw.net.ifaddr import AddressTable, InterfaceAddress, interface_of

_GROUPS: Final = 0x1 | 0x10 | 0x100
_NOTICE_LEN_BYTES: Final = 1 << 16
# Notices read in one turn; their content does not matter, the table is read anew after them.
_NOTICES_MAX: Final = 64


@implementer(IReadDescriptor)
class InterfaceWatch:
    """
    Tells when the interface of one address goes, comes, or is another one than before.

    :ivar interface: where the address is, or None while it is nowhere or the interface is down.
    """

    def __init__(
        self,
        reactor: IReactorFDSet,
        address: str,
        on_change: Callable[[InterfaceAddress | None], None],
    ) -> None:
        """
        Look where ``address`` is now; ``start`` begins to watch.

        :param on_change: called with the new ``interface``.
        """
        self._reactor = reactor
        self._address = address
        self._on_change = on_change
        self._table: AddressTable | None = None
        self._sock: socket.socket | None = None
        self.interface: InterfaceAddress | None = None
        try:
            self._table = AddressTable()
        except NetError:
            # Without rtnetlink there is nothing to watch; sockets work all the same.
            return
        self.interface = self._look()

    def start(self) -> None:
        """Begin to watch; without rtnetlink nothing happens."""
        if self._table is None:
            return
        sock = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW, socket.NETLINK_ROUTE)
        sock.setblocking(False)
        sock.bind((0, _GROUPS))
        self._sock = sock
        self._reactor.addReader(self)

    def stop(self) -> None:
        """Watch no longer."""
        if self._sock is not None:
            self._reactor.removeReader(self)
            self._sock.close()
            self._sock = None
        if self._table is not None:
            self._table.close()
            self._table = None

    @property
    def is_absent(self) -> bool:
        """Tell whether the address is known to be nowhere, or its interface to be down."""
        return self._table is not None and self.interface is None

    def addresses(self) -> list[InterfaceAddress]:
        """List all addresses of the machine; empty without rtnetlink."""
        return self._table.read() if self._table is not None else []

    def doRead(self) -> None:
        """Look again after the kernel said that something changed. Called by the reactor."""
        assert self._sock is not None
        for _ in range(_NOTICES_MAX):
            try:
                self._sock.recv(_NOTICE_LEN_BYTES)
            except BlockingIOError:
                break
            except OSError:
                # ENOBUFS: notices were lost, which one look makes good.
                continue
        interface = self._look()
        if interface != self.interface:
            self.interface = interface
            self._on_change(interface)

    def _look(self) -> InterfaceAddress | None:
        found = interface_of(self._address, self.addresses())
        return found if found is not None and found.is_up else None

    def fileno(self) -> int:
        """Give the descriptor, -1 once stopped."""
        return self._sock.fileno() if self._sock is not None else -1

    def logPrefix(self) -> str:
        """Name us in log lines of the reactor."""
        return "corosync.net"

    def connectionLost(self, reason: Failure) -> None:
        """Go on after an error was pending on the socket. Called by the reactor."""
        del reason
        if self._sock is not None:
            self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
            self._reactor.addReader(self)
