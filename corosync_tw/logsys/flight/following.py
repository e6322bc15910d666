"""
Follow a file while its process writes it, and wraps, and is restarted.

Nothing is locked and the writer knows nothing of readers: one that is overtaken counts what it
lost, and goes on with the oldest that is left.
"""

import os
from pathlib import Path
from typing import Final

from corosync_tw.kernels.plain.recording import SLOT_LEN_BYTES
from corosync_tw.logsys.flight.layout import (
    HEADER_LEN_BYTES,
    RecordingError,
    decode_head,
    decode_marks,
    lane_offsets,
)
from corosync_tw.logsys.flight.reading import first_mark, table_of
from corosync_tw.logsys.flight.record import FlightRecord, Wording
from corosync_tw.logsys.flight.slots import (
    Raw,
    Slot,
    assemble,
    continuations,
    data_length,
    decode_slot,
    whole_slots,
)

# More than one record may take.
_CHUNK_SLOTS: Final = 128
# Who is overtaken again and again keeps this share of the ring ahead of the writer, then twice it.
_LEAD_SHARE: Final = 64


class _LaneReader:
    """
    Where the reading of one lane stands.

    :ivar lost: slots that were overwritten before they were read.
    """

    def __init__(self, descriptor: int, start: int, slots: int) -> None:
        self._descriptor = descriptor
        self._start = start
        self._slots = slots
        self._next = 1
        self._lead = 0
        self.lost = 0

    def oldest(self, lead: int = 0) -> None:
        """Go to the oldest slot that is not yet read, or so many slots ahead of the writer."""
        numbers = [slot.number for slot in self._whole() if slot.number >= self._next]
        if numbers:
            first = min(min(numbers) + lead, max(numbers))
            self.lost += first - self._next
            self._next = first

    def _overtaken(self) -> None:
        """Go on with what is left; if it is gone before it is read, a little later."""
        self.oldest(self._lead)
        self._lead = max(2 * self._lead, self._slots // _LEAD_SHARE)

    def newest(self) -> None:
        """Go behind all that is there."""
        self._next = max((slot.number for slot in self._whole()), default=0) + 1

    def forgive(self) -> None:
        """Count as lost only what is overwritten from here on."""
        self.lost = 0

    def _whole(self) -> list[Slot]:
        data = os.pread(self._descriptor, self._slots * SLOT_LEN_BYTES, self._start)
        return whole_slots(data)[0]

    def read(self) -> list[Raw]:
        """Read what is new."""
        found: list[Raw] = []
        self._lead = 0
        # No more than the whole ring at once, however fast the writer is.
        left = self._slots
        while left > 0:
            slots = self._chunk()
            taken = self._take(slots, found)
            self._next += taken
            left -= taken or 1
            if not taken and not self._resume(slots, found):
                break
        return found

    def _resume(self, slots: list[Slot | None], found: list[Raw]) -> bool:
        """Look what stands where the next record is to be; tell whether to go on."""
        if not slots:
            # The file was cut short.
            return False
        here = slots[0]
        if here is not None and here.number > self._next:
            self._overtaken()
            return True
        beyond = self._beyond(slots)
        if not beyond:
            return False
        # The writer was beyond it, so that what was being written then is whole by now, or never.
        again = self._chunk()
        taken = self._take(again, found)
        here = again[0] if again else None
        if taken or here is None or here.number != self._next:
            self._next += taken
            if not taken and (here is None or here.number < self._next):
                self._next += beyond
                self.lost += beyond
            return True
        raw = assemble(here, _data(here, again[1:beyond]))
        if raw is not None:
            found.append(raw)
        self._next += beyond
        return True

    def _beyond(self, slots: list[Slot | None]) -> int:
        """Count the slots up to one that is written already, behind the next record; 0: none."""
        here = slots[0]
        whole = here is not None and here.number == self._next
        first = 1 + continuations(data_length(here)) if here is not None and whole else 1
        for step in range(first, len(slots)):
            slot = slots[step]
            if slot is not None and slot.number >= self._next + step:
                return step
        return 0

    def _take(self, slots: list[Slot | None], found: list[Raw]) -> int:
        """Take the records at the beginning that are all there; count their slots."""
        at = 0
        while at < len(slots):
            slot = slots[at]
            if slot is None or slot.number != self._next + at:
                break
            more = continuations(data_length(slot))
            parts = _data(slot, slots[at + 1 : at + 1 + more])
            if len(parts) < more:
                break
            raw = assemble(slot, parts)
            if raw is not None:
                found.append(raw)
            at += 1 + more
        return at

    def _chunk(self) -> list[Slot | None]:
        """Read slots from the next one on, across the end of the ring."""
        place = self._next % self._slots
        at = self._start + place * SLOT_LEN_BYTES
        data = os.pread(self._descriptor, _CHUNK_SLOTS * SLOT_LEN_BYTES, at)
        data = data[: (self._slots - place) * SLOT_LEN_BYTES]
        missing = min(_CHUNK_SLOTS, self._slots) * SLOT_LEN_BYTES - len(data)
        if missing > 0:
            data += os.pread(self._descriptor, missing, self._start)
        return [
            decode_slot(data[at : at + SLOT_LEN_BYTES])
            for at in range(0, len(data) - SLOT_LEN_BYTES + 1, SLOT_LEN_BYTES)
        ]


def _data(slot: Slot, rest: list[Slot | None]) -> list[bytes]:
    """Give what continues a slot, up to where something else stands."""
    parts: list[bytes] = []
    for step, part in enumerate(rest, 1):
        if part is None or not isinstance(part.body, bytes) or part.number != slot.number + step:
            break
        parts.append(part.body)
    return parts


class Follower:
    """
    Reads what is new in one file, whenever it is asked.

    :ivar restarts: how often another file took the place of the one that was read.
    """

    def __init__(self, path: str, *, from_start: bool = True) -> None:
        """
        Begin.

        :param from_start: give what is there already, too.
        Raises: RecordingError.
        """
        self._path = path
        self._lost_before = 0
        # Read already, and not yet in their turn.
        self._early: list[Raw] = []
        self.restarts = 0
        self._open(from_start=from_start)

    def _open(self, *, from_start: bool) -> None:
        try:
            self._file = Path(self._path).open("rb", buffering=0)  # noqa: SIM115 - kept open
        except OSError as error:
            raise RecordingError(f"{self._path}: cannot be read: {error.strerror}") from error
        descriptor = self._file.fileno()
        self._identity = _identity(os.fstat(descriptor))
        header = os.pread(descriptor, HEADER_LEN_BYTES, 0)
        head, damage = decode_head(header)
        if head is None:
            self._file.close()
            raise RecordingError(f"{self._path}: cannot be followed: {damage[0]}")
        marks = decode_marks(header) or first_mark(head)
        self._wording = Wording(head.nodeid, table_of(head, damage), marks, look_ahead=False)
        offsets = lane_offsets(head.slots)
        self._lanes = [
            _LaneReader(descriptor, start, slots)
            for start, slots in zip(offsets, head.slots, strict=False)
        ]
        for lane in self._lanes:
            if from_start:
                lane.oldest()
                lane.forgive()
            else:
                lane.newest()

    @property
    def lost(self) -> int:
        """Slots that were overwritten before they were read."""
        return self._lost_before + sum(lane.lost for lane in self._lanes)

    def poll(self) -> list[FlightRecord]:
        """
        Give what came since the last time, by time. Raises: RecordingError.

        :return: records whose ``aligned_ns`` is by the clock as it was last: one that was set does
            not put what came before behind what came after.
        """
        try:
            found = self._read()
            if self._replaced():
                # What came between the last look and the end.
                found += self._read(to_the_end=True)
                self._lost_before = self.lost
                self._file.close()
                self._open(from_start=True)
                self.restarts += 1
                found += self._read()
        except OSError as error:
            raise RecordingError(f"{self._path}: cannot be read: {error.strerror}") from error
        return found

    def close(self) -> None:
        """End."""
        self._file.close()

    def _read(self, *, to_the_end: bool = False) -> list[FlightRecord]:
        """
        Read all lanes, and once more.

        What the second look finds is given only up to the last time of the first: later than that,
        a lane may have got more after it was looked at.
        """
        first, second = self._look(), self._look()
        until_ns = max((raw.monotonic_ns for raw in (*self._early, *first)), default=None)
        raws = sorted((*self._early, *first, *second))
        count = len(raws)
        if not to_the_end:
            count = sum(until_ns is not None and raw.monotonic_ns <= until_ns for raw in raws)
        self._early = raws[count:]
        if count:
            marks = decode_marks(os.pread(self._file.fileno(), HEADER_LEN_BYTES, 0))
            self._wording.marks = marks or self._wording.marks
        records = [record for raw in raws[:count] for record in self._wording.feed(raw)]
        offset_ns = self._wording.marks[-1].offset_ns
        return [record.at(record.monotonic_ns + offset_ns) for record in records]

    def _look(self) -> list[Raw]:
        return [raw for lane in self._lanes for raw in lane.read()]

    def _replaced(self) -> bool:
        try:
            return _identity(os.stat(self._path)) != self._identity
        except FileNotFoundError:
            # Moved away; the next process makes another one.
            return False


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino
