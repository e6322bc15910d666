"""
Whether a system can serve clients of the C libraries.

They come through a UNIX socket that tells their credentials, and share memory in a directory that
libqb has compiled in. Where there is neither, Python's clients are served alone.
"""

import os
import socket

from corosync_tw import features
from corosync_tw.ipc.qb.directory import SHM_DIR


def why_no_clients() -> str:
    """Name what is missing for clients of the C libraries; nothing when they can be served."""
    if features.is_off("c_clients"):
        return f"{features.VARIABLE} takes them away"
    if features.is_off("peer_credentials") or not hasattr(socket, "SO_PASSCRED"):
        return "sockets do not tell who is at the other end (SO_PASSCRED)"
    if not os.path.isdir(SHM_DIR):
        return f"there is no {SHM_DIR}"
    return ""
