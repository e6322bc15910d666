"""
What this code asks of a system besides POSIX, and how to do without it.

Nothing here asks which system it is: each user of a feature tries it, and goes on without. The
environment variable COROSYNC_TW_WITHOUT, a list of names with commas, takes features away, so that
what is done without them can be tried anywhere.
"""

import os
import socket
from typing import Final

VARIABLE: Final = "COROSYNC_TW_WITHOUT"
# Those that can be taken away.
NAMES: Final = frozenset(
    {
        "epoll",
        "freebind",
        "futex",
        "gro",
        "gso",
        "kernels",
        "memlock",
        "mtu_probe",
        "multicast",
        "netlink",
        "packet",
        "peer_credentials",
        "realtime",
        "rcvbufforce",
    }
)


def parse(text: str) -> frozenset[str]:
    """
    Read the variable.

    Raises: ImportError, for a name that is no feature.
    """
    names = frozenset(word.strip() for word in text.split(",") if word.strip())
    if unknown := names - NAMES:
        raise ImportError(
            f"{VARIABLE} names no feature: {', '.join(sorted(unknown))}; "
            f"there are {', '.join(sorted(NAMES))}"
        )
    return names


OFF: Final = parse(os.environ.get(VARIABLE, ""))


def is_off(name: str) -> bool:
    """Tell whether a feature was taken away."""
    assert name in NAMES, f"{name} is no feature"
    return name in OFF


def has_known_options() -> bool:
    """
    Tell whether options of sockets that Python has no names for have the numbers we know.

    They have when those that Python names have them; another system, or another processor, may
    mean something else by the same number.
    """
    named = (
        ("SOL_SOCKET", 1),
        ("SO_PRIORITY", 12),
        ("SO_BINDTODEVICE", 25),
        ("IP_TRANSPARENT", 19),
    )
    return all(getattr(socket, name, None) == number for name, number in named)
