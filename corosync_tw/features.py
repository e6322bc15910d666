"""
What this code asks of a system besides POSIX, and how to do without it.

Nothing here asks which system it is: each user of a feature tries it, and goes on without. The
environment variable COROSYNC_TW_WITHOUT, a list of names with commas, takes features away, so that
what is done without them can be tried anywhere.
"""

import os
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
        "ipv6",
        "kernels",
        "memlock",
        "mtu_probe",
        "multicast",
        "netlink",
        "packet",
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
