"""What the UDP transports know of corosync.conf; the daemon fills it in."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from corosync_tw.net.errors import NetError
from corosync_tw.net.ifaddr import SockAddr, socket_address

# exec/totemconfig.c, totemconfig.h
MCAST_PORT: Final = 5405
TTL: Final = 1
# 255.255.255.255 stands in mcastaddr's place when broadcast is wanted.
BROADCAST_ADDRESS: Final = "255.255.255.255"


@dataclass(frozen=True, slots=True)
class UdpSettings:
    """
    One interface of one node, addresses literal.

    :ivar nodeid: ours.
    :ivar bind_address: our address; sockets stay bound to it whatever happens to the interface.
    :ivar members: address by nodeid; ours may be among them. udp works without, udpu does not.
    :ivar port: where every node listens (totem.interface.mcastport); udp sends from port - 1.
    :ivar block_unlisted_ips: udpu drops what comes from addresses that are no member's.
    :ivar ip_dscp: differentiated services code point, 0 to 63.
    :ivar mcast_address: multicast group of udp.
    :ivar broadcast: udp broadcasts instead (totem.interface.broadcast); IPv4 only.
    :ivar ttl: hops a multicast may make.
    :ivar multicast_loop: whether other nodes on this machine hear our multicasts; None: if a
        member has an address of this machine, or there is no list of members.
    :ivar offload: use GSO and GRO where the kernel has them.
    :ivar patient: start while our address is not there: one network of several may be down.
    """

    nodeid: int
    bind_address: str
    members: Mapping[int, str] = field(default_factory=dict)
    port: int = MCAST_PORT
    block_unlisted_ips: bool = True
    ip_dscp: int = 0
    mcast_address: str = ""
    broadcast: bool = False
    ttl: int = TTL
    multicast_loop: bool | None = None
    offload: bool = True
    patient: bool = False


def member_address(settings: UdpSettings, nodeid: int, address: str) -> SockAddr:
    """
    Give the socket address of a member.

    :raises NetError: it is not literal, or of another family than ours.
    """
    family, sockaddr = socket_address(address, settings.port)
    if family != socket_address(settings.bind_address, settings.port)[0]:
        raise NetError(
            address,
            settings.port,
            f"the address of node {nodeid} and our own {settings.bind_address} are not both IPv4 "
            "or both IPv6",
            "Use one family for ring0_addr of all nodes",
        )
    return sockaddr
