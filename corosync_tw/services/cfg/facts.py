"""What the cfg service has to be told about the node's links, by the daemon."""

from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address
from typing import Protocol

IpAddress = IPv4Address | IPv6Address


@dataclass(frozen=True, slots=True)
class Interface:
    """
    One of our own interfaces (corosync_cfg_ring_status_get).

    :ivar number: of the link.
    :ivar status: as Corosync words it; "OK" on udp and udpu.
    """

    number: int
    address: str
    status: str


@dataclass(frozen=True, slots=True)
class LinkState:
    """
    A link to another node (cfg.h, struct corosync_knet_link_status_v1).

    :ivar enabled: configured and up on our side.
    :ivar connected: data passes, as we see it.
    :ivar dynconnected: the other end made itself known by a dynamic address.
    :ivar mtu_bytes: found out for it.
    :ivar src_address: text; on udp and udpu the other node's address.
    :ivar dst_address: text; empty on udp and udpu.
    """

    enabled: bool = False
    connected: bool = False
    dynconnected: bool = False
    mtu_bytes: int = 0
    src_address: str = ""
    dst_address: str = ""


@dataclass(frozen=True, slots=True)
class NodeState:
    """
    A node as we see it (cfg.h, struct corosync_cfg_node_status_v1); the wire versions are knet's.

    :ivar links: by link number, from 0, at most CFG_MAX_LINKS.
    """

    reachable: bool = False
    remote: bool = False
    external: bool = False
    onwire_min: int = 0
    onwire_max: int = 0
    onwire_ver: int = 0
    links: tuple[LinkState, ...] = ()


class CfgFacts(Protocol):
    """The daemon's answers."""

    def interfaces(self) -> Sequence[Interface]:
        """List our own interfaces, by link number."""

    def node_addresses(self, nodeid: int) -> Sequence[IpAddress]:
        """List a node's addresses, by link number; none when the node is not configured."""

    def node_state(self, nodeid: int) -> NodeState:
        """Describe a node; a node that is not configured has no links."""

    def redundant(self) -> bool:
        """Tell whether there are redundant rings (totem.rrp_mode)."""

    def shutdown_timeout_ms(self) -> int:
        """Tell how long clients may think about a shutdown (cmap key cfg.shutdown_timeout)."""
