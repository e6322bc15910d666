"""
Who is at the other end of a UNIX socket.

Systems tell it by options of different names, and by records of different layouts under the same
name. Which one holds here is found out by asking about ourselves, over a pair of sockets.
Source: unix(7) of Linux, SO_PEERCRED; unix(4) of OpenBSD, SO_PEERCRED, and of FreeBSD,
LOCAL_PEERCRED, struct xucred.
"""

import os
import socket
import struct
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from struct import Struct
from typing import Any, Final, NamedTuple, Protocol

from corosync_tw import features

FEATURE: Final = "peer_credentials"


class PeerCredentials(NamedTuple):
    """
    A local process, as the kernel vouches for it.

    :ivar pid: 0 when it lives in a pid namespace that we cannot see, or the system does not tell.
    """

    pid: int
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class _Way:
    """
    One system's way to tell.

    :ivar option: the name that Python has for it.
    :ivar record: what is answered, and ``read`` what that means.
    """

    option: str
    level: int
    record: Struct
    read: Callable[..., PeerCredentials]

    def ask(self, sock: Any) -> PeerCredentials:
        """Ask; raises OSError, and AttributeError or struct.error where this is not the way."""
        name = getattr(socket, self.option)
        return self.read(*self.record.unpack(sock.getsockopt(self.level, name, self.record.size)))


_SOL_LOCAL: Final = 0
_WAYS: Final = (
    _Way("SO_PEERCRED", socket.SOL_SOCKET, Struct("iII"), PeerCredentials),
    _Way(
        "SO_PEERCRED",
        socket.SOL_SOCKET,
        Struct("IIi"),
        lambda uid, gid, pid: PeerCredentials(pid, uid, gid),
    ),
    # Version, user, number of groups, groups: the first is the primary one.
    _Way(
        "LOCAL_PEERCRED",
        _SOL_LOCAL,
        Struct("=IIh2xI60x"),
        lambda _version, uid, _groups, gid: PeerCredentials(0, uid, gid),
    ),
)


def system_tells() -> bool:
    """Tell whether this system says who connects."""
    return not features.is_off(FEATURE) and _way() is not None


def peer_credentials(transport: Any) -> PeerCredentials | None:
    """
    Ask the kernel who made this connection.

    :return: None for a connection that is not a UNIX socket, and where the system does not tell.
    """
    handle = transport.getHandle()
    if getattr(handle, "family", None) != socket.AF_UNIX or not system_tells():
        return None
    way = _way()
    assert way is not None, "the system tells"
    return way.ask(handle)


@cache
def _way() -> _Way | None:
    ours = (os.geteuid(), os.getegid())
    one, other = socket.socketpair(socket.AF_UNIX)
    with one, other:
        for way in _WAYS:
            try:
                pid, *rest = way.ask(one)
            except (AttributeError, OSError, struct.error):
                continue
            if tuple(rest) == ours and pid in {0, os.getpid()}:
                return way
    return None


class Access(Protocol):
    """Who may come in."""

    def allows(self, peer: PeerCredentials) -> bool:
        """Tell whether ``peer`` may."""
