"""
The server of C clients: lets them in, moves their messages, and lets them go.

One listener a service; each client gets a transport (``shm`` or ``datagram``) and a ``Client`` in
front of its service's handler. Nothing here blocks and nothing knows a request.
Source: libqb 2.0.6 lib/ipc_setup.c handle_new_connection; Corosync exec/ipc_glue.c.
"""

import errno
import os
import resource
import socket
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from twisted.internet.defer import Deferred, succeed

from corosync_tw.ipc.qb.client import Client
from corosync_tw.ipc.qb.complaints import Complaints, Log
from corosync_tw.ipc.qb.datagram import SocketLink
from corosync_tw.ipc.qb.directory import SHM_DIR, ConnectionDirectory, sweep, sweep_own
from corosync_tw.ipc.qb.handshake import Listener, Waiting
from corosync_tw.ipc.qb.layout import (
    CONNECTION_RESPONSE,
    FORCE_FILESYSTEM_SOCKETS,
    IpcType,
    Peer,
    Site,
    refusal,
    welcome,
)
from corosync_tw.ipc.qb.link import Link
from corosync_tw.ipc.qb.room import RoomWatch
from corosync_tw.ipc.qb.shm import ShmLink, shm_bytes
from corosync_tw.ipc.qb.turns import Turns
from corosync_tw.services.lib_interfaces import ClientStats, LibClient, LibHandler

# The longest messages that a client may ask room for; Corosync's libraries ask for 1 MiB.
MAX_MSG_SIZE_MAX: Final = 8 << 20
# Descriptors that clients never get: the ring's sockets and files need some.
RESERVED_DESCRIPTORS_MAX: Final = 64
# Events that wait for all clients together; beyond it the one with most is dropped.
QUEUES_BYTES_MAX: Final = 512 << 20
# How soon a full ring is looked at again, and how the wait grows.
POLL_S_MIN: Final = 0.001
POLL_S_MAX: Final = 0.005
# Where libqb's clients look for sockets in the file system; as Debian builds it.
SOCKET_DIR: Final = "/tmp"  # noqa: S108

_TYPES: Final = {"shm": IpcType.SHM, "socket": IpcType.SOCKET}


@dataclass(slots=True)
class ServerStats:
    """Connections of all services (stats.ipcs.global.*)."""

    active: int = 0
    closed: int = 0


class QbServer:
    """
    Serves the clients of all services.

    :ivar stats: ``closed`` since the start or ``clear_stats``.
    :ivar version: another number after each client that came or went.
    :ivar on_connection: is told of each client that came (True) or went: service id, client, which.
    """

    def __init__(
        self,
        reactor: Any,
        handlers: Sequence[LibHandler],
        *,
        ipc_type: Literal["shm", "socket"],
        allowed: Callable[[int, int], bool],
        ready: Callable[[], bool],
        new_conn: Callable[[], int],
        log: Log,
        shm_dir: str = SHM_DIR,
        socket_dir: str = SOCKET_DIR,
        force_file: str = FORCE_FILESYSTEM_SOCKETS,
    ) -> None:
        """
        Prepare to serve.

        :param allowed: whether a user and its primary group may come in; root always may.
        :param ready: whether anybody may come in yet; clients try again.
        :param new_conn: gives each connection its number.
        :param log: called with a level's name and a text.
        """
        self._reactor = reactor
        self._handlers = handlers
        self._type = _TYPES[ipc_type]
        self._allowed = allowed
        self._ready = ready
        self._new_conn = new_conn
        self._complaints = Complaints(log, reactor.seconds)
        self._log = log
        self._shm_dir = shm_dir
        self._socket_dir = socket_dir
        self._force_file = force_file
        self._waiting = Waiting(reactor)
        self._listeners: list[Listener] = []
        self._levels: dict[int, int] = {}
        self._directories: dict[Client, ConnectionDirectory] = {}
        self._turns = Turns(reactor, self.flush)
        # As Keeper.
        self.serve_now, self.come_back = self._turns.serve_now, self._turns.come_back
        self._kept: dict[Client, None] = {}
        self._dirty: list[Client] = []
        self._polled: dict[Client, None] = {}
        self._poll_call: Any = None
        self._poll_s = POLL_S_MIN
        self._queued_bytes = 0
        self._scratch = bytearray()
        self._room_watch = RoomWatch(reactor)
        self.stats = ServerStats()
        self.version = 0
        self.on_connection: Callable[[int, LibClient, bool], None] = lambda *_: None

    def listen(self) -> None:
        """
        Sweep what a predecessor left, and let clients come.

        Raises: OSError, with nothing left open; EADDRINUSE when another Corosync runs here.
        """
        services = {handler.socket_name for handler in self._handlers}
        swept = sweep(self._shm_dir, services)
        if swept:
            self._log(
                "notice", f"Removed the shared memory of {swept} connections of a dead server"
            )
        directory = self._socket_dir if os.path.exists(self._force_file) else None
        try:
            self._room_watch.start()
            for handler in self._handlers:
                self._listeners.append(self._listener(handler, directory))
        except OSError:
            self._close_listeners()
            self._room_watch.close()
            raise

    def stop(self) -> Deferred[None]:
        """Hang up on everybody and remove all that was made."""
        self._close_listeners()
        self._waiting.close()
        clients = tuple(self._directories)
        for client in clients:
            self._forget(client)
        self._turns.stop()
        self._room_watch.close()
        if self._poll_call is not None:
            self._poll_call.cancel()
            self._poll_call = None
        sweep_own(self._shm_dir)
        # Last: the services of a node that ends may be broken.
        for client in clients:
            client.handler.disconnected(client)
        return succeed(None)

    def flush(self) -> None:
        """Wake the clients for the events written since the last time."""
        dirty, self._dirty = self._dirty, []
        for client in dirty:
            client.flush()

    def set_flow_control(self, level_of: Mapping[int, int]) -> None:
        """
        Put levels of flow control in force: 0 go, 1 everybody waits, 2 cpg's messages wait.

        :param level_of: by service id; services that are not named keep theirs.
        """
        self._levels.update(level_of)
        for client in tuple(self._directories):
            client.set_level(self._levels.get(client.handler.service_id, 0))

    def resume(self) -> None:
        """Offer again what handlers did not take, to the client first that has waited longest."""
        if not self._kept:
            return
        waiting, self._kept = self._kept, {}
        clients = iter(waiting)
        for client in clients:
            client.offer_again()
            if client in self._kept:
                # The ring takes no more: next time the others come first.
                break
        self._kept = {**dict.fromkeys(clients), **self._kept}
        self.flush()

    def clients(self) -> Iterator[tuple[int, Client]]:
        """List the connections with their services' numbers."""
        return ((client.handler.service_id, client) for client in tuple(self._directories))

    def clear_stats(self) -> None:
        """Count from zero, as stats.clear.ipc asks."""
        self.stats.closed = 0
        for client in self._directories:
            level = client.stats.flow_control
            client.stats = ClientStats(flow_control=level)

    # Keeper

    def kept(self, client: Client) -> None:
        """Remember whom to offer again."""
        self._kept[client] = None

    def wrote(self, client: Client) -> None:
        """Remember whom to wake."""
        self._dirty.append(client)

    def queued(self, client: Client, change_bytes: int, *, poll: bool) -> None:
        """Account for a queue."""
        self._queued_bytes += change_bytes
        if poll and client not in self._polled:
            self._polled[client] = None
            self._poll_s = POLL_S_MIN
            if self._poll_call is None:
                self._poll_call = self._reactor.callLater(self._poll_s, self._poll)
        if self._queued_bytes > QUEUES_BYTES_MAX:
            longest = max(self._directories, key=lambda each: each.queue_bytes)
            longest.violated("the events that wait for all clients are too many, most of them here")

    def bury(self, client: Client, complaint: str) -> None:
        """Close a client now, and tell its handler a little later: it may be in the midst of us."""
        if client in self._directories:
            if complaint:
                self._complaints.say("drop", "warning", complaint)
            self._forget(client)
            self._reactor.callLater(0, self._gone, client)

    def _gone(self, client: Client) -> None:
        client.handler.disconnected(client)
        self.on_connection(client.handler.service_id, client, False)
        self.flush()

    def _forget(self, client: Client) -> None:
        self._queued_bytes -= client.queue_bytes
        client.queue_bytes = 0
        client.forget()
        self._directories.pop(client).remove()
        self._turns.forget(client)
        for group in (self._kept, self._polled):
            group.pop(client, None)
        self.version += 1
        self.stats.active -= 1
        self.stats.closed += 1

    def _poll(self) -> None:
        self._poll_call = None
        for client in tuple(self._polled):
            if client.look():
                self._polled.pop(client, None)
        if self._polled:
            self._poll_s = min(self._poll_s * 2, POLL_S_MAX)
            self._poll_call = self._reactor.callLater(self._poll_s, self._poll)

    # letting in

    def _listener(self, handler: LibHandler, directory: str | None) -> Listener:
        def introduce(sock: socket.socket, peer: Peer, max_msg_size: int) -> None:
            self._introduced(handler, sock, peer, max_msg_size)

        return Listener(
            self._reactor,
            handler.socket_name,
            directory,
            waiting=self._waiting,
            introduce=introduce,
            complaints=self._complaints,
        )

    def _close_listeners(self) -> None:
        for listener in self._listeners:
            listener.close()
        self._listeners.clear()

    def _introduced(
        self,
        handler: LibHandler,
        sock: socket.socket,
        peer: Peer,
        max_msg_size: int,
    ) -> None:
        """Let a client in, or tell it why not."""
        size = max(max_msg_size, CONNECTION_RESPONSE.size)
        code = self._refused(sock, peer, size)
        if not code:
            try:
                self._connect(handler, sock, peer, size)
            except OSError as error:
                lacking = error.errno in {errno.ENOSPC, errno.EDQUOT}
                code = errno.ENOMEM if lacking else error.errno or errno.EIO
                self._complaints.say(
                    "setup", "error", f"Error in connection setup ({handler.socket_name}): {error}"
                )
        if code:
            _say_and_close(sock, refusal(code))

    def _refused(self, sock: socket.socket, peer: Peer, size: int) -> int:
        """Give the error to refuse a client with; 0 to let it in."""
        _, uid, gid = peer
        if not self._ready():
            self._complaints.say("unready", "debug", "Denied connection, corosync is not ready")
            return errno.EAGAIN
        if sock.fileno() >= _descriptors_max():
            self._complaints.say("descriptors", "warning", "refusing new connections: no fds left")
            return errno.EMFILE
        if uid != 0 and gid != 0 and not self._allowed(uid, gid):
            self._complaints.say("denied", "error", f"Denied connection attempt from {uid}:{gid}")
            return errno.EACCES
        if size > MAX_MSG_SIZE_MAX:
            return errno.EINVAL
        if self._type is IpcType.SHM and _free_bytes(self._shm_dir) < shm_bytes(size):
            self._complaints.say(
                "memory", "error", f"refusing new connections: {self._shm_dir} is full"
            )
            return errno.ENOMEM
        return 0

    def _connect(
        self,
        handler: LibHandler,
        sock: socket.socket,
        peer: Peer,
        size: int,
    ) -> None:
        directory = ConnectionDirectory(self._shm_dir, peer.pid, sock.fileno())
        try:
            link = self._link(sock, Site(directory.base, handler.socket_name, size, peer))
        except OSError:
            directory.remove()
            raise
        try:
            directory.give(peer)
        except OSError:
            link.close()
            directory.remove()
            raise
        conn = self._new_conn()
        client = Client(self, handler, link, conn=conn, peer=peer, procname=_procname(peer.pid))
        self._directories[client] = directory
        self.version += 1
        self.stats.active += 1
        client.set_level(self._levels.get(handler.service_id, 0))
        answer = welcome(self._type, size, conn, link.paths)
        try:
            sent = sock.send(answer)
        except OSError:
            sent = 0
        if sent != len(answer):
            self._forget(client)
            return
        handler.connected(client)
        self.on_connection(handler.service_id, client, True)
        if not client.closed:
            link.start(client)
        self.flush()

    def _link(self, sock: socket.socket, site: Site) -> Link:
        if self._type is IpcType.SHM:
            return ShmLink(self._reactor, sock, site, self._room_watch)
        if len(self._scratch) < site.max_msg_size:
            self._scratch = bytearray(site.max_msg_size)
        return SocketLink(self._reactor, sock, site, self._scratch)


def _say_and_close(sock: socket.socket, answer: bytes) -> None:
    try:
        sock.send(answer)
    except OSError:
        pass
    finally:
        sock.close()


def _descriptors_max() -> int:
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return soft - min(RESERVED_DESCRIPTORS_MAX, soft // 4)


def _free_bytes(directory: str) -> int:
    status = os.statvfs(directory)
    return status.f_bavail * status.f_frsize


def _procname(pid: int) -> str:
    """Read a process's name (Corosync: pid_to_name)."""
    try:
        with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as comm:
            return comm.read().rstrip("\n")
    except OSError:
        return ""
