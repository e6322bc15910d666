"""
After all faults are healed: one ring of all nodes, everything delivered everywhere, then quiet
(EVS 2.1).

The time allowed follows from the ring's own timeouts: losing the token, a few rounds of gathering
in which consensus
may time out, merge detection, and the rotations that carry the backlog.
"""

from typing import Final

from corosync_tw.corotypes import NS_PER_S, RingId
from corosync_tw.sim.history import DELIVER, MessageId, RunRecord, Violation
from corosync_tw.sim.node import SimNode
from corosync_tw.sim.options import Options
from corosync_tw.totem.const import MembState

GATHER_ROUNDS: Final = 8
MERGE_ROUNDS: Final = 10
HOPS: Final = 12  # rotations of commit token and token that form a ring
# A small window and large messages may take long, but the backlog has to shrink all the time.
STALL_NS: Final = 20 * NS_PER_S


def heal_time_ns(options: Options) -> int:
    """
    How long a healed cluster may take to become one ring.

    The token is noticed to be lost, some rounds of Gather end by consensus timeout, rings find each
    other by merge detection, and each step takes rotations. What is stuck behind a clog when the
    links are healed still arrives, at most a few fault lengths later.
    """
    token, _, _, join, consensus, merge = options.ring_timeouts_ns
    rounds = GATHER_ROUNDS * (token + consensus + join) + MERGE_ROUNDS * merge
    hop_ns = options.delay_ns + options.jitter_ns + options.processing_ns
    rotations = HOPS * GATHER_ROUNDS // 2 * options.nodes * hop_ns + 8 * options.storage_delay_ns
    return rounds + rotations + 6 * options.fault_length_ns


def not_one_ring(nodes: list[SimNode]) -> str:
    """Say why the nodes are not yet one ring; empty when they are."""
    everybody = tuple(sorted(node.nodeid for node in nodes))
    ring: RingId | None = None
    for node in nodes:
        host = node.host
        if host is None:
            return f"node {node.nodeid} is down"
        srp = host.srp
        if srp.state is not MembState.OPERATIONAL:
            return f"node {node.nodeid} is in {srp.state.name}"
        if srp.members != everybody:
            return f"node {node.nodeid} is in a ring of {srp.members}"
        if ring is not None and srp.ring_id != ring:
            return f"node {node.nodeid} is in {srp.ring_id}, others in {ring}"
        ring = srp.ring_id
    return ""


def backlog_frames(nodes: list[SimNode]) -> int:
    """Count what waits to be sent on all nodes together."""
    return sum(node.host.backlog() for node in nodes if node.host is not None)


def not_at_rest(nodes: list[SimNode]) -> str:
    """Say what is still to be done; empty when nothing is."""
    for node in nodes:
        host = node.host
        if host is None:
            return f"node {node.nodeid} is down"
        if host.backlog():
            return f"node {node.nodeid} has {host.backlog()} frames to send"
        if not host.settle(node.local_now()):
            return f"node {node.nodeid} is not synchronized"
    return not_one_ring(nodes)


def undelivered(run: RunRecord, nodes: list[SimNode]) -> Violation | None:
    """Find a message of the last ring that some node did not deliver."""
    host = nodes[0].host
    assert host is not None, "liveness of a node that is down"
    ring_id = host.srp.ring_id
    wanted = {message for message in run.messages if message[0] == ring_id}
    for history in run.histories:
        if history.failed_at_ns is not None:
            continue
        got: set[MessageId] = set()
        for kind, _, what in history.events:
            if kind == DELIVER:
                got.add(what)  # type: ignore[arg-type]
        missing = wanted - got
        if missing:
            text = f"{len(missing)} messages not delivered, such as {min(missing)}"
            return Violation("liveness: delivery (2.1)", 0, (history.nodeid,), text)
    return None


def unequal_services(nodes: list[SimNode]) -> Violation | None:
    """Compare what the services of all nodes hold, and what each owes its clients."""
    first: tuple[object, ...] | None = None
    for node in nodes:
        assert node.host is not None, "liveness of a node that is down"
        owed = node.host.unfinished()
        if owed:
            return Violation("liveness: services", 0, (node.nodeid,), owed)
        state = node.host.resting_state()
        first = state if first is None else first
        if state != first:
            text = f"{state} here, {first} on node {nodes[0].nodeid}"
            return Violation("liveness: services", 0, (node.nodeid, nodes[0].nodeid), text)
    return None
