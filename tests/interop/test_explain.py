"""A node of a real ring is lost in one way after the other, and the cause is told each time."""

import json
import sys

import pytest

from tests.interop.netbed import Fault, NetBed, wait_until
from tests.interop.nodes import Cluster

pytestmark = pytest.mark.interop
NODES = [1, 2, 3]
LOST = 3
OTHERS = [1, 2]
TIMEOUT_S = 30.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    workdir = tmp_path_factory.mktemp("explain")
    with NetBed(NODES) as bed, Cluster(bed.machines, [], NODES, workdir) as cluster:
        cluster.bed = bed
        cluster.start()
        cluster.wait_quorate()
        yield cluster


def explained(cluster, *words, files=()):
    named = ("--file", *map(str, files)) if files else ()
    node = cluster.nodes[1]
    command = (sys.executable, "-m", "corosync_tw.cli.main", "explain", *words, "--json", *named)
    outcome = node.machine.run(*command, "--socket", str(node.socket), check=False)
    assert outcome.returncode == 0, outcome.stderr
    return json.loads(outcome.stdout)


def cause(cluster, *, with_files=False):
    """Say why the node was lost last; ``with_files`` its recordings are copied from it."""
    files = cluster.nodes[LOST].state_dir.glob("flight-*.rec") if with_files else ()
    told = explained(cluster, str(LOST), files=tuple(files))
    assert told["members"] == OTHERS
    found = [each for each in told["left"] if each["node"] == LOST]
    assert found[0]["evidence"], found
    return found[0]["cause"], found[0]["confidence"]


def page(cluster):
    """Draw what all nodes recorded."""
    files = [str(f) for node in cluster.nodes.values() for f in node.state_dir.glob("flight-*.rec")]
    command = (sys.executable, "-m", "corosync_tw.cli.main", "fplay", "--html", "-", *files)
    outcome = cluster.nodes[1].machine.run(*command, check=False)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def lone_rings(cluster):
    return cluster.nodes[LOST].log_text().count("Members[1]")


def cut(cluster, *faults):
    """Have the network lose packets until both sides have a ring of their own."""
    before = lone_rings(cluster)
    cluster.bed.set_faults(*faults)
    cluster.wait_quorate(OTHERS)
    wait_until("a ring alone", lambda: lone_rings(cluster) > before, TIMEOUT_S)


def mend(cluster):
    cluster.bed.set_faults()
    cluster.wait_quorate()


def test_a_link_that_is_cut_both_ways(cluster):
    cut(cluster, Fault(0, sender=LOST), Fault(0, receiver=LOST))
    try:
        assert cause(cluster)[0] == "unknown"
        assert cause(cluster, with_files=True) == ("link_cut", "certain")
    finally:
        mend(cluster)
    # Back in the ring it tells by itself.
    assert cause(cluster) == ("link_cut", "certain")
    told = explained(cluster)
    assert [each["cause"] for each in told["joined"]] == ["heard_again"]


def test_a_link_that_is_cut_one_way(cluster):
    cut(cluster, Fault(0, sender=LOST, ip_only=True))
    try:
        assert cause(cluster, with_files=True) == ("link_cut_one_way", "certain")
    finally:
        mend(cluster)
    assert cause(cluster) == ("link_cut_one_way", "certain")


def test_a_process_that_stands_still(cluster):
    lost = cluster.nodes[LOST]
    lost.freeze()
    cluster.wait_quorate(OTHERS)
    lost.thaw()
    cluster.wait_quorate()
    assert cause(cluster) == ("paused", "certain")


def test_a_process_that_is_killed(cluster):
    lost = cluster.nodes[LOST]
    lost.sigkill()
    cluster.wait_quorate(OTHERS)
    assert cause(cluster, with_files=True) == ("killed", "likely")
    lost.start()
    cluster.wait_quorate()
    assert cause(cluster) == ("killed", "certain")
    told = explained(cluster)
    assert [each["cause"] for each in told["joined"]] == ["started"]
    assert "<b>Why node 3 left</b>: its process ended without a word" in page(cluster)


def test_a_node_that_is_stopped(cluster):
    assert cluster.nodes[LOST].leave() == 0
    cluster.wait_quorate(OTHERS)
    assert cause(cluster) == ("clean_leave", "certain")
