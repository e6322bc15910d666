"""What is wrong with the ring: who is missing, who cannot be heard, what is lost."""

from collections.abc import Iterator
from typing import Final

from corosync_tw.diagnosis.cluster import Cluster, Outsider, Reach
from corosync_tw.diagnosis.finding import Finding, Severity, nodes_text
from corosync_tw.errors import CsNotSupported, CsTryAgain

# Of all messages; more than that is a network that loses.
RETRANSMITS_PERCENT_MAX: Final = 1
_MESSAGES_MIN: Final = 1000
# Every node that dies takes the token with it; more than a few is a network or a host.
TOKEN_LOSSES_MIN: Final = 10
_BROADCAST: Final = "udp"


def missing_nodes(cluster: Cluster) -> Iterator[Finding]:
    """Say what keeps configured nodes out, as far as their ports tell."""
    alike: dict[tuple[str, str], list[Outsider]] = {}
    for outsider in cluster.outsiders:
        alike.setdefault(_said_and_remedy(outsider), []).append(outsider)
    for (said, remedy), outsiders in alike.items():
        nodeids = tuple(outsider.nodeid for outsider in outsiders)
        addresses: dict[str, list[str]] = {}
        for outsider in outsiders:
            for address, reach in outsider.reached.items():
                addresses.setdefault(reach.value, []).append(address)
        ports = "; ".join(f"{value}: {', '.join(those)}" for value, those in addresses.items())
        yield Finding(Severity.FAULT, nodeids, f"not in the ring; {said} ({ports})", remedy)
    silent = [o.nodeid for o in cluster.outsiders if Reach.NOTHING in o.reached.values()]
    alone = len(cluster.own.members) == 1
    if silent and alone and cluster.own.transport == _BROADCAST:
        yield Finding(
            Severity.WARNING,
            tuple(silent),
            "this node is alone in its ring, and nodes find each other by multicast",
            "see that switches pass multicast (IGMP snooping needs a querier) and hosts accept it,"
            " or use transport: udpu or knet",
        )


def _said_and_remedy(outsider: Outsider) -> tuple[str, str]:
    answers = set(outsider.reached.values())
    if Reach.PORT_CLOSED in answers:
        return "the host answers, but no daemon listens", "start the daemon there"
    if answers == {Reach.NO_ROUTE}:
        return "there is no route to it", "see the addresses in nodelist, and ip route"
    if Reach.NO_HOST in answers and Reach.NOTHING not in answers:
        return (
            "no host answers at the address",
            "see whether it is switched on, and its cable and address",
        )
    said = "the port answers nothing: a firewall, or a daemon that stands still or is apart"
    remedy = (
        "run corosync-tw doctor there: key, cluster_name, transport and nodelist have to be the"
        " same; see that a firewall passes the port both ways"
    )
    return said, remedy


def strangers(cluster: Cluster) -> Iterator[Finding]:
    """Say which members told nothing."""
    for nodeid, fault in cluster.silent.items():
        if isinstance(fault, CsNotSupported):
            text = "stock Corosync, or an older version: only what the ring shows is known"
            yield Finding(Severity.NOTE, (nodeid,), text)
        elif isinstance(fault, CsTryAgain):
            yield Finding(
                Severity.FAULT,
                (nodeid,),
                "could not be asked: the ring is there, but no message comes through, since the"
                " services do not get synchronized, or the queue is full",
                "see whether long frames get lost: MTU of interfaces and switches,"
                " corosync-cfgtool -n, Retransmit List in the logs",
            )
        else:
            yield Finding(
                Severity.WARNING,
                (nodeid,),
                f"did not answer: {fault}",
                "see its log, whether its machine is overloaded, and whether multicast (transport"
                " udp) and long frames reach it",
            )


def one_way_links(cluster: Cluster) -> Iterator[Finding]:
    """Name the links of the ring that carry nothing."""
    for speaker, hearer in cluster.bad_links:
        yield Finding(
            Severity.FAULT,
            (speaker, hearer),
            f"node {hearer} hears nothing of node {speaker}",
            f"see the network from node {speaker} to node {hearer}: firewall, switch, cable",
        )


def faulty_networks(cluster: Cluster) -> Iterator[Finding]:
    """Name networks that are out of use."""
    for nodeid, facts in cluster.facts.items():
        for number, address, status in facts.links:
            if "FAULTY" in str(status):
                yield Finding(
                    Severity.FAULT,
                    (nodeid,),
                    f"ring {number} ({address}) is out of use: {status}",
                    "mend the network; it comes back by itself, at once with corosync-cfgtool -r",
                )


def quorum(cluster: Cluster) -> Iterator[Finding]:
    """Say that the members may not act."""
    if not cluster.own.quorate:
        yield Finding(
            Severity.FAULT,
            (),
            f"{nodes_text(tuple(cluster.own.members))} alone: no quorum",
            "bring the missing nodes back; corosync-quorumtool -s shows the votes",
        )


def losses(cluster: Cluster) -> Iterator[Finding]:
    """Say where messages and tokens are lost."""
    for nodeid, facts in cluster.facts.items():
        sent, again = facts.counters.get("mcast_tx", 0), facts.counters.get("mcast_retx", 0)
        if sent >= _MESSAGES_MIN and again * 100 > sent * RETRANSMITS_PERCENT_MAX:
            yield Finding(
                Severity.WARNING,
                (nodeid,),
                f"{again} of {sent} frames had to be sent again",
                "the network or a receive buffer loses: see errors of the interfaces (ip -s link),"
                " MTU, and net.core.rmem_max of the other nodes",
            )
        lost = facts.counters.get("operational_token_lost", 0)
        if lost:
            yield Finding(
                Severity.WARNING if lost >= TOKEN_LOSSES_MIN else Severity.NOTE,
                (nodeid,),
                f"the token was lost {lost} time{'s' * (lost > 1)} since the daemon started",
                "corosync-tw explain says why the latest ring formed; pauses of a host and losses"
                " of the network are the usual causes",
            )
