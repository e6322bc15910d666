"""
Buffers that libcpg up to 3.1.10 shares with the daemon: a file for each, made by the client.

The daemon writes a number into the file by which the client names it later, and reads messages out
of it with pread: the client may cut the file short at any time, and a mapping would then kill the
daemon. A path is followed only into the directories where libcpg makes these files, to a regular
file of the client's own user.
Source: Corosync lib/cpg.c memory_map, exec/cpg.c zcb_alloc.
Deviation: files are checked as above and the number is no address; Corosync opens, cuts and unlinks
whatever path it is told, as root, and trusts the address it is given.
"""

import os
import stat
from pathlib import PurePosixPath
from typing import Final

from corosync_tw.errors import CsAccess, CsBadHandle, CsInvalidParam, CsNoMemory

DIRECTORIES: Final = ("/dev/shm", "/var/run", "/run")  # noqa: S108 where libcpg makes them
NAME_PREFIX: Final = "corosync_zerocopy-"
# Open files, of one client and of all.
CLIENT_BUFFERS_MAX: Final = 64
BUFFERS_MAX: Final = 512
# Where the number stands in the file (struct coroipcs_zc_header), and its length, bytes.
_NUMBER_OFFSET: Final = 8
_NUMBER_LEN: Final = 8
_OPEN_FLAGS: Final = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC


class ZeroCopyFiles:
    """
    The buffers of all clients.

    :param directories: where they may be.
    """

    def __init__(self, directories: tuple[str, ...] = DIRECTORIES) -> None:
        self._directories = directories
        self._descriptors: dict[int, dict[int, int]] = {}  # by number, by connection
        self._last = 0
        self._open = 0

    def __len__(self) -> int:
        return self._open

    def open(self, conn: int, uid: int, path: str) -> None:
        """
        Take a client's new file, remove its name and write its number into it.

        :param uid: of the client.
        Raises CsAccess: not a file that libcpg makes, or not the client's. CsNoMemory: a limit.
        CsInvalidParam: it cannot be opened.
        """
        own = self._descriptors.setdefault(conn, {})
        if self._open >= BUFFERS_MAX or len(own) >= CLIENT_BUFFERS_MAX:
            raise CsNoMemory("too many zero-copy buffers")
        name = PurePosixPath(path)
        if str(name.parent) not in self._directories or not name.name.startswith(NAME_PREFIX):
            raise CsAccess(f"no zero-copy file: {path!r}")
        try:
            descriptor = os.open(path, _OPEN_FLAGS)
        except (OSError, ValueError) as error:
            raise CsInvalidParam(f"zero-copy file: {error}") from error
        try:
            self._check(descriptor, uid, path)
            self._last += 1
            number = self._last.to_bytes(_NUMBER_LEN, "little")
            os.pwrite(descriptor, number, _NUMBER_OFFSET)
        except OSError as error:
            os.close(descriptor)
            raise CsInvalidParam(f"zero-copy file: {error}") from error
        except CsAccess:
            os.close(descriptor)
            raise
        own[self._last] = descriptor
        self._open += 1

    def read(self, conn: int, number: int, offset: int, length: int) -> bytes:
        """
        Copy out of a buffer; fewer bytes when the file ends before.

        Raises CsBadHandle: the client has no such buffer.
        """
        descriptor = self._descriptors.get(conn, {}).get(number)
        if descriptor is None:
            raise CsBadHandle(f"no zero-copy buffer {number}")
        return os.pread(descriptor, length, offset)

    def close(self, conn: int, number: int) -> None:
        """
        Let go of one buffer.

        Raises CsBadHandle: the client has no such buffer.
        """
        descriptor = self._descriptors.get(conn, {}).pop(number, None)
        if descriptor is None:
            raise CsBadHandle(f"no zero-copy buffer {number}")
        os.close(descriptor)
        self._open -= 1

    def close_all(self, conn: int) -> None:
        """Let go of a client's buffers; none is fine."""
        for descriptor in self._descriptors.pop(conn, {}).values():
            os.close(descriptor)
            self._open -= 1

    @staticmethod
    def _check(descriptor: int, uid: int, path: str) -> None:
        there = os.fstat(descriptor)
        if not stat.S_ISREG(there.st_mode) or there.st_uid != uid or there.st_nlink != 1:
            raise CsAccess("the zero-copy file is not the client's own")
        if os.path.samestat(os.lstat(path), there):
            os.unlink(path)
