"""
Place the clocks of several nodes beside each other.

Clocks of machines differ, and are set; the token does not lie. A visit with token_seq 7 was after
that with 6, whatever the clocks say: a visit lies between its neighbours of other nodes, and that
bounds by how much its node's clock is ahead. Between such places a clock runs evenly. Where two
clocks have no visits in common their rings' installations count, and without those the wall clocks.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Iterator
from itertools import accumulate
from statistics import median_low
from typing import Final, NamedTuple

from corosync_tw.corotypes import RingId
from corosync_tw.logsys.flight.record import FlightRecord
from corosync_tw.totem.seqno import seq_diff

# Visits within so long a time bound an offset together.
PIECE_NS: Final = 1_000_000_000
# What a clock may gain in so many nanoseconds is one: half a per mille, as much as NTP bends one.
DRIFT_INTERVAL: Final = 2000
# Nodes install a ring within so long, if nothing holds one up.
INSTALLED_WITHIN_NS: Final = 50_000_000
# An installation counts where the nearest visits in common are further away.
INSTALLED_ALONE_NS: Final = 60_000_000_000

# Number and time.
_Visit = tuple[int, int]


class Bounds(NamedTuple):
    """What is to be added to a clock's time at some time is no less and no more than this."""

    at_ns: int
    lowest_ns: int
    highest_ns: int


class Stream:
    """
    Records of one monotonic clock by time: of the processes of one node since its machine's boot.

    Times here have in them what the machine was suspended for, when that clock stands still.

    :ivar visits: of the token, by ring: token_seq and time on this clock.
    :ivar installed: time at which a ring was.
    :ivar doubt_ns: by how much its place may be wrong where it is bounded least.
    """

    def __init__(self, records: list[FlightRecord]) -> None:
        self.records = records
        self.visits: dict[RingId, list[_Visit]] = defaultdict(list)
        self.installed: dict[RingId, int] = {}
        self.doubt_ns = 0
        # Times here, the common ones, and how the clock goes between them.
        self._at: list[int] = []
        self._common: list[int] = []
        self._woke: list[int] = []
        self._slept: list[int] = [0]
        for record in records:
            self._look_at(record)

    def _look_at(self, record: FlightRecord) -> None:
        at_ns = record.monotonic_ns + self._slept[-1]
        if record.name == "suspended":
            length_ns = record.values.get("length")
            if isinstance(length_ns, int) and length_ns > 0:
                self._woke.append(record.monotonic_ns)
                self._slept.append(self._slept[-1] + length_ns)
        elif record.ring is not None:
            seq = token_seq(record)
            if seq is not None:
                self.visits[record.ring].append((seq, at_ns))
            elif record.name == "ring_installed":
                self.installed[record.ring] = at_ns

    @property
    def first_ns(self) -> int:
        """When it begins, on its wall clock."""
        return self.records[0].time_ns

    @property
    def rings(self) -> set[RingId]:
        """All rings that it knows something of."""
        return {*self.visits, *self.installed}

    def aligned(self, monotonic_ns: int) -> int:
        """Give the common time; it never falls while the monotonic one grows."""
        return self.common(monotonic_ns + self._slept[bisect_left(self._woke, monotonic_ns)])

    def common(self, at_ns: int) -> int:
        """Give the common time of a time here: even between two places, a step beside them."""
        right = bisect_right(self._at, at_ns)
        if right in {0, len(self._at)}:
            nearest = max(right - 1, 0)
            return self._common[nearest] + at_ns - self._at[nearest]
        since_ns, until_ns = self._at[right - 1 : right + 1]
        since_common_ns, until_common_ns = self._common[right - 1 : right + 1]
        length_ns = until_common_ns - since_common_ns
        return since_common_ns + length_ns * (at_ns - since_ns) // (until_ns - since_ns)

    def place_by_wall(self) -> None:
        """Place it by the wall clock as it was at the end: steps repair more than they spoil."""
        last = self.records[-1]
        self._at, self._common = [last.monotonic_ns + self._slept[-1]], [last.time_ns]

    def place(self, bounds: list[Bounds]) -> None:
        """Place it within bounds, of which there are some, as evenly as they allow."""
        narrowed = _narrowed(sorted(bounds))
        self.doubt_ns = max((each.highest_ns - each.lowest_ns) // 2 for each in narrowed)
        offset_ns = (narrowed[0].lowest_ns + narrowed[0].highest_ns) // 2
        self._at, self._common = [], []
        for bound in narrowed:
            offset_ns = min(max(offset_ns, bound.lowest_ns), bound.highest_ns)
            if not self._at or bound.at_ns > self._at[-1]:
                common_ns = bound.at_ns + offset_ns
                self._common.append(max(common_ns, *self._common[-1:], common_ns))
                self._at.append(bound.at_ns)


def _narrowed(bounds: list[Bounds]) -> list[Bounds]:
    """Let neighbours in time bound each other, as far as a clock drifts between them."""
    there = list(accumulate(bounds, _narrowed_by))
    back = list(accumulate(reversed(there), _narrowed_by))
    return back[::-1]


def _narrowed_by(other: Bounds, bound: Bounds) -> Bounds:
    """Narrow a bound by its neighbour; one that contradicts it has no say."""
    drift_ns = abs(bound.at_ns - other.at_ns) // DRIFT_INTERVAL
    lowest_ns = max(bound.lowest_ns, other.lowest_ns - drift_ns)
    highest_ns = min(bound.highest_ns, other.highest_ns + drift_ns)
    return Bounds(bound.at_ns, lowest_ns, highest_ns) if lowest_ns <= highest_ns else bound


def token_seq(record: FlightRecord) -> int | None:
    """Give the number of a visit of the token; None for other records."""
    if record.event.name != "token_received":
        return None
    value = record.values.get("token_seq")
    return value if isinstance(value, int) else None


def place_all(streams: Iterable[Stream]) -> None:
    """Place the clocks beside each other: one by the wall, then what shares most rings with it."""
    waiting = sorted(streams, key=lambda stream: stream.first_ns)
    common = _Common()
    while waiting:
        best = max(waiting, key=lambda stream: len(stream.rings & common.rings))
        waiting.remove(best)
        bounds = common.bounds(best)
        if bounds:
            best.place(bounds)
        else:
            best.place_by_wall()
        common.add(best)


class _Common:
    """What the clocks that are placed tell of rings, in common time."""

    def __init__(self) -> None:
        self.rings: set[RingId] = set()
        self._base: dict[RingId, int] = {}
        self._visits: dict[RingId, list[_Visit]] = defaultdict(list)
        self._installed: dict[RingId, int] = {}

    def add(self, stream: Stream) -> None:
        """Take a clock in that is placed."""
        self.rings |= stream.rings
        for ring, visits in stream.visits.items():
            self._base.setdefault(ring, visits[0][0])
            known = self._visits[ring]
            known += [(seq, stream.common(at_ns)) for seq, at_ns in self._numbered(ring, visits)]
            known.sort()
        for ring, at_ns in stream.installed.items():
            self._installed.setdefault(ring, stream.common(at_ns))

    def _numbered(self, ring: RingId, visits: list[_Visit]) -> list[_Visit]:
        base = self._base[ring]
        return [(seq_diff(seq, base), at_ns) for seq, at_ns in visits]

    def bounds(self, stream: Stream) -> list[Bounds]:
        """Bound the offset of another clock wherever something is known."""
        found: list[Bounds] = []
        for ring in stream.rings & self.rings:
            pieces: list[Bounds] = []
            if ring in stream.visits and ring in self._visits:
                visits = sorted(self._numbered(ring, stream.visits[ring]))
                pieces = list(_pieces(visits, self._visits[ring]))
            at_ns, common_ns = stream.installed.get(ring), self._installed.get(ring)
            if at_ns is not None and common_ns is not None:
                pieces += _installation(at_ns, common_ns - at_ns, pieces)
            found += pieces
        return found


def _pieces(visits: list[_Visit], theirs: list[_Visit]) -> Iterator[Bounds]:
    """
    Bound an offset piece by piece.

    :param visits: of the clock that is to be placed, by number; ``theirs`` in common time.
    """
    began_ns: int | None = None
    held: list[Bounds] = []
    for bound in _between(visits, theirs):
        if began_ns is not None and abs(bound.at_ns - began_ns) > PIECE_NS:
            yield _all_of(held)
            held, began_ns = [], None
        began_ns = bound.at_ns if began_ns is None else began_ns
        held.append(bound)
    if held:
        yield _all_of(held)


def _between(visits: list[_Visit], theirs: list[_Visit]) -> Iterator[Bounds]:
    """Put each visit between its neighbours there, if it has two."""
    before = after = 0
    for step, at_ns in visits:
        while before < len(theirs) and theirs[before][0] < step:
            before += 1
        after = max(after, before)
        while after < len(theirs) and theirs[after][0] <= step:
            after += 1
        if before and after < len(theirs):
            lowest_ns, highest_ns = theirs[before - 1][1] - at_ns, theirs[after][1] - at_ns
            yield Bounds(at_ns, min(lowest_ns, highest_ns), max(lowest_ns, highest_ns))


def _all_of(bounds: list[Bounds]) -> Bounds:
    """Make one bound of several; of those that contradict each other, what most say."""
    at_ns = bounds[len(bounds) // 2].at_ns
    lowest_ns = max(bound.lowest_ns for bound in bounds)
    highest_ns = min(bound.highest_ns for bound in bounds)
    if lowest_ns <= highest_ns:
        return Bounds(at_ns, lowest_ns, highest_ns)
    middle_ns = median_low((bound.lowest_ns + bound.highest_ns) // 2 for bound in bounds)
    doubt_ns = (lowest_ns - highest_ns) // 2
    return Bounds(at_ns, middle_ns - doubt_ns, middle_ns + doubt_ns)


def _installation(at_ns: int, offset_ns: int, pieces: list[Bounds]) -> list[Bounds]:
    """Bound an offset by a ring's installation, where there is nothing better."""
    if any(abs(piece.at_ns - at_ns) < INSTALLED_ALONE_NS for piece in pieces):
        return []
    return [Bounds(at_ns, offset_ns - INSTALLED_WITHIN_NS, offset_ns + INSTALLED_WITHIN_NS)]
