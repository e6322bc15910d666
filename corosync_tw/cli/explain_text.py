"""An explanation as text, and as JSON."""

import json
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any, Final

from corosync_tw.cli.explain_sources import Sources
from corosync_tw.diagnosis.finding import nodes_text
from corosync_tw.diagnosis.incidents.causes import Cause
from corosync_tw.diagnosis.incidents.explaining import Explanation
from corosync_tw.logsys.flight.record import FlightRecord, stamp
from corosync_tw.logsys.traces import ring_id_text

_WIDTH: Final = 100
# Of a record in words: one line, be it that of a daemon that gives up with a traceback.
_RECORD_LEN_CHARS_MAX: Final = 300
_CAUSE_LEN_CHARS_MAX: Final = 500


def as_text(told: Explanation, sources: Sources) -> str:
    """Lay an explanation out for a person."""
    lines = list(_heading(told))
    for nodeid, causes in told.left.items():
        lines += ["", f"Why node {nodeid} left:", *_causes(causes)]
    for nodeid, causes in told.joined.items():
        lines += ["", f"Why node {nodeid} joined:", *_causes(causes)]
    for nodeid, causes in told.out.items():
        lines += ["", f"Why node {nodeid} is {_where(told)}:", *_causes(causes)]
    if told.again:
        lines += ["", "Why the ring formed:", *_causes(told.again)]
    if told.beside:
        lines += ["", "What else happened:", *_causes(told.beside)]
    elif told.change is None and not told.out:
        lines.append("Nor was a pause, a step of a clock or a slow disk recorded then.")
    lines += ["", f"Recordings: {nodes_text(tuple(sources.nodeids))}."]
    without = _without(told, sources)
    if without:
        lines.append(f"Without that of {nodes_text(tuple(without))}.")
    return "\n".join(lines)


def _where(told: Explanation) -> str:
    return "not in a ring with others" if told.change is None else "not back"


def _heading(told: Explanation) -> Iterator[str]:
    change = told.change
    if change is None:
        for nodeid in told.out:
            yield f"Node {nodeid} was in no ring with others that is recorded."
            return
        yield "No membership changed within a minute of that time."
        return
    step = change.main
    record = step.installed
    yield (
        f"Ring {ring_id_text(change.ring)} was installed at {stamp(record.time_ns)}"
        f" by the clock of node {record.nodeid}: {nodes_text(step.members)}."
    )
    if step.old_ring is not None:
        sought_ms = (record.aligned_ns - change.began_ns) // 1_000_000
        yield f"The ring before was {ring_id_text(step.old_ring)}; the change took {sought_ms} ms."


def _causes(causes: Sequence[Cause]) -> Iterator[str]:
    for cause in causes:
        text = textwrap.shorten(cause.text.rstrip("."), _CAUSE_LEN_CHARS_MAX, placeholder=" ...")
        yield from _wrapped(f"{cause.confidence.value}: {text}.", "  ")
        for record in cause.evidence:
            text = textwrap.shorten(record.text, _RECORD_LEN_CHARS_MAX, placeholder=" ...")
            yield f"    node {record.nodeid}  {stamp(record.time_ns)}  {text}"
        if cause.remedy:
            yield from _wrapped(f"To do: {cause.remedy}.", "  ")


def _wrapped(text: str, indent: str) -> list[str]:
    return textwrap.wrap(
        text, _WIDTH, initial_indent=indent, subsequent_indent=indent, break_on_hyphens=False
    )


def _without(told: Explanation, sources: Sources) -> list[int]:
    """Name nodes that had part in it and whose recordings are missing."""
    if told.change is None:
        return []
    step = told.change.main
    return sorted({*step.members, *step.left, *step.joined} - set(sources.nodeids))


def as_json(told: Explanation, sources: Sources) -> str:
    """Make one JSON object of an explanation."""
    change = told.change
    ring: dict[str, Any] = {"ring": None, "old_ring": None, "time": None, "members": []}
    if change is not None:
        step = change.main
        ring = {
            "ring": ring_id_text(change.ring),
            "old_ring": None if step.old_ring is None else ring_id_text(step.old_ring),
            "time": stamp(step.installed.time_ns),
            "clock_of": step.installed.nodeid,
            "members": list(step.members),
        }
    return json.dumps(
        {
            **ring,
            "left": [_cause(cause) for causes in told.left.values() for cause in causes],
            "joined": [_cause(cause) for causes in told.joined.values() for cause in causes],
            "out": [_cause(cause) for causes in told.out.values() for cause in causes],
            "formed_anew": [_cause(cause) for cause in told.again],
            "beside": [_cause(cause) for cause in told.beside],
            "recordings": sources.nodeids,
            "without": _without(told, sources),
        }
    )


def _cause(cause: Cause) -> dict[str, Any]:
    return {
        "node": cause.nodeid,
        "cause": cause.name,
        "confidence": cause.confidence.value,
        "text": cause.text,
        "evidence": [_evidence(record) for record in cause.evidence],
        "remedy": cause.remedy,
    }


def _evidence(record: FlightRecord) -> dict[str, Any]:
    return {
        "node": record.nodeid,
        "time": stamp(record.time_ns),
        "event": record.name,
        "text": record.text,
    }
