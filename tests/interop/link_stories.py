"""
What is done to the links of a knet ring under load: each is cut and restored, and nobody notices.
"""

import re
import time

from tests.interop import order
from tests.interop.netbed import Fault, NetBed, wait_until
from tests.interop.nodes import Cluster, Node
from tests.interop.stories import Load

DOWN_WITHIN_S = 20.0
UP_WITHIN_S = 20.0
RATE = 300
SECONDS_EACH = 4


def cut(machine: int, network: int) -> tuple[Fault, Fault]:
    """Give the faults that take a machine off a network."""
    return Fault(network, sender=machine), Fault(network, receiver=machine)


def connected(node: Node, network: int) -> set[int]:
    """List the nodes that a node reaches over a link, as the stock cfgtool tells."""
    said = node.machine.run("corosync-cfgtool", "-s", check=False).stdout
    for part in said.split("LINK ID ")[1:]:
        if part.startswith(f"{network} "):
            return {int(n) for n in re.findall(r"nodeid: +([0-9]+):\tconnected", part)}
    return set()


def wait_links(cluster: Cluster, network: int, apart: set[int], timeout_s: float) -> float:
    """Wait until every node sees its link to each other node up, but those of nodes ``apart``."""
    everybody = set(cluster.nodes)

    def agreed() -> bool:
        for nodeid, node in cluster.nodes.items():
            others = set() if nodeid in apart else everybody - apart - {nodeid}
            if connected(node, network) != others:
                return False
        return True

    what = f"link {network} up everywhere but at {sorted(apart)}"
    try:
        return wait_until(what, agreed, timeout_s, 0.1)
    except AssertionError as error:
        seen = {nodeid: connected(node, network) for nodeid, node in cluster.nodes.items()}
        raise AssertionError(f"{error}: {seen}\n{cluster.tail_logs()}") from None


def memberships(cluster: Cluster) -> dict[int, int]:
    """Count the memberships that each node has seen."""
    return {
        nodeid: node.log_text().count("A new membership") for nodeid, node in cluster.nodes.items()
    }


def links_cut_in_turn(cluster: Cluster, bed: NetBed, *, rest_s: float = 0.0) -> list[str]:
    """
    Cut and restore each link of each node, one at a time, while everybody sends.

    :param rest_s: between restoring a link and cutting the next one.
    :return: a line about each, with the seconds it took.
    """
    everybody = sorted(cluster.nodes)
    for network in range(bed.networks):
        wait_links(cluster, network, set(), UP_WITHIN_S)
    # As much as is sent until the last link is back.
    seconds = bed.networks * len(everybody) * (SECONDS_EACH + rest_s)
    load = Load(cluster, RATE, round(RATE * len(everybody) * seconds))
    before = memberships(cluster)
    told = []
    clients = list(load.clients.values())
    for network in range(bed.networks):
        for nodeid in everybody:
            time.sleep(rest_s)
            bed.set_faults(*cut(nodeid, network))
            down_s = wait_links(cluster, network, {nodeid}, DOWN_WITHIN_S)
            bed.set_faults()
            up_s = wait_links(cluster, network, set(), UP_WITHIN_S)
            told.append(f"n{nodeid} link {network}: down {down_s:.2f} s, up {up_s:.2f} s")
            assert memberships(cluster) == before, f"{told[-1]}\n{cluster.tail_logs()}"
    told.append(f"{min(c.delivered() for c in clients)} messages by then")
    load.until_all_of(clients, clients, 120)
    logs = load.finish(clients)
    order.check_same(logs, len(logs))
    order.check_none_lost(logs, logs)
    cluster.assert_alive(everybody)
    assert memberships(cluster) == before, cluster.tail_logs()
    return told
