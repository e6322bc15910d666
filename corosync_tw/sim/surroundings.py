"""What the nodes of a run share, and what of a node its surroundings know."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Protocol

from corosync_tw.sim.clock import EventQueue
from corosync_tw.sim.hosts import Host
from corosync_tw.sim.link_checks import LinkChecks
from corosync_tw.sim.linked import Linked
from corosync_tw.sim.network import Network
from corosync_tw.sim.options import Options
from corosync_tw.sim.recorder import Recorder
from corosync_tw.sim.ring_checks import RingChecks
from corosync_tw.sim.turn_checks import TurnChecks


class Inhabitant(Protocol):
    """A node as those know it who furnish it."""

    index: int
    nodeid: int
    incarnation: int
    host: Host | None

    def local_now(self) -> int:
        """Read the node's own clock."""


@dataclass(slots=True)
class Surroundings:
    """
    What all nodes of a run share.

    :ivar networks: one, or several if the nodes have link layers.
    :ivar make_links: gives a node its link layer; None where there is but one network.
    """

    options: Options
    queue: EventQueue
    networks: list[Network]
    recorder: Recorder
    ring_checks: RingChecks
    turn_checks: TurnChecks
    link_checks: LinkChecks
    rng: Random
    make_host: Callable[[Inhabitant, int, int], Host]
    make_links: Callable[[Inhabitant], Linked | None]
    index_of: dict[int, int] = field(default_factory=dict)
