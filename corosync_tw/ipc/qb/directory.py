"""
The directory of one connection's files: made, given to the client, removed, and swept.

``/dev/shm/qb-SERVERPID-CLIENTPID-FD-??????``, as libqb names them. Its owner is the client, who
may put anything in and anything else in its place, so it is removed by known names, and never
through a symbolic link. Source: libqb 2.0.6 lib/ipc_setup.c handle_new_connection, remove_tempdir.
"""

import os
import re
import secrets
import string
from collections.abc import Collection, Iterator
from contextlib import suppress
from typing import Final

from corosync_tw.ipc.qb.layout import Peer
from corosync_tw.ipc.qb.mapping import give_to

SHM_DIR: Final = "/dev/shm"  # noqa: S108
DIRECTORY_MODE: Final = 0o770

_LETTERS: Final = string.ascii_letters + string.digits
_RANDOM_LEN: Final = 6

_NAME: Final = re.compile(r"^qb-(\d+)-\d+-\d+-\w{6}$")
_FILE: Final = re.compile(
    r"^qb-(?:(?:request|response|event)-(\w+)-(?:header|data)|control-(\w+))$"
)


class ConnectionDirectory:
    """
    One connection's directory.

    :ivar path: absolute.
    """

    def __init__(self, shm_dir: str, client_pid: int, fd: int) -> None:
        """
        Make it, for us alone until ``give``.

        Raises: OSError.
        """
        prefix = f"{shm_dir}/qb-{os.getpid()}-{client_pid}-{fd}-"
        self.path = _made(prefix)

    @property
    def base(self) -> str:
        """What the names of all its files begin with (libqb: description)."""
        return f"{self.path}/qb"

    def give(self, peer: Peer) -> None:
        """Let the client in."""
        os.chmod(self.path, DIRECTORY_MODE)
        give_to(self.path, peer)

    def remove(self) -> None:
        """Remove it with the files in it."""
        remove_directory(self.path)


def _made(prefix: str) -> str:
    """Make a directory as mkdtemp(3) does; Python's own has two letters more."""
    while True:
        path = prefix + "".join(secrets.choice(_LETTERS) for _ in range(_RANDOM_LEN))
        with suppress(FileExistsError):
            os.mkdir(path, 0o700)
            return path


def remove_directory(path: str) -> None:
    """
    Remove the directory of a connection with what libqb and we make in it.

    It is taken from its client first, who could go on filling it else.
    """
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
    with suppress(OSError):
        directory = os.open(path, flags)
        try:
            with suppress(OSError):
                os.fchown(directory, os.geteuid(), os.getegid())
                os.fchmod(directory, 0o700)
            _empty(directory)
        finally:
            os.close(directory)
    with suppress(OSError):
        os.rmdir(path)


def _empty(directory: int) -> None:
    for name in os.listdir(directory):
        if _FILE.match(name):
            # The client may be removing them too.
            with suppress(OSError):
                os.unlink(name, dir_fd=directory)


def sweep(shm_dir: str, services: Collection[str]) -> int:
    """
    Remove what servers left that did not end well, and tell how many directories that were.

    Only directories of these services whose server is dead: other programs use libqb too.
    """
    swept = 0
    for path, server_pid in _connections(shm_dir):
        if (server_pid == os.getpid() or not is_alive(server_pid)) and _serves(path, services):
            remove_directory(path)
            swept += not os.path.exists(path)
    return swept


def sweep_own(shm_dir: str = SHM_DIR) -> None:
    """Remove every directory of this process; for exits that cannot close their connections."""
    for path, server_pid in _connections(shm_dir):
        if server_pid == os.getpid():
            remove_directory(path)


def _connections(shm_dir: str) -> Iterator[tuple[str, int]]:
    with suppress(OSError):
        for name in os.listdir(shm_dir):
            if match := _NAME.match(name):
                yield os.path.join(shm_dir, name), int(match[1])


def _serves(path: str, services: Collection[str]) -> bool:
    """Tell whether files of one of the services lie there, or nothing at all."""
    try:
        names = os.listdir(path)
    except OSError:
        return False
    matches = [match for name in names if (match := _FILE.match(name))]
    return not names or any((match[1] or match[2]) in services for match in matches)


def is_alive(pid: int) -> bool:
    """Tell whether there is a process of this number, anybody's."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
