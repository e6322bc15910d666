"""
The highest expected votes ever seen, in Corosync's own file.

``STATE_DIR/ev_tracking``, 4 bytes, u32 in the machine's byte order. It is written to a second file,
synced and renamed, so that a power failure leaves the old number or the new one. It may be removed
while the node is down, to forget the number.

Source: Corosync exec/votequorum.c, load_ev_tracking_barrier and update_ev_tracking_barrier.
Deviation: the number is really written at run time. Corosync 3.1.7 writes to a file that it has
closed, says so in the log, and finds 0 after a restart. A damaged file counts as absent, as there.
"""

import os
import struct
from typing import Final

from twisted.internet.defer import Deferred, DeferredLock
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool

from corosync_tw.net.durable import write_durably
from corosync_tw.net.errors import storage_error

_BARRIER: Final = struct.Struct("=I")


class EvTrackingFile:
    """
    Stores in a thread of the reactor's pool; the reactor never waits for the disk.

    :ivar path: the file.
    """

    def __init__(self, reactor: IReactorFromThreads, threads: ThreadPool, state_dir: str) -> None:
        self._reactor = reactor
        self._threads = threads
        self._order = DeferredLock()
        self.path = os.path.join(state_dir, "ev_tracking")

    def load(self) -> int:
        """
        Read the stored number, 0 if there is none.

        Blocks; for use before the reactor runs.

        :raises StorageError: it cannot be read.
        """
        try:
            with open(self.path, "rb") as file:
                content = file.read(_BARRIER.size + 1)
        except FileNotFoundError:
            return 0
        except OSError as cause:
            raise storage_error(self.path, "cannot read the expected votes", cause) from cause
        return int(_BARRIER.unpack(content)[0]) if len(content) == _BARRIER.size else 0

    def store(self, barrier: int) -> Deferred[None]:
        """Make a number durable, after those given before; may fail with StorageError."""
        return self._order.run(
            deferToThreadPool, self._reactor, self._threads, self._write, barrier
        )

    def _write(self, barrier: int) -> None:
        try:
            write_durably(self.path, _BARRIER.pack(barrier))
        except OSError as cause:
            raise storage_error(self.path, "cannot store the expected votes", cause) from cause
