"""
The directory in /dev/shm through which the daemon shares memory with one client.

Whoever listens on a service's socket names the files that we map and write to, and while no daemon
runs anybody can listen there. So nothing but plain files of a true directory in /dev/shm is opened,
through no link. Source: libqb lib/ipc_setup.c handle_new_connection, lib/unix.c
qb_sys_mmap_file_open.
"""

import contextlib
import os
import re
import stat
from typing import Final

from corosync_tw.client.qb.faults import ForeignBytes

_ROOT: Final = "/dev/shm/"  # noqa: S108
_NAME: Final = re.compile(rf"{_ROOT}(qb-[A-Za-z0-9_-]+)/(qb-[a-z-]+)")


class SharedDirectory:
    """
    A directory of the daemon's; close() it when its files are open.

    :ivar path: with its name, absolute.
    """

    def __init__(self, example: str) -> None:
        """
        Open the directory that holds the file ``example``.

        Raises: ForeignBytes, OSError.
        """
        self._directory = _split(example)[0]
        self.path = _ROOT + self._directory
        flags = os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        self._fd = os.open(self.path, flags)

    def open(self, path: str) -> int:
        """
        Open a file in it for reading and writing.

        Raises: ForeignBytes, OSError.
        """
        directory, name = _split(path)
        if directory != self._directory:
            raise ForeignBytes("the daemon's shared files are in several directories")
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        fd = os.open(name, flags, dir_fd=self._fd)
        if not stat.S_ISREG(os.fstat(fd).st_mode):
            os.close(fd)
            raise ForeignBytes(f"{path} is not a file")
        return fd

    def close(self) -> None:
        """Forget the directory; what was opened in it stays open."""
        os.close(self._fd)


def remove_left_files(paths: list[str]) -> None:
    """Remove what a dead daemon left: these files and their directory. Never raises."""
    for path in paths:
        with contextlib.suppress(OSError):
            os.unlink(path)
    with contextlib.suppress(OSError):
        os.rmdir(os.path.dirname(paths[0]))


def _split(path: str) -> tuple[str, str]:
    match = _NAME.fullmatch(path)
    if match is None:
        raise ForeignBytes(f"the daemon shares {path!r}, which libqb would not")
    return match[1], match[2]
