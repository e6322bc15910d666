"""
Nodes and the links to them, as corosync-cfgtool -s and -n show them.

Source: Corosync tools/corosync-cfgtool.c nodestatusget_do.
"""

import re
from dataclasses import asdict, dataclass, replace
from typing import Any, Final

from corosync_tw.cli.stock_run import complain, fail, print_json
from corosync_tw.client.qb.cfg import Cfg, Link, NodeStatus
from corosync_tw.client.qb.cmap import Cmap, connect_cmap
from corosync_tw.errors import CsError
from corosync_tw.services.cfg.lib_wire import LINKS_MAX
from corosync_tw.services.cmap.wire import ValueType

KNET: Final = "knet"
NONE: Final = "none"
_NODEID_KEY: Final = re.compile(r"nodelist\.node\.\d+\.nodeid", re.ASCII)
_NO_LINKS: Final = tuple(
    Link(
        number,
        enabled=False,
        connected=False,
        dynconnected=False,
        mtu_bytes=0,
        src_address="",
        dst_address="",
    )
    for number in range(LINKS_MAX)
)


@dataclass(frozen=True, slots=True)
class Ring:
    """
    What the configuration says.

    :ivar transport: totem.transport, or knet.
    :ivar nodeids: of the nodelist, ascending.
    :ivar link_transports: what is shown behind a link's number, by number.
    :ivar rrp_mode: how udp and udpu use several networks, none if they do not.
    """

    local_nodeid: int
    transport: str
    nodeids: tuple[int, ...]
    link_transports: tuple[str, ...]
    rrp_mode: str

    @property
    def is_knet(self) -> bool:
        """Tell whether the transport is kronosnet, which all but two names stand for."""
        return self.transport not in {"udp", "udpu"}


def survey(cfg: Cfg) -> Ring:
    """
    Read the configuration.

    Raises: Ended.
    """
    try:
        cmap = connect_cmap()
    except CsError as fault:
        fail(f"Could not initialize corosync cmap API error {fault.code}")
    try:
        transport = _string(cmap, "totem.transport") or KNET
        try:
            local_nodeid = cfg.local_nodeid()
        except CsError as fault:
            fail(f"Could not get the local node id, the error is: {fault.code}")
        nodeids = _nodeids(cmap)
        rrp_mode = _string(cmap, "totem.rrp_mode") or NONE
        if not nodeids and rrp_mode == NONE:
            fail("No nodes found in nodelist")
        ring = Ring(local_nodeid, transport, nodeids, (), rrp_mode)
        return replace(ring, link_transports=_link_transports(cmap, ring.is_knet))
    finally:
        cmap.close()


def _string(cmap: Cmap, name: str) -> str | None:
    try:
        value = cmap.get(name)
    except CsError:
        return None
    return str(value.value) if value.kind is ValueType.STRING else None


def _nodeids(cmap: Cmap) -> tuple[int, ...]:
    try:
        names = [key.name for key in cmap.keys("nodelist.node.")]
    except CsError as fault:
        fail(f"Could not get nodelist from cmap. error {fault.code}")
    found = (_number(cmap, name) for name in names if _NODEID_KEY.fullmatch(name))
    return tuple(sorted(nodeid for nodeid in found if nodeid is not None))


def _number(cmap: Cmap, name: str) -> int | None:
    try:
        return cmap.get_number(name, ValueType.UINT32)
    except CsError:
        return None


def _link_transports(cmap: Cmap, is_knet: bool) -> tuple[str, ...]:
    default = "udp" if is_knet else ""
    return tuple(
        _string(cmap, f"totem.interface.{number}.knet_transport") or default
        for number in range(LINKS_MAX)
    )


def print_nodes(cfg: Cfg, ring: Ring, *, as_json: bool) -> None:
    """Show the other nodes that can be reached, each with its links."""
    nodes = []
    for nodeid in ring.nodeids:
        try:
            status = cfg.node_status(nodeid)
        except CsError:
            continue
        if status.reachable and status.nodeid != ring.local_nodeid:
            nodes.append(status)
    if as_json:
        print_json({**_head(ring), "nodes": [_node_document(node, ring) for node in nodes]})
        return
    _print_head(ring)
    for node in nodes:
        print("\n".join(_node_lines(node, ring)), end="\n\n")


def _node_lines(node: NodeStatus, ring: Ring) -> list[str]:
    marks = " remote" * node.remote + " external" * node.external
    lines = [f"nodeid: {node.nodeid} reachable{marks}"]
    for link in node.links:
        if link.enabled:
            arrow = "->" if ring.is_knet else ""
            states = " connected" * link.connected + " dynconnected" * link.dynconnected
            lines.append(
                f"   LINK: {link.number} {ring.link_transports[link.number]} "
                f"({link.src_address}{arrow}{link.dst_address})"
                f" enabled{states} mtu: {link.mtu_bytes}"
            )
    return lines


def _node_document(node: NodeStatus, ring: Ring) -> dict[str, Any]:
    links = [
        {"transport": ring.link_transports[link.number], **asdict(link)}
        for link in node.links
        if link.enabled
    ]
    return {**asdict(node), "links": links}


def print_links(cfg: Cfg, ring: Ring, *, brief: bool, as_json: bool) -> None:
    """Show this node's links, each with the nodes at its other end."""
    nodes = [_status_or_nothing(cfg, nodeid) for nodeid in ring.nodeids]
    # This node's own links lead to itself: those to any other show what is configured.
    others = [at for at, nodeid in enumerate(ring.nodeids) if nodeid != ring.local_nodeid]
    shown = nodes[others[-1] if others else 0]
    links = [link for link in shown.links if link.enabled]
    if as_json:
        documents = [_link_document(link, nodes, ring) for link in links]
        print_json({**_head(ring), "links": documents})
        return
    _print_head(ring)
    for link in links:
        print(f"LINK ID {link.number} {ring.link_transports[link.number]}")
        print(f"\taddr\t= {link.src_address}")
        if brief:
            print(f"\tstatus\t= {_digits(link.number, nodes, ring)}")
        else:
            print("\tstatus:")
            for at, node in enumerate(nodes):
                print(f"\t\tnodeid: {node.nodeid:10}:\t{_state(at, node, link.number, ring)}")


def _status_or_nothing(cfg: Cfg, nodeid: int) -> NodeStatus:
    try:
        return cfg.node_status(nodeid)
    except CsError as fault:
        complain(f"Could not get the node status for nodeid {nodeid}, the error is: {fault.code}")
        return NodeStatus(
            nodeid=0,
            reachable=False,
            remote=False,
            external=False,
            onwire_min=0,
            onwire_max=0,
            onwire_ver=0,
            links=_NO_LINKS,
        )


def _is_local(at: int, ring: Ring) -> bool:
    return ring.nodeids[at] == ring.local_nodeid


def _digits(number: int, nodes: list[NodeStatus], ring: Ring) -> str:
    """Write a character for each node: n for this one, else 1 enabled plus 2 connected."""
    return "".join(
        "n"
        if _is_local(at, ring)
        else str(node.links[number].enabled | node.links[number].connected << 1)
        for at, node in enumerate(nodes)
    )


def _state(at: int, node: NodeStatus, number: int, ring: Ring) -> str:
    if _is_local(at, ring):
        return "localhost"
    return "connected" if node.links[number].connected else "disconnected"


def _link_document(link: Link, nodes: list[NodeStatus], ring: Ring) -> dict[str, Any]:
    ends = [
        {"nodeid": nodeid, "state": _state(at, nodes[at], link.number, ring)}
        for at, nodeid in enumerate(ring.nodeids)
    ]
    return {
        "number": link.number,
        "transport": ring.link_transports[link.number],
        "address": link.src_address,
        "nodes": ends,
    }


def _head(ring: Ring) -> dict[str, Any]:
    return {"local_nodeid": ring.local_nodeid, "transport": ring.transport}


def _print_head(ring: Ring) -> None:
    print(f"Local node ID {ring.local_nodeid}, transport {ring.transport}")
