"""What the nodes of a cluster should have alike, and have not."""

from collections import defaultdict
from collections.abc import Iterator, Mapping
from typing import Final

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.diagnosis.cluster import Cluster
from corosync_tw.diagnosis.finding import Finding, Severity, nodes_text

CLOCK_OFFSET_NS_MAX: Final = 1_000_000_000
_UNSET: Final = "not set"
_KEYS_SHOWN_MAX: Final = 8


def configurations(cluster: Cluster) -> Iterator[Finding]:
    """Name directives that differ."""
    keys = sorted({key for facts in cluster.facts.values() for key in facts.configuration})
    differing = []
    for key in keys:
        values = {n: str(f.configuration.get(key, _UNSET)) for n, f in cluster.facts.items()}
        if len(set(values.values())) > 1:
            differing.append(f"{key} is {_by_value(values)}")
    for text in differing[:_KEYS_SHOWN_MAX]:
        yield Finding(
            Severity.WARNING,
            (),
            text,
            "give all nodes the same corosync.conf, then corosync-cfgtool -R",
        )
    if len(differing) > _KEYS_SHOWN_MAX:
        yield Finding(Severity.NOTE, (), f"{len(differing) - _KEYS_SHOWN_MAX} more keys differ")


def keys(cluster: Cluster) -> Iterator[Finding]:
    """Say that key files differ."""
    digests = {n: f.key_digest or "no key" for n, f in cluster.facts.items()}
    if len(set(digests.values())) > 1:
        yield Finding(
            Severity.FAULT,
            (),
            f"the keys differ, by their digests: {_by_value(digests)}",
            "copy one key file to all nodes, then corosync-cfgtool -R",
        )


def versions(cluster: Cluster) -> Iterator[Finding]:
    """Say that programs differ, and where the fast kernels are missing."""
    running = {n: f.versions.get("corosync_tw", "?") for n, f in cluster.facts.items()}
    if len(set(running.values())) > 1:
        text = f"versions of corosync_tw: {_by_value(running)}"
        yield Finding(Severity.NOTE, (), text)
    plain = tuple(n for n, f in cluster.facts.items() if f.versions.get("kernels") == "plain")
    if plain:
        yield Finding(
            Severity.NOTE,
            plain,
            "plain Python kernels: a third of the speed",
            "install a wheel with compiled ones, or a compiler and build anew",
        )


def mtus(cluster: Cluster) -> Iterator[Finding]:
    """Say that interfaces of one network differ in what they carry."""
    links = sorted({link for facts in cluster.facts.values() for link in facts.mtu_bytes})
    for link in links:
        values = {
            n: str(f.mtu_bytes[link]) for n, f in cluster.facts.items() if link in f.mtu_bytes
        }
        if len(set(values.values())) > 1:
            yield Finding(
                Severity.WARNING,
                (),
                f"the MTU of link {link} is {_by_value(values)}",
                "give all interfaces of a network the same MTU, or long frames get lost",
            )


def clocks(cluster: Cluster) -> Iterator[Finding]:
    """Say whose clock is off, as far as the time that the answers took allows."""
    middle_ns = (cluster.asked_ns + cluster.answered_ns) // 2
    doubt_ns = (cluster.answered_ns - cluster.asked_ns) // 2
    for nodeid, facts in cluster.facts.items():
        offset_ns = facts.wall_ns - middle_ns
        if abs(offset_ns) - doubt_ns > CLOCK_OFFSET_NS_MAX:
            way = "ahead of" if offset_ns > 0 else "behind"
            yield Finding(
                Severity.WARNING,
                (nodeid,),
                f"its clock is {abs(offset_ns) / NS_PER_S:.1f} s {way} node {cluster.nodeid}'s",
                "run an NTP client on all nodes; the ring does not need it, but whoever compares"
                " logs does",
            )


def _by_value(values: Mapping[int, str]) -> str:
    nodes: dict[str, list[int]] = defaultdict(list)
    for nodeid, value in values.items():
        nodes[value].append(nodeid)
    return "; ".join(f"{value} on {nodes_text(tuple(ids))}" for value, ids in nodes.items())
