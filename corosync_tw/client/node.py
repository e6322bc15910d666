"""
A connection to one node: its state, its groups, and the way to process groups.

Everything returns a Deferred that fails with CsError. There is no reconnecting here: `when_lost`
tells that the connection ended, and the caller knows whether and when to try again.
"""

import os
from collections.abc import Callable, Generator
from typing import Any, Final

from twisted.internet import protocol
from twisted.internet.defer import Deferred, inlineCallbacks
from twisted.internet.endpoints import UNIXClientEndpoint
from twisted.internet.error import ConnectError, DNSLookupError
from twisted.internet.interfaces import IStreamClientEndpoint
from twisted.python.failure import Failure
from twisted.spread.pb import DeadReferenceError, PBConnectionLost

from corosync_tw.client.cfg import Cfg
from corosync_tw.client.cmap import Cmap
from corosync_tw.client.cpg import Cpg, Member
from corosync_tw.client.errors import DaemonLost, DaemonSilent, NoDaemon
from corosync_tw.client.inspection import Inspection
from corosync_tw.client.quorum import Quorum, Votequorum
from corosync_tw.corotypes import RingId
from corosync_tw.errors import CsError
from corosync_tw.ipc.pb.broker import PlainBroker
from corosync_tw.ipc.pb.wire import (
    CLIENT_NAME,
    HELLO_TIMEOUT_S,
    PROTOCOL_VERSION,
    SERVER_NAME,
    unpack_deliveries,
)
from corosync_tw.services.cmap.session import MapId

# Of Linux's sockaddr_un, without the byte that ends it.
SOCKET_PATH_LEN_BYTES_MAX: Final = 107

OnRing = Callable[[RingId, list[int]], object]
OnQuorum = Callable[[bool, list[int]], object]


class _ClientFactory(protocol.Factory):
    """Makes the one broker of a connection and says when both sides speak Perspective Broker."""

    noisy = False

    def __init__(self) -> None:
        self.ready: Deferred[PlainBroker] = Deferred()

    def buildProtocol(self, _addr: object) -> Any:
        broker = PlainBroker(is_client=True, our_name=CLIENT_NAME, their_name=SERVER_NAME)
        broker.factory = self
        broker.notifyOnDisconnect(self._lost)  # type: ignore[no-untyped-call]
        return broker

    def clientConnectionMade(self, broker: PlainBroker) -> None:
        self.ready.callback(broker)

    def _lost(self) -> None:
        if not self.ready.called:
            self.ready.errback(NoDaemon("the connection was closed before it began"))


class Node:
    """
    A connection to a running daemon; `connect` makes it.

    :ivar nodeid: of the node it leads to.
    :ivar pid: under which groups see us.
    """

    def __init__(self, broker: PlainBroker, nodeid: int, pid: int) -> None:
        """Use ``broker``, on which hello is over."""
        self.nodeid = nodeid
        self.pid = pid
        self._broker = broker
        self._cpgs: dict[int, Cpg] = {}
        self._lost = False
        self._waiting: list[Deferred[None]] = []
        self._on_ring: OnRing | None = None
        self._on_quorum: OnQuorum | None = None
        self._heard: dict[str, Callable[..., object]] = {
            "cpg_deliver": self._cpg_deliver,
            "cpg_confchg": self._cpg_confchg,
            "totem_confchg": self._totem_confchg,
            "quorum_change": self._quorum_change,
            "votequorum_nodelist": _ignore,
        }
        broker.serve(self._heard)
        broker.notifyOnDisconnect(self._connection_lost)  # type: ignore[no-untyped-call]

    def cpg(self) -> Cpg:
        """Make a handle of process groups, in no group yet; one handle joins one group."""
        return Cpg(self)

    def cmap(self) -> Cmap:
        """Give access to the configuration map."""
        return Cmap(self, MapId.ICMAP)

    def stats(self) -> Cmap:
        """Give access to the map of counters."""
        return Cmap(self, MapId.STATS)

    def cfg(self) -> Cfg:
        """Give access to administration."""
        return Cfg(self)

    def inspection(self) -> Inspection:
        """Give access to what other nodes tell for a diagnosis."""
        return Inspection(self)

    def quorum(self) -> Quorum:
        """Give access to the quorum service."""
        return Quorum(self)

    def votequorum(self) -> Votequorum:
        """Give access to votes."""
        return Votequorum(self)

    def status(self) -> Deferred[dict[str, Any]]:
        """
        Ask the node for its state.

        :return: fires with nodeid, ring_rep, ring_seq, members, quorate, bad_links,
            faulty_rings, state, sync_in_progress, queue_level (0 to 1), token_rotation_us (or None)
            and counters.
        """
        return self.call("status")

    @inlineCallbacks
    def membership(self, group: bytes) -> Generator[Deferred[Any], Any, list[Member]]:
        """List the members of a group; it need not be ours."""
        members = yield self.call("cpg_membership", group)
        return [Member(*member) for member in members]

    @inlineCallbacks
    def groups(self) -> Generator[Deferred[Any], Any, dict[bytes, list[Member]]]:
        """List all groups of the cluster with their members."""
        groups = yield self.call("cpg_groups")
        return {group: [Member(*member) for member in members] for group, members in groups}

    def watch(
        self, on_ring: OnRing | None = None, on_quorum: OnQuorum | None = None
    ) -> Deferred[None]:
        """
        Hear of new rings and of quorum.

        :param on_ring: called with the ring id and the members of each regular configuration.
        :param on_quorum: called with whether the node is quorate, and the members that count.
        """
        self._on_ring, self._on_quorum = on_ring, on_quorum
        return self.call("watch")

    def when_lost(self) -> Deferred[None]:
        """Fire when the connection has ended, for whatever reason; at once when it has already."""
        ended: Deferred[None] = Deferred()
        if self._lost:
            ended.callback(None)
        else:
            self._waiting.append(ended)
        return ended

    def disconnect(self) -> Deferred[None]:
        """Close the connection; groups see this process go down, unless it left them before."""
        ended = self.when_lost()
        if not self._lost:
            self._broker.transport.loseConnection()
        return ended

    def call(self, method: str, *args: object) -> Deferred[Any]:
        """Call a method of the daemon; fails with CsError alone."""
        return self._broker.call(method, *args).addErrback(_as_daemon_lost)

    def hear(self, method: str, callback: Callable[..., object]) -> None:
        """Give calls of ``method`` by the daemon to ``callback`` from now on."""
        self._heard[method] = callback

    def attach(self, conn: int, cpg: Cpg) -> None:
        """Give events of ``conn`` to ``cpg`` from now on."""
        self._cpgs[conn] = cpg

    def detach(self, conn: int) -> None:
        """Drop events of ``conn`` from now on."""
        self._cpgs.pop(conn, None)

    def _cpg_deliver(self, conn: int, records: bytes, pieces: list[bytes]) -> object:
        cpg = self._cpgs.get(conn)
        return cpg and cpg.deliveries(unpack_deliveries(records, pieces))

    def _cpg_confchg(self, conn: int, *lists: list[list[int]]) -> object:
        cpg = self._cpgs.get(conn)
        return cpg and cpg.confchg(*([Member(*member) for member in part] for part in lists))

    def _totem_confchg(self, ring_id: list[int], members: list[int]) -> None:
        if self._on_ring is not None:
            self._on_ring(RingId(*ring_id), members)

    def _quorum_change(self, quorate: bool, members: list[int]) -> None:
        if self._on_quorum is not None:
            self._on_quorum(quorate, members)

    def _connection_lost(self) -> None:
        self._lost = True
        cpgs, self._cpgs = self._cpgs, {}
        for cpg in cpgs.values():
            cpg.lost()
        waiting, self._waiting = self._waiting, []
        for ended in waiting:
            ended.callback(None)


@inlineCallbacks
def connect(
    reactor: Any, where: str | IStreamClientEndpoint, pid: int | None = None
) -> Generator[Deferred[Any], Any, Node]:
    """
    Connect to a daemon.

    :param where: path of its socket, or an endpoint (see `corosync_tw.ipc.pb.tls`).
    :param pid: under which groups shall see us; on a UNIX socket the kernel's word counts instead.
    :return: fires with the Node.
    Raises: NoDaemon (DaemonSilent: there is one, but it stands still), CsAccess (we are not let
    in), CsNotSupported (another version).
    """
    if isinstance(where, str):
        if len(os.fsencode(where)) > SOCKET_PATH_LEN_BYTES_MAX:
            limit = SOCKET_PATH_LEN_BYTES_MAX
            raise NoDaemon(f"the path of a socket has {limit} bytes at most")
        where = UNIXClientEndpoint(reactor, where)  # type: ignore[no-untyped-call]
    factory = _ClientFactory()
    try:
        broker = yield where.connect(factory)
    except DNSLookupError as fault:
        raise NoDaemon("no such host") from fault
    except ConnectError as fault:
        raise NoDaemon(os.strerror(fault.osError) if fault.osError else str(fault)) from fault
    deadline = reactor.callLater(HELLO_TIMEOUT_S, broker.abort)
    try:
        yield factory.ready
        greeting = yield broker.call("hello", PROTOCOL_VERSION, pid or os.getpid())
    except (PBConnectionLost, DeadReferenceError, NoDaemon) as fault:
        if not deadline.active():
            raise DaemonSilent(f"no answer within {HELLO_TIMEOUT_S:g} s") from fault
        raise NoDaemon("the connection was closed before it began") from fault
    except CsError:
        broker.transport.loseConnection()
        raise
    finally:
        if deadline.active():
            deadline.cancel()
    return Node(broker, greeting["nodeid"], greeting["pid"])


def _as_daemon_lost(failure: Failure) -> object:
    if isinstance(failure.value, PBConnectionLost | DeadReferenceError):
        raise DaemonLost("the daemon closed the connection") from failure.value
    return failure


def _ignore(*_args: object) -> None:
    """Take no interest."""
