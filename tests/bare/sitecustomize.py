"""
Makes of any Python one that knows POSIX and sockets alone, when this directory is in PYTHONPATH.

What is removed is what Python names on Linux, or on few systems; a program that asks for features
and not for systems does without.
"""

import ctypes
import mmap
import os
import resource
import select
import signal
import socket
import time
from typing import Any

# By what their names begin with.
REMOVED = {
    mmap: "MADV_ MAP_DENYWRITE MAP_EXECUTABLE MAP_NORESERVE MAP_POPULATE MAP_STACK",
    os: (
        "CLONE_ EFD_ GRND_ MFD_ O_DIRECT O_LARGEFILE O_NOATIME O_PATH O_TMPFILE POSIX_FADV_ RWF_ "
        "SCHED_ SPLICE_ TFD_ copy_file_range eventfd fdatasync getrandom getxattr listxattr "
        "memfd_create pidfd_open posix_fadvise posix_fallocate preadv pwritev sched_ setns "
        "setxattr splice timerfd_ unshare"
    ),
    resource: "RLIMIT_MEMLOCK RLIMIT_MSGQUEUE RLIMIT_NICE RLIMIT_RT RLIMIT_SIGPENDING prlimit",
    select: "EPOLL epoll",
    signal: "SIGPOLL SIGPWR SIGRT SIGSTKFLT sigtimedwait sigwaitinfo",
    socket: (
        "AF_ALG AF_CAN AF_NETLINK AF_PACKET AF_TIPC AF_VSOCK IP_RECVTOS IP_TRANSPARENT "
        "MSG_CMSG_CLOEXEC MSG_CONFIRM MSG_ERRQUEUE MSG_FASTOPEN MSG_MORE MSG_NOSIGNAL NETLINK_ "
        "PACKET_ PF_PACKET SCM_CREDENTIALS SOCK_CLOEXEC SOCK_NONBLOCK SO_BINDTODEVICE SO_DOMAIN "
        "SO_INCOMING_CPU SO_MARK SO_PASSCRED SO_PASSSEC SO_PEERCRED SO_PEERSEC "
        "SO_PRIORITY SO_PROTOCOL"
    ),
    time: "CLOCK_BOOTTIME CLOCK_MONOTONIC_RAW CLOCK_TAI",
}
KEPT = frozenset({"O_DIRECTORY", "sched_yield"})
# Of the C library.
FUNCTIONS = frozenset({"mlockall", "reboot", "sem_clockwait", "syscall"})


class Library(ctypes.CDLL):
    """A library without functions of Linux."""

    def __getattr__(self, name: str) -> Any:
        if name in FUNCTIONS:
            raise AttributeError(name)
        return super().__getattr__(name)


for module, beginnings in REMOVED.items():
    for name in [name for name in vars(module) if name.startswith(tuple(beginnings.split()))]:
        if name not in KEPT:
            delattr(module, name)
ctypes.CDLL = Library  # type: ignore[misc]
