"""
Rings of stock corosync 3.1.7 and ours over udpu: one total order, whatever fails on either side.

Ours is once the highest node, once the lowest (the ring's representative), and once two of ours
frame two stock nodes. Beside ours run C clients, and in two layouts one of Perspective Broker.
"""

import pytest

from tests.interop import stories
from tests.interop.netbed import NetBed
from tests.interop.nodes import Cluster

pytestmark = pytest.mark.interop

LAYOUTS = {
    "ours-highest": ([1, 2], [3], []),
    "ours-lowest": ([2, 3], [1], [1]),
    "two-of-ours": ([2, 3], [1, 4], [4]),
}


@pytest.fixture(params=LAYOUTS)
def ring(request, tmp_path):
    stock, ours, broker = LAYOUTS[request.param]
    conf = {"token_ms": stories.TOKEN_MS, "pb_clients": broker}
    with (
        NetBed([*stock, *ours]) as bed,
        Cluster(bed.machines, stock, ours, tmp_path, **conf) as cluster,
    ):
        cluster.start()
        yield cluster


def of_kind(cluster: Cluster, kind: str) -> int:
    """The highest node of a kind."""
    return max(nodeid for nodeid, node in cluster.nodes.items() if node.kind == kind)


def test_calm(ring):
    stories.calm(ring)


def test_five_percent_loss(ring):
    stories.loss(ring, 5)


def test_kill_stock(ring):
    stories.killed(ring, of_kind(ring, "stock"))


def test_kill_ours(ring):
    stories.killed(ring, of_kind(ring, "ours"))


def test_freeze_stock(ring):
    stories.frozen(ring, of_kind(ring, "stock"))


def test_freeze_ours(ring):
    stories.frozen(ring, of_kind(ring, "ours"))


def test_leave_stock(ring):
    stories.left(ring, of_kind(ring, "stock"))


def test_leave_ours(ring):
    stories.left(ring, of_kind(ring, "ours"))
