"""
The ring sequence number on disk, in Corosync's own file: migration works in both directions.

``STATE_DIR/ringid_NODEID``, 8 bytes, u64 in the machine's byte order, mode 0600. A number is
written to a second file, synced and renamed, then the directory is synced: after a power failure
the file holds the old number or the new one. Corosync truncates and writes in place.

Source: Corosync exec/main.c, corosync_ring_id_create_or_load and corosync_ring_id_store.
"""

import os
import struct
from typing import Final

from twisted.internet.defer import Deferred, succeed
from twisted.internet.interfaces import IReactorFromThreads
from twisted.internet.threads import deferToThreadPool
from twisted.python.threadpool import ThreadPool
from zope.interface import implementer

from corosync_tw.net.durable import write_durably
from corosync_tw.net.errors import StorageError, storage_error
from corosync_tw.net.interfaces import IRingIdStore
from corosync_tw.totem.const import RING_SEQ_MAX

_RING_SEQ: Final = struct.Struct("=Q")


@implementer(IRingIdStore)
class FileRingIdStore:
    """
    Stores in a thread of the reactor's pool; the reactor never waits for the disk.

    :ivar path: the file.
    """

    def __init__(
        self, reactor: IReactorFromThreads, threads: ThreadPool, state_dir: str, nodeid: int
    ) -> None:
        """
        Name the file; nothing is read or written yet.

        :param threads: where writes run, usually ``reactor.getThreadPool()``.
        """
        self._reactor = reactor
        self._threads = threads
        self.path = os.path.join(state_dir, f"ringid_{nodeid}")

    def load(self) -> int:
        """
        Read the stored number, 0 if there is none, and prove that it can be stored.

        Blocks; for use before the reactor runs.

        :raises StorageError: unreadable, unwritable, or damaged.
        """
        ring_seq = self._read()
        self._write(ring_seq)
        return ring_seq

    def store(self, ring_seq: int) -> Deferred[None]:
        """Make ``ring_seq`` durable; the Deferred fires when it is, or fails with StorageError."""
        return deferToThreadPool(self._reactor, self._threads, self._write, ring_seq)

    def _read(self) -> int:
        try:
            with open(self.path, "rb") as file:
                content = file.read(_RING_SEQ.size + 1)
        except FileNotFoundError:
            return 0
        except OSError as cause:
            raise storage_error(self.path, "cannot read the ring id", cause) from cause
        ring_seq = _RING_SEQ.unpack(content)[0] if len(content) == _RING_SEQ.size else None
        if ring_seq is None or ring_seq > RING_SEQ_MAX:
            raise StorageError(
                self.path,
                "damaged: a ring id file holds one number of 8 bytes, which no cluster counts "
                "beyond 2**62",
                "If no other node of the cluster runs, or this node has been down since, "
                "remove the file and start again",
            )
        return int(ring_seq)

    def _write(self, ring_seq: int) -> None:
        try:
            write_durably(self.path, _RING_SEQ.pack(ring_seq))
        except OSError as cause:
            raise storage_error(self.path, "cannot store the ring id", cause) from cause


@implementer(IRingIdStore)
class MemoryRingIdStore:
    """
    Forgets with the process: for several nodes in one process.

    :ivar ring_seq: the number stored last.
    """

    def __init__(self, ring_seq: int = 0) -> None:
        self.ring_seq = ring_seq

    def load(self) -> int:
        """Give the number stored last."""
        return self.ring_seq

    def store(self, ring_seq: int) -> Deferred[None]:
        """Remember ``ring_seq`` at once."""
        self.ring_seq = ring_seq
        return succeed(None)
