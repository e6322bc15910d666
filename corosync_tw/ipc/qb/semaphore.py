"""
Semaphores in shared memory, many steps at a time.

glibc keeps the value of a sem_t in the low half of its first eight bytes and the number of waiting
threads in the high half. The kernel's FUTEX_WAKE_OP adds to a word and wakes who waits for it in
one call, so it is sem_post many times over; for a few steps, and where the number of the call is
not known, the C library's own functions are cheaper. Neither faults on memory that is gone in a way
that ``faults`` does not cover: the kernel's answer is EFAULT.
Source: glibc nptl/sem_post.c, sem_waitcommon.c; futex(2).
"""

import ctypes
import os
import sys
from typing import Any, Final

from corosync_tw import features
from corosync_tw.ipc.qb.libc import LIBC, sem_post, sem_trywait

# The value's place in the sem_t.
VALUE_OFFSET: Final = 0 if sys.byteorder == "little" else 4
# From this many steps on, one call of the kernel costs less than that many of the C library.
_TOGETHER_MIN: Final = 10
# The argument of an addition has twelve bits with the sign.
_TOGETHER_MAX: Final = 2047

_FUTEX_NUMBERS: Final = {
    "x86_64": 202,
    "aarch64": 98,
    "riscv64": 98,
    "loongarch64": 98,
    "ppc64le": 221,
    "s390x": 238,
}
# The number of a call is the processor's, and there is no other way to ask for this one.
_SYS_FUTEX: Final = (
    None
    if features.is_off("futex") or not hasattr(LIBC, "syscall")
    else _FUTEX_NUMBERS.get(os.uname().machine)
)
_FUTEX_WAKE_OP: Final = 5
_FUTEX_PRIVATE_FLAG: Final = 128
_FUTEX_OP_ADD: Final = 1
_FUTEX_OP_CMP_LT: Final = 2


def _syscall() -> Any:
    if _SYS_FUTEX is None:
        return None
    function = LIBC.syscall
    function.restype = ctypes.c_long
    function.argtypes = [
        ctypes.c_long,
        ctypes.c_void_p,
        ctypes.c_int,
        ctypes.c_int,
        ctypes.c_void_p,
        ctypes.c_void_p,
        ctypes.c_uint,
    ]
    return function


_futex: Final = _syscall()


def post(sem: int, count: int) -> None:
    """Post a semaphore ``count`` times, and wake who waits."""
    while count >= _TOGETHER_MIN and _SYS_FUTEX is not None:
        step = min(count, _TOGETHER_MAX)
        address = sem + VALUE_OFFSET
        _futex(_SYS_FUTEX, address, _FUTEX_WAKE_OP, step, None, address, _add(step))
        count -= step
    for _ in range(count):
        sem_post(sem)


def take(sem: int, count: int) -> bool:
    """
    Take ``count`` from a semaphore that is known to have as many; wait for nothing.

    :return: False when it turned out to have fewer; not always found out.
    """
    while count >= _TOGETHER_MIN and _SYS_FUTEX is not None:
        step = min(count, _TOGETHER_MAX)
        address = sem + VALUE_OFFSET
        operation = _FUTEX_WAKE_OP | _FUTEX_PRIVATE_FLAG
        if _futex(_SYS_FUTEX, address, operation, 0, None, address, _add(-step)) < 0:
            return False
        count -= step
    if count == 1:
        return bool(sem_trywait(sem) == 0)
    return all(sem_trywait(sem) == 0 for _ in range(count))


def _add(amount: int) -> int:
    """Encode the addition; its comparison, for a second waking, is with a value below zero."""
    return _FUTEX_OP_ADD << 28 | _FUTEX_OP_CMP_LT << 24 | (amount & 0xFFF) << 12
