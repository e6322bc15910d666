"""
Words for systemd (Type=notify): one datagram each to the socket that NOTIFY_SOCKET names.

Source: sd_notify(3), sd_watchdog_enabled(3).
"""

import contextlib
import os
import socket
from collections.abc import Mapping
from typing import Final

US_PER_S: Final = 1_000_000


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


def notify_status(text: str) -> None:
    """Set the line that ``systemctl status`` shows."""
    notify("STATUS=" + text.replace("\n", " "))


def watchdog_interval_s(environ: Mapping[str, str], pid: int) -> float | None:
    """
    Tell within how many seconds the service manager wants to hear of us (WatchdogSec=).

    :param pid: of the process that asks; a child of the one that is meant is not.
    :return: None when it does not want to.
    """
    text = environ.get("WATCHDOG_USEC", "")
    meant = environ.get("WATCHDOG_PID") or str(pid)
    if not text.isdecimal() or int(text) == 0 or meant != str(pid):
        return None
    return int(text) / US_PER_S
