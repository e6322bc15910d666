"""
One timeline of the recordings of several nodes.

Their clocks are placed beside each other (``clocks``), and records come by the common time. Visits
of a ring come in the order of the token, as far as clocks can be as wrong as that would need: no
record is moved by more than HELD_BACK_NS_MAX.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Final, Protocol

from corosync_tw.corotypes import RingId
from corosync_tw.logsys.flight.clocks import Stream, place_all, token_seq
from corosync_tw.logsys.flight.record import FlightRecord
from corosync_tw.totem.seqno import seq_diff

# A record waits for an earlier visit no longer than this, and than clocks are in doubt.
HELD_BACK_NS_MAX: Final = 100_000_000

# Ring, and number of the visit from the first one known on.
_Place = tuple[RingId, int]


class Recorded(Protocol):
    """What has records: a recording, or a file of stock Corosync."""

    @property
    def clock(self) -> object:
        """What recordings of the same monotonic clock have in common; None when unknown."""

    def records(self) -> Iterator[FlightRecord]:
        """Give the records by time."""


def merge(recordings: Iterable[Recorded]) -> list[FlightRecord]:
    """
    Put the records of several files in one order.

    What two files of one process have both comes once.

    :return: records whose ``aligned_ns`` is the time on one clock for all.
    """
    streams = [Stream(_distinct(records)) for records in _by_clock(recordings).values()]
    place_all(streams)
    return list(_merged(streams))


def align(recordings: Iterable[Recorded]) -> list[list[FlightRecord]]:
    """
    Place the clocks of several files beside each other, without making one order of them.

    :return: the records of each, by time, whose ``aligned_ns`` is the time on one clock for all.
    """
    given = [_Played(recording.clock, list(recording.records())) for recording in recordings]
    streams = {clock: Stream(records) for clock, records in _by_clock(given).items()}
    place_all(streams.values())
    return [
        [
            record.at(streams[_key(at, played)].aligned(record.monotonic_ns))
            for record in played.records()
        ]
        for at, played in enumerate(given)
    ]


@dataclass(frozen=True, slots=True)
class _Played:
    """A recording that was read already."""

    clock: object
    read: list[FlightRecord]

    def records(self) -> Iterator[FlightRecord]:
        return iter(self.read)


def _key(at: int, recording: Recorded) -> object:
    """Name a clock; that of a recording which does not is its own."""
    return at if recording.clock is None else (recording.clock,)


def _by_clock(recordings: Iterable[Recorded]) -> dict[object, list[FlightRecord]]:
    """Put records of one clock together, by time; clocks without any are left out."""
    found: dict[object, list[FlightRecord]] = defaultdict(list)
    for at, recording in enumerate(recordings):
        records = list(recording.records())
        if records:
            found[_key(at, recording)] += records
    for records in found.values():
        records.sort(key=_monotonic)
    return found


def _monotonic(record: FlightRecord) -> int:
    return record.monotonic_ns


def _distinct(records: Iterable[FlightRecord]) -> list[FlightRecord]:
    """Leave out what another file has, too."""
    found: dict[tuple[int, int, int], FlightRecord] = {}
    for record in records:
        found.setdefault((record.monotonic_ns, record.lane, record.seq), record)
    return list(found.values())


def _merged(streams: Sequence[Stream]) -> Iterator[FlightRecord]:
    """Give the earliest of what may come next, again and again."""
    held_back_ns = min(2 * max((s.doubt_ns for s in streams), default=0), HELD_BACK_NS_MAX)
    chains = _Chains(streams)
    heads = [_Head(stream, chains, held_back_ns) for stream in streams]
    now_ns = min((head.due_ns for head in heads), default=0)
    while heads:
        head = min(heads, key=_due_ns)
        now_ns = max(now_ns, head.aligned_ns)
        yield head.record.at(now_ns)
        if head.place is not None:
            chains.gone(head.place)
        if not head.step():
            heads.remove(head)


class _Head:
    """
    The next record of a stream.

    :ivar place: of a visit in the order of its ring.
    :ivar due_ns: when it is to come: later than its time while visits before it are still to come.
    """

    __slots__ = (
        *("_chains", "_held_back_ns", "_records", "_stream"),
        *("aligned_ns", "due_ns", "place", "record"),
    )

    def __init__(self, stream: Stream, chains: "_Chains", held_back_ns: int) -> None:
        self._stream = stream
        self._chains = chains
        self._held_back_ns = held_back_ns
        self._records = iter(stream.records)
        self.record = stream.records[0]
        self.step()

    def step(self) -> bool:
        """Go on; tell whether there is another one."""
        record = next(self._records, None)
        if record is None:
            return False
        self.record = record
        self.place = self._chains.place(record)
        self.aligned_ns = self.due_ns = self._stream.aligned(record.monotonic_ns)
        if self.place is not None and not self._chains.may_go(self.place, self):
            self.due_ns += self._held_back_ns
        return True

    def release(self, place: _Place) -> None:
        """Let a visit go, if it did not already."""
        if self.place == place:
            self.due_ns = self.aligned_ns


_due_ns: Final = attrgetter("due_ns")


class _Chains:
    """The visits of each ring that are still to come, in the order of the token."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        self._base: dict[RingId, int] = {}
        counts: dict[_Place, int] = defaultdict(int)
        for stream in streams:
            for ring, visits in stream.visits.items():
                base = self._base.setdefault(ring, visits[0][0])
                for seq, _ in visits:
                    counts[ring, seq_diff(seq, base)] += 1
        self._counts = counts
        # From the end, so that the next one is taken off cheaply.
        self._order: dict[RingId, list[_Place]] = defaultdict(list)
        for place in sorted(counts, reverse=True):
            self._order[place[0]].append(place)
        self._held: dict[_Place, list[_Head]] = defaultdict(list)

    def place(self, record: FlightRecord) -> _Place | None:
        """Give the place of a visit; other records have none."""
        seq = token_seq(record)
        if record.ring is None or seq is None:
            return None
        return record.ring, seq_diff(seq, self._base[record.ring])

    def may_go(self, place: _Place, head: _Head) -> bool:
        """Tell whether all visits before this one are gone; if not, its head is told later."""
        if self._order[place[0]][-1] >= place:
            return True
        self._held[place].append(head)
        return False

    def gone(self, place: _Place) -> None:
        """Take a visit out, and tell what waited for it."""
        self._counts[place] -= 1
        order = self._order[place[0]]
        if order[-1] != place:
            return
        while order and not self._counts[order[-1]]:
            order.pop()
        for head in self._held.pop(order[-1], ()) if order else ():
            head.release(order[-1])
