"""
Who is at the other end of a UNIX socket, and who may be.

Source: unix(7), SO_PEERCRED; Corosync exec/ipc_glue.c cs_ipcs_connection_accept for the rule.
"""

import os
import socket
from dataclasses import dataclass, field
from struct import Struct
from typing import Any, Final, NamedTuple

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


@dataclass(frozen=True, slots=True)
class AccessList:
    """
    Local users that may speak to the daemon; root and the daemon's own user always may.

    :ivar uids: of the uidgid entries of the configuration.
    :ivar gids: likewise; compared with the primary group alone, as Corosync does.
    """

    uids: frozenset[int] = frozenset()
    gids: frozenset[int] = frozenset()
    own_uid: int = field(default_factory=os.geteuid)

    def allows(self, peer: PeerCredentials) -> bool:
        """Tell whether ``peer`` may come in."""
        return (
            peer.uid in (0, self.own_uid)
            or peer.gid == 0
            or peer.uid in self.uids
            or peer.gid in self.gids
        )
