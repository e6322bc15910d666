"""
The Perspective Broker server of one node: listens, and gives each connection a session.

By default on a UNIX socket that everybody may connect to; the kernel says who it was. Where the
system does not tell, root and the daemon's own user alone may connect. Over TLS whoever has a
certificate of the right authority is let in; see `corosync_tw.ipc.pb.tls`.
"""

import errno
import os
import socket
import stat
from collections.abc import Callable, Sequence
from typing import Any, Final

from twisted.internet import protocol
from twisted.internet.defer import Deferred, execute, gatherResults, maybeDeferred
from twisted.internet.interfaces import IAddress, IListeningPort, IStreamServerEndpoint
from twisted.logger import Logger

from corosync_tw.errors import CsExist
from corosync_tw.ipc.pb.broker import PlainBroker
from corosync_tw.ipc.pb.hubs import Hub
from corosync_tw.ipc.pb.interfaces import ILocalServices
from corosync_tw.ipc.pb.peercred import (
    Access,
    PeerCredentials,
    peer_credentials,
    system_tells,
)
from corosync_tw.ipc.pb.session import Session
from corosync_tw.ipc.pb.wire import CLIENT_NAME, CONNECTIONS_MAX, SERVER_NAME

SOCKET_NAME: Final = "corosync_tw.sock"
_MODE: Final = 0o666
_OWN_MODE: Final = 0o600


class ServerBroker(PlainBroker):
    """Server end of a connection: reads no further while the client does not read."""

    def connectionMade(self) -> None:
        """Begin; what the client does not read must not pile up here."""
        self.factory.brokers.add(self)
        self.factory.on_program(True, len(self.factory.brokers))
        self.transport.registerProducer(self, True)
        super().connectionMade()  # type: ignore[no-untyped-call]

    def connectionLost(self, reason: object = protocol.connectionDone) -> None:
        """End."""
        self.factory.brokers.discard(self)
        self.factory.on_program(False, len(self.factory.brokers))
        super().connectionLost(reason)  # type: ignore[no-untyped-call]

    def pauseProducing(self) -> None:
        """
        Answers pile up: take no more requests.

        TLS asks for a pause as well while a write waits for the handshake, which needs to read.
        """
        if self.currentDialect is not None:
            self.transport.pauseProducing()

    def resumeProducing(self) -> None:
        """Answers are read again."""
        self.transport.resumeProducing()


class PbServer(protocol.Factory):
    """
    The server.

    :ivar brokers: open connections.
    :ivar on_program: is told whether one came or went, and how many there are now.
    """

    log = Logger()
    noisy = False

    def __init__(
        self,
        reactor: Any,
        services: ILocalServices,
        access: Access,
        credentials: Callable[[Any], PeerCredentials | None] = peer_credentials,
        hubs: Sequence[Hub] = (),
    ) -> None:
        """
        Serve ``services`` to whom ``access`` allows; nothing is opened before `listen`.

        :param credentials: tells who is at the other end of a transport.
        :param hubs: the services beside process groups.
        """
        self.brokers: set[PlainBroker] = set()
        self.on_program: Callable[[bool, int], None] = lambda *_: None
        self._reactor = reactor
        self._services = services
        self._access = access
        self._credentials = credentials
        self._hubs = hubs
        self._ports: list[IListeningPort] = []

    def listen(self, endpoint: IStreamServerEndpoint) -> Deferred[IListeningPort]:
        """
        Accept connections.

        :return: fails with CannotListenError.
        """
        return endpoint.listen(self).addCallback(self._keep)

    def listen_unix(self, path: str) -> Deferred[IListeningPort]:
        """
        Accept connections on a UNIX socket; one that a killed daemon left behind is replaced.

        :return: fails with CannotListenError.
        Raises: CsExist, when somebody listens there.
        """
        remove_stale_socket(path)
        mode = _MODE if system_tells() else _OWN_MODE
        # Not an endpoint: those load all of TLS with them.
        return execute(self._reactor.listenUNIX, path, self, mode=mode).addCallback(self._keep)

    def stop(self) -> Deferred[None]:
        """Close all ports and connections; the socket's file goes as well."""
        ports, self._ports = self._ports, []
        stopped = gatherResults([maybeDeferred(port.stopListening) for port in ports])
        for broker in list(self.brokers):
            broker.transport.loseConnection()
        return stopped.addCallback(lambda _: None)

    def _keep(self, port: IListeningPort) -> IListeningPort:
        self._ports.append(port)
        return port

    def buildProtocol(self, _addr: IAddress | None) -> Any:
        """Give a new connection its session; above CONNECTIONS_MAX it is closed."""
        if len(self.brokers) >= CONNECTIONS_MAX:
            self.log.warn(  # noqa: G010 - twisted.logger has no warning()
                "refusing a client: {limit} are connected", limit=CONNECTIONS_MAX
            )
            return None
        broker = ServerBroker(is_client=False, our_name=SERVER_NAME, their_name=CLIENT_NAME)
        broker.factory = self
        Session(
            self._reactor,
            self._services,
            broker,
            self._access,
            self._credentials,
            hubs=self._hubs,
        )
        return broker

    def clientConnectionMade(self, broker: PlainBroker) -> None:
        """Perspective Broker says that both sides speak it; the session waits for hello."""


def remove_stale_socket(path: str) -> None:
    """
    Remove the socket of a daemon that is no more.

    Raises: CsExist, when somebody listens there.
    """
    try:
        if not stat.S_ISSOCK(os.stat(path).st_mode):
            raise CsExist(f"{path} exists and is not a socket")
    except FileNotFoundError:
        return
    with socket.socket(socket.AF_UNIX) as probe:
        probe.setblocking(False)
        outcome = probe.connect_ex(path)
    if outcome in (0, errno.EAGAIN, errno.EINPROGRESS):
        raise CsExist(f"another daemon listens on {path}")
    os.unlink(path)
