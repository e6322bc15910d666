"""
The machine that we run on, for the checks: its addresses, and names by the system's resolver.

Resolving may block for as long as the resolver does, so this belongs before the reactor's start or
in a thread.
"""

import grp
import os
import pwd
import socket
from functools import lru_cache
from ipaddress import ip_address, ip_interface
from typing import Final

from corosync_tw.config.host import Host, IpAddress, IpInterface
from corosync_tw.net.ifaddr import local_addresses, may_be_ours

# libknet.h: KNET_MAX_KEY_LEN; more of a key file is never used.
KEY_LEN_BYTES_MAX: Final = 4096


def _interfaces() -> tuple[IpInterface, ...]:
    return tuple(
        ip_interface(f"{entry.address.partition('%')[0]}/{entry.prefix_len}")
        for entry in local_addresses()
    )


def _resolve(name: str) -> tuple[IpAddress, ...]:
    # Bytes, so that Python does not refuse what the resolver merely would not find.
    encoded = name.encode("utf-8", "surrogateescape")
    try:
        answers = socket.getaddrinfo(
            encoded, None, type=socket.SOCK_DGRAM, proto=socket.IPPROTO_UDP
        )
    except OSError:
        return ()
    return tuple(ip_address(str(answer[4][0]).partition("%")[0]) for answer in answers)


def _read_key(path: str) -> bytes:
    with open(path, "rb") as file:
        return file.read(KEY_LEN_BYTES_MAX)


def this_host() -> Host:
    """Describe this machine as it is now; names are resolved when they are asked for, once each."""
    return Host(
        name=os.uname().nodename,
        interfaces=_interfaces(),
        resolve=lru_cache(maxsize=4096)(_resolve),
        read_key=_read_key,
        uid_of=lambda name: pwd.getpwnam(name).pw_uid,
        gid_of=lambda name: grp.getgrnam(name).gr_gid,
        may_be_ours=lru_cache(maxsize=4096)(may_be_ours),
    )
