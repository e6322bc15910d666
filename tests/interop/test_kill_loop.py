"""Daemons and C clients are killed at random under load: a short piece of what make soak does."""

import random

import pytest

from tests.interop.kill_loop import KillLoop
from tests.interop.netbed import NetBed
from tests.interop.nodes import Cluster

pytestmark = pytest.mark.interop
TOKEN_MS = 1000


@pytest.mark.parametrize(
    ("stock", "ours", "kills", "seed"),
    [([], [1, 2, 3], 10, 1), ([2], [1, 3], 6, 2)],
    ids=["ours", "mixed"],
)
def test_nodes_agree_and_hold_nothing_after_kills(stock, ours, kills, seed, tmp_path):
    with (
        NetBed([*stock, *ours]) as bed,
        Cluster(bed.machines, stock, ours, tmp_path, token_ms=TOKEN_MS) as cluster,
    ):
        killed = KillLoop(cluster, random.Random(seed)).run(kills)
    assert all(killed.values()), killed
