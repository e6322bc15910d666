"""
The transport by datagram sockets: one for requests and responses, one for events.

One datagram is one message. The control file has three records {i32 sent, i32 flow_control} for
requests, responses and events, of which the client looks at flow_control of the first. The stream
socket only tells that the client is alive. Source: libqb 2.0.6 lib/ipc_socket.c.
Deviation: ``sent`` stays 0; libqb counts with it what is under way. Until its sockets are
connected to the client's, any user of the host could send to them; such datagrams are told by their
credentials and ignored.
"""

import errno
import socket
from typing import Any, Final

from corosync_tw.corotypes import Slices
from corosync_tw.ipc.qb.descriptor import Descriptor
from corosync_tw.ipc.qb.layout import (
    CONTROL,
    CONTROL_FLOW_CONTROL_WORD,
    CREDENTIALS,
    Paths,
    Site,
    abstract_address,
)
from corosync_tw.ipc.qb.link import (
    BLOCKED,
    REQUEST_BYTES_PER_TURN_MAX,
    LinkEnded,
    LinkUser,
    LinkViolation,
)
from corosync_tw.ipc.qb.mapping import SharedFile
from corosync_tw.services.lib_runs import EventRun, RequestRuns

_ALIVE_LEN_BYTES: Final = 4096
# Above what an unprivileged socket may have; needs CAP_NET_ADMIN.
_SO_SNDBUFFORCE: Final = 32
_SO_RCVBUFFORCE: Final = 33
# The client has not bound its socket yet.
_UNBOUND: Final = frozenset({errno.ECONNREFUSED, errno.ENOENT})


class SocketLink:
    """One client's sockets and control file."""

    def __init__(
        self,
        reactor: Any,
        sock: socket.socket,
        site: Site,
        scratch: bytearray,
    ) -> None:
        """
        Make the control file and bind the sockets.

        :param sock: the stream socket; taken over unless this raises.
        :param scratch: at least ``max_msg_size`` bytes; used within ``take`` only.
        Raises: OSError, with nothing left open; the file goes with its directory.
        """
        self.runs: RequestRuns | None = None
        self._user: LinkUser | None = None
        self._uid = site.peer.uid
        self._scratch = memoryview(scratch)
        self.paths = Paths(f"{site.base}-control-{site.service}", f"{site.base}-{site.service}", "")
        self._control = SharedFile(self.paths.request, CONTROL.size, site.peer)
        opened: list[Descriptor] = []
        try:
            for name in ("request", "event-tx"):
                channel = _bound(f"{self.paths.response}-{name}", site.max_msg_size)
                opened.append(Descriptor(reactor, channel, self._on_requests, self._on_end))
        except OSError:
            self._control.close()
            for descriptor in opened:
                descriptor.close()
            raise
        self._requests, self._events = opened
        self._requests.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
        self._alive = Descriptor(reactor, sock, self._on_alive, self._on_end)
        # Whether every datagram still to come is the client's own.
        self._trusted = False
        self._responses_open = False
        self._events_open = False

    # Link

    def start(self, user: LinkUser) -> None:
        """Begin to watch the sockets."""
        self._user = user
        self._alive.watch()
        self._requests.watch()

    def begin_turn(self) -> None:
        """Nothing to do: a share is one call of ``take``."""

    def take(self, count_max: int) -> list[bytes]:
        """Receive datagrams."""
        batch: list[bytes] = []
        room_bytes = REQUEST_BYTES_PER_TURN_MAX
        scratch = self._scratch
        receive = self._requests.sock.recv_into if self._trusted else self._receive_checked
        for _ in range(count_max):
            try:
                len_bytes = receive(scratch, 0, socket.MSG_TRUNC)
            except OSError as error:
                if error.errno in BLOCKED:
                    self._drained()
                break
            if len_bytes > len(scratch):
                raise LinkViolation(f"it sent a request of {len_bytes} bytes")
            if len_bytes:
                batch.append(scratch[:len_bytes].tobytes())
                room_bytes -= len_bytes
                if room_bytes <= 0:
                    break
        return batch

    def has_more(self) -> bool:
        """Tell nothing: the reactor announces every datagram."""
        return False

    def hold(self, held: bool) -> None:
        """Watch for requests, or leave them in the socket."""
        if held:
            self._requests.unwatch()
        else:
            self._requests.watch()

    def set_flow_control(self, level: int) -> None:
        """Store the level in the control file."""
        self._control.words[CONTROL_FLOW_CONTROL_WORD] = level

    def respond(self, response: bytes) -> bool:
        """Send the response."""
        if not self._responses_open:
            self._responses_open = self._connect(self._requests, "response")
        return self._responses_open and _send(self._requests.sock, (response,))

    def event(self, slices: Slices, len_bytes: int) -> bool:  # noqa: ARG002
        """Send the event."""
        if not self._events_open:
            self._events_open = self._connect(self._events, "event")
        return self._events_open and _send(self._events.sock, slices)

    def event_run(self, run: EventRun) -> int:
        """Send events."""
        for i in range(run.count):
            event_len = run.event_len(run.first + i)
            if event_len > run.event_len_max or not self.event(
                run.slices(run.first + i), event_len
            ):
                return i
        return run.count

    def flush(self) -> None:
        """Nothing waits: a datagram wakes the client by itself."""

    def wait_for_room(self) -> bool:
        """Watch the socket of events, once it is connected."""
        if self._events_open:
            self._events.watch_room(self._on_room)
        return self._events_open

    def have_room(self) -> None:
        """Nothing to do: the socket is watched once."""

    def queue_len(self) -> int:
        """Tell 0: the kernel does not count."""
        return 0

    def close(self) -> None:
        """Hang up."""
        for descriptor in (self._alive, self._requests, self._events):
            descriptor.close()
        self._control.close()

    def _receive_checked(self, scratch: memoryview, _nbytes: int, flags: int) -> int:
        """Receive one datagram; give 0 for one that somebody else sent."""
        len_bytes, ancillary, _, _ = self._requests.sock.recvmsg_into(
            [scratch], socket.CMSG_SPACE(CREDENTIALS.size), flags
        )
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                uid = CREDENTIALS.unpack_from(data)[1]
                return len_bytes if uid == self._uid else 0
        return 0

    def _drained(self) -> None:
        """Trust what comes from now on, if only the client can send it."""
        if not self._trusted and self._responses_open:
            self._requests.sock.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
            self._trusted = True

    def _connect(self, descriptor: Descriptor, name: str) -> bool:
        try:
            descriptor.sock.connect(abstract_address(f"{self.paths.response}-{name}"))
        except OSError as error:
            if error.errno in _UNBOUND or error.errno in BLOCKED:
                return False
            raise LinkEnded from None
        return True

    # Descriptors

    def _on_requests(self) -> None:
        if self._user is not None:
            self._user.requests_arrived()

    def _on_room(self) -> None:
        if self._user is not None:
            self._user.room_appeared()

    def _on_alive(self) -> None:
        try:
            alive = bool(self._alive.sock.recv(_ALIVE_LEN_BYTES))
        except OSError as error:
            alive = error.errno in BLOCKED
        if not alive:
            self._alive.unwatch()
            self._on_end()

    def _on_end(self) -> None:
        if self._user is not None:
            self._user.ended()


def _bound(name: str, max_msg_size: int) -> socket.socket:
    sock = socket.socket(
        socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
    )
    try:
        sock.bind(abstract_address(name))
        _widen(sock, socket.SO_SNDBUF, _SO_SNDBUFFORCE, max_msg_size)
        _widen(sock, socket.SO_RCVBUF, _SO_RCVBUFFORCE, max_msg_size)
    except OSError:
        sock.close()
        raise
    return sock


def _widen(sock: socket.socket, option: int, force_option: int, len_bytes: int) -> None:
    if sock.getsockopt(socket.SOL_SOCKET, option) > len_bytes:
        return
    try:
        sock.setsockopt(socket.SOL_SOCKET, force_option, len_bytes)
    except PermissionError:
        sock.setsockopt(socket.SOL_SOCKET, option, len_bytes)


def _send(sock: socket.socket, slices: Slices) -> bool:
    try:
        sock.sendmsg(slices)
    except OSError as error:
        if error.errno in BLOCKED:
            return False
        if error.errno == errno.EMSGSIZE:
            raise LinkViolation("a message for it is longer than its socket takes") from None
        raise LinkEnded from None
    return True
