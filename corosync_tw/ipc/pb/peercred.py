"""
Who is at the other end of a UNIX socket.

Source: unix(7), SO_PEERCRED.
"""

import socket
from struct import Struct
from typing import Any, Final, NamedTuple, Protocol

_UCRED: Final = Struct("iII")


class PeerCredentials(NamedTuple):
    """
    A local process, as the kernel vouches for it.

    :ivar pid: 0 when it lives in a pid namespace that we cannot see.
    """

    pid: int
    uid: int
    gid: int


def peer_credentials(transport: Any) -> PeerCredentials | None:
    """
    Ask the kernel who made this connection.

    :return: None for a connection that is not a UNIX socket.
    """
    handle = transport.getHandle()
    if getattr(handle, "family", None) != socket.AF_UNIX:
        return None
    return PeerCredentials(
        *_UCRED.unpack(handle.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size))
    )


class Access(Protocol):
    """Who may come in."""

    def allows(self, peer: PeerCredentials) -> bool:
        """Tell whether ``peer`` may."""
