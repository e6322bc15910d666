"""
Listening for clients, and the first 24 bytes of each: who it is, and how long its messages get.

Source: libqb 2.0.6 lib/ipc_setup.c qb_ipcs_us_publish, qb_ipcs_us_connection_acceptor,
process_auth.
Deviation: a client that does not finish its request is dropped after HANDSHAKE_TIMEOUT_S, or
earlier when more than PENDING_MAX wait; libqb keeps it for ever.
"""

import errno
import os
import socket
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final

from corosync_tw import features
from corosync_tw.ipc.qb.complaints import Complaints
from corosync_tw.ipc.qb.descriptor import Descriptor
from corosync_tw.ipc.qb.layout import (
    CONNECTION_REQUEST,
    CREDENTIALS,
    MSG_AUTHENTICATE,
    Peer,
    abstract_address,
)
from corosync_tw.ipc.qb.link import BLOCKED

BACKLOG: Final = 128
ACCEPTS_PER_TURN_MAX: Final = 16
HANDSHAKE_TIMEOUT_S: Final = 5.0
PENDING_MAX: Final = 256
# How long nobody is let in after the descriptors ran out.
PAUSE_S: Final = 0.1
SOCKET_MODE: Final = 0o777

_NO_DESCRIPTORS: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM})

# Called with the socket, who it is, and the client's max_msg_size; takes the socket over.
Introduce = Callable[[socket.socket, Peer, int], None]


class Waiting:
    """Handshakes under way, of all services together: few, and none for long."""

    def __init__(self, reactor: Any) -> None:
        self._reactor = reactor
        # handshake: when it began; in that order.
        self._began: dict[Handshake, float] = {}
        self._timer: Any = None

    def __len__(self) -> int:
        return len(self._began)

    def add(self, handshake: "Handshake") -> None:
        """Wait for a client; if there are too many, in place of the one longest waited for."""
        if len(self._began) >= PENDING_MAX:
            self._drop(next(iter(self._began)))
        self._began[handshake] = self._reactor.seconds()
        if self._timer is None:
            self._timer = self._reactor.callLater(HANDSHAKE_TIMEOUT_S, self._expire)

    def remove(self, handshake: "Handshake") -> None:
        """Wait no longer."""
        self._began.pop(handshake, None)

    def close(self) -> None:
        """Drop all."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        for handshake in tuple(self._began):
            self._drop(handshake)

    def _drop(self, handshake: "Handshake") -> None:
        handshake.descriptor.close()
        del self._began[handshake]

    def _expire(self) -> None:
        self._timer = None
        now_s = self._reactor.seconds()
        for handshake, began_s in tuple(self._began.items()):
            left_s = began_s + HANDSHAKE_TIMEOUT_S - now_s
            if left_s > 0:
                self._timer = self._reactor.callLater(left_s, self._expire)
                return
            self._drop(handshake)


class Handshake:
    """One client that has connected and not said yet who it is."""

    def __init__(
        self, reactor: Any, sock: socket.socket, waiting: Waiting, introduce: Introduce
    ) -> None:
        self.descriptor = Descriptor(reactor, sock, self.read, self._end)
        self._waiting = waiting
        self._introduce = introduce
        self._received = b""
        self._credentials: Peer | None = None

    def begin(self) -> None:
        """Read what is there already, and wait for the rest."""
        self.read()
        if not self.descriptor.closed:
            self._waiting.add(self)
            self.descriptor.watch()

    def read(self) -> None:
        """Read the connection request, and pass the client on when it is whole."""
        sock = self.descriptor.sock
        wanted = CONNECTION_REQUEST.size - len(self._received)
        try:
            data, ancillary, _, _ = sock.recvmsg(wanted, socket.CMSG_SPACE(CREDENTIALS.size))
        except OSError as error:
            if error.errno not in BLOCKED:
                self._end()
            return
        for level, kind, content in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                self._credentials = Peer(*CREDENTIALS.unpack_from(content))
        self._received += data
        if not data:
            self._end()
        elif len(data) == wanted:
            self._finish()

    def _finish(self) -> None:
        request_id, _, max_msg_size = CONNECTION_REQUEST.unpack(self._received)
        if request_id != MSG_AUTHENTICATE or self._credentials is None:
            self._end()
            return
        self._waiting.remove(self)
        sock = self.descriptor.release()
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
        self._introduce(sock, self._credentials, max_msg_size)

    def _end(self) -> None:
        self._waiting.remove(self)
        self.descriptor.close()


class Listener:
    """The socket that one service's clients connect to."""

    def __init__(
        self,
        reactor: Any,
        name: str,
        directory: str | None,
        *,
        waiting: Waiting,
        introduce: Introduce,
        complaints: Complaints,
    ) -> None:
        """
        Bind and listen.

        :param directory: of a socket in the file system; None for an abstract one.
        Raises: OSError, when somebody else has the name or the directory is missing, and where
        the system does not tell who connects.
        """
        if features.is_off("peer_credentials") or not hasattr(socket, "SO_PASSCRED"):
            raise OSError(errno.EOPNOTSUPP, "this system does not tell who connects")
        self._reactor = reactor
        self._name = name
        self._waiting = waiting
        self._introduce = introduce
        self._complaints = complaints
        self._path = None if directory is None else os.path.join(directory, name)
        sock = socket.socket(
            socket.AF_UNIX, socket.SOCK_STREAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
        )
        try:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            if self._path is None:
                sock.bind(abstract_address(name))
            else:
                with suppress(FileNotFoundError):
                    os.unlink(self._path)
                sock.bind(self._path)
                os.chmod(self._path, SOCKET_MODE)
            sock.listen(BACKLOG)
        except OSError:
            sock.close()
            raise
        self._descriptor = Descriptor(reactor, sock, self._accept, self.close)
        self._pause: Any = None
        self._descriptor.watch()

    def close(self) -> None:
        """Listen no more; idempotent."""
        if self._pause is not None:
            self._pause.cancel()
            self._pause = None
        if not self._descriptor.closed:
            self._descriptor.close()
            if self._path is not None:
                with suppress(OSError):
                    os.unlink(self._path)

    def _accept(self) -> None:
        for _ in range(ACCEPTS_PER_TURN_MAX):
            try:
                sock, _ = self._descriptor.sock.accept()
            except OSError as error:
                if error.errno in _NO_DESCRIPTORS:
                    self._rest(error)
                return
            sock.setblocking(False)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
            Handshake(self._reactor, sock, self._waiting, self._introduce).begin()

    def _rest(self, error: OSError) -> None:
        """Leave clients in the backlog for a moment, instead of asking again at once."""
        self._complaints.say(
            "accept", "warning", f"Could not accept client connection to {self._name}: {error}"
        )
        self._descriptor.unwatch()
        self._pause = self._reactor.callLater(PAUSE_S, self._go_on)

    def _go_on(self) -> None:
        self._pause = None
        self._descriptor.watch()
