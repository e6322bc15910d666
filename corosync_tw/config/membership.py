"""
Who is in the cluster, which of them are we, and by which addresses: names resolved, contradictions
named.

Source: corosync 3.1.10 exec/totemconfig.c: find_local_node, put_nodelist_members_to_config,
get_interface_params, totem_config_validate; corosync 1.4.10 exec/totemip.c for files without a
nodelist.
"""

from ipaddress import IPv4Address
from typing import Final

from corosync_tw.config.host import Host, IpAddress
from corosync_tw.config.links import PORT_DEFAULT, Link, Member, Membership
from corosync_tw.config.local_node import find_local_node
from corosync_tw.config.mcast_address import choose_mcast_address
from corosync_tw.config.report import Report
from corosync_tw.config.ring_members import check_same_members
from corosync_tw.config.schema import Sections
from corosync_tw.config.schema_totem import InterfaceConfig, NodeConfig
from corosync_tw.corotypes import PROCESSOR_COUNT_MAX

KNET_NODEID_MAX: Final = 65535
# A resolver that does not answer takes seconds for every name; after so many it is not asked again.
UNRESOLVED_MAX: Final = 8


def ip_version_of(sections: Sections) -> str:
    """Return which address family names resolve to."""
    default = "ipv4" if sections.transport() == "udp" else "ipv6-4"
    return sections.totem.ip_version or default


def make_membership(
    sections: Sections, host: Host, report: Report, wanted: str | None = None
) -> Membership | None:
    """
    Resolve the nodes and links of a configuration.

    :param wanted: name or node id of the node that we are; None finds out.

    Faults go to ``report``; None when there is too little left to go on with.
    """
    builder = _Builder(sections, host, report)
    if len(sections.nodelist) > PROCESSOR_COUNT_MAX:
        report.fault(
            sections.nodelist[PROCESSOR_COUNT_MAX],
            "",
            f"is one of {len(sections.nodelist)} nodes, at most {PROCESSOR_COUNT_MAX} are possible",
        )
        return None
    if sections.nodelist:
        return builder.from_nodelist(wanted)
    if sections.is_legacy():
        return builder.from_interface()
    report.fault(
        sections.totem,
        "",
        'No interfaces defined, write a nodelist with a "node { ring0_addr: ... }" for each node',
    )
    return None


class _Builder:
    """One run of resolving, with what every step needs."""

    def __init__(self, sections: Sections, host: Host, report: Report) -> None:
        self.sections = sections
        self.host = host
        self.report = report
        self.transport = sections.transport()
        self.ip_version = ip_version_of(sections)
        self.unresolved_count = 0
        self.interfaces = {i.linknumber: i for i in sections.totem.interfaces}

    def from_nodelist(self, wanted: str | None) -> Membership | None:
        """Make the membership of a 3.x file."""
        nodes = self.sections.nodelist
        on_links: dict[int, list[tuple[Member, NodeConfig]]] = {}
        nodeids: list[int] = []
        for node in nodes:
            addresses = {
                number: self._resolve(node, f"ring{number}_addr", text)
                for number, text in node.ring_addrs
            }
            if self.unresolved_count >= UNRESOLVED_MAX:
                self.report.fault(
                    node,
                    "",
                    f"{UNRESOLVED_MAX} addresses do not resolve, the rest was not tried; does the "
                    "resolver work?",
                )
                return None
            nodeids.append(self._nodeid(node, addresses.get(0)))
            for number, address in addresses.items():
                on_link = on_links.setdefault(number, [])
                if address is not None:
                    name = node.name or dict(node.ring_addrs)[number]
                    on_link.append((Member(nodeids[-1], address, name), node))
        numbers = self._configured_links(set(on_links))
        self._check_nodes(numbers)
        self._check_nodeids(nodeids)
        for number, on_link in on_links.items():
            self._check_link(number, on_link)
        self._warn_of_ignored_interface_keys()
        position = find_local_node(self.sections, self.host, self.ip_version, self.report, wanted)
        if position is None or not numbers:
            return None
        local = nodes[position]
        links: list[Link] = []
        for number in sorted(numbers):
            own = dict(local.ring_addrs).get(number, "")
            address = self.host.resolve_one(own, self.ip_version)
            if address is not None:
                members = tuple(member for member, _ in on_links.get(number, ()))
                links.append(self._link(number, address, members))
        return Membership(nodeids[position], position, tuple(links))

    def from_interface(self) -> Membership | None:
        """Make the membership of a 1.x file: its rings, with the members they list, if any."""
        numbers = sorted(self.interfaces) if self.sections.is_redundant() else [0]
        rings = {number: self._ring(number) for number in numbers or [0]}
        addresses = {number: ring[0] for number, ring in rings.items() if ring is not None}
        if len(addresses) < len(rings) or 0 not in addresses:
            return None
        totem = self.sections.totem
        nodeid = totem.nodeid or self._id_of(addresses[0])
        if not nodeid:
            self.report.fault(
                totem, "nodeid", "An IPV6 network requires that a node ID be specified"
            )
        listed = {number: ring[1] for number, ring in rings.items() if ring is not None}
        check_same_members(self.interfaces, addresses, listed, self.report)
        nodeids = [nodeid if a == addresses[0] else self._id_of(a) for a, _ in listed[0]]
        links = tuple(
            self._link(
                number,
                addresses[number],
                tuple(
                    Member(member_id, address, text)
                    for member_id, (address, text) in zip(nodeids, listed[number], strict=False)
                ),
            )
            for number in numbers
        )
        return Membership(nodeid, None, links)

    def _ring(self, number: int) -> tuple[IpAddress, list[tuple[IpAddress, str]]] | None:
        """Give our address on a ring of a 1.x file, and address and text of each member."""
        interface = self.interfaces.get(number)
        if interface is None or interface.bindnetaddr is None:
            self.report.fault(
                interface or self.sections.totem,
                "interface" if interface is None else "bindnetaddr",
                f"ring {number} has no bindnetaddr, write its network",
            )
            return None
        network = self._resolve(interface, "bindnetaddr", interface.bindnetaddr)
        if network is None:
            return None
        address = self.host.address_in_network(network)
        if address is None:
            self.report.fault(
                interface,
                "bindnetaddr",
                f"no address of this machine is in {network}, write the network of an interface",
            )
            return None
        members: list[tuple[IpAddress, str]] = []
        for text, line_no in interface.members:
            member_address = self.host.resolve_one(text, self.ip_version)
            if member_address is None:
                self.report.fault_at(
                    line_no,
                    "totem.interface.member.memberaddr",
                    f"failed to parse node address '{text}', write an address or a known name",
                )
                continue
            members.append((member_address, text))
        if self.transport == "udpu" and not members:
            self.report.fault(interface, "", "udpu needs a nodelist (or, as in 1.x, member blocks)")
        return address, members

    def _link(self, number: int, address: IpAddress, members: tuple[Member, ...]) -> Link:
        interface = self.interfaces.get(number) or InterfaceConfig(
            path="totem.interface", linknumber=number
        )
        mcast_address: IpAddress | None = None
        if self.transport == "udp":
            if interface.broadcast:
                mcast_address = IPv4Address("255.255.255.255")
            else:
                mcast_address = choose_mcast_address(
                    self.sections.totem,
                    interface,
                    address,
                    host=self.host,
                    ip_version=self.ip_version,
                    report=self.report,
                )
        step = 2 if interface.broadcast else 1
        return Link(
            linknumber=number,
            local_address=address,
            members=members,
            mcast_address=mcast_address,
            broadcast=interface.broadcast and self.transport == "udp",
            port=interface.mcastport or PORT_DEFAULT + step * number,
            ttl=interface.ttl,
        )

    def _resolve(
        self, section: NodeConfig | InterfaceConfig, key: str, text: str
    ) -> IpAddress | None:
        address = self.host.resolve_one(text, self.ip_version)
        if address is None:
            self.unresolved_count += 1
            self.report.fault(
                section,
                key,
                f"failed to parse node address '{text}' as {self.ip_version}, "
                "write an address or a name that resolves here",
            )
        return address

    def _nodeid(self, node: NodeConfig, address: IpAddress | None) -> int:
        """
        Return the id of a node, made from its address on link 0 if the transport allows.

        :return: 0 when there is none, with a fault reported unless that has been done already.
        """
        if self.transport == "knet":
            if node.nodeid == 0:
                self.report.fault(
                    node, "nodeid", "Knet requires an explicit nodeid, write 1 to 65535"
                )
            elif node.nodeid > KNET_NODEID_MAX:
                self.report.fault(
                    node,
                    "nodeid",
                    f"Knet requires nodeid to be less than {KNET_NODEID_MAX + 1}, "
                    f"{node.nodeid} was given",
                )
            return node.nodeid
        if node.nodeid:
            return node.nodeid
        if address is None:
            return 0
        ipv4 = self.host.resolve_one(dict(node.ring_addrs)[0], "ipv4")
        nodeid = 0 if ipv4 is None else self._id_of(ipv4)
        if not nodeid:
            self.report.fault(
                node, "nodeid", "An IPV6 network requires that a node ID be specified, write one"
            )
        return nodeid

    def _id_of(self, address: IpAddress) -> int:
        """Make a node id of an IPv4 address; 0 for IPv6."""
        if not isinstance(address, IPv4Address):
            return 0
        mask = 0x7FFF_FFFF if self.sections.totem.clear_node_high_bit else 0xFFFF_FFFF
        return int(address) & mask

    def _configured_links(self, in_nodelist: set[int]) -> set[int]:
        """Return the numbers of links that the file configures, and check what they may say."""
        numbers = set(in_nodelist)
        for number, interface in self.interfaces.items():
            keys = set(interface.lines) - {"linknumber", "ringnumber"}
            if self.transport == "udp":
                keys &= {"bindnetaddr"}
            if keys or (interface.members and self.transport != "udp"):
                numbers.add(number)
        for number in sorted(numbers & set(self.interfaces)):
            self._check_interface(self.interfaces[number])
        redundant = self.transport == "knet" or self.sections.is_redundant()
        if not redundant and numbers - {0}:
            self.report.fault(
                self.sections.totem,
                "interface",
                f"link {max(numbers)} is too much, {self.transport} has only link 0: write "
                "ring0_addr only, or rrp_mode: passive, or use knet",
            )
        return numbers

    def _check_interface(self, interface: InterfaceConfig) -> None:
        if self.transport != "udp" and interface.ttl != 1:
            self.report.fault(
                interface, "ttl", "Can only set ttl on multicast transport types, remove it"
            )
        if self.transport != "knet" and interface.knet_link_priority not in {0, 1}:
            self.report.fault(
                interface,
                "knet_link_priority",
                "Can only set link priority on knet transport type, remove it",
            )
        mcastaddr = interface.mcastaddr
        if mcastaddr is not None and self.host.resolve_one(mcastaddr, self.ip_version) is None:
            self.report.fault(
                interface,
                "mcastaddr",
                f"failed to parse mcast address '{mcastaddr}', write a multicast address",
            )

    def _check_nodes(self, numbers: set[int]) -> None:
        """Check that every node has an address on every link, and a name if there are several."""
        for node in self.sections.nodelist:
            has = {number for number, _ in node.ring_addrs}
            for number in sorted(numbers or {0}):
                if number not in has:
                    self.report.fault(
                        node,
                        f"ring{number}_addr",
                        f"is missing, every node needs an address on link {number}",
                    )
            if len(numbers) > 1 and node.name is None:
                self.report.fault(
                    node,
                    "name",
                    "for a multi-link configuration, all nodes must have a 'name' attribute",
                )

    def _check_nodeids(self, nodeids: list[int]) -> None:
        """Check that no id is used twice, those made from addresses among them."""
        lines: dict[int, int] = {}
        for node, nodeid in zip(self.sections.nodelist, nodeids, strict=True):
            if nodeid and nodeid in lines:
                made = "" if node.nodeid else " (autogenerated from ring0_addr)"
                self.report.fault(
                    node,
                    "nodeid",
                    f"Nodeid {nodeid}{made} appears twice in corosync.conf, first in line "
                    f"{lines[nodeid]}; every node needs its own",
                )
            elif nodeid:
                lines[nodeid] = node.line_of("nodeid")

    def _check_link(self, number: int, on_link: list[tuple[Member, NodeConfig]]) -> None:
        """Check that a link has every address once and one address family."""
        key = f"ring{number}_addr"
        seen: set[IpAddress] = set()
        for member, node in on_link:
            first = on_link[0][0].address
            if member.address in seen:
                self.report.fault(
                    node, key, f"{member.address} appears twice, every node needs its own"
                )
            seen.add(member.address)
            if member.address.version != first.version:
                self.report.fault(
                    node,
                    key,
                    f"Nodes for link {number} have different IP families (compared "
                    f"{member.address} with {first}), use one family on a link",
                )

    def _warn_of_ignored_interface_keys(self) -> None:
        totem = self.sections.totem
        if totem.nodeid is not None:
            self.report.warning(
                totem, "nodeid", "is ignored, the nodeid of the nodelist (or a made one) counts"
            )
        for interface in totem.interfaces:
            if interface.members:
                self.report.warning_at(
                    interface.members[0][1],
                    "totem.interface.member",
                    "is ignored, the nodelist says who is a member",
                )
