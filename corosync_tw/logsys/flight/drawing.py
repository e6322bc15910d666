"""
A page for a browser: a timeline of all nodes, and each change of membership seen closely.

One file without scripts and without anything from elsewhere; what is recorded is text in it, never
markup.
"""

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from typing import Final, NamedTuple

from corosync_tw.corotypes import NS_PER_S, RingId
from corosync_tw.logsys.flight.chart import Span, Timeline
from corosync_tw.logsys.flight.episodes import FREQUENT, Episode, find_episodes
from corosync_tw.logsys.flight.record import FlightRecord, stamp
from corosync_tw.logsys.traces import ring_id_text

EPISODES_MAX: Final = 60
ROWS_MAX: Final = 300
_EVENTS_MAX: Final = 2000
# What is shown on either side of an episode, as a share of it and at least.
_MARGIN: Final = 0.15
_MARGIN_NS_MIN: Final = 20_000_000

_STYLE: Final = """
:root { color-scheme: light dark; --ink: #1c2330; --soft: #6b7485; --line: #d9dee7; --page: #fff;
  --operational: #1d8468; --gather: #e69f00; --commit: #a3588a; --recovery: #2a70b8;
  --idle: #8b94a3; --bad: #c1121f; --odd: #9a5b00; --told: #5f6b7d; --token: #2a70b8;
  --change: #eef1f6; --onband: #fff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e6e9ef; --soft: #98a1b1; --line: #333b48;
  --page: #151a21; --operational: #1f7d65; --gather: #b57f0a; --commit: #95517f;
  --recovery: #3a70a8; --idle: #59616e; --bad: #ff6b74; --odd: #f0b04a; --told: #a9b3c2;
  --token: #6aa9e9; --change: #222a35; } }
body { font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--page);
  max-width: 1240px; margin: 0 auto; padding: 18px; }
h1 { font-size: 21px; margin: 0 0 2px; } h2 { font-size: 17px; margin: 28px 0 6px; }
p { margin: 4px 0; color: var(--soft); }
svg { width: 100%; height: auto; display: block; margin: 8px 0; }
svg text { font: 12px system-ui, sans-serif; fill: var(--ink); }
svg .node { font-weight: 600; } svg .time { fill: var(--soft); text-anchor: middle; }
svg .state { fill: var(--onband); text-anchor: middle; font-weight: 600; }
svg .why { fill: var(--soft); text-anchor: middle; } svg .number { fill: var(--soft);
  text-anchor: middle; font-size: 11px; } svg .state { paint-order: stroke;
  stroke: rgba(0,0,0,.4); stroke-width: 2px; } svg .on-gather { fill: #1c2330; stroke: none; }
.change { fill: var(--change); } a:hover .change { fill: var(--line); }
.gone { fill: none; stroke: var(--soft); stroke-dasharray: 4 3; }
.stopped { fill: url(#hatch); } .patterns { position: absolute; width: 0; height: 0; margin: 0; }
.grid { stroke: var(--line); } .way { fill: none; stroke: var(--token); stroke-opacity: .45; }
.visit, .visits { fill: var(--token); }
.operational { fill: var(--operational); } .gather { fill: var(--gather); }
.commit { fill: var(--commit); } .recovery { fill: var(--recovery); } .idle { fill: var(--idle); }
.bad { fill: var(--bad); } .odd { fill: var(--odd); } .told { fill: var(--told); }
.legend { display: flex; flex-wrap: wrap; gap: 6px 18px; color: var(--soft); font-size: 13px; }
.legend svg { display: inline-block; width: 14px; height: 12px; margin: 0 5px 0 0; }
details { border-top: 1px solid var(--line); padding: 8px 0; } summary { cursor: pointer; }
summary b { font-weight: 600; } .scroll { overflow-x: auto; }
table { border-collapse: collapse; font-size: 13px; } td, th { text-align: left;
  padding: 2px 14px 2px 0; vertical-align: top; } th { color: var(--soft); font-weight: 500; }
td:first-child, td:nth-child(2) { font-variant-numeric: tabular-nums; white-space: nowrap; }
tr.bad td { color: var(--bad); } tr.bad td:last-child { font-weight: 600; }
.cause { color: var(--ink); margin: 6px 0 0 16px; } .cause b { font-weight: 600; }
.cause i { color: var(--soft); } .drawn { overflow-x: auto; } .drawn svg { min-width: 760px; }
"""
_LEGEND: Final = (
    *(("rect", name, name.upper()) for name in ("operational", "gather", "commit", "recovery")),
    ("rect", "idle", "IDLE"),
    ("hatched", "stopped", "did not run"),
    ("rect", "gone", "no recording"),
    ("bad", "bad", "loss or fault"),
    ("odd", "odd", "pause, delay, remark"),
    ("told", "told", "other event"),
    ("dot", "visit", "the token is here"),
)
_SHAPES: Final = {
    "rect": '<rect class="{}" width="14" height="12"/>',
    "bad": '<path class="{}" d="M7 12l-6 -11h12z"/>',
    "odd": '<path class="{}" d="M7 11l-5 -5l5 -5l5 5z"/>',
    "told": '<path class="{}" d="M5 11v-8h4v8z"/>',
    "hatched": '<path class="idle" d="M0 0h14v12h-14z"/><rect class="{}" width="14" height="12"/>',
    "dot": '<circle class="{}" cx="7" cy="6" r="4"/>',
}
_PATTERNS: Final = (
    '<svg class="patterns" aria-hidden="true"><defs><pattern id="hatch" width="6" height="6"'
    ' patternUnits="userSpaceOnUse" patternTransform="rotate(45)"><rect width="3" height="6"'
    ' fill="#000" fill-opacity=".45"/></pattern></defs></svg>'
)
# Of clients that come and go all the time; the table of all events has them.
_BESIDE: Final = frozenset(
    {"client_connected", "client_gone", "program_connected", "program_gone", "kept"}
)
_BAD_ROWS: Final = frozenset({"token_lost", "left_without_leave", "node_failed", "ring_faulty"})


class Told(NamedTuple):
    """A cause in words; ``remedy`` may be empty."""

    what: str
    confidence: str
    text: str
    remedy: str = ""


def draw(
    records: Sequence[FlightRecord], causes: Mapping[RingId, Sequence[Told]] | None = None
) -> str:
    """
    Make the page of a timeline as ``merge`` gives it.

    :param causes: why a ring was installed, by its name, as far as anybody knows.
    """
    if not records:
        return _page("Nothing recorded", "<h1>Nothing recorded</h1><p>No record was chosen.</p>")
    timeline = Timeline(records)
    whole = timeline.whole
    nodes = " ".join(str(nodeid) for nodeid in sorted({record.nodeid for record in records}))
    title = f"Flight recorder, nodes {nodes}"
    length_s = (whole.last_ns - whole.first_ns) / NS_PER_S
    about = f"{stamp(whole.first_ns)} to {stamp(whole.last_ns)} (UTC), {length_s:.1f} s"
    episodes = find_episodes(records)
    first = max(len(episodes) - EPISODES_MAX, 0)
    numbered = [
        (number, Span(episode.began_ns, episode.ended_ns))
        for number, episode in enumerate(episodes[first:], first + 1)
    ]
    parts = [
        f"<h1>{title}</h1>",
        f"<p>{about}, {len(records)} records. Point at a shape to read it.</p>",
        _PATTERNS,
        _legend(),
        _drawn(timeline.draw(whole, numbered)),
        *_episodes(episodes, timeline, causes or {}),
        "<h2>All events but visits of the token</h2>",
        _table([record for record in records if record.name not in FREQUENT], _EVENTS_MAX),
    ]
    return _page(title, "\n".join(parts))


def _page(title: str, body: str) -> str:
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{_STYLE}</style></head>\n"
        f"<body>\n{body}\n</body></html>\n"
    )


def _legend() -> str:
    entries = (
        f'<span><svg viewBox="0 0 14 12">{_SHAPES[shape].format(kind)}</svg>{text}</span>'
        for shape, kind, text in _LEGEND
    )
    return f'<div class="legend">{"".join(entries)}</div>'


def _drawn(svg: str) -> str:
    return f'<div class="drawn">{svg}</div>'


def _episodes(
    found: Sequence[Episode], timeline: Timeline, causes: Mapping[RingId, Sequence[Told]]
) -> Iterable[str]:
    shown = found[-EPISODES_MAX:]
    yield f"<h2>Changes of membership ({len(found)})</h2>"
    if len(shown) < len(found):
        yield f"<p>The last {len(shown)} are shown.</p>"
    for number, episode in enumerate(shown, len(found) - len(shown) + 1):
        margin_ns = int((episode.ended_ns - episode.began_ns) * _MARGIN) + _MARGIN_NS_MIN
        span = Span(episode.began_ns - margin_ns, episode.ended_ns + margin_ns)
        rows = [record for record in episode.records if record.name not in _BESIDE]
        yield (
            f'<details open id="change-{number}"><summary>{_summary(number, episode)}</summary>\n'
            f"{_causes(episode, causes)}{_drawn(timeline.draw(span))}\n"
            f"<details><summary>{len(rows)} events</summary>{_table(rows, ROWS_MAX)}</details>"
            "</details>"
        )


def _causes(episode: Episode, causes: Mapping[RingId, Sequence[Told]]) -> str:
    # A part that split off sees all others leave: of its ring nothing is told beside the main one.
    told: Sequence[Told] = next((causes[ring] for ring in _rings(episode) if ring in causes), ())
    return "\n".join(
        f'<p class="cause"><b>{escape(cause.what)}</b>: {escape(cause.text)}.'
        f" <i>({escape(cause.confidence)})</i>"
        + (f" To do: {escape(cause.remedy)}." if cause.remedy else "")
        + "</p>"
        for cause in told
    )


def _rings(episode: Episode) -> list[RingId]:
    """Give the rings of an episode, the main one first."""
    return sorted(episode.rings, key=lambda ring: ring != episode.main_ring)


def _summary(number: int, episode: Episode) -> str:
    length_s = (episode.ended_ns - episode.began_ns) / NS_PER_S
    words = [f"<b>{number}. {stamp(episode.began_ns)}</b>, {length_s:.3f} s"]
    if episode.left:
        words.append(f"left: {' '.join(map(str, episode.left))}")
    if episode.joined:
        words.append(f"joined: {' '.join(map(str, episode.joined))}")
    rings = ", ".join(ring_id_text(ring) for ring in _rings(episode))
    words.append(f"ring {rings}" if rings else "no ring was installed")
    if not episode.settled:
        words.append("a recording ends in it")
    return "; ".join(words)


def _table(records: Sequence[FlightRecord], rows_max: int) -> str:
    rows = [
        f"<tr{_row_class(record)}><td>{stamp(record.aligned_ns).partition('T')[2] or '-'}</td>"
        f"<td>{record.nodeid}</td><td>{escape(record.subsys)}</td><td>{escape(record.text)}</td></tr>"
        for record in records[-rows_max:]
    ]
    left_out = len(records) - len(rows)
    note = f"<p>{left_out} earlier ones are left out.</p>" if left_out else ""
    head = "<tr><th>time (UTC)</th><th>node</th><th>subsystem</th><th>event</th></tr>"
    return f'{note}<div class="scroll"><table>{head}{"".join(rows)}</table></div>'


def _row_class(record: FlightRecord) -> str:
    return ' class="bad"' if record.name in _BAD_ROWS else ""
