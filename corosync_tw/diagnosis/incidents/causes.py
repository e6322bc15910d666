"""One cause that was found, and what speaks for it."""

from dataclasses import dataclass
from enum import Enum
from typing import Final

from corosync_tw.logsys.flight.record import FlightRecord

EVIDENCE_MAX: Final = 8


class Confidence(Enum):
    """How sure a cause is."""

    CERTAIN = "certain"  # a record says so
    LIKELY = "likely"  # records fit it, and other causes less
    UNKNOWN = "unknown"  # no recording tells


@dataclass(frozen=True, slots=True)
class Cause:
    """
    Why a node left, joined, or a ring formed.

    :ivar name: a stable word, for programs.
    :ivar nodeid: whom it is about.
    :ivar evidence: records by time, EVIDENCE_MAX at most.
    :ivar remedy: what to do; empty when there is nothing to do.
    """

    name: str
    confidence: Confidence
    nodeid: int
    text: str
    evidence: tuple[FlightRecord, ...] = ()
    remedy: str = ""


def certain(
    name: str, nodeid: int, text: str, evidence: list[FlightRecord], remedy: str = ""
) -> Cause:
    """Make a cause that a record proves."""
    return Cause(name, Confidence.CERTAIN, nodeid, text, _chosen(evidence), remedy)


def likely(
    name: str, nodeid: int, text: str, evidence: list[FlightRecord], remedy: str = ""
) -> Cause:
    """Make a cause that records fit."""
    return Cause(name, Confidence.LIKELY, nodeid, text, _chosen(evidence), remedy)


def _chosen(evidence: list[FlightRecord]) -> tuple[FlightRecord, ...]:
    ordered = sorted(evidence, key=lambda record: record.aligned_ns)
    if len(ordered) > EVIDENCE_MAX:
        half = EVIDENCE_MAX // 2
        ordered = ordered[:half] + ordered[-half:]
    return tuple(ordered)
