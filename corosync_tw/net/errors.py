"""
Faults of the network and of the state directory, each with its remedy.

The daemon prints ``str(error)`` and exits; nothing here is raised while a ring runs.
"""

import errno
import os
from typing import Final

EXIT_FATAL_ERR: Final = 15
EXIT_STORE_RINGID: Final = 21


class NetError(Exception):
    """
    A transport cannot start.

    :ivar address: the local address concerned, or the empty string.
    :ivar port: the UDP port concerned, or 0.
    :ivar problem: what is wrong.
    :ivar remedy: what to do about it.
    :ivar exit_code: Corosync's exit code for it (util.h, COROSYNC_DONE_FATAL_ERR).
    """

    exit_code: Final = EXIT_FATAL_ERR

    def __init__(self, address: str, port: int, problem: str, remedy: str) -> None:
        where = f"{address} port {port}" if port else address
        super().__init__(f"{where}: {problem}. {remedy}" if where else f"{problem}. {remedy}")
        self.address = address
        self.port = port
        self.problem = problem
        self.remedy = remedy


class StorageError(Exception):
    """
    The ring id cannot be read or made durable, so nothing may be sent any more.

    :ivar path: the file concerned.
    :ivar remedy: what to do about it.
    :ivar exit_code: Corosync's exit code for it (util.h, COROSYNC_DONE_STORE_RINGID).
    """

    exit_code: Final = EXIT_STORE_RINGID

    def __init__(self, path: str, problem: str, remedy: str) -> None:
        super().__init__(f"{path}: {problem}. {remedy}")
        self.path = path
        self.remedy = remedy


_BIND_REMEDIES: Final = {
    errno.EADDRNOTAVAIL: (
        "no interface of this machine has that address; "
        "add it (ip addr add) or correct ring0_addr or bindnetaddr in corosync.conf"
    ),
    errno.EADDRINUSE: (
        "another program holds the port, probably a running corosync; "
        "stop it, or choose another totem.interface.mcastport on every node"
    ),
    errno.EACCES: (
        "ports below 1024 need root; choose totem.interface.mcastport above 1024 (and mcastport-1 "
        "too for transport udp)"
    ),
}


def bind_error(address: str, port: int, cause: OSError) -> NetError:
    """Explain why binding a UDP socket failed."""
    remedy = _BIND_REMEDIES.get(cause.errno or 0, "see the system's message and corosync.conf")
    problem = f"cannot bind a UDP socket: {system_text(cause)}"
    return NetError(address, port, problem, _sentence(remedy))


def system_text(cause: OSError) -> str:
    """Give the system's own words for an error, without errno's number and Python's file name."""
    return cause.strerror or (os.strerror(cause.errno) if cause.errno else str(cause))


_STORAGE_REMEDIES: Final = {
    errno.ENOSPC: "the file system is full: free some space, then start corosync again",
    errno.EDQUOT: "the quota is used up: free some space, then start corosync again",
    errno.EROFS: "the file system is read-only: remount it, or set system.state_dir elsewhere",
    errno.EACCES: "permission denied: make the state directory writable for corosync's user",
    errno.EPERM: "not permitted: make the state directory writable for corosync's user",
    errno.ENOENT: "the state directory is missing: create it, or set system.state_dir",
    errno.EIO: "the disk reports errors: check it, or set system.state_dir to another disk",
}


def storage_error(path: str, doing: str, cause: OSError) -> StorageError:
    """
    Explain why the ring id file could not be used.

    :param doing: verb phrase, such as "cannot store the ring id".
    """
    remedy = _STORAGE_REMEDIES.get(cause.errno or 0, "check the state directory (system.state_dir)")
    return StorageError(path, f"{doing}: {system_text(cause)}", _sentence(remedy))


def _sentence(remedy: str) -> str:
    return remedy[:1].upper() + remedy[1:]
