"""
Rings of ours without features of the system that can be done without, beside a stock node.

Each node of ours is a process of its own, so that one ring tries several ways of doing without. By
default the features are shared out among the nodes, and one node's Python knows nothing of Linux;
where COROSYNC_TW_WITHOUT takes some away, as ``make test-features`` does one at a time, every node
of ours lacks these.
"""

import os
from pathlib import Path

import pytest

from corosync_tw import features
from tests.interop import stories
from tests.interop.netbed import NetBed
from tests.interop.nodes import Cluster, OurNode

pytestmark = pytest.mark.interop

ROOT = Path(__file__).resolve().parents[2]
BARE = os.pathsep.join((str(ROOT / "tests" / "bare"), str(ROOT)))
STOCK = 1
# Before the tests of a busy machine nobody runs: real time is asked for where it is not to be had.
REFUSED = "Could not set SCHED_RR: not on this system"
UNSERVED = "No client of the C libraries is served"
EVERY_OTHER = frozenset(sorted(features.NAMES)[::2])


def layout():
    """By nodeid, what a node of ours lacks; None for one on a bare Python."""
    if features.OFF:
        return {2: features.OFF, 3: features.OFF}
    return {2: features.NAMES, 3: EVERY_OTHER, 4: None}


def has_c_clients(lacking):
    return lacking is not None and lacking.isdisjoint({"c_clients", "peer_credentials"})


def take_away(node, lacking):
    """Start a node without features, which asks for real time all the same."""
    without = {"memlock", "realtime"} | (lacking or set())
    node.env = {features.VARIABLE: ",".join(sorted(without)), "COROSYNC_TW_KERNELS": ""}
    if lacking is None:
        node.env |= {features.VARIABLE: "", "PYTHONPATH": BARE}
    text = node.conf.read_text()
    assert "sched_rr: no" in text
    node.conf.write_text(text.replace("sched_rr: no", "sched_rr: yes"))


@pytest.mark.parametrize("transport", ["knet", "udpu"])
def test_a_node_is_killed_and_comes_back(transport, tmp_path):
    lacking = layout()
    broker = [nodeid for nodeid, names in lacking.items() if not has_c_clients(names)]
    conf = {"token_ms": stories.TOKEN_MS, "transport": transport, "pb_clients": broker}
    with (
        NetBed([STOCK, *lacking]) as bed,
        Cluster(bed.machines, [STOCK], list(lacking), tmp_path, **conf) as cluster,
    ):
        for nodeid, names in lacking.items():
            take_away(cluster.nodes[nodeid], names)
        cluster.start()
        stories.killed(cluster, 2)
        for nodeid, names in lacking.items():
            said = cluster.nodes[nodeid].log_text()
            assert REFUSED in said
            assert (UNSERVED in said) is not has_c_clients(names)
            plain = names is not None and "kernels" in names
            assert ("Kernels: plain" in said) is plain


def test_without_multicast_a_node_of_udp_says_what_to_do(tmp_path):
    with (
        NetBed([2]) as bed,
        Cluster(bed.machines, [], [2], tmp_path, transport="udp") as cluster,
    ):
        node = cluster.nodes[2]
        assert isinstance(node, OurNode)
        node.env = {features.VARIABLE: "multicast"}
        node.start()
        assert node.running.wait(60) == 15
        assert "no way to send to this group from 10.77.5.2" in node.log_text()
        assert "or use transport udpu" in node.log_text()
