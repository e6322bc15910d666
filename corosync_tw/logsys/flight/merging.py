"""
One timeline of the recordings of several nodes.

Clocks of machines differ, and are set; the token does not lie. A visit with token_seq 7 was after
that with 6, whatever the clocks say: from these a recording's clock is placed beside the others',
and visits of a ring are never put in another order than that of the token. Where two recordings
have no visits in common their rings' installations count, and without those their wall clocks.
"""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final, Protocol

from corosync_tw.corotypes import RingId
from corosync_tw.logsys.flight.record import FlightRecord

_SEQ_MASK: Final = 0xFFFFFFFF
_HALF: Final = 1 << 31

_Visits = list[tuple[int, int]]


class Recorded(Protocol):
    """What has records: a recording, or a file of stock Corosync."""

    def records(self) -> Iterator[FlightRecord]:
        """Give the records by time."""


def merge(recordings: Iterable[Recorded]) -> list[FlightRecord]:
    """
    Put the records of several files in one order.

    What two files of one process have both comes once.

    :return: records whose ``aligned_ns`` is the time on one clock for all.
    """
    seen: set[tuple[int, int, int, int]] = set()
    streams = []
    for recording in recordings:
        records = []
        for record in recording.records():
            identity = (record.nodeid, record.monotonic_ns, record.lane, record.seq)
            if identity not in seen:
                seen.add(identity)
                records.append(record)
        streams.append(_Stream(records))
    streams.sort(key=lambda stream: stream.first_ns)
    _align(streams)
    return list(_merged(streams))


def align(recordings: Iterable[Recorded]) -> list[list[FlightRecord]]:
    """
    Place the clocks of several files beside each other, without making one order of them.

    :return: the records of each, by time, whose ``aligned_ns`` is the time on one clock for all.
    """
    streams = [_Stream(list(recording.records())) for recording in recordings]
    _align(sorted(streams, key=lambda stream: stream.first_ns))
    return [
        [replace(each, aligned_ns=stream.aligned(each.monotonic_ns)) for each in stream.records]
        for stream in streams
    ]


class _Stream:
    """
    Records of one file by time.

    :ivar visits: of the token, by ring: token_seq and monotonic time.
    :ivar installed: monotonic time at which a ring was.
    :ivar offsets: what makes the common time of the monotonic one, and from when on.
    """

    def __init__(self, records: list[FlightRecord]) -> None:
        self.records = records
        self.visits: dict[RingId, _Visits] = defaultdict(list)
        self.installed: dict[RingId, int] = {}
        self.offsets: list[tuple[int, int]] = []
        for record in records:
            if record.ring is None:
                continue
            token_seq = _token_seq(record)
            if token_seq is not None:
                self.visits[record.ring].append((token_seq, record.monotonic_ns))
            elif record.name == "ring_installed":
                self.installed[record.ring] = record.monotonic_ns

    @property
    def first_ns(self) -> int:
        """When it begins, on its wall clock."""
        return self.records[0].time_ns if self.records else 0

    @property
    def wall_offset_ns(self) -> int:
        """The wall clock as it was at the end: later steps repair more than they spoil."""
        last = self.records[-1]
        return last.time_ns - last.monotonic_ns

    def aligned(self, monotonic_ns: int) -> int:
        """Give the common time."""
        found = self.offsets[0][1]
        for since_ns, offset_ns in self.offsets:
            if since_ns > monotonic_ns:
                break
            found = offset_ns
        return monotonic_ns + found


def _token_seq(record: FlightRecord) -> int | None:
    value = record.values.get("token_seq")
    return value if record.name == "token_received" and isinstance(value, int) else None


def _align(streams: Sequence[_Stream]) -> None:
    """Place the clocks beside each other, the one with most in common next."""
    waiting = [stream for stream in streams if stream.records]
    placed: list[_Stream] = []
    while waiting:
        best = max(waiting, key=lambda stream: sum(_shared(stream, other) for other in placed))
        waiting.remove(best)
        offsets: dict[RingId, tuple[int, int]] = {}
        for other in placed:
            for ring, offset in _offsets(best, other).items():
                offsets.setdefault(ring, offset)
        best.offsets = sorted(offsets.values()) or [(0, best.wall_offset_ns)]
        placed.append(best)


def _shared(stream: _Stream, other: _Stream) -> int:
    visits = stream.visits.keys() & other.visits.keys()
    return 2 * len(visits) + len(stream.installed.keys() & other.installed.keys())


def _offsets(stream: _Stream, placed: _Stream) -> dict[RingId, tuple[int, int]]:
    """Find the offsets of a clock by ring, each with the time from which on it counts."""
    found = {}
    for ring in stream.visits.keys() & placed.visits.keys():
        offset_ns = _between(stream.visits[ring], placed, ring)
        if offset_ns is not None:
            found[ring] = (stream.visits[ring][0][1], offset_ns)
    for ring in stream.installed.keys() & placed.installed.keys():
        since_ns = stream.installed[ring]
        if ring in found:
            found[ring] = (min(since_ns, found[ring][0]), found[ring][1])
        else:
            found[ring] = (since_ns, placed.aligned(placed.installed[ring]) - since_ns)
    return found


def _between(visits: _Visits, placed: _Stream, ring: RingId) -> int | None:
    """
    Find the offset by which every visit here falls between those there before and after it.

    :return: the middle of what is possible; None when no visit here has neighbours there.
    """
    theirs = placed.visits[ring]
    base = theirs[0][0]
    steps = sorted((_relative(seq, base), at_ns) for seq, at_ns in theirs)
    lowest: list[int] = []
    highest: list[int] = []
    at = 0
    for step, here_ns in sorted((_relative(seq, base), at_ns) for seq, at_ns in visits):
        while at < len(steps) and steps[at][0] < step:
            at += 1
        if at:
            lowest.append(placed.aligned(steps[at - 1][1]) - here_ns)
        if at < len(steps):
            highest.append(placed.aligned(steps[at][1]) - here_ns)
    if not lowest or not highest:
        return None
    return (max(lowest) + min(highest)) // 2


def _relative(seq: int, base: int) -> int:
    """Number a token from another one on; numbers wrap."""
    return ((seq - base + _HALF) & _SEQ_MASK) - _HALF


def _merged(streams: Sequence[_Stream]) -> Iterable[FlightRecord]:
    """Give the earliest of what may come next, again and again."""
    chains = _Chains(streams)
    heads = [(stream, 0) for stream in streams if stream.records]
    now_ns: int | None = None
    while heads:
        timed = [
            (not chains.ready(stream.records[at]), stream.aligned(stream.records[at].monotonic_ns))
            for stream, at in heads
        ]
        # Files that contradict each other are merged by time alone.
        chosen = timed.index(min(timed))
        stream, at = heads[chosen]
        record = stream.records[at]
        chains.gone(record)
        now_ns = timed[chosen][1] if now_ns is None else max(now_ns, timed[chosen][1])
        yield replace(record, aligned_ns=now_ns)
        if at + 1 < len(stream.records):
            heads[chosen] = (stream, at + 1)
        else:
            del heads[chosen]


class _Chains:
    """The visits of each ring that are still to come, in the order of the token."""

    def __init__(self, streams: Sequence[_Stream]) -> None:
        self._base: dict[RingId, int] = {}
        waiting: dict[RingId, dict[int, int]] = defaultdict(lambda: defaultdict(int))
        for stream in streams:
            for ring, visits in stream.visits.items():
                base = self._base.setdefault(ring, visits[0][0])
                for seq, _ in visits:
                    waiting[ring][_relative(seq, base)] += 1
        self._waiting = waiting
        # From the end, so that the next one is taken off cheaply.
        self._order = {ring: sorted(counts, reverse=True) for ring, counts in waiting.items()}

    def _place(self, record: FlightRecord) -> tuple[RingId, int] | None:
        token_seq = _token_seq(record)
        if record.ring is None or token_seq is None:
            return None
        return record.ring, _relative(token_seq, self._base[record.ring])

    def ready(self, record: FlightRecord) -> bool:
        """Tell whether all visits before this one are gone."""
        place = self._place(record)
        return place is None or self._order[place[0]][-1] >= place[1]

    def gone(self, record: FlightRecord) -> None:
        """Take a record out."""
        place = self._place(record)
        if place is None:
            return
        ring, step = place
        counts, order = self._waiting[ring], self._order[ring]
        counts[step] -= 1
        while order and not counts[order[-1]]:
            order.pop()
