"""
After all faults are healed: one ring of all nodes, everything delivered everywhere, then quiet
(EVS 2.1).

The time allowed follows from the ring's own timeouts: losing the token, a few rounds of gathering
in which consensus
may time out, merge detection, and the rotations that carry the backlog.
"""

from typing import Final

from corosync_tw.corotypes import RingId
from corosync_tw.sim.history import DELIVER, MessageId, RunRecord, Violation
from corosync_tw.sim.node import SimNode
from corosync_tw.sim.options import NS_PER_S, Options
from corosync_tw.totem.const import MembState

GATHER_ROUNDS: Final = 8
MERGE_ROUNDS: Final = 20
BACKLOG_NS: Final = 20 * NS_PER_S


def heal_time_ns(options: Options) -> int:
    """How long a healed cluster may take to become one ring with nothing left to do."""
    token, _, _, join, consensus, merge = options.ring_timeouts_ns
    # Clocks that run slow make every timeout longer.
    rounds = GATHER_ROUNDS * (token + consensus + join) + MERGE_ROUNDS * merge
    return rounds + BACKLOG_NS + options.nodes * NS_PER_S // 5


def not_settled(nodes: list[SimNode]) -> str:
    """Say what is not yet as it should be; empty when all is."""
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
        if host.backlog():
            return f"node {node.nodeid} has {host.backlog()} frames to send"
        if not host.settle(node.local_now()):
            return f"node {node.nodeid} is not synchronized"
    return ""


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
