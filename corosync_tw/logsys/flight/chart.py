"""
A timeline as SVG: a band for each node with its states, marks above it, the token below.

What is bad, odd or merely told differs by shape as well as by colour.
"""

from bisect import bisect_left, bisect_right
from collections import defaultdict
from collections.abc import Iterable, Sequence
from html import escape
from itertools import pairwise
from math import log1p
from typing import Final, NamedTuple

from corosync_tw.corotypes import NS_PER_S, RingId
from corosync_tw.logsys.flight.episodes import entered_state
from corosync_tw.logsys.flight.record import FlightRecord, stamp
from corosync_tw.logsys.traces import ring_id_text
from corosync_tw.totem.const import MembState

WIDTH: Final = 1200
LEFT: Final = 74
RIGHT: Final = 12
AXIS: Final = 24
ROW: Final = 74
BAND_AT: Final = 22
BAND: Final = 22
TOKEN_AT: Final = BAND_AT + BAND + 5
TOKEN: Final = 14
# Visits that are drawn one by one, with their way from node to node; more become columns.
VISITS_MAX: Final = 400
MARKS_MAX: Final = 600
COLUMN: Final = 3
_LABEL_WIDTH: Final = 58
_NUMBER_WIDTH: Final = 16
# A node that runs writes something every second.
GONE_NS: Final = 2_500_000_000
# Marks by kind, their point or foot at the band.
_SHAPES: Final = {"bad": "l-6 -12h12z", "odd": "l-5 -5l5 -5l5 5z", "told": "h-2v-7h4v7z"}
_TICKS: Final = 7
# Marks: how they look, the worst first.
_BAD: Final = frozenset(
    {
        *("token_lost", "node_failed", "storage_failed", "ring_faulty", "all_rings_faulty"),
        *("link_failed", "link_down", "host_unreachable", "left_without_leave", "nodeid_in_use"),
        *("failed_to_receive", "kept_out", "node_killed"),
    }
)
_ODD: Final = frozenset(
    {
        *("process_paused", "loop_paused", "clock_stepped", "suspended", "token_late"),
        *("storage_slow", "consensus_timed_out", "net_event", "log", "token_refused"),
        *("retransmit_list", "mtu_doubted", "directive_set", "join_flushed"),
    }
)
_TOLD: Final = frozenset(
    {
        *("node_started", "node_ready", "node_ending", "leave_received", "member_left"),
        *("quorum_changed", "sync_done", "link_up", "link_works", "ring_recovered"),
        *("host_reachable", "reload_requested", "reload_done", "node_shut_down", "crypto_phase"),
    }
)


class Span(NamedTuple):
    """A piece of time on the aligned clock, and where it lies in the picture."""

    first_ns: int
    last_ns: int

    def x(self, at_ns: int) -> float:
        """Give the place of a time."""
        share = (at_ns - self.first_ns) / max(self.last_ns - self.first_ns, 1)
        return LEFT + min(max(share, 0.0), 1.0) * (WIDTH - LEFT - RIGHT)


class Piece(NamedTuple):
    """A node was in one state for a while."""

    state: MembState
    first_ns: int
    last_ns: int
    ring: RingId | None


class Silence(NamedTuple):
    """
    A node said nothing for a while.

    :ivar kind: ``gone``: there is no recording; ``stopped``: its process did not run.
    """

    kind: str
    first_ns: int
    last_ns: int
    text: str


class Timeline:
    """
    Records by time, to be drawn whole or in part.

    :param records: as ``merge`` gives them.
    """

    def __init__(self, records: Sequence[FlightRecord]) -> None:
        self._records = records
        self._times = [record.aligned_ns for record in records]
        by_node: dict[int, list[FlightRecord]] = defaultdict(list)
        for record in records:
            by_node[record.nodeid].append(record)
        self._pieces = {nodeid: _pieces(by_node[nodeid]) for nodeid in sorted(by_node)}
        self._silences = {
            nodeid: [*_gone(by_node[nodeid], self._times[-1]), *_stopped(by_node[nodeid])]
            for nodeid in self._pieces
        }
        self._rows = {nodeid: AXIS + at * ROW for at, nodeid in enumerate(self._pieces)}

    @property
    def whole(self) -> Span:
        """All of it."""
        return Span(self._times[0], self._times[-1])

    def draw(self, span: Span, numbered: Sequence[tuple[int, Span]] = ()) -> str:
        """
        Draw what happened in a piece of time.

        :param numbered: pieces of it that are seen closely elsewhere, by number.
        """
        height = AXIS + len(self._rows) * ROW
        label = "States, events and token of each node over time"
        parts = [f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{label}">']
        parts += _numbers(numbered, span, height)
        parts += _axis(span, height)
        first, last = (
            bisect_left(self._times, span.first_ns),
            bisect_right(self._times, span.last_ns),
        )
        shown = self._records[first:last]
        for nodeid, top in self._rows.items():
            parts.append(f'<text class="node" x="4" y="{top + BAND_AT + 15}">node {nodeid}</text>')
            labels: list[str] = []
            parts += _states(self._pieces[nodeid], span, top, labels)
            parts += _hatched(self._silences[nodeid], span, top)
            parts += labels
        parts += _tokens([r for r in shown if r.name == "token_received"], span, self._rows)
        parts += _marks(shown, span, self._rows)
        return "\n".join([*parts, "</svg>"])


def _pieces(records: Sequence[FlightRecord]) -> list[Piece]:
    """Tell the states of one node, the first one from what it is left for."""
    pieces: list[Piece] = []
    state: object = None
    since, ring = records[0], None
    for before, record in zip((records[0], *records), records, strict=False):
        entered = entered_state(record)
        if record.name == "node_started":
            _add_piece(pieces, state, since, before, ring)
            state, since, ring = None, record, None
        if entered is None:
            continue
        left = record.values.get("old") if state is None else state
        _add_piece(pieces, left, since, record, ring)
        state, since, ring = entered, record, record.ring
    if state is None and any(record.ring is not None for record in records):
        state = int(MembState.OPERATIONAL)
    _add_piece(pieces, state, since, records[-1], ring or records[-1].ring)
    return pieces


def _add_piece(
    pieces: list[Piece],
    state: object,
    since: FlightRecord,
    until: FlightRecord,
    ring: RingId | None,
) -> None:
    if state in set(MembState):
        assert isinstance(state, int)
        pieces.append(
            Piece(MembState(state), since.aligned_ns, until.aligned_ns, ring or since.ring)
        )


def _gone(records: Sequence[FlightRecord], end_ns: int) -> Iterable[Silence]:
    """Tell when there was no process, or its recording is not here."""
    for before, record in pairwise(records):
        if record.name == "node_started":
            yield Silence("gone", before.aligned_ns, record.aligned_ns, "not running")
    last_ns = records[-1].aligned_ns
    if end_ns - last_ns > GONE_NS:
        yield Silence("gone", last_ns, end_ns, "its recording ends here")


def _stopped(records: Sequence[FlightRecord]) -> Iterable[Silence]:
    """Tell when a process did not run."""
    for record in records:
        length_ns = record.values.get(
            {"loop_paused": "gap", "suspended": "length"}.get(record.name, "")
        )
        if isinstance(length_ns, int) and length_ns > 0:
            first_ns = max(record.aligned_ns - length_ns, records[0].aligned_ns)
            yield Silence("stopped", first_ns, record.aligned_ns, record.text)


def _hatched(silences: Sequence[Silence], span: Span, top: int) -> Iterable[str]:
    for silence in silences:
        first_ns, last_ns = max(silence.first_ns, span.first_ns), min(silence.last_ns, span.last_ns)
        x, width = span.x(first_ns), span.x(last_ns) - span.x(first_ns)
        if first_ns >= last_ns or width < 1:
            continue
        title = f"{escape(silence.text)}\nfrom {stamp(silence.first_ns)}"
        yield (
            f'<rect class="{silence.kind}" x="{x:.1f}" y="{top + BAND_AT}" width="{width:.1f}"'
            f' height="{BAND}"><title>{title}</title></rect>'
        )
        if silence.kind == "gone" and width > len(silence.text) * 7:
            at = x + width / 2
            yield f'<text class="why" x="{at:.1f}" y="{top + BAND_AT + 15}">{silence.text}</text>'


def _numbers(numbered: Sequence[tuple[int, Span]], span: Span, height: int) -> Iterable[str]:
    """Shade what is seen closely elsewhere, and lead there."""
    free_at = 0.0
    for number, part in numbered:
        x, end = span.x(part.first_ns), span.x(part.last_ns)
        link = f'<a href="#change-{number}"><title>Change {number}</title>'
        yield (
            f'{link}<rect class="change" x="{x:.1f}" y="{AXIS - 6}" width="{max(end - x, 2):.1f}"'
            f' height="{height - AXIS + 6}"/>'
        )
        at = max((x + end) / 2, free_at)
        # Where they are dense not all find room.
        if at <= (x + end) / 2 + _NUMBER_WIDTH:
            yield f'<text class="number" x="{at:.1f}" y="{AXIS + 6}">{number}</text>'
            free_at = at + _NUMBER_WIDTH
        yield "</a>"


def _axis(span: Span, height: int) -> Iterable[str]:
    step_ns = _tick_ns(span.last_ns - span.first_ns)
    at_ns = -(-span.first_ns // step_ns) * step_ns
    while at_ns <= span.last_ns:
        x = span.x(at_ns)
        yield f'<line class="grid" x1="{x:.1f}" y1="{AXIS - 6}" x2="{x:.1f}" y2="{height}"/>'
        if x < WIDTH - _LABEL_WIDTH / 2:
            yield f'<text class="time" x="{x:.1f}" y="12">{_clock(at_ns, step_ns)}</text>'
        at_ns += step_ns


def _tick_ns(length_ns: int) -> int:
    """Choose 1, 2 or 5 and zeros, so that there are not many ticks."""
    for zeros in range(len(str(length_ns))):
        for digit in (1, 2, 5):
            step_ns = digit * int(10**zeros)
            if length_ns <= _TICKS * step_ns:
                return step_ns
    return max(length_ns, 1)


def _clock(at_ns: int, step_ns: int) -> str:
    """Write the time of day as finely as the ticks need it."""
    text = stamp(at_ns).partition("T")[2].rstrip("Z")
    if step_ns >= NS_PER_S:
        return text[:8]
    return text[:12] if step_ns >= NS_PER_S // 1000 else text


def _states(pieces: Sequence[Piece], span: Span, top: int, labels: list[str]) -> Iterable[str]:
    """Draw the band: one piece for each state that has any room of its own; add its label."""
    drawn_to = 0.0
    for piece in pieces:
        first_ns, last_ns = max(piece.first_ns, span.first_ns), min(piece.last_ns, span.last_ns)
        if first_ns > last_ns:
            continue
        name = label = piece.state.name
        if piece.state is MembState.OPERATIONAL and piece.ring is not None:
            label = f"ring {ring_id_text(piece.ring)}"
        x, width = span.x(first_ns), max(span.x(last_ns) - span.x(first_ns), 0.8)
        if x + width <= drawn_to:
            continue
        drawn_to = x + width
        length_s = (piece.last_ns - piece.first_ns) / NS_PER_S
        yield (
            f'<rect class="{name.lower()}" x="{x:.1f}" y="{top + BAND_AT}" width="{width:.1f}"'
            f' height="{BAND}"><title>{name}, {label}\nfrom {stamp(piece.first_ns)}'
            f" for {length_s:.3f} s</title></rect>"
        )
        if width > _LABEL_WIDTH:
            at = x + width / 2
            kind = f"state on-{name.lower()}"
            labels.append(
                f'<text class="{kind}" x="{at:.1f}" y="{top + BAND_AT + 15}">{label}</text>'
            )


def _tokens(visits: list[FlightRecord], span: Span, rows: dict[int, int]) -> Iterable[str]:
    """Draw the way of the token, or how often it came when there are too many visits."""
    middle = TOKEN_AT + TOKEN / 2
    if len(visits) <= VISITS_MAX:
        ways: dict[object, list[FlightRecord]] = defaultdict(list)
        for visit in visits:
            ways[visit.ring].append(visit)
        for way in ways.values():
            points = (f"{span.x(v.aligned_ns):.1f},{rows[v.nodeid] + middle}" for v in way)
            yield f'<polyline class="way" points="{" ".join(points)}"/>'
        for visit in visits:
            x, y = span.x(visit.aligned_ns), rows[visit.nodeid] + middle
            yield (
                f'<circle class="visit" cx="{x:.1f}" cy="{y}" r="3"><title>'
                f"{escape(visit.text)}\n{stamp(visit.aligned_ns)}</title></circle>"
            )
        return
    counts: dict[tuple[int, int], int] = defaultdict(int)
    for visit in visits:
        counts[visit.nodeid, int(span.x(visit.aligned_ns) // COLUMN)] += 1
    most = max(counts.values())
    for (nodeid, column), count in counts.items():
        # A rest and a rush differ by more than a picture has dots.
        height = max(TOKEN * log1p(count) / log1p(most), 1.0)
        y = rows[nodeid] + TOKEN_AT + TOKEN - height
        yield (
            f'<rect class="visits" x="{column * COLUMN}" y="{y:.1f}" width="{COLUMN - 0.6}"'
            f' height="{height:.1f}"><title>{count} visits of the token</title></rect>'
        )


def _marks(records: Sequence[FlightRecord], span: Span, rows: dict[int, int]) -> Iterable[str]:
    """Draw what deserves a look; the worst when there is too much."""
    chosen: list[tuple[FlightRecord, str]] = []
    for names, kind in ((_BAD, "bad"), (_ODD, "odd"), (_TOLD, "told")):
        found = [(record, kind) for record in records if record.name in names]
        chosen += found[: MARKS_MAX - len(chosen)]
    for record, kind in reversed(chosen):
        x, y = span.x(record.aligned_ns), rows[record.nodeid] + BAND_AT - 2
        yield (
            f'<path class="{kind}" d="M{x:.1f} {y}{_SHAPES[kind]}"><title>{escape(record.text)}\n'
            f"{stamp(record.aligned_ns)}</title></path>"
        )
