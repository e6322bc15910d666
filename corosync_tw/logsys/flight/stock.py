"""Blackbox files of stock Corosync (``fdata``) in the place of a recording."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from corosync_tw.logsys.flight.events import Code
from corosync_tw.logsys.flight.layout import FILE_LEN_BYTES_MAX, Lane, RecordingError
from corosync_tw.logsys.flight.reading import Recording
from corosync_tw.logsys.flight.record import FlightRecord
from corosync_tw.logsys.flight.table import EVENTS
from corosync_tw.logsys.flight.words import OURS
from corosync_tw.logsys.qb_blackbox import BlackboxEntry, is_blackbox, read_blackbox
from corosync_tw.printable import printable

_HEAD_LEN_BYTES: Final = 64


class StockRecording:
    """
    Log lines of a stock daemon as records; their node is not known.

    :ivar damage: what is missing, in words.
    :ivar clock: unknown.
    """

    clock = None

    def __init__(self, data: bytes, name: str) -> None:
        self.name = name
        self.damage: list[str] = []
        self._entries: list[BlackboxEntry] = []
        for item in read_blackbox(data):
            if isinstance(item, BlackboxEntry):
                self._entries.append(item)
            else:
                self.damage.append(f"at byte {item.offset_bytes}: {item.text}")

    def records(self) -> Iterator[FlightRecord]:
        """Give the lines in their order."""
        for number, entry in enumerate(self._entries, 1):
            where = f"{entry.function}:{entry.line_no} " if entry.function else ""
            yield FlightRecord(
                time_ns=entry.time_ns,
                monotonic_ns=entry.time_ns,
                nodeid=0,
                lane=Lane.REMARKS,
                seq=number,
                event=EVENTS[Code.LOG],
                values={"level": int(entry.level), "text": printable(f"{where}{entry.text}")},
                ring=None,
                whole=True,
                table=OURS,
                aligned_ns=entry.time_ns,
            )


def open_recording(path: str | os.PathLike[str]) -> Recording | StockRecording:
    """Read a file of ours, or of a stock daemon. Raises: RecordingError."""
    try:
        with Path(path).open("rb") as file:
            if not is_blackbox(file.read(_HEAD_LEN_BYTES)):
                return Recording.open(path)
            file.seek(0)
            return StockRecording(file.read(FILE_LEN_BYTES_MAX), os.fspath(path))
    except OSError as error:
        raise RecordingError(f"{path}: cannot be read: {error.strerror}") from error
