"""All rules, in the order in which their findings are of use."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Final

from corosync_tw.diagnosis import rules_agreement, rules_host, rules_knet, rules_ring
from corosync_tw.diagnosis.cluster import Cluster
from corosync_tw.diagnosis.finding import Finding

Rule = Callable[[Cluster], Iterator[Finding]]

RULES: Final[tuple[Rule, ...]] = (
    rules_ring.quorum,
    rules_ring.missing_nodes,
    rules_ring.one_way_links,
    rules_ring.faulty_networks,
    rules_knet.links_down,
    rules_host.complaints,
    rules_agreement.keys,
    rules_host.key_files,
    rules_agreement.configurations,
    rules_host.pauses,
    rules_agreement.mtus,
    rules_ring.losses,
    rules_ring.strangers,
    rules_agreement.clocks,
    rules_host.disks,
    rules_host.schedulers,
    rules_agreement.versions,
)


def diagnose(cluster: Cluster) -> list[Finding]:
    """Apply all rules; the worst findings first, and what holds for several nodes once."""
    nodeids: dict[Finding, tuple[int, ...]] = {}
    for rule in RULES:
        for finding in rule(cluster):
            alike = replace(finding, nodeids=())
            nodeids[alike] = (*nodeids.get(alike, ()), *finding.nodeids)
    found = [replace(alike, nodeids=ids) for alike, ids in nodeids.items()]
    return sorted(found, key=lambda finding: -finding.severity)
