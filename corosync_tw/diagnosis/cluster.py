"""A cluster as one node's administrator sees it: the ring, what members told, who is missing."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum

from corosync_tw.diagnosis.facts import Facts
from corosync_tw.errors import CsError


class Reach(Enum):
    """What came back from the port of a node that is not in the ring."""

    NOTHING = "nothing"
    PORT_CLOSED = "port closed"
    NO_HOST = "no host"
    NO_ROUTE = "no route"


@dataclass(frozen=True, slots=True)
class Outsider:
    """
    A configured node that is not in our ring.

    :ivar reached: by address.
    """

    nodeid: int
    reached: Mapping[str, Reach]


@dataclass(frozen=True, slots=True)
class Cluster:
    """
    :ivar nodeid: of the node that asked.
    :ivar facts: of each member that told.
    :ivar silent: why a member did not tell.
    :ivar bad_links: pairs of the nodeid that speaks and the one that is deaf to it.
    :ivar asked_ns: our wall clock before the question, ``answered_ns`` after the last answer.
    """

    nodeid: int
    facts: Mapping[int, Facts]
    silent: Mapping[int, CsError]
    outsiders: tuple[Outsider, ...]
    bad_links: tuple[tuple[int, int], ...]
    asked_ns: int
    answered_ns: int

    @property
    def own(self) -> Facts:
        """What our own node told."""
        return self.facts[self.nodeid]
