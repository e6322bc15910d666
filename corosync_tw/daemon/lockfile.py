"""
One daemon per run directory: ``corosync.pid`` is locked as long as the process lives.

Source: Corosync exec/main.c, corosync_flock.
"""

import errno
import fcntl
import os
from typing import Final

from corosync_tw.daemon.exitcodes import DaemonError, ExitCode

LOCK_FILE_NAME: Final = "corosync.pid"


class LockFile:
    """The lock; a record lock, so it dies with the process and does not survive a fork."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._fd = -1

    def acquire(self) -> None:
        """
        Take the lock and write our pid.

        Raises: DaemonError with ALREADY_RUNNING or ACQUIRE_LOCK.
        """
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o640)
        except OSError as error:
            raise DaemonError(
                ExitCode.ACQUIRE_LOCK,
                f"Corosync Executive couldn't create lock file {self.path}: {error.strerror}."
                " Name a directory that can be written with --run-dir DIR.",
            ) from error
        try:
            self._lock(fd)
            os.ftruncate(fd, 0)
            os.write(fd, b"%d\n" % os.getpid())
        except OSError as error:
            os.close(fd)
            raise DaemonError(
                ExitCode.ACQUIRE_LOCK,
                f"Corosync Executive couldn't acquire lock {self.path}. Error was {error.strerror}",
            ) from error
        except DaemonError:
            os.close(fd)
            raise
        self._fd = fd

    def probe(self) -> None:
        """
        Tell whether the lock is free, without taking it or leaving a file behind.

        Raises: DaemonError with ALREADY_RUNNING.
        """
        try:
            fd = os.open(self.path, os.O_RDWR | os.O_CLOEXEC)
        except OSError:
            return
        try:
            self._lock(fd)
        finally:
            os.close(fd)

    def _lock(self, fd: int) -> None:
        try:
            fcntl.lockf(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in {errno.EAGAIN, errno.EACCES}:
                raise
            pid = os.pread(fd, 16, 0).strip().decode("ascii", "replace") or "unknown"
            raise DaemonError(
                ExitCode.ALREADY_RUNNING,
                f"Another Corosync instance is already running: process {pid} holds {self.path}."
                " Stop it, or give this node directories of its own with --run-dir and"
                " --state-dir.",
            ) from error

    def release(self) -> None:
        """Remove the file and give the lock up; harmless when it is not held."""
        if self._fd < 0:
            return
        try:
            os.unlink(self.path)
        except FileNotFoundError:
            pass
        finally:
            os.close(self._fd)
            self._fd = -1
