"""
Read a whole file of a recorder, as far as it is whole.

The file may be of a process that runs or was killed, of another machine, of another version, cut
short, or written over: each slot is believed by its own sum, and what is missing is told.
"""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from corosync_tw.logsys.flight.layout import (
    FILE_LEN_BYTES_MAX,
    HEADER_LEN_BYTES,
    Ending,
    Head,
    Lane,
    Mark,
    RecordingError,
    decode_ending,
    decode_head,
    decode_marks,
    lane_offsets,
)
from corosync_tw.logsys.flight.record import FlightRecord, Wording
from corosync_tw.logsys.flight.slots import Raw, records_of, whole_slots
from corosync_tw.logsys.flight.words import OURS, Table, decode_table

# One that was written as its process was killed.
_TORN_SLOTS: Final = 1


class Recording:
    """
    What a file holds.

    :ivar name: of the file, for messages.
    :ivar head: None when it is damaged; then nodes and wall times are unknown.
    :ivar ending: how the process ended, as far as the file tells; ``exit_code`` with it.
    :ivar damage: what is not as it was written, in words.
    """

    def __init__(self, data: bytes, name: str) -> None:
        """
        Look through the bytes of a file.

        Raises: RecordingError, when there is no record and no head of one.
        """
        self.name = name
        self.head, self.damage = decode_head(data)
        self.ending, self.exit_code, self.ended_ns = decode_ending(data)
        slots, torn = whole_slots(data[HEADER_LEN_BYTES:])
        if self.head is None and not slots:
            raise RecordingError(
                f"{name}: no recording of corosync_tw: {self.damage[0]}, and no record is whole."
                " Give a file that the daemon wrote, such as flight-1.rec of its state directory."
            )
        if torn > _TORN_SLOTS:
            self.damage.append(f"{torn} slots are damaged")
        if self.head is not None:
            missing = lane_offsets(self.head.slots)[-1] - len(data)
            if missing > 0:
                self.damage.append(f"the file is cut short by {missing} bytes")
        self._raws = sorted(records_of(slots))
        self.table = table_of(self.head, self.damage)
        self._marks = decode_marks(data) or first_mark(self.head) or self._sampled()

    @classmethod
    def open(cls, path: str | os.PathLike[str]) -> "Recording":
        """Read a file. Raises: RecordingError."""
        try:
            with Path(path).open("rb") as file:
                data = file.read(FILE_LEN_BYTES_MAX + 1)
        except OSError as error:
            raise RecordingError(f"{path}: cannot be read: {error.strerror}") from error
        if len(data) > FILE_LEN_BYTES_MAX:
            raise RecordingError(
                f"{path}: no recording of corosync_tw: it is longer than"
                f" {FILE_LEN_BYTES_MAX >> 20} MiB"
            )
        return cls(data, os.fspath(path))

    @property
    def nodeid(self) -> int:
        """Of the node that wrote it, 0 when unknown."""
        return 0 if self.head is None else self.head.nodeid

    @property
    def clock(self) -> tuple[int, bytes, int] | None:
        """What recordings of the same monotonic clock have in common; None when unknown."""
        if self.head is None:
            return None
        # Where boots have no name, each process has a clock of its own.
        process = 0 if any(self.head.boot_id) else self.head.started_monotonic_ns
        return self.head.nodeid, self.head.boot_id, process

    @property
    def running(self) -> bool:
        """Whether the file does not tell of an end: its process runs, or was killed."""
        return self.ending is Ending.RUNNING

    def __len__(self) -> int:
        """Count the records."""
        return len(self._raws)

    def records(self) -> Iterator[FlightRecord]:
        """Give the records by time."""
        wording = Wording(self.nodeid, self.table, self._marks)
        for raw in self._raws:
            yield from wording.feed(raw)
        yield from wording.flush()

    def written(self) -> dict[Lane, int]:
        """Tell how many slots of each lane were ever written, up to the last record's first."""
        last: dict[int, int] = {}
        for raw in self._raws:
            last[raw.lane] = max(raw.number, last.get(raw.lane, 0))
        return {lane: last.get(lane, 0) for lane in Lane}

    def overwritten(self) -> dict[Lane, int]:
        """Tell how many slots of each lane were written over."""
        first: dict[int, int] = {}
        for raw in self._raws:
            first[raw.lane] = min(raw.number, first.get(raw.lane, raw.number))
        return {lane: first.get(lane, 1) - 1 for lane in Lane}

    def _sampled(self) -> list[Mark]:
        """Find the wall clock in the samples."""
        for raw in self._raws:
            mark = _sample_mark(self.table, raw)
            if mark is not None:
                return [mark]
        return []


def table_of(head: Head | None, damage: list[str]) -> Table:
    """Give the table of a file; ours when it has none, and a remark when it should have one."""
    if head is None or not head.table:
        return OURS
    try:
        return decode_table(head.table)
    except ValueError as error:
        damage.append(f"the table of events cannot be read ({error}), this program's own is used")
        return OURS


def first_mark(head: Head | None) -> list[Mark]:
    """Give the clock mark of the start."""
    if head is None:
        return []
    return [Mark(head.started_monotonic_ns, head.started_ns - head.started_monotonic_ns)]


def _sample_mark(table: Table, raw: Raw) -> Mark | None:
    event = table.event(raw.code)
    names = [field.name for field in event.fields]
    if event.name != "sample" or "offset" not in names[: len(raw.ints)]:
        return None
    return Mark(raw.monotonic_ns, raw.ints[names.index("offset")])
