"""Make lives of recordings: one of each process, whatever number of files it left."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from corosync_tw.diagnosis.incidents.lives import End, Life
from corosync_tw.logsys.flight.layout import Ending
from corosync_tw.logsys.flight.merging import align
from corosync_tw.logsys.flight.reading import Recording
from corosync_tw.logsys.flight.record import FlightRecord

# Of the token's visits, runs are enough to align clocks by: so many of so many, by number.
VISITS_RUN: Final = 64
VISITS_RUN_INTERVAL: Final = 2048

_Identity = tuple[int, int, int]


@dataclass(slots=True)
class _Process:
    """
    The files of one process.

    :ivar answers: it was asked through the ring just now.
    """

    recordings: list[Recording] = field(default_factory=list)
    answers: bool = False

    @property
    def clock(self) -> object:
        """The same for all processes of a node since its machine's boot."""
        return self.recordings[0].clock

    def records(self) -> Iterator[FlightRecord]:
        """Give the records of all files by time, each once, with few visits of the token."""
        found: dict[_Identity, FlightRecord] = {}
        for recording in self.recordings:
            for record in recording.records():
                if not _dispensable(record):
                    found.setdefault(_identity(record), record)
        return iter(sorted(found.values(), key=lambda record: record.monotonic_ns))

    def end(self, *, followed: bool) -> End:
        endings = {recording.ending for recording in self.recordings}
        if self.answers:
            return End.RUNNING
        if Ending.FATAL in endings:
            return End.FAILED
        if Ending.ENDED in endings:
            return End.ENDED
        return End.KILLED if followed else End.OPEN


def lives_of(recordings: Iterable[tuple[Recording, bool]]) -> list[Life]:
    """
    Make lives.

    :param recordings: each with whether its process answers now.
    :return: lives with records, by node and time; files without a header, and thus of no known
        node, are left out.
    """
    processes: dict[tuple[int, int, bytes, int], _Process] = {}
    for recording, answers in recordings:
        if recording.head is None:
            continue
        head = recording.head
        key = (head.nodeid, head.started_ns, head.boot_id, head.pid)
        process = processes.setdefault(key, _Process())
        process.recordings.append(recording)
        process.answers |= answers
    ordered = sorted(processes.items())
    aligned = align(process for _, process in ordered)
    return [
        Life(nodeid, process.end(followed=_followed(ordered, at)), boot_id, tuple(aligned[at]))
        for at, ((nodeid, _, boot_id, _), process) in enumerate(ordered)
        if aligned[at]
    ]


def _followed(ordered: Sequence[tuple[tuple[int, int, bytes, int], _Process]], at: int) -> bool:
    """Tell whether the node has a later process."""
    return at + 1 < len(ordered) and ordered[at + 1][0][0] == ordered[at][0][0]


def _identity(record: FlightRecord) -> _Identity:
    return (record.monotonic_ns, record.lane, record.seq)


def _dispensable(record: FlightRecord) -> bool:
    seq = record.values.get("token_seq")
    return (
        record.name == "token_received"
        and isinstance(seq, int)
        and seq % VISITS_RUN_INTERVAL >= VISITS_RUN
    )
