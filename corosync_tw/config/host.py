"""
What a configuration has to be told about the machine it is for: names, addresses, users, keys.

The checks see only this record, so tests and checks for another machine need no machine.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Interface, IPv6Address, IPv6Interface

IpAddress = IPv4Address | IPv6Address
IpInterface = IPv4Interface | IPv6Interface


@dataclass(frozen=True, slots=True)
class Host:
    """
    One machine.

    :ivar name: as uname gives it.
    :ivar interfaces: addresses of the machine with their networks.
    :ivar resolve: addresses of a name or of an address in text, best first; empty when there are
        none.
    :ivar read_key: content of a key file; raises OSError.
    :ivar uid_of: number of a user; raises KeyError.
    :ivar gid_of: number of a group; raises KeyError.
    :ivar running_nodeid: of our node that runs here, 0 for none.
    :ivar may_be_ours: whether a literal address is of this machine that ``interfaces`` may lack.
    """

    name: str
    interfaces: tuple[IpInterface, ...]
    resolve: Callable[[str], Sequence[IpAddress]]
    read_key: Callable[[str], bytes]
    uid_of: Callable[[str], int]
    gid_of: Callable[[str], int]
    running_nodeid: int = 0
    may_be_ours: Callable[[str], bool] = lambda _: False

    def has_address(self, address: IpAddress) -> bool:
        """
        Tell whether datagrams to an address reach this machine.

        All addresses of a loopback network do, not only the one that the interface shows.
        """
        return any(
            address == interface.ip or (interface.ip.is_loopback and address in interface.network)
            for interface in self.interfaces
        ) or self.may_be_ours(str(address))

    def resolve_one(self, name: str, ip_version: str) -> IpAddress | None:
        """
        Return the address of a name as Corosync chooses it.

        :param ip_version: ``ipv4``, ``ipv6``, ``ipv4-6`` or ``ipv6-4``: which family, or which
            first.
        Source: corosync 3.1.10 exec/totemip.c, totemip_parse.
        """
        addresses = self.resolve(name) if name else ()
        families: tuple[int, ...]
        families = {"ipv4": (4,), "ipv6": (6,), "ipv4-6": (4, 6), "ipv6-4": (6, 4)}[ip_version]
        for family in families:
            for address in addresses:
                if address.version == family:
                    return address
        return None

    def address_in_network(self, network_address: IpAddress) -> IpAddress | None:
        """
        Return our address in the network that ``bindnetaddr`` names, an equal one first.

        Source: corosync 1.4.10 exec/totemip.c, totemip_iface_check.
        """
        if self.has_address(network_address):
            return network_address
        for interface in self.interfaces:
            if network_address in interface.network:
                return interface.ip
        return None
