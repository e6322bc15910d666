"""
Which node of the nodelist are we?

Stock compares names first and addresses last. Several nodes on one machine (a demonstration, a
test) have one host name and all their addresses are local; there ``totem.interface.bindnetaddr``
says which is meant.
Source: corosync 3.1.10 exec/totemconfig.c, find_local_node.
Deviation: no reverse look-up of interface addresses; resolving the names of the nodelist finds the
same.
"""

from collections.abc import Iterator

from corosync_tw.config.host import Host
from corosync_tw.config.report import Report
from corosync_tw.config.schema import Sections
from corosync_tw.config.schema_totem import NodeConfig


def find_local_node(
    sections: Sections, host: Host, ip_version: str, report: Report, wanted: str | None = None
) -> int | None:
    """
    Return our position in the nodelist, from 0; None, with a fault reported, when we are not in it.

    :param wanted: name or node id of the node to be, whatever this machine is called.
    """
    nodes = sections.nodelist
    if wanted is not None:
        return _by_wish(nodes, wanted, report)
    position = _by_bindnetaddr(sections, host, ip_version, report)
    if position is None:
        position = _by_host_name(nodes, host.name)
    if position is None:
        position = _by_address(nodes, host, report)
    if position is None and sections.is_redundant():
        position = _by_other_rings(nodes, host)
    if position is None and host.running_nodeid:
        # A link that went took the address along by which we were found.
        nodeids = [node.nodeid for node in nodes]
        if host.running_nodeid in nodeids:
            return nodeids.index(host.running_nodeid)
    if position is None:
        report.fault_at(
            nodes[0].line_no,
            "nodelist",
            "No valid name found for local host: no node has the host name "
            f'"{host.name}" as its name, or a ring0_addr of this machine; add this machine',
        )
    return position


def _by_wish(nodes: tuple[NodeConfig, ...], wanted: str, report: Report) -> int | None:
    for position, node in enumerate(nodes):
        if wanted in _names(node) or (node.nodeid and wanted == str(node.nodeid)):
            return position
    known = ", ".join(node.name or str(node.nodeid) for node in nodes[:8])
    report.fault_at(
        nodes[0].line_no,
        "nodelist",
        f'no node has the name or node id "{wanted}", there are {known}'
        f"{' and more' if len(nodes) > 8 else ''}",
    )
    return None


def _by_bindnetaddr(sections: Sections, host: Host, ip_version: str, report: Report) -> int | None:
    """Find the node whose ring0_addr is the bindnetaddr of link 0, if that address is ours."""
    for interface in sections.totem.interfaces:
        if interface.bindnetaddr is None:
            continue
        address = host.resolve_one(interface.bindnetaddr, ip_version)
        if address is None:
            report.warning(
                interface, "bindnetaddr", f"'{interface.bindnetaddr}' is not a known address"
            )
        elif interface.linknumber == 0 and host.has_address(address):
            for position, node in enumerate(sections.nodelist):
                text = dict(node.ring_addrs).get(0, "")
                if host.resolve_one(text, ip_version) == address:
                    return position
        report.warning(
            interface, "bindnetaddr", "is ignored, the nodelist says what to bind to; remove it"
        )
    return None


def _names(node: NodeConfig) -> Iterator[str]:
    """Yield what a node may be called: its name, else its first address."""
    if node.name is not None:
        yield node.name
    for number, text in node.ring_addrs:
        if number == 0:
            yield text


def _by_host_name(nodes: tuple[NodeConfig, ...], host_name: str) -> int | None:
    """Compare names: in full, then with less and less domain, then without any on both sides."""
    parts = host_name.split(".")
    wanted = [".".join(parts[:count]) for count in range(len(parts), 0, -1)]
    for name in wanted:
        for position, node in enumerate(nodes):
            if name in _names(node):
                return position
    for position, node in enumerate(nodes):
        if any(text.partition(".")[0] == parts[0] for text in _names(node)):
            return position
    return None


def _by_address(nodes: tuple[NodeConfig, ...], host: Host, report: Report) -> int | None:
    """
    Find the nodes whose address is ours, the first one counts; failing that, whose name leads here.

    Names come last because the resolver may take its time over each that it does not know.
    """
    local = [
        position
        for position, node in enumerate(nodes)
        if _leads_here(host, dict(node.ring_addrs).get(0))
    ]
    if len(local) > 1:
        report.warning(
            nodes[local[1]],
            "",
            "is on this machine too; the first such node is taken for ours, write "
            '"bindnetaddr: ADDRESS" in totem.interface or start with --node NAME to choose',
        )
    if local:
        return local[0]
    for position, node in enumerate(nodes):
        if _leads_here(host, node.name):
            return position
    return None


def _by_other_rings(nodes: tuple[NodeConfig, ...], host: Host) -> int | None:
    """Find the node that has an address of ours on any ring: that of ring 0 may be down."""
    for position, node in enumerate(nodes):
        if any(_leads_here(host, text) for _, text in node.ring_addrs):
            return position
    return None


def _leads_here(host: Host, name: str | None) -> bool:
    return bool(name) and any(host.has_address(address) for address in host.resolve(name or ""))
