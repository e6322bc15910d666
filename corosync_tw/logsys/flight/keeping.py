"""
Which files of a recorder there are: the live one, and those of the last incidents.

``flight-NODE.rec`` is written; ``flight-NODE.TIME-WHY.rec`` are kept: of the process before, which
was ``killed``, had ``failed`` or ``ended``, or copies of a running one that was ``asked`` for them
or ``lost`` a member.
"""

import os
import re
import time
from typing import Final

from corosync_tw.corotypes import NS_PER_S, NS_PER_US
from corosync_tw.logsys.flight.layout import (
    HEADER_LEN_BYTES,
    Ending,
    decode_ending,
)
from corosync_tw.logsys.flight.recorder import FILE_MODE
from corosync_tw.logsys.whole_file import write_whole

INCIDENTS_MAX: Final = 8
# Who asks again and again is not to push out what happened.
ASKED_MAX: Final = 4
KEPT_MAX: Final = INCIDENTS_MAX + ASKED_MAX
ASKED: Final = "asked"
_INCIDENT: Final = r"\.\d{8}T\d{6}\.\d{6}Z-[a-z]{1,20}\.rec"
_WHY: Final = {Ending.RUNNING: "killed", Ending.ENDED: "ended", Ending.FATAL: "failed"}


def live_path(directory: str, nodeid: int) -> str:
    """Name the file that a node writes."""
    return os.path.join(directory, f"flight-{nodeid}.rec")


def kept_paths(directory: str, nodeid: int) -> list[str]:
    """List the files of incidents, oldest first. Raises: OSError."""
    return sorted(
        os.path.join(directory, name)
        for name in os.listdir(directory)
        if is_kept_name(name, nodeid)
    )


def is_kept_name(name: str, nodeid: int) -> bool:
    """Tell whether a file of that name is one of an incident."""
    return re.fullmatch(rf"flight-{nodeid}{_INCIDENT}", name, re.ASCII) is not None


def set_aside(directory: str, nodeid: int) -> str | None:
    """
    Keep the file of the process before, and forget the oldest ones.

    :return: its name now, if there was one.
    Raises: OSError.
    """
    path = live_path(directory, nodeid)
    try:
        with open(path, "rb") as file:
            header = file.read(HEADER_LEN_BYTES)
            written_ns = os.fstat(file.fileno()).st_mtime_ns
    except FileNotFoundError:
        return None
    kept = _free_name(directory, nodeid, written_ns, _WHY[decode_ending(header)[0]])
    os.rename(path, kept)
    forget_oldest(directory, nodeid)
    return kept


def keep_copy(directory: str, nodeid: int, data: bytes, why: str) -> str:
    """
    Write a copy of a recording, and forget the oldest ones.

    :return: its name.
    Raises: OSError, with nothing left behind.
    """
    path = _free_name(directory, nodeid, time.time_ns(), why)
    write_whole(path, data, FILE_MODE)
    forget_oldest(directory, nodeid)
    return path


def forget_oldest(directory: str, nodeid: int) -> None:
    """
    Remove all but the last INCIDENTS_MAX, and of copies that were asked for all but ASKED_MAX.

    Times that are still to come are from before the clock was set back: these files go first.

    Raises: OSError.
    """
    now = _stamp(time.time_ns())

    def age(path: str) -> tuple[bool, str]:
        when = os.path.basename(path).split(".", 1)[1][: len(now)]
        return (when <= now, path)

    by_age = sorted(kept_paths(directory, nodeid), key=age)
    asked = [path for path in by_age if path.endswith(f"-{ASKED}.rec")]
    incidents = [path for path in by_age if path not in asked]
    for path in incidents[:-INCIDENTS_MAX] + asked[:-ASKED_MAX]:
        os.unlink(path)


def _free_name(directory: str, nodeid: int, when_ns: int, why: str) -> str:
    """Name a file by the time, or a little later when there is one."""
    while True:
        path = os.path.join(directory, f"flight-{nodeid}.{_stamp(when_ns)}-{why}.rec")
        if not os.path.lexists(path):
            return path
        when_ns += NS_PER_US


def _stamp(when_ns: int) -> str:
    seconds, rest_ns = divmod(when_ns, NS_PER_S)
    return f"{time.strftime('%Y%m%dT%H%M%S', time.gmtime(seconds))}.{rest_ns // NS_PER_US:06d}Z"
