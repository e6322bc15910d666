"""
POSIX semaphores in shared memory, as libqb's rings have them: the C library's own functions.

They bring the memory barriers that a ring needs as well.
"""

import ctypes
import errno
import mmap
import os
import time
from typing import Final

from corosync_tw.corotypes import NS_PER_S

_LIBC: Final = ctypes.CDLL(None, use_errno=True)


class _TimeSpec(ctypes.Structure):
    _fields_ = (("tv_sec", ctypes.c_long), ("tv_nsec", ctypes.c_long))


class Semaphore:
    """A semaphore that another process made inside a mapping; close() before the mapping."""

    def __init__(self, mapping: mmap.mmap, offset: int) -> None:
        self._anchor: ctypes.c_char | None = ctypes.c_char.from_buffer(mapping, offset)
        self._address = ctypes.c_void_p(ctypes.addressof(self._anchor))

    def wait(self, patience_s: float) -> bool:
        """
        Take one, waiting no longer than this; tell whether one was taken.

        Raises: OSError.
        """
        if _LIBC.sem_trywait(self._address) == 0:
            return True
        number = ctypes.get_errno()
        if number == errno.EAGAIN and patience_s > 0:
            return self._wait_until(time.monotonic_ns() + int(patience_s * NS_PER_S))
        if number in {errno.EAGAIN, errno.EINTR}:
            return False
        raise OSError(number, os.strerror(number))

    def _wait_until(self, deadline_ns: int) -> bool:
        while _timed_wait(self._address, deadline_ns):
            number = ctypes.get_errno()
            if number == errno.ETIMEDOUT:
                return False
            # After a signal, Python's handler runs before the next turn, and may raise.
            if number != errno.EINTR:
                raise OSError(number, os.strerror(number))
        return True

    def post(self) -> None:
        """Give one. Raises: OSError."""
        if _LIBC.sem_post(self._address):
            number = ctypes.get_errno()
            raise OSError(number, os.strerror(number))

    def value(self) -> int:
        """Read how many there are."""
        value = ctypes.c_int(0)
        _LIBC.sem_getvalue(self._address, ctypes.byref(value))
        return value.value

    def close(self) -> None:
        """Let go of the mapping."""
        self._anchor = None


def _timed_wait(address: ctypes.c_void_p, deadline_ns: int) -> int:
    """Wait for a semaphore until a time of the monotonic clock; where libc can, on that clock."""
    if hasattr(_LIBC, "sem_clockwait"):
        until = _TimeSpec(*divmod(deadline_ns, NS_PER_S))
        waited = _LIBC.sem_clockwait(address, time.CLOCK_MONOTONIC, ctypes.byref(until))
    else:
        wall_ns = deadline_ns - time.monotonic_ns() + time.time_ns()
        until = _TimeSpec(*divmod(wall_ns, NS_PER_S))
        waited = _LIBC.sem_timedwait(address, ctypes.byref(until))
    return int(waited)
