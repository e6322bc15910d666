"""
Blackbox files in the state directory, under stock's names: ``fdata-TIME-PID``, and ``fdata``, which
leads to the last one.

The file is written by a thread, under another name until it is whole: neither a slow disk nor a
full one is the ring's business.
Source: Corosync exec/main.c, corosync_blackbox_write_to_file.
"""

import os
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any, Final

from twisted.internet.threads import deferToThreadPool

from corosync_tw.daemon.journal import Journal
from corosync_tw.daemon.one_at_a_time import OneAtATime
from corosync_tw.logsys.qb_blackbox import BlackboxEntry
from corosync_tw.logsys.qb_blackbox_write import write_blackbox
from corosync_tw.logsys.whole_file import write_whole

LINK_NAME: Final = "fdata"
LINK_KEY: Final = "runtime.corosync_tw.blackbox"
_MODE: Final = 0o600
_NEW: Final = ".new"


def link_path(state_dir: str) -> str:
    """Return where the last file is found."""
    return os.path.join(state_dir, LINK_NAME)


def store(state_dir: str, entries: Iterable[BlackboxEntry], time_s: float, pid: int) -> str:
    """
    Write a file and lead the link to it; return its path.

    :param time_s: wall clock, seconds since the epoch, for the name.
    Raises: OSError; the last file is then still what it was.
    """
    stamp = time.strftime("%Y-%m-%dT%H:%M:%S", time.localtime(time_s))
    path = f"{link_path(state_dir)}-{stamp}-{pid}"
    write_whole(path, write_blackbox(entries), _MODE)
    link = link_path(state_dir) + _NEW
    with suppress(FileNotFoundError):
        os.unlink(link)
    os.symlink(path, link)
    os.replace(link, link_path(state_dir))
    return path


class BlackboxStore:
    """
    Writes files when it is told to, one at a time.

    :param history: gives what the file is to hold; called in the thread.
    :ivar link: where the last file is found.
    """

    def __init__(
        self,
        reactor: Any,
        state_dir: str,
        journal: Journal,
        history: Callable[[], Iterable[BlackboxEntry]],
    ) -> None:
        self._reactor = reactor
        self._state_dir = state_dir
        self._journal = journal
        self._history = history
        self._dumps = OneAtATime(self._begin)
        self.link = link_path(state_dir)

    def dump(self) -> None:
        """Write a file soon; orders that come meanwhile make one more."""
        self._dumps.order()

    def _begin(self) -> Any:
        pool = self._reactor.getThreadPool()
        stored: Any = deferToThreadPool(self._reactor, pool, self._store)
        stored.addCallbacks(self._stored, self._failed)
        return stored

    def _store(self) -> str:
        return store(self._state_dir, self._history(), time.time(), os.getpid())

    def _stored(self, path: str) -> None:
        self._journal.main.info("Blackbox written to {path}", path=path)

    def _failed(self, failure: Any) -> None:
        fault = failure.value
        if isinstance(fault, OSError):
            reason = f"{fault.filename}: {fault.strerror} ({fault.errno})"
        else:
            reason = failure.getTraceback()
        self._journal.main.error("Can't store blackbox file: {reason}", reason=reason)
