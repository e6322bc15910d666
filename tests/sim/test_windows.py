"""Windows that follow the slowest member lose nothing to bursts of our own; narrow ones widen."""

import pytest

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.sim import liveness
from corosync_tw.sim.cluster import Cluster
from corosync_tw.sim.options import Options
from corosync_tw.totem.window import VISIT_MSGS_MIN

SENDING_NS = 3 * NS_PER_S // 2


class Boast(Options):
    """Nodes claim that their sockets hold more than they do."""

    def receive_msgs(self, nodeid):
        return 400


def busy(nodes, socket_frames, *, kind=Options, **changes):
    """All nodes send as much as they may, nothing fails, and every node reads late."""
    options = kind(nodes, nodes, SENDING_NS, heal_work_ns=NS_PER_S // 10)
    options.adaptive_window = options.accelerated_ring = True
    options.socket_frames_max = socket_frames
    # Counts in recovery, and until all have announced themselves.
    options.window_size_msgs, options.max_messages = 12, 4
    options.processing_ns = 300_000
    options.jitter_ns = 200_000
    options.links_fifo = False
    options.workload_gap_ns = 3_000_000
    options.burst_messages_max = 50
    options.message_bytes_max = 1000
    options.seqno_unchanged_const = 30
    for name, value in changes.items():
        setattr(options, name, value)
    return options


def losses(cluster):
    """Count what sockets had no room for, what was sent again, and what windows made of it."""
    stats = [(node.host.srp.stats.mcast_retx, node.host.srp.window.cuts) for node in cluster.nodes]
    return cluster.networks[0].counts["frames over the socket buffer"], *stats


def run(options):
    """Give the losses at the time when all nodes are in one ring, and at the end."""
    cluster = Cluster(options)
    at_first = []

    def look(_now_ns):
        if not at_first and not liveness.not_one_ring(cluster.nodes):
            at_first.append(losses(cluster))

    result = cluster.run(look)
    assert result.violation is None, result.violation
    assert result.messages > 500
    return cluster, at_first[0], losses(cluster)


@pytest.mark.parametrize(("nodes", "full_stack"), [(2, False), (3, False), (5, False), (3, True)])
@pytest.mark.parametrize("socket_frames", [40, 400])
def test_no_burst_of_ours_overflows_a_socket(full_stack, nodes, socket_frames):
    changes = {"full_stack": True, "message_bytes_max": 60_000} if full_stack else {}
    _, before, after = run(busy(nodes, socket_frames, **changes))
    assert after == before


def test_a_window_too_wide_for_a_socket_is_narrowed():
    cluster, before, after = run(busy(3, 40, kind=Boast))
    assert after[0] > before[0]
    assert max(node.host.srp.window.cuts for node in cluster.nodes) > 0
    assert min(node.host.srp.window.visit_msgs for node in cluster.nodes) >= VISIT_MSGS_MIN
