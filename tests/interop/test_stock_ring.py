"""The bed itself: three stock nodes and C clients pass every story that mixed rings must pass."""

import pytest

from tests.interop import stories
from tests.interop.netbed import NetBed
from tests.interop.nodes import Cluster

pytestmark = pytest.mark.interop
NODES = [1, 2, 3]


@pytest.fixture
def cluster(tmp_path):
    with (
        NetBed(NODES) as bed,
        Cluster(bed.machines, NODES, [], tmp_path, token_ms=stories.TOKEN_MS) as ring,
    ):
        ring.start()
        yield ring


def test_calm(cluster):
    stories.calm(cluster)


def test_five_percent_loss(cluster):
    stories.loss(cluster, 5)


def test_kill(cluster):
    stories.killed(cluster, 1)


def test_freeze(cluster):
    stories.frozen(cluster, 2)


def test_leave(cluster):
    stories.left(cluster, 3)
