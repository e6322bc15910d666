"""
What this code asks of a system besides POSIX, and how to do without it.

Nothing here asks which system it is: each user of a feature tries it, and goes on without. The
environment variable COROSYNC_TW_WITHOUT, a list of names with commas, takes features away, so that
what is done without them can be tried anywhere.
"""

import os
import socket
import sys
from typing import Final

VARIABLE: Final = "COROSYNC_TW_WITHOUT"
# Those that are packages of Python, by what is imported.
PACKAGES: Final = {
    "lz4": ("lz4",),
    "tls": ("OpenSSL", "service_identity"),
    "zstd": ("zstandard",),
}
# Those that can be taken away.
NAMES: Final = frozenset(
    {
        "c_clients",
        "epoll",
        "freebind",
        "futex",
        "gro",
        "gso",
        "ipv6",
        "journald",
        "kernels",
        "memlock",
        "mtu_probe",
        "multicast",
        "netlink",
        "packet",
        "peer_credentials",
        "rcvbufforce",
        "realtime",
        *PACKAGES,
    }
)


def parse(text: str) -> frozenset[str]:
    """
    Read the variable.

    Raises: ValueError, for a name that is no feature.
    """
    names = frozenset(word.strip() for word in text.split(",") if word.strip())
    if unknown := names - NAMES:
        raise ValueError(
            f"{VARIABLE} names no feature: {', '.join(sorted(unknown))}; "
            f"there are {', '.join(sorted(NAMES))}"
        )
    return names


def _from_environment() -> frozenset[str]:
    try:
        return parse(os.environ.get(VARIABLE, ""))
    except ValueError as fault:
        # Whatever program imports this, a line is all that its user needs.
        raise SystemExit(f"corosync_tw: {fault}") from fault


OFF: Final = _from_environment()
# An import of what is None here fails, as of what is not installed.
for _package in (package for name in OFF & PACKAGES.keys() for package in PACKAGES[name]):
    sys.modules[_package] = None  # type: ignore[assignment]


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
