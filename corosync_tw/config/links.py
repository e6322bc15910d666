"""Links and the nodes on them, all names resolved: what transports and services start from."""

from dataclasses import dataclass
from typing import Final

from corosync_tw.config.host import IpAddress

LINKS_MAX: Final = 8
PORT_DEFAULT: Final = 5405


@dataclass(frozen=True, slots=True)
class Member:
    """A node as one link sees it; ``nodeid`` is never 0."""

    nodeid: int
    address: IpAddress
    name: str


@dataclass(frozen=True, slots=True)
class Link:
    """
    One link.

    :ivar local_address: ours, to bind to.
    :ivar members: all nodes in the order of the file, ourselves among them; empty where only
        multicast knows who is there.
    :ivar mcast_address: group of udp, 255.255.255.255 for broadcast; None for udpu and knet.
    :ivar port: of the peers and ours.
    :ivar ttl: of multicasts.
    """

    linknumber: int
    local_address: IpAddress
    members: tuple[Member, ...]
    mcast_address: IpAddress | None
    broadcast: bool
    port: int
    ttl: int


@dataclass(frozen=True, slots=True)
class Membership:
    """
    Who the file says is in the cluster.

    :ivar local_position: ours in the nodelist, from 0; None without a nodelist.
    :ivar links: by link number; udp and udpu have one.
    """

    local_nodeid: int
    local_position: int | None
    links: tuple[Link, ...]
