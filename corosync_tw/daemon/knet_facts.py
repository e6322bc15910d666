"""
What the cfg service is told about the links of knet.

Source: Corosync exec/totemknet.c totemknet_nodestatus_get, totemknet_ifaces_get.
Deviation: IPv6 addresses are shown as they are; stock puts "%2" behind each.
"""

from collections.abc import Callable, Sequence
from typing import Final, Protocol

from corosync_tw.config.schema import Config
from corosync_tw.daemon.facts import NodeFacts
from corosync_tw.services.cfg.facts import Interface, LinkState, NodeState
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.stack import Stack

# libknet has one link to ourselves, by which our own messages come back.
LOOPBACK_LINK: Final = 0


class LinkTable(Protocol):
    """What is asked of a transport of knet."""

    def link_value(self, nodeid: int, link: int, name: str) -> int:
        """Give a number of a link by libknet's name of it; 0 for a link that is not there."""

    def reachable(self, nodeid: int) -> bool:
        """Tell whether a link to a node is up; we reach ourselves."""


class KnetFacts(NodeFacts):
    """Implements CfgFacts."""

    def __init__(
        self,
        config: Callable[[], Config],
        stack: Stack,
        store: CmapStore,
        table: LinkTable,
    ) -> None:
        """
        Answer from the links.

        :param config: asked anew each time, since a reload replaces it.
        """
        super().__init__(config, stack, store)
        self._table = table

    def interfaces(self) -> list[Interface]:
        """
        List our links, the status of each a character for each node by nodeid.

        The character is n for ourselves, else 1 for enabled and 2 for connected, added up.
        """
        config = self._config()
        return [
            Interface(
                link.linknumber,
                str(link.local_address),
                "".join(
                    self._digit(member.nodeid, link.linknumber)
                    for member in sorted(link.members, key=lambda member: member.nodeid)
                ),
            )
            for link in config.membership.links
        ]

    def node_state(self, nodeid: int) -> NodeState:
        """Describe a node; all is empty for one that is not in the nodelist."""
        if not self.node_addresses(nodeid):
            return NodeState()
        return NodeState(self._table.reachable(nodeid), links=tuple(self._links_to(nodeid)))

    def _digit(self, nodeid: int, link: int) -> str:
        if nodeid == self._config().nodeid:
            return "n"
        value = self._table.link_value
        return str(value(nodeid, link, "enabled") | value(nodeid, link, "connected") << 1)

    def _links_to(self, nodeid: int) -> Sequence[LinkState]:
        links = {link.linknumber: link for link in self._config().membership.links}
        ourselves = nodeid == self._config().nodeid
        states = []
        for number in range(max(links, default=-1) + 1):
            link = links.get(number)
            address = link and next((m.address for m in link.members if m.nodeid == nodeid), None)
            if link is None or address is None or (ourselves and number != LOOPBACK_LINK):
                states.append(LinkState())
                continue
            value = self._table.link_value
            states.append(
                LinkState(
                    enabled=bool(value(nodeid, number, "enabled")),
                    connected=bool(value(nodeid, number, "connected")),
                    mtu_bytes=value(nodeid, number, "mtu"),
                    src_address=str(link.local_address),
                    dst_address=str(address),
                )
            )
        return states
