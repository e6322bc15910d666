"""Debian's Pacemaker runs its resources on our nodes as on stock ones, and through a migration."""

import pytest

from tests.interop import pacemaker_stories as stories
from tests.interop.netbed import NetBed
from tests.interop.nodes import Cluster
from tests.interop.pacemaker import Managed

pytestmark = pytest.mark.interop
NODES = [1, 2, 3]
TOKEN_MS = 1000


@pytest.fixture
def managed(request, tmp_path):
    stock = request.param
    ours = [nodeid for nodeid in NODES if nodeid not in stock]
    with (
        NetBed(NODES) as bed,
        Cluster(bed.machines, stock, ours, tmp_path, token_ms=TOKEN_MS) as cluster,
    ):
        yield Managed(cluster)


@pytest.mark.parametrize("managed", [NODES, [], [1]], indirect=True, ids=["stock", "ours", "mixed"])
def test_resources_survive(managed):
    status = stories.begun(managed)
    dc = managed.dc_nodeid(status)
    status = stories.lost(managed, dc)
    kinds = {nodeid: node.kind for nodeid, node in managed.cluster.nodes.items()}
    others = [nodeid for nodeid in NODES if nodeid != managed.dc_nodeid(status)]
    # In a mixed ring both kinds are killed.
    victim = next((nodeid for nodeid in others if kinds[nodeid] != kinds[dc]), others[0])
    status = stories.lost(managed, victim)
    stories.stopped(managed, managed.dc_nodeid(status))


@pytest.mark.parametrize("managed", [NODES], indirect=True, ids=["from-stock"])
def test_node_by_node_to_ours_and_back(managed):
    stories.begun(managed)
    for kind in ("ours", "stock"):
        for nodeid in NODES:
            stories.stopped(managed, nodeid, kind)
            assert managed.cluster.nodes[nodeid].kind == kind
