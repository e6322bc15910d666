"""A file of a client's connection, made by us, owned by the client, mapped by both."""

import mmap
import os
from contextlib import suppress
from ctypes import c_char, c_ubyte
from typing import Any, Final

from corosync_tw.ipc.qb.faults import GUARD
from corosync_tw.ipc.qb.layout import Peer
from corosync_tw.ipc.qb.libc import map_shared, map_shared_twice, unmap

FILE_MODE: Final = 0o600

_GONE: Final = (c_char * 0)()


class SharedFile:
    """
    A mapped file; its descriptor is closed at once.

    The file is sparse: the client reserves its memory when it opens it, as libqb does on both
    sides, and is the one that fails when there is none.

    :ivar len_bytes: of the map, whole pages.
    :ivar memory: its bytes, twice if it is mapped twice; never kept by anyone beyond ``close``.
    :ivar chars: the same; a slice of it is a copy.
    :ivar words: the same as unsigned 32-bit words; loads and stores of one word are atomic.
    :ivar broken: the client cut it off; the contents are zeros.
    """

    __slots__ = ("address", "broken", "chars", "len_bytes", "memory", "path", "words")

    def __init__(self, path: str, len_bytes: int, peer: Peer, *, twice: bool = False) -> None:
        """
        Make the file and map it.

        :param len_bytes: a multiple of four.
        :param twice: map it once more behind itself, so that nothing in it wraps; then
            ``len_bytes`` are whole pages.
        Raises: OSError, with nothing left behind.
        """
        self.path = path
        self.broken = False
        self.len_bytes = -(-len_bytes // mmap.PAGESIZE) * mmap.PAGESIZE
        flags = os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(path, flags, FILE_MODE)
        try:
            os.ftruncate(fd, len_bytes)
            give_to(fd, peer)
            if twice:
                assert len_bytes == self.len_bytes, "a file that ends within a page"
                self.address = map_shared_twice(fd, len_bytes)
            else:
                self.address = map_shared(fd, self.len_bytes)
        except OSError:
            os.unlink(path)
            raise
        finally:
            os.close(fd)
        if twice:
            self.len_bytes = len_bytes = 2 * len_bytes
        GUARD.add(self)
        self.chars: Any = (c_char * len_bytes).from_address(self.address)
        self.memory = memoryview((c_ubyte * len_bytes).from_address(self.address)).cast("B")
        self.words = self.memory.cast("I")

    def close(self) -> None:
        """Unmap the file; it is removed with its directory."""
        if not self.len_bytes:
            return
        self.chars = _GONE
        self.words.release()
        self.memory.release()
        GUARD.remove(self)
        unmap(self.address, self.len_bytes)
        self.len_bytes = 0


def give_to(path: str | int, peer: Peer) -> None:
    """Make a client the owner; a server that is not root serves but its own user."""
    if (peer.uid, peer.gid) != (os.geteuid(), os.getegid()):
        with suppress(PermissionError):
            os.chown(path, peer.uid, peer.gid)
