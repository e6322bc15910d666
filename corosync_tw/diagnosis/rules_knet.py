"""What is wrong with single links of knet, while others carry the ring."""

from collections import Counter, defaultdict
from collections.abc import Iterator
from typing import Final

from corosync_tw.diagnosis.cluster import Cluster
from corosync_tw.diagnosis.facts import Facts
from corosync_tw.diagnosis.finding import Finding, Severity, nodes_text

_KNET: Final = "knet"
# What a link's status has for a node: 1 for enabled, and 2 more for connected.
_DOWN: Final = "1"


def links_down(cluster: Cluster) -> Iterator[Finding]:
    """Say which links between members are down, by the node that has part in most of them."""
    down: dict[int, set[frozenset[int]]] = defaultdict(set)
    addresses: dict[tuple[int, int], str] = {}
    for facts in cluster.facts.values():
        for number, nodeid, address, state in _states(facts):
            addresses[number, nodeid] = address
            if state == _DOWN and nodeid in cluster.own.members:
                down[number].add(frozenset((facts.nodeid, nodeid)))
    for number in sorted(down):
        while down[number]:
            counts = Counter(nodeid for pair in down[number] for nodeid in pair)
            hub, _ = min(counts.items(), key=lambda each: (-each[1], each[0]))
            mine = {pair for pair in down[number] if hub in pair}
            down[number] -= mine
            others = tuple(sorted(nodeid for pair in mine for nodeid in pair - {hub}))
            yield Finding(
                Severity.FAULT,
                (hub,),
                f"its link {number} ({addresses.get((number, hub), '?')}) to"
                f" {nodes_text(others)} is down; other links carry the ring",
                "see the interface, cable, switch, and firewall both ways;"
                " corosync-cfgtool -n shows all links",
            )


def _states(facts: Facts) -> Iterator[tuple[int, int, str, str]]:
    """Give number, nodeid, address and state of each link to each node."""
    if facts.transport != _KNET:
        return
    begin = 0
    for number, _, status in facts.links:
        # Nodes are listed link by link, and a status by nodeid.
        ends = facts.nodes[begin : begin + len(status)]
        begin += len(status)
        for (nodeid, address, _), state in zip(sorted(ends), status, strict=False):
            yield number, nodeid, address, state
