"""The quorum provider corosync_ykd on a ring of stock and ours: all decide the same."""

import re

import pytest

from tests.interop.netbed import NetBed, wait_until
from tests.interop.nodes import Cluster

DECISION_S = 20.0


@pytest.fixture(scope="module")
def cluster(tmp_path_factory):
    with (
        NetBed([1, 2, 3]) as bed,
        Cluster(
            bed.machines, stock=[1, 3], ours=[2], workdir=tmp_path_factory.mktemp("ykd")
        ) as ring,
    ):
        for node in ring.nodes.values():
            text = node.conf.read_text()
            assert "corosync_votequorum" in text
            node.conf.write_text(text.replace("corosync_votequorum", "corosync_ykd"))
            node.start()
        yield ring


def said(node):
    """Members and answer of a node, as its quorumtool tells them."""
    text = node.machine.run("corosync-quorumtool", "-s", check=False).stdout
    nodes = re.search(r"^Nodes: +(\d+)$", text, re.MULTILINE)
    quorate = re.search(r"^Quorate: +(\w+)$", text, re.MULTILINE)
    return int(nodes[1]) if nodes else 0, quorate[1] if quorate else ""


def expect(cluster, nodeids, answer):
    wanted = {(len(nodeids), answer)}
    wait_until(
        f"{answer} on {nodeids}",
        lambda: {said(cluster.nodes[nodeid]) for nodeid in nodeids} == wanted,
        DECISION_S,
    )


def test_a_mixed_ring_keeps_the_primary_component(cluster):
    expect(cluster, [1, 2, 3], "Yes")
    cluster.nodes[3].sigkill()
    expect(cluster, [1, 2], "Yes")
    cluster.nodes[3].start()
    expect(cluster, [1, 2, 3], "Yes")
    cluster.nodes[1].sigkill()
    cluster.nodes[3].sigkill()
    expect(cluster, [2], "No")
    # What node 2 remembers decides for a node that lost its memory: two of the last three.
    cluster.nodes[1].start()
    expect(cluster, [1, 2], "Yes")
