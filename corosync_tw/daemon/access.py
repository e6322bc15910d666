"""
Which local users may speak to the daemon.

Source: Corosync exec/ipc_glue.c, cs_ipcs_connection_accept.
"""

import os

from corosync_tw.ipc.pb.peercred import PeerCredentials
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.cmap.values import TypedValue

_YES = TypedValue.u8(1)


class Access:
    """
    Root, the daemon's own user, and those whom keys of the configuration map name.

    Groups are compared with the primary group of a client alone. The keys uidgid.config.* are those
    of the file; an administrator may set uidgid.uid.N and uidgid.gid.N at run time.
    """

    def __init__(self, icmap: CmapStore) -> None:
        self._icmap = icmap
        self._own_uid = os.geteuid()

    def allowed(self, uid: int, gid: int) -> bool:
        """Tell whether a user with this primary group may come in."""
        if uid in (0, self._own_uid) or gid == 0:
            return True
        keys = (
            f"uidgid.uid.{uid}",
            f"uidgid.config.uid.{uid}",
            f"uidgid.gid.{gid}",
            f"uidgid.config.gid.{gid}",
        )
        return any(self._icmap.find(key) == _YES for key in keys)

    def allows(self, peer: PeerCredentials) -> bool:
        """Tell whether a client of Perspective Broker may come in."""
        return self.allowed(peer.uid, peer.gid)
