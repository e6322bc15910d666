"""The run as text: what all nodes did around a moment, merged in the order in which it happened."""

from collections.abc import Iterable, Iterator
from itertools import groupby
from typing import Any, Final

from corosync_tw.sim.history import Conf
from corosync_tw.sim.recorder import TimelineEntry
from corosync_tw.totem.const import GatherFrom, MembState
from corosync_tw.totem.trace import TraceCode

LINES_BEFORE: Final = 120
LINES_AFTER: Final = 15


def render(entries: Iterable[TimelineEntry], around_ns: int) -> str:
    """Show the entries before and shortly after a moment."""
    lines = list(_lines(entries))
    after = next((i for i, (time_ns, _) in enumerate(lines) if time_ns > around_ns), len(lines))
    shown = lines[max(0, after - LINES_BEFORE) : after + LINES_AFTER]
    return "\n".join(text for _, text in shown)


def _lines(entries: Iterable[TimelineEntry]) -> Iterator[tuple[int, str]]:
    """One line an entry; a node's token visits in a row become one line."""
    for quiet, group in groupby(entries, key=_is_token):
        if not quiet:
            for entry in group:
                yield entry[0], _line(entry)
            continue
        visits: dict[int, list[TimelineEntry]] = {}
        for entry in group:
            visits.setdefault(entry[1], []).append(entry)
        for nodeid, rows in visits.items():
            last = rows[-1]
            text = f"token x{len(rows)}, last {_values(last[3][1])}"
            yield last[0], _prefix(last[0], nodeid) + text


def _is_token(entry: TimelineEntry) -> bool:
    return entry[2] == "trace" and entry[3][0] == TraceCode.TOKEN_RECEIVED


def _prefix(time_ns: int, nodeid: int) -> str:
    who = f"node {nodeid}" if nodeid else "world"
    return f"{time_ns / 1e9:12.6f}  {who:8}  "


def _line(entry: TimelineEntry) -> str:
    time_ns, nodeid, kind, values = entry
    return _prefix(time_ns, nodeid) + _text(kind, values)


def _text(kind: str, values: tuple[Any, ...]) -> str:
    if kind == "trace":
        return _trace(values[0], values[1])
    if kind == "conf":
        conf: Conf = values[0]
        old = f" from {_ring(conf.old_ring_id)}"
        lists = f"members {conf.members} left {conf.left} joined {conf.joined}"
        return f"{conf.kind.name} {_ring(conf.ring_id)}{old} {lists}"
    if kind == "deliver":
        return f"deliver {_ring(values[0])} {values[1]}..{values[2]}"
    return f"{kind} {_values(values)}"


def _ring(ring_id: tuple[int, int]) -> str:
    return f"{ring_id[0]:x}.{ring_id[1]:x}"


def _trace(code: int, values: tuple[int, ...]) -> str:
    name = TraceCode(code).name
    if code == TraceCode.STATE_ENTERED:
        reason = ""
        if values[1] == MembState.GATHER:
            reason = f" ({GatherFrom(values[2]).name})"
        return f"{MembState(values[0]).name} -> {MembState(values[1]).name}{reason}"
    return f"{name} {_values(values)}"


def _values(values: tuple[Any, ...]) -> str:
    return " ".join(map(str, values))
