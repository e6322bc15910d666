"""
A ring of stock corosync 3.1.7 and ours whose first link is IPv4 and whose second one is IPv6.

Each family's network fails as a whole while everybody sends, and the other one carries the ring.
"""

import re

import pytest

from tests.interop import order
from tests.interop.link_stories import DOWN_WITHIN_S, UP_WITHIN_S, memberships, wait_links
from tests.interop.netbed import Fault, NetBed
from tests.interop.nodes import Cluster
from tests.interop.stories import Load
from tests.interop.test_knet_ring import SEALED, SHORT_PINGS, TOKEN_MS

pytestmark = pytest.mark.interop

NODES = [1, 2, 3]
RATE = 200
SECONDS = 10
# Of 1500 bytes what headers, salt, hash and padding to whole blocks leave for a frame.
MTUS = {0: 1397, 1: 1365}


def shown_mtus(node):
    """Give the MTU of each link that a node shows, of all other nodes."""
    said = node.machine.run("corosync-cfgtool", "-n").stdout
    found = re.findall(r"LINK: (\d) .*mtu: (\d+)", said)
    return {(int(link), int(mtu)) for link, mtu in found}


def test_either_family_carries_the_ring_alone(tmp_path):
    conf = {"transport": "knet", "token_ms": TOKEN_MS, "totem_extra": SEALED + SHORT_PINGS}
    with (
        NetBed(NODES, networks=2, ipv6=[1]) as bed,
        Cluster(bed.machines, [2], [1, 3], tmp_path, **conf) as cluster,
    ):
        cluster.start()
        cluster.wait_quorate()
        for network in (0, 1):
            wait_links(cluster, network, set(), UP_WITHIN_S)
        load = Load(cluster, RATE, RATE * SECONDS * len(NODES))
        before = memberships(cluster)
        for network in (0, 1):
            bed.set_faults(Fault(network))
            wait_links(cluster, network, set(NODES), DOWN_WITHIN_S)
            bed.set_faults()
            wait_links(cluster, network, set(), UP_WITHIN_S)
        clients = list(load.clients.values())
        load.until_all_of(clients, clients)
        logs = load.finish(clients)
        order.check_same(logs, len(logs))
        order.check_none_lost(logs, logs)
        cluster.assert_alive(NODES)
        assert memberships(cluster) == before, cluster.tail_logs()
        for node in cluster.nodes.values():
            assert shown_mtus(node) == set(MTUS.items())
