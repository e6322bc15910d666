"""One thing that a diagnosis found, and what to do about it."""

from dataclasses import dataclass
from enum import IntEnum


class Severity(IntEnum):
    """How bad it is."""

    NOTE = 0
    WARNING = 1
    FAULT = 2


@dataclass(frozen=True, slots=True)
class Finding:
    """
    :ivar nodeids: whom it concerns; empty for the cluster.
    :ivar text: what is wrong, with the evidence.
    :ivar remedy: what to do; empty for notes.
    """

    severity: Severity
    nodeids: tuple[int, ...]
    text: str
    remedy: str = ""


def nodes_text(nodeids: tuple[int, ...]) -> str:
    """Name nodes: ``node 3``, ``nodes 1, 2``; ``cluster`` for none."""
    if not nodeids:
        return "cluster"
    return f"node{'s' * (len(nodeids) > 1)} {', '.join(map(str, nodeids))}"
