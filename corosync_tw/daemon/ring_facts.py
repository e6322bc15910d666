"""
What the cfg service is told about redundant rings.

Source: corosync 1.4.10 exec/totemrrp.c, totemrrp_ifaces_get.
"""

from dataclasses import replace
from typing import Protocol

from corosync_tw.config.schema import Config
from corosync_tw.daemon.carriage import GiveConfig
from corosync_tw.daemon.facts import NodeFacts
from corosync_tw.services.cfg.facts import Interface, NodeState
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.stack import Stack


class Rings(Protocol):
    """
    What is asked of the carriage.

    :ivar statuses: of each ring, in 1.x's words.
    """

    statuses: list[str]

    def in_use(self, number: int) -> bool:
        """Tell whether a ring works as far as we know."""


class RingFacts(NodeFacts):
    """Implements CfgFacts: a link is connected while its ring is not faulty."""

    def __init__(self, config: GiveConfig, stack: Stack, store: CmapStore, rings: Rings) -> None:
        super().__init__(config, stack, store)
        self._give_config = config
        self._rings = rings

    def interfaces(self) -> list[Interface]:
        """List our own interfaces with what 1.x says of their rings."""
        config: Config = self._give_config()
        return [
            Interface(link.linknumber, str(link.local_address), status)
            for link, status in zip(config.membership.links, self._rings.statuses, strict=True)
        ]

    def node_state(self, nodeid: int) -> NodeState:
        """Describe a node; its links are connected while it is in the ring and they are used."""
        state = super().node_state(nodeid)
        links = (
            replace(
                link,
                enabled=True,
                connected=link.connected and self._rings.in_use(number),
            )
            for number, link in enumerate(state.links)
        )
        return replace(state, links=tuple(links))

    def redundant(self) -> bool:
        """Tell that there are redundant rings."""
        return True
