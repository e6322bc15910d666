"""
Surviving clients that cut off their shared memory under us.

A client owns the files of its connection, since it must open and write them, and may truncate them
or punch holes in a full file system at any time. The kernel then answers our next access with
SIGBUS, which kills a daemon that does nothing about it (libqb's servers die, but while they close).
Files cannot be sealed against it: only a memfd can, and clients open by path. Checking the size
before each access is a race, and access by system calls alone costs several microseconds a
message. So the signal is taken: its handler puts private zeros in place of the map that faulted,
marks the map broken, and lets the access go on; the ring that lies in it is then found broken and
its client is dropped. Libraries for shared buffers of untrusted clients (libwayland's wl_shm) do
the same.

The handler runs Python code inside the interrupted access. That is safe because maps are touched
only by copies of memoryview, by the semaphore calls and by the kernels of rings, which let nobody
else run meanwhile and hold no lock and no half-changed object of the interpreter. A SIGBUS at any
other address is none of ours: the default action is restored and the access repeated, so that the
process dies as it would have.
Deviation: see above.
"""

import ctypes
import signal
import sys
from typing import Any, Final, Protocol

from corosync_tw.ipc.qb.libc import map_zeros_over

_SIGSET_LEN_BYTES: Final = 128
_SA_SIGINFO: Final = 4
# siginfo_t: si_signo, si_errno, si_code, padding, then si_addr.
_SI_ADDR_OFFSET: Final = 16

_HANDLER_TYPE: Final = ctypes.CFUNCTYPE(None, ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p)


class _SigAction(ctypes.Structure):
    """glibc's struct sigaction where the handler comes first (all of Linux but MIPS)."""

    _fields_ = (
        ("handler", ctypes.c_void_p),
        ("mask", ctypes.c_byte * _SIGSET_LEN_BYTES),
        ("flags", ctypes.c_int),
        ("restorer", ctypes.c_void_p),
    )


class Guarded(Protocol):
    """
    A map that may fault.

    :ivar address: where it begins.
    :ivar len_bytes: its length, in whole pages.
    :ivar broken: set when it faulted; what it shows since is worthless.
    """

    address: int
    len_bytes: int
    broken: bool


class FaultGuard:
    """
    Takes SIGBUS while maps are registered.

    One process has one guard: ``GUARD``.

    :ivar faults: how many maps were replaced since the process began.
    """

    def __init__(self) -> None:
        self.faults = 0
        self._maps: dict[int, Guarded] = {}
        self._installed = False
        self._before = _SigAction()
        self._callback = _HANDLER_TYPE(self._on_sigbus)
        self._sigaction: Any = ctypes.CDLL(None, use_errno=True).sigaction

    def add(self, guarded: Guarded) -> None:
        """Guard a map from now on."""
        if not self._installed:
            self._install()
        self._maps[guarded.address] = guarded

    def remove(self, guarded: Guarded) -> None:
        """Guard it no longer; to be called before it is unmapped."""
        self._maps.pop(guarded.address, None)

    def _install(self) -> None:
        action = _SigAction()
        action.handler = ctypes.cast(self._callback, ctypes.c_void_p)
        action.flags = _SA_SIGINFO
        if self._sigaction(signal.SIGBUS, ctypes.byref(action), ctypes.byref(self._before)) != 0:
            raise OSError(ctypes.get_errno(), "sigaction")
        self._installed = True

    def _on_sigbus(self, _number: int, info: int, _context: int) -> None:
        fault = ctypes.c_void_p.from_address(info + _SI_ADDR_OFFSET).value or 0
        for guarded in self._maps.values():
            if guarded.address <= fault < guarded.address + guarded.len_bytes:
                guarded.broken = True
                self.faults += 1
                if map_zeros_over(guarded.address, guarded.len_bytes):
                    return
                break
        self._give_up()

    def _give_up(self) -> None:
        """Let the repeated access do what it would have done without us."""
        sys.stderr.write("SIGBUS outside of the clients' shared memory\n")
        self._sigaction(signal.SIGBUS, ctypes.byref(self._before), None)


GUARD: Final = FaultGuard()
