"""
The few calls of the C library that Python lacks: maps without a descriptor, shared semaphores.

Addresses are plain integers. Only this module, ``mapping`` and ``faults`` deal in them.
"""

import ctypes
import mmap
import os
from typing import Any, Final

PROT_READ_WRITE: Final = mmap.PROT_READ | mmap.PROT_WRITE
MAP_FIXED: Final = 0x10
PROT_NONE: Final = 0
MAP_NORESERVE: Final = 0x4000

LIBC: Final = ctypes.CDLL(None, use_errno=True)
_MAP_FAILED: Final = ctypes.c_void_p(-1).value


def _function(name: str, restype: Any, *argtypes: Any) -> Any:
    function = getattr(LIBC, name)
    function.restype = restype
    function.argtypes = argtypes
    return function


_mmap: Final = _function(
    "mmap",
    ctypes.c_void_p,
    ctypes.c_void_p,
    ctypes.c_size_t,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_int,
    ctypes.c_long,
)
_munmap: Final = _function("munmap", ctypes.c_int, ctypes.c_void_p, ctypes.c_size_t)
_sem_init: Final = _function("sem_init", ctypes.c_int, ctypes.c_void_p, ctypes.c_int, ctypes.c_uint)
# Each takes the semaphore's address and returns 0, or -1 when it cannot.
sem_post: Final = _function("sem_post", ctypes.c_int, ctypes.c_void_p)
sem_trywait: Final = _function("sem_trywait", ctypes.c_int, ctypes.c_void_p)


def _raise_errno(call: str) -> None:
    code = ctypes.get_errno()
    raise OSError(code, f"{call}: {os.strerror(code)}")


def map_shared(fd: int, len_bytes: int) -> int:
    """
    Map a file for reading and writing.

    The map keeps no descriptor; Python's own mmap keeps one, and there are thousands of maps.
    Raises: OSError.
    """
    address = _mmap(None, len_bytes, PROT_READ_WRITE, mmap.MAP_SHARED, fd, 0)
    if address in {None, _MAP_FAILED}:
        _raise_errno("mmap")
    return int(address)


def map_shared_twice(fd: int, len_bytes: int) -> int:
    """
    Map a file for reading and writing, and once more right behind itself.

    :param len_bytes: whole pages.
    Raises: OSError.
    """
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_NORESERVE
    address = _mmap(None, 2 * len_bytes, PROT_NONE, flags, -1, 0)
    if address in {None, _MAP_FAILED}:
        _raise_errno("mmap")
    for place in (address, address + len_bytes):
        if _mmap(place, len_bytes, PROT_READ_WRITE, mmap.MAP_SHARED | MAP_FIXED, fd, 0) != place:
            code = ctypes.get_errno()
            unmap(address, 2 * len_bytes)
            raise OSError(code, f"mmap: {os.strerror(code)}")
    return int(address)


def map_zeros_over(address: int, len_bytes: int) -> bool:
    """Replace a map by private zeros; False when that fails."""
    flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | MAP_FIXED
    return bool(_mmap(address, len_bytes, PROT_READ_WRITE, flags, -1, 0) == address)


def unmap(address: int, len_bytes: int) -> None:
    """Remove a map; nothing may look at its memory any more."""
    if _munmap(address, len_bytes) != 0:
        _raise_errno("munmap")


def sem_init_shared(address: int) -> None:
    """Make a semaphore of value 0 that processes share."""
    if _sem_init(address, 1, 0) != 0:
        _raise_errno("sem_init")
