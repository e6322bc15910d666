"""
What the cfg service is told about this node's links, on udp and udpu.

Source: Corosync exec/totemsrp.c totemsrp_ifaces_get, totemsrp_nodestatus_get; exec/totemudpu.c
totemudpu_ifaces_get, totemudpu_nodestatus_get; exec/cfg.c DEFAULT_SHUTDOWN_TIMEOUT.
"""

from collections.abc import Callable
from typing import Final

from corosync_tw.config.schema import Config
from corosync_tw.net.interfaces import NetEvent, NetEventKind
from corosync_tw.services.cfg.engine import SHUTDOWN_TIMEOUT_MS
from corosync_tw.services.cfg.facts import Interface, IpAddress, LinkState, NodeState
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.cmap.wire import ValueType
from corosync_tw.services.stack import Stack

SHUTDOWN_TIMEOUT_KEY: Final = "cfg.shutdown_timeout"
# Stock shows what is left of netmtu after two of its message headers (totemsrp_net_mtu_adjust).
NETMTU_BYTES: Final = 1500
HEADERS_LEN_BYTES: Final = 90


class NodeFacts:
    """
    Implements CfgFacts.

    :param config: asked anew each time, since a reload replaces it.
    :ivar interface_up: whether our network interface is there, as the transport last said.
    """

    def __init__(self, config: Callable[[], Config], stack: Stack, store: CmapStore) -> None:
        self._config = config
        self._stack = stack
        self._store = store
        self.interface_up = True

    def net_event(self, event: NetEvent) -> None:
        """Follow the interface."""
        if event.kind in {NetEventKind.INTERFACE_DOWN, NetEventKind.INTERFACE_UP}:
            self.interface_up = event.kind is NetEventKind.INTERFACE_UP

    def interfaces(self) -> list[Interface]:
        """List our own interfaces; on udp and udpu they are always OK."""
        config = self._config()
        return [
            Interface(link.linknumber, str(member.address), "OK")
            for link in config.membership.links
            for member in link.members
            if member.nodeid == config.nodeid
        ]

    def node_addresses(self, nodeid: int) -> list[IpAddress]:
        """List a node's addresses."""
        return [
            member.address
            for link in self._config().membership.links
            for member in link.members
            if member.nodeid == nodeid
        ]

    def node_state(self, nodeid: int) -> NodeState:
        """Describe a node; reachable is who is in the ring."""
        reachable = nodeid in self._stack.members
        mtu_bytes = (self._config().totem.netmtu_bytes or NETMTU_BYTES) - HEADERS_LEN_BYTES
        links = tuple(
            LinkState(self.interface_up, reachable, mtu_bytes=mtu_bytes, src_address=str(address))
            for address in self.node_addresses(nodeid)
        )
        return NodeState(reachable, links=links)

    def redundant(self) -> bool:
        """Tell whether there are redundant rings."""
        return False

    def shutdown_timeout_ms(self) -> int:
        """Tell how long clients may think about a shutdown."""
        value = self._store.find(SHUTDOWN_TIMEOUT_KEY)
        if value is None or value.kind is not ValueType.UINT32:
            return SHUTDOWN_TIMEOUT_MS
        return int(value.value)
