"""Make lives of recordings: one of each process, whatever number of files it left."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final

from corosync_tw.diagnosis.incidents.lives import End, Life
from corosync_tw.logsys.flight.layout import Ending, Head
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

    head: Head
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
        process = processes.setdefault(key, _Process(head))
        process.recordings.append(recording)
        process.answers |= answers
    ordered = _by_age(processes.values())
    aligned = align(ordered)
    return [
        Life(
            process.head.nodeid,
            process.end(followed=_followed(ordered, at)),
            process.head.boot_id,
            tuple(aligned[at]),
        )
        for at, process in enumerate(ordered)
        if aligned[at]
    ]


def _by_age(processes: Iterable[_Process]) -> list[_Process]:
    """Sort by node and age; of one boot the monotonic clock tells it, whatever the wall clock."""
    every = list(processes)
    first_ns: dict[object, int] = {}
    for process in every:
        started_ns = process.head.started_ns
        first_ns[process.clock] = min(started_ns, first_ns.get(process.clock, started_ns))

    def age(process: _Process) -> tuple[int, int, int]:
        head = process.head
        return (head.nodeid, first_ns[process.clock], head.started_monotonic_ns)

    return sorted(every, key=age)


def _followed(ordered: Sequence[_Process], at: int) -> bool:
    """Tell whether the node has a later process."""
    return at + 1 < len(ordered) and ordered[at + 1].head.nodeid == ordered[at].head.nodeid


def _identity(record: FlightRecord) -> _Identity:
    return (record.monotonic_ns, record.lane, record.seq)


def _dispensable(record: FlightRecord) -> bool:
    seq = record.values.get("token_seq")
    return (
        record.name == "token_received"
        and isinstance(seq, int)
        and seq % VISITS_RUN_INTERVAL >= VISITS_RUN
    )
