"""
The state directory (ring ids) and the run directory (lock file, sockets).

Stock wants its state directory to exist (exit code 16 otherwise). Here what is missing is made,
so that an ordinary user can run a node anywhere; what cannot be made or written is reported with
the remedy.
Source: Corosync exec/util.c, get_state_dir; exec/main.c, main.
"""

import errno
import os
import pwd
import tempfile
from typing import Final

from corosync_tw.daemon.exitcodes import DaemonError, ExitCode

# Ring ids are nobody's business; sockets are for whom the daemon lets in.
STATE_DIR_MODE: Final = 0o750
RUN_DIR_MODE: Final = 0o755


def prepare_directory(path: str, mode: int, purpose: str, option: str) -> None:
    """
    Make ``path`` unless it is there, and check that files can be made in it.

    :param mode: of a directory that has to be made.
    :param purpose: ``state`` or ``run``, for the message.
    :param option: the command line option that names another place.
    Raises: DaemonError with code DIR_NOT_PRESENT.
    """
    try:
        if not os.path.isdir(path):
            os.makedirs(path)
            os.chmod(path, mode)
        with tempfile.TemporaryFile(prefix=".corosync-", dir=path) as probe:
            probe.write(b"\0")
            probe.flush()
    except OSError as error:
        raise DaemonError(
            ExitCode.DIR_NOT_PRESENT,
            f"Cannot use {purpose} directory {path}: {error.strerror}."
            f" {_remedy(error)}, or name another one with {option} DIR.",
        ) from error


def _remedy(error: OSError) -> str:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return "Make room there"
    return f"User {_user_name()} must be able to create files there; change its owner or mode"


def _user_name() -> str:
    uid = os.geteuid()
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)
