"""
Write a recording: a file that is mapped into memory, so that what is written outlives the process.

Its room is taken from the disk when it is made, for a page that finds none later would kill the
process. Nothing here waits for the disk afterwards, and nothing raises.
"""

import mmap
import os
import socket
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any, Final

from corosync_tw import __version__
from corosync_tw.kernels.plain.recording import DATA_LEN_BYTES_MAX
from corosync_tw.kernels.recording import lane_writer
from corosync_tw.logsys.flight.events import INTS_IN_SLOT
from corosync_tw.logsys.flight.layout import (
    ENDING,
    ENDING_AT,
    MARK,
    MARKS,
    MARKS_AT,
    SLOTS,
    Ending,
    Head,
    Lane,
    Mark,
    encode_head,
    encode_mark,
    lane_offsets,
)
from corosync_tw.logsys.flight.table import EVENTS
from corosync_tw.logsys.flight.values import pack_ints, pack_list
from corosync_tw.logsys.flight.words import OURS

# Names and addresses of nodes are nobody's business, as are log lines.
FILE_MODE: Final = 0o640
_BOOT_ID: Final = "/proc/sys/kernel/random/boot_id"
_CHUNK_LEN_BYTES: Final = 1 << 20
_INT_MAX: Final = (1 << 63) - 1


class NoRecorder:
    """Stands for a recorder where there is none."""

    #: Whether anything is written.
    records = False

    def record(self, code: int, *ints: int) -> None:
        """Write an event of integers."""

    def record_list(self, code: int, ints: Sequence[int], values: Sequence[int]) -> None:
        """Write an event with a list of node ids or sequence numbers."""

    def record_text(self, code: int, ints: Sequence[int], text: str) -> None:
        """Write an event with a text."""

    def writer(self, code: int) -> Callable[..., None]:
        """Give what writes one event of up to four integers, with nothing in between."""
        del code
        return lambda *_: None

    def mark_clock(self, offset_ns: int) -> None:
        """Note what is now to be added to the monotonic clock to have the wall clock's time."""

    def end(self, ending: Ending, exit_code: int) -> None:
        """Note how the process ends."""

    def snapshot(self) -> bytes:
        """Give the whole file as it is now."""
        return b""

    def remove(self) -> None:
        """Remove the file, of which nothing is worth keeping."""

    def close(self) -> None:
        """Write no more."""


class FlightRecorder(NoRecorder):
    """
    Writes events of one node.

    :ivar path: of the file.
    """

    records = True

    def __init__(
        self,
        path: str,
        nodeid: int,
        *,
        slots: Sequence[int] = tuple(SLOTS.values()),
        now_ns: Callable[[], int] = time.monotonic_ns,
        wall_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        """
        Make the file; one of that name is replaced.

        Raises: OSError, with nothing left behind.
        """
        self.path = path
        self._now_ns = now_ns
        self._marks = 0
        started_ns = now_ns()
        offset_ns = wall_ns() - started_ns
        head = Head(
            nodeid=nodeid,
            pid=os.getpid(),
            started_monotonic_ns=started_ns,
            started_ns=started_ns + offset_ns,
            boot_id=_boot_id(),
            hostname=socket.gethostname(),
            version=__version__,
            slots=tuple(slots),
            table=OURS.encode(),
        )
        offsets = lane_offsets(head.slots)
        self._map = _make_file(path, offsets[-1], encode_head(head))
        view = memoryview(self._map)
        self._view = view
        writers = {
            lane: lane_writer(view[offsets[lane] : offsets[lane + 1]], lane, 1, now_ns)
            for lane in Lane
        }
        self._writers: dict[int, Any] = {
            code: writers[event.lane] for code, event in EVENTS.items()
        }
        self.mark_clock(offset_ns)

    def record(self, code: int, *ints: int) -> None:
        """Write an event of integers; one that fits nowhere is cut to what fits."""
        try:
            if len(ints) <= INTS_IN_SLOT:
                self._writers[code].put(code, *ints)
            else:
                first = ints[:INTS_IN_SLOT]
                self._writers[code].put_more(
                    code, *first, pack_ints(tuple(map(_fitting, ints[INTS_IN_SLOT:])))
                )
        except OverflowError:
            self.record(code, *map(_fitting, ints))

    def record_list(self, code: int, ints: Sequence[int], values: Sequence[int]) -> None:
        """Write an event with a list, of which as much is kept as finds room."""
        self._more(code, ints, pack_list(tuple(values[: DATA_LEN_BYTES_MAX // 4])))

    def record_text(self, code: int, ints: Sequence[int], text: str) -> None:
        """Write an event with a text, of which as much is kept as finds room."""
        self._more(code, ints, text.encode(errors="replace"))

    def _more(self, code: int, ints: Sequence[int], data: bytes) -> None:
        filled = [*map(_fitting, ints), 0, 0, 0, 0][:INTS_IN_SLOT]
        self._writers[code].put_more(code, *filled, data)

    def writer(self, code: int) -> Callable[..., None]:
        """Give ``put`` of the lane, to be called with the code and up to four integers."""
        put: Callable[..., None] = self._writers[code].put
        return put

    def mark_clock(self, offset_ns: int) -> None:
        """Write a clock mark over the oldest."""
        at = MARKS_AT + self._marks % MARKS * MARK.size
        self._map[at : at + MARK.size] = encode_mark(Mark(self._now_ns(), offset_ns))
        self._marks += 1

    def end(self, ending: Ending, exit_code: int) -> None:
        """Note how the process ends; the last word counts."""
        ENDING.pack_into(self._map, ENDING_AT, ending, exit_code, self._now_ns())

    def snapshot(self) -> bytes:
        """Give the whole file as it is now."""
        return bytes(self._view)

    def remove(self) -> None:
        """Remove the file."""
        with suppress(OSError):
            os.unlink(self.path)

    def close(self) -> None:
        """Write no more; what comes late is lost."""
        self._writers = dict.fromkeys(self._writers, _Nowhere())


class _Nowhere:
    """Stands for a lane when the recorder is closed; what comes late is of no use any more."""

    def put(self, *_: object) -> None:
        """Do nothing."""

    put_more = put


def _fitting(value: int) -> int:
    return max(-_INT_MAX, min(value, _INT_MAX))


def _reserve(descriptor: int, length: int) -> None:
    """Make an empty file this long, its room taken, lest a full disk show as a signal later."""
    if hasattr(os, "posix_fallocate"):
        os.posix_fallocate(descriptor, 0, length)
        return
    zeros = bytes(_CHUNK_LEN_BYTES)
    left = length
    while left:
        left -= os.write(descriptor, zeros[:left])


def _make_file(path: str, length: int, header: bytes) -> mmap.mmap:
    """Make a file whose room is really there, and map it; it has its name with its header."""
    new = f"{path}.new"
    descriptor = os.open(new, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, FILE_MODE)
    try:
        _reserve(descriptor, length)
        flags = mmap.MAP_SHARED | getattr(mmap, "MAP_POPULATE", 0)
        mapped = mmap.mmap(descriptor, length, flags=flags)
        mapped[: len(header)] = header
        os.rename(new, path)
    except OSError:
        with suppress(OSError):
            os.unlink(new)
        raise
    finally:
        os.close(descriptor)
    return mapped


def _boot_id() -> bytes:
    """Give the 16 bytes that the kernel made at boot; zeros where there is no such thing."""
    try:
        with open(_BOOT_ID, encoding="ascii") as file:
            return bytes.fromhex(file.read().strip().replace("-", ""))[:16]
    except (OSError, ValueError):
        return bytes(16)
