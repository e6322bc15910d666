"""Rings of ours alone over real sockets, and over multicast also together with a stock node."""

import pytest

from tests.interop import stories
from tests.interop.netbed import NetBed
from tests.interop.nodes import Cluster

pytestmark = pytest.mark.interop
NODES = [1, 2, 3]


@pytest.fixture
def ring(request, tmp_path):
    stock, transport = request.param
    ours = [nodeid for nodeid in NODES if nodeid not in stock]
    conf = {"token_ms": stories.TOKEN_MS, "transport": transport, "pb_clients": [1]}
    with NetBed(NODES) as bed, Cluster(bed.machines, stock, ours, tmp_path, **conf) as cluster:
        cluster.start()
        yield cluster


@pytest.mark.parametrize(
    "ring", [([], "udpu"), ([2], "udp")], indirect=True, ids=["udpu", "udp-stock-in-the-middle"]
)
def test_kill(ring):
    stories.killed(ring, 3)


@pytest.mark.parametrize(
    "ring", [([], "udp"), ([1], "udp")], indirect=True, ids=["udp", "udp-stock-lowest"]
)
def test_five_percent_loss(ring):
    stories.loss(ring, 5)
