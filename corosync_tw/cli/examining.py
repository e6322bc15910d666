"""Ask a whole cluster, through one of its nodes, for what a diagnosis needs."""

import time
from collections.abc import Mapping
from typing import Any

from twisted.internet.threads import deferToThreadPool

from corosync_tw.cli.probing import probe
from corosync_tw.client.node import Node
from corosync_tw.diagnosis.cluster import Cluster, Outsider, Reach
from corosync_tw.diagnosis.facts import Facts, decode_facts
from corosync_tw.errors import CsError
from corosync_tw.services.inspection.wire import Topic


async def examine(reactor: Any, node: Node) -> Cluster:
    """
    Gather what all members tell, and what the ports of those say that are missing.

    Raises: CsError, when not even our own node tells.
    """
    status = await node.status()
    asked_ns = time.time_ns()
    answers = await node.inspection().ask(Topic.FACTS)
    answered_ns = time.time_ns()
    facts, silent = _sorted_out(answers)
    if node.nodeid in silent:
        raise silent[node.nodeid]
    own = facts[node.nodeid]
    missing = _missing(own)
    ports = [port for nodes in missing.values() for port in nodes]
    pool = reactor.getThreadPool()
    reached = await deferToThreadPool(reactor, pool, probe, ports) if ports else {}
    return Cluster(
        nodeid=node.nodeid,
        facts=facts,
        silent=silent,
        outsiders=tuple(
            Outsider(nodeid, {address: reached.get(address, Reach.NOTHING) for address, _ in nodes})
            for nodeid, nodes in missing.items()
        ),
        bad_links=tuple((a, b) for a, b in status.get("bad_links") or ()),
        asked_ns=asked_ns,
        answered_ns=answered_ns,
    )


def _sorted_out(
    answers: Mapping[int, bytes | CsError],
) -> tuple[dict[int, Facts], dict[int, CsError]]:
    facts: dict[int, Facts] = {}
    silent: dict[int, CsError] = {}
    for nodeid, answer in answers.items():
        try:
            if isinstance(answer, CsError):
                raise answer
            facts[nodeid] = decode_facts(answer)
        except CsError as fault:
            silent[nodeid] = fault
    return facts, silent


def _missing(own: Facts) -> dict[int, list[tuple[str, int]]]:
    """Give the addresses and ports of configured nodes that are not members."""
    missing: dict[int, list[tuple[str, int]]] = {}
    for nodeid, address, port in own.nodes:
        if nodeid not in own.members:
            missing.setdefault(nodeid, []).append((address, port))
    return missing
