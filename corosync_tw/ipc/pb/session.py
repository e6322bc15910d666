"""
One client of the Perspective Broker server: who it is, its groups, its messages both ways.

A client is a stranger until its hello was accepted. A slow one first finds its own messages
waiting, and is cut off when UNSENT_DELIVERIES_BYTES_MAX are queued for it; the ring never waits.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IReactorTime
from twisted.logger import Logger
from twisted.python.failure import Failure
from zope.interface import implementer

from corosync_tw.corotypes import CPG_MAX_NAME_LENGTH, ConfChangeType, Guarantee
from corosync_tw.errors import (
    CsAccess,
    CsBadHandle,
    CsInvalidParam,
    CsNameTooLong,
    CsNoMemory,
    CsNotSupported,
)
from corosync_tw.ipc.pb.broker import PlainBroker
from corosync_tw.ipc.pb.hubs import Desk, Hub
from corosync_tw.ipc.pb.interfaces import ILocalListener, ILocalServices
from corosync_tw.ipc.pb.outbox import Outbox
from corosync_tw.ipc.pb.peercred import Access, PeerCredentials
from corosync_tw.ipc.pb.requests import McastBatch, Requests
from corosync_tw.ipc.pb.wire import (
    EXPRESSION_LEN_BYTES_MAX,
    GROUPS_PER_CONNECTION_MAX,
    HELLO_TIMEOUT_S,
    JOIN_TIMEOUT_S,
    PROTOCOL_VERSION,
    SLOW_CLIENT_BYTES_HIGH,
    SLOW_CLIENT_BYTES_LOW,
    STRANGER_LEN_BYTES_MAX,
    UNSENT_DELIVERIES_BYTES_MAX,
    Record,
    pack_batch,
    unpack_batch,
)
from corosync_tw.services.effects import (
    CpgConfchg,
    CpgDeliver,
    CpgMember,
    QuorumChange,
    TotemConfchg,
)

_PID_MAX = 0x7FFFFFFF


@implementer(ILocalListener)
class Session:
    """
    The server's end of one connection.

    :ivar pid: of the client, as groups show it; 0 before hello.
    :ivar conn: its number among all clients of this node, for the services beside process groups; 0
        before hello.
    """

    log = Logger()

    def __init__(
        self,
        clock: IReactorTime,
        services: ILocalServices,
        broker: PlainBroker,
        access: Access,
        credentials: Callable[[Any], PeerCredentials | None],
        *,
        hubs: Sequence[Hub] = (),
    ) -> None:
        """
        Serve ``broker``, which has no transport yet.

        :param hubs: the services beside process groups.
        """
        self.pid = 0
        self.conn = 0
        self._hubs = hubs
        self._desks: list[Desk] = []
        self._clock = clock
        self._services = services
        self._broker = broker
        self._access = access
        self._credentials = credentials
        self._outbox = Outbox(broker.call, self._caught_up)
        self._requests = Requests(clock, lambda: not self._slow)
        self._conns: dict[int, bytes] = {}
        self._slow = False
        self._closed = False
        self._flush_scheduled = False
        self._watching = False
        self._hello_deadline = clock.callLater(HELLO_TIMEOUT_S, self._cut_off, "no hello came")
        broker.len_bytes_max = STRANGER_LEN_BYTES_MAX
        broker.serve({"hello": self.hello})
        broker.notifyOnDisconnect(self.closed)  # type: ignore[no-untyped-call]

    def hello(self, version: int, pid: int) -> dict[str, object]:
        """
        Let the client in.

        :param pid: believed only when the kernel does not know it (TLS, foreign pid namespace).
        Raises: CsNotSupported, CsAccess, CsInvalidParam.
        """
        peer = self._credentials(self._broker.transport)
        if peer is not None and not self._access.allows(peer):
            self._clock.callLater(0, self._broker.transport.loseConnection)
            raise CsAccess(
                f"user {peer.uid}, group {peer.gid} may not use this daemon; the administrator can"
                " name them in a uidgid section of corosync.conf"
            )
        if version != PROTOCOL_VERSION:
            raise CsNotSupported(f"the daemon speaks version {PROTOCOL_VERSION} of this protocol")
        if not isinstance(pid, int) or not 0 < pid <= _PID_MAX:
            raise CsInvalidParam("a pid is a positive number")
        self.pid = peer.pid if peer is not None and peer.pid else pid
        if self._hello_deadline.active():
            self._hello_deadline.cancel()
        self._broker.len_bytes_max = EXPRESSION_LEN_BYTES_MAX
        if not self.conn:
            self.conn = self._services.new_conn()
            self._desks = [hub.open(self) for hub in self._hubs]
        others = {name: method for desk in self._desks for name, method in desk.methods().items()}
        self._broker.serve(
            {
                **others,
                "hello": self.hello,
                "watch": self.watch,
                "status": self._services.status,
                "cpg_join": self.cpg_join,
                "cpg_leave": self.cpg_leave,
                "cpg_mcast": self.cpg_mcast,
                "cpg_mcast_packed": self.cpg_mcast_packed,
                "cpg_membership": self.cpg_membership,
                "cpg_groups": self.cpg_groups,
            }
        )
        return {"version": PROTOCOL_VERSION, "nodeid": self._services.nodeid, "pid": self.pid}

    def event(self, method: str, *args: object) -> None:
        """Queue a call of the client, behind all earlier ones."""
        self._outbox.event(method, *args)
        self._queued()

    def submit(
        self, attempt: Callable[[], object], timeout_s: float = JOIN_TIMEOUT_S
    ) -> Deferred[object]:
        """Carry out ``attempt`` after the client's earlier requests, again while CsTryAgain."""
        return self._requests.submit(attempt, timeout_s=timeout_s)

    def watch(self) -> None:
        """Send totem_confchg and quorum_change from now on."""
        if not self._watching:
            self._watching = True
            self._services.attach(self)

    def cpg_join(self, group: bytes) -> Deferred[object]:
        """
        Join a group.

        :return: fires with the conn, the number of this membership in all that follows.
        Raises: CsInvalidParam, CsNameTooLong, CsNoMemory; CsError of the service.
        """
        _check_group(group)
        if len(self._conns) >= GROUPS_PER_CONNECTION_MAX:
            raise CsNoMemory(f"a connection may join {GROUPS_PER_CONNECTION_MAX} groups")
        conn = self._services.cpg_open(self)
        self._conns[conn] = group

        def attempt() -> int:
            self._services.cpg_join(conn, group, self.pid)
            return conn

        def failed(failure: Failure) -> Failure:
            self._forget(conn)
            return failure

        return self._requests.submit(attempt, timeout_s=JOIN_TIMEOUT_S).addErrback(failed)

    def cpg_leave(self, conn: int) -> Deferred[object]:
        """
        Leave a group, after the messages sent before.

        Raises: CsBadHandle; CsError of the service.
        """
        self._check_conn(conn)
        return self._requests.submit(
            lambda: self._services.cpg_leave(conn), timeout_s=JOIN_TIMEOUT_S
        )

    def cpg_mcast(self, conn: int, messages: list[bytes], guarantee: int) -> Deferred[object]:
        """
        Send messages, given as a list.

        :return: fires with their number when the ring has taken all.
        Raises: CsBadHandle, CsInvalidParam, CsTooBig, CsNoMemory; CsError of the service.
        """
        if not isinstance(messages, list) or not all(isinstance(m, bytes) for m in messages):
            raise CsInvalidParam("messages are a list of bytes")
        return self.cpg_mcast_packed(conn, *pack_batch(messages), guarantee)

    def cpg_mcast_packed(
        self, conn: int, lengths: bytes, pieces: list[bytes], guarantee: int
    ) -> Deferred[object]:
        """
        Send messages, given as lengths and joined bodies.

        :return: fires with their number when the ring has taken all.
        Raises: CsBadHandle, CsInvalidParam, CsTooBig, CsNoMemory; CsError of the service.
        """
        self._check_conn(conn)
        messages = unpack_batch(lengths, pieces)
        if guarantee not in tuple(Guarantee):
            raise CsInvalidParam("the guarantee is 0 (agreed) or 1 (safe)")
        batch = McastBatch(self._services, conn, messages, Guarantee(guarantee))
        return self._requests.submit(batch, sum(map(len, messages)) + len(lengths))

    def cpg_membership(self, group: bytes) -> list[list[int]]:
        """List a group's members as [nodeid, pid, reason]."""
        _check_group(group)
        return _plain_members(self._services.cpg_membership(group))

    def cpg_groups(self) -> list[list[object]]:
        """List all groups as [group, members]."""
        return [[group, _plain_members(members)] for group, members in self._services.cpg_groups()]

    def cpg_deliver(self, effect: CpgDeliver) -> None:
        """Queue a message for the client."""
        body = bytes(effect.data)
        record = Record(effect.nodeid, effect.pid, effect.seq, len(body))
        self._outbox.deliver(effect.conn, record, body)
        self._queued()

    def cpg_confchg(self, effect: CpgConfchg) -> None:
        """Queue a change of a group; a conn ends with the change in which it has left."""
        lists = (_plain_members(m) for m in (effect.members, effect.left, effect.joined))
        self._outbox.event("cpg_confchg", effect.conn, *lists)
        self._queued()
        ours = (self._services.nodeid, self.pid)
        if any((nodeid, pid) == ours for nodeid, pid, _ in effect.left):
            self._clock.callLater(0, self._forget, effect.conn)

    def totem_confchg(self, effect: TotemConfchg) -> None:
        """Queue a new ring; transitional ones say nothing to a client that has no services."""
        if effect.kind is ConfChangeType.REGULAR:
            self._outbox.event("totem_confchg", list(effect.ring_id), list(effect.members))
            self._queued()

    def quorum_change(self, effect: QuorumChange) -> None:
        """Queue a change of quorum."""
        self._outbox.event("quorum_change", effect.quorate, list(effect.members))
        self._queued()

    def closed(self) -> None:
        """Leave all groups as a process that went down; the connection is gone."""
        self._closed = True
        if self._hello_deadline.active():
            self._hello_deadline.cancel()
        self._requests.close()
        self._services.detach(self)
        for conn in list(self._conns):
            self._forget(conn)
        desks, self._desks = self._desks, []
        for desk in desks:
            desk.close()

    def _check_conn(self, conn: object) -> None:
        if conn not in self._conns:
            raise CsBadHandle("this connection has not joined that group")

    def _forget(self, conn: int) -> None:
        if self._conns.pop(conn, None) is not None:
            self._services.cpg_disconnect(conn)

    def _queued(self) -> None:
        """Send at the end of this turn, so that what the ring delivers at once travels at once."""
        if not self._flush_scheduled and not self._closed:
            self._flush_scheduled = True
            self._clock.callLater(0, self._flush)

    def _flush(self) -> None:
        self._flush_scheduled = False
        if self._closed:
            return
        if self._outbox.level_bytes > UNSENT_DELIVERIES_BYTES_MAX:
            self._cut_off(f"more than {UNSENT_DELIVERIES_BYTES_MAX} bytes wait for it")
            return
        self._slow = self._slow or self._outbox.level_bytes > SLOW_CLIENT_BYTES_HIGH
        self._outbox.flush()

    def _caught_up(self) -> None:
        if self._slow and self._outbox.level_bytes < SLOW_CLIENT_BYTES_LOW and not self._closed:
            self._slow = False
            self._requests.run()

    def _cut_off(self, reason: str) -> None:
        self.log.warn(  # noqa: G010 - twisted.logger has no warning()
            "cutting off the client with pid {pid}: {reason}", pid=self.pid, reason=reason
        )
        self._broker.abort()


def _check_group(group: object) -> None:
    if not isinstance(group, bytes) or not group:
        raise CsInvalidParam("a group's name is bytes, at least one")
    if len(group) > CPG_MAX_NAME_LENGTH:
        raise CsNameTooLong(f"a group's name has at most {CPG_MAX_NAME_LENGTH} bytes")


def _plain_members(members: Iterable[CpgMember]) -> list[list[int]]:
    return [[int(number) for number in member] for member in members]
