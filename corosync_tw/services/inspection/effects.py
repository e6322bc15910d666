"""What inspections ask of the daemon, and tell this node's clients."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from corosync_tw.services.effects import LocalEffect


class Answer(NamedTuple):
    """
    What a node answered.

    :ivar error: cs_error_t; with another than CS_OK ``data`` is a text that says why.
    """

    error: int
    data: bytes


@dataclass(slots=True)
class Inspect(LocalEffect):
    """
    Gather what a member asks for, and give it to ``InspectionEngine.answer``.

    :ivar asker: nodeid of the member.
    :ivar topic: a Topic, or a number of a later version.
    """

    asker: int
    request: int
    topic: int
    argument: bytes


@dataclass(slots=True)
class InspectionEnded(LocalEffect):
    """All nodes that a local client asked have answered, or have left, or were silent too long."""

    conn: int
    answers: Mapping[int, Answer]
