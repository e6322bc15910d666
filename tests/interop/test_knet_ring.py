"""
Rings of stock corosync 3.1.7 and ours over knet, two links: one total order, whatever fails.

Ours is once the highest node, once the lowest (the ring's representative), and once two of ours
frame two stock nodes; in clear, and with stock's usual encryption.
"""

import contextlib

import pytest

from tests.interop import link_stories, stories
from tests.interop.netbed import NetBed
from tests.interop.nodes import Cluster

pytestmark = pytest.mark.interop

CLEAR = ""
SEALED = (
    "    crypto_cipher: aes256\n    crypto_hash: sha256\n    key: " + "0123456789abcdef" * 8 + "\n"
)
LAYOUTS = {
    "ours-highest": ([1, 2], [3], CLEAR),
    "ours-lowest-sealed": ([2, 3], [1], SEALED),
    "two-of-ours": ([2, 3], [1, 4], CLEAR),
    "two-of-ours-sealed": ([2, 3], [1, 4], SEALED),
    "ours-alone": ([], [1, 2, 3], CLEAR),
}
# Links that are down well before the token is lost, also when they came up just now.
SHORT_PINGS = "".join(
    f"    interface {{\n        linknumber: {link}\n        knet_ping_interval: 100\n"
    "        knet_ping_timeout: 300\n    }\n"
    for link in range(2)
)
TOKEN_MS = 3000
# Messages of an order client that fit the packets of 64 kB of one visit of the token.
VISIT_MSGS = 1100


@contextlib.contextmanager
def standing(layout, workdir, pings=SHORT_PINGS):
    stock, ours, crypto = LAYOUTS[layout]
    conf = {"transport": "knet", "token_ms": TOKEN_MS, "totem_extra": crypto + pings}
    with (
        NetBed([*stock, *ours], networks=2) as bed,
        Cluster(bed.machines, stock, ours, workdir, **conf) as cluster,
    ):
        cluster.straddling_max = VISIT_MSGS
        cluster.start()
        cluster.wait_quorate()
        yield bed, cluster


@pytest.fixture(params=LAYOUTS)
def bed_and_ring(request, tmp_path):
    with standing(request.param, tmp_path) as both:
        yield both


def of_kind(cluster: Cluster, kind: str) -> int:
    """The highest node of a kind, or of any."""
    found = [nodeid for nodeid, node in cluster.nodes.items() if node.kind == kind]
    return max(found or cluster.nodes)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_calm_with_the_timers_of_a_default_cluster(layout, tmp_path):
    with standing(layout, tmp_path, pings="") as (_, cluster):
        stories.calm(cluster)


def test_links_cut_in_turn(bed_and_ring):
    bed, cluster = bed_and_ring
    print("\n".join(link_stories.links_cut_in_turn(cluster, bed)))


def test_kill_stock(bed_and_ring):
    stories.killed(bed_and_ring[1], of_kind(bed_and_ring[1], "stock"))


def test_kill_ours(bed_and_ring):
    stories.killed(bed_and_ring[1], of_kind(bed_and_ring[1], "ours"))


def test_leave_ours(bed_and_ring):
    stories.left(bed_and_ring[1], of_kind(bed_and_ring[1], "ours"))
