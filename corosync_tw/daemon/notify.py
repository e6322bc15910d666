"""
Readiness for systemd (Type=notify): one datagram to the socket that NOTIFY_SOCKET names.

Source: sd_notify(3).
"""

import contextlib
import os
import socket


def notify(state: str) -> None:
    """Tell the service manager ``state``, for instance READY=1; a lost word is not an error."""
    path = os.environ.get("NOTIFY_SOCKET", "")
    if not path.startswith(("/", "@")):
        return
    address = "\0" + path[1:] if path.startswith("@") else path
    with (
        contextlib.suppress(OSError),
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK) as sock,
    ):
        sock.sendto(state.encode(), address)
