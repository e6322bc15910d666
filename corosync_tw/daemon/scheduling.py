"""
Real-time scheduling, locked memory, descriptors: what the system grants, or a warning.

Source: Corosync exec/main.c, corosync_set_rr_scheduler, corosync_mlockall, main (system.priority).
"""

import ctypes
import os
import resource
from typing import Final

from corosync_tw import features

_MCL_CURRENT: Final = 1
_MCL_FUTURE: Final = 2
# Lock a page when it is first used; untouched stacks and reserves stay out.
_MCL_ONFAULT: Final = 4
PRIORITY_MAX: Final = -20
PRIORITY_MIN: Final = 19
_SCHEDULERS: Final = {"SCHED_OTHER": "other", "SCHED_RR": "rr", "SCHED_FIFO": "fifo"}


def set_round_robin() -> str | None:
    """Ask for SCHED_RR at its highest priority; return what to warn about, if anything."""
    if features.is_off("realtime") or not hasattr(os, "sched_setscheduler"):
        return "Could not set SCHED_RR: not on this system. Say system.sched_rr: no."
    priority = os.sched_get_priority_max(os.SCHED_RR)
    try:
        os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(priority))
    except OSError as error:
        return (
            f"Could not set SCHED_RR at priority {priority}: {error.strerror} ({error.errno})."
            " Grant CAP_SYS_NICE, or say system.sched_rr: no."
        )
    return None


def set_priority(priority: int) -> str | None:
    """Set the nice value of our process group; return what to warn about, if anything."""
    wanted = min(max(priority, PRIORITY_MAX), PRIORITY_MIN)
    try:
        os.setpriority(os.PRIO_PGRP, 0, wanted)
    except OSError as error:
        return f"Could not set priority {wanted}: {error.strerror} ({error.errno})"
    return None


def lock_memory() -> str | None:
    """Keep all pages in memory; return what to warn about, if anything."""
    libc = ctypes.CDLL(None, use_errno=True)
    if features.is_off("memlock") or not hasattr(libc, "mlockall"):
        return "Could not lock memory of service to avoid page faults: not on this system"
    try:
        unlimited = resource.RLIM_INFINITY
        resource.setrlimit(resource.RLIMIT_MEMLOCK, (unlimited, unlimited))
    except (AttributeError, OSError, ValueError) as error:
        return f"Could not increase RLIMIT_MEMLOCK, not locking memory: {error}"
    # A kernel that does not know the third flag refuses it.
    whole = _MCL_CURRENT | _MCL_FUTURE
    if libc.mlockall(whole | _MCL_ONFAULT) != 0 and libc.mlockall(whole) != 0:
        reason = os.strerror(ctypes.get_errno())
        return f"Could not lock memory of service to avoid page faults: {reason}"
    return None


def scheduler_name() -> str:
    """Name the scheduler of this process: other, rr, fifo or another; unknown where none tells."""
    if not hasattr(os, "sched_getscheduler"):
        return "unknown"
    names = {getattr(os, name, None): short for name, short in _SCHEDULERS.items()}
    return names.get(os.sched_getscheduler(0), "another")


def memory_lock_bytes_max() -> int:
    """Tell how much memory may be locked; RLIM_INFINITY where nothing limits it."""
    limit = getattr(resource, "RLIMIT_MEMLOCK", None)
    return resource.RLIM_INFINITY if limit is None else resource.getrlimit(limit)[0]


def allow_descriptors() -> None:
    """Let as many clients come as the hard limit allows; a client takes one or more descriptors."""
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
