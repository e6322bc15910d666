"""
How a client is let in: the service's socket, who we are, what the daemon made for us.

Source: libqb lib/ipc_setup.c qb_ipcc_us_setup_connect, qb_ipcc_setup_connect_continue,
lib/ipc_socket.c use_filesystem_sockets.
"""

import os
import select
import socket
import time
from dataclasses import dataclass
from typing import Final

from corosync_tw.client.qb.faults import Disconnected, ForeignBytes, fault_of
from corosync_tw.errors import CsNotSupported, CsTimeout
from corosync_tw.ipc.qb.layout import (
    CONNECTION_REQUEST,
    CONNECTION_RESPONSE,
    CREDENTIALS,
    FORCE_FILESYSTEM_SOCKETS,
    MSG_AUTHENTICATE,
    abstract_address,
)

# A program may have SIGPIPE end it, for the sake of its output.
NO_SIGNAL: Final = getattr(socket, "MSG_NOSIGNAL", 0)
# What Corosync's libraries ask for (lib/util.h IPC_REQUEST_SIZE).
MAX_MSG_LEN: Final = 1024 * 1024
MAX_MSG_LEN_LIMIT: Final = 16 * MAX_MSG_LEN
# Where builds of libqb put their sockets then: upstream, and Debian's.
SOCKET_DIRECTORIES: Final = ("/run", "/var/run", "/tmp")  # noqa: S108
_ERRNO_MAX: Final = 4095


@dataclass(frozen=True, slots=True)
class Accepted:
    """
    What the daemon made for a client.

    :ivar stream: tells of the end of the connection, and with shared memory of events.
    :ivar server_pid: of the daemon, by the kernel's word; 0 when it did not say.
    :ivar kind: an IpcType; anything, until it is checked.
    :ivar max_msg_len: no message either way is longer, bytes.
    :ivar request: path of the requests' ring, or of the control file; unchecked, like the others.
    """

    stream: socket.socket
    server_pid: int
    kind: int
    max_msg_len: int
    request: str
    response: str
    event: str


def dial(service: str, timeout_s: float | None) -> Accepted:
    """
    Ask a service to let us in.

    :param service: name of its socket, for instance ``cmap``.
    Raises: CsError: CsTryAgain while the daemon starts, CsAccess when it does not want us,
    CsNotSupported where a client cannot say who it is, CsError itself (CS_ERR_LIBRARY) when there
    is none.
    """
    if not hasattr(socket, "SO_PASSCRED"):
        raise CsNotSupported("sockets of this system do not tell who is at the other end")
    stream = _connect(service)
    try:
        return _let_in(stream, None if timeout_s is None else time.monotonic() + timeout_s)
    except OSError as fault:
        stream.close()
        raise fault_of(fault.errno or 0, f"{service}: {fault.strerror}") from fault
    except BaseException:
        stream.close()
        raise


def _connect(service: str) -> socket.socket:
    fault: OSError | None = None
    for address in _addresses(service):
        stream = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        stream.setblocking(False)
        try:
            stream.connect(address)
        except OSError as error:
            stream.close()
            fault = error
        else:
            return stream
    assert fault is not None
    raise fault_of(fault.errno or 0, f"{service}: {fault.strerror}") from fault


def _addresses(service: str) -> list[str | bytes]:
    if os.path.exists(FORCE_FILESYSTEM_SOCKETS):
        return [f"{directory}/{service}" for directory in SOCKET_DIRECTORIES]
    return [abstract_address(service)]


def _let_in(stream: socket.socket, deadline: float | None) -> Accepted:
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 1)
    stream.send(
        CONNECTION_REQUEST.pack(MSG_AUTHENTICATE, CONNECTION_REQUEST.size, MAX_MSG_LEN), NO_SIGNAL
    )
    answer, server_pid = _read_answer(stream, deadline)
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_PASSCRED, 0)
    _, _, error, kind, max_msg_len, _, *paths = CONNECTION_RESPONSE.unpack(answer)
    if error:
        raise fault_of(-error, os.strerror(-error) if -_ERRNO_MAX <= error < 0 else str(error))
    if not CONNECTION_RESPONSE.size <= max_msg_len <= MAX_MSG_LEN_LIMIT:
        raise ForeignBytes(f"messages of {max_msg_len} bytes")
    names = (os.fsdecode(path.partition(b"\0")[0]) for path in paths)
    return Accepted(stream, server_pid, kind, max_msg_len, *names)


def _read_answer(stream: socket.socket, deadline: float | None) -> tuple[bytes, int]:
    answer, server_pid = b"", 0
    poll = select.poll()
    poll.register(stream, select.POLLIN)
    space = socket.CMSG_SPACE(CREDENTIALS.size)
    while len(answer) < CONNECTION_RESPONSE.size:
        left_ms = None if deadline is None else max(0, deadline - time.monotonic()) * 1000
        if not poll.poll(left_ms):
            raise CsTimeout("the daemon does not answer")
        part, ancillary, _, _ = stream.recvmsg(CONNECTION_RESPONSE.size - len(answer), space)
        if not part:
            raise Disconnected("the daemon hung up")
        answer += part
        for level, kind, data in ancillary:
            if (level, kind) == (socket.SOL_SOCKET, socket.SCM_CREDENTIALS):
                server_pid = CREDENTIALS.unpack_from(data)[0]
    return answer, server_pid
