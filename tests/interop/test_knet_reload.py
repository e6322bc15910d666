"""
Links and nodes come and go in a running knet ring of stock and ours, by reload, and no node leaves.
"""

import re

import pytest

from tests.interop.link_stories import UP_WITHIN_S, memberships, wait_links
from tests.interop.netbed import NetBed, wait_until
from tests.interop.nodes import Cluster, corosync_conf
from tests.interop.test_knet_ring import SEALED, SHORT_PINGS, TOKEN_MS

pytestmark = pytest.mark.interop

NODES = [1, 2, 3]
SHOWN_WITHIN_S = 5.0


class Ring:
    """A ring whose file changes on all nodes at once."""

    def __init__(self, bed, cluster):
        self.bed, self.cluster = bed, cluster
        self.nodes = cluster.nodes

    def write(self, links=(0, 1), nodes=NODES, totem=SEALED + SHORT_PINGS):
        for node in self.nodes.values():
            addresses = {n: self.bed.machines[n].addresses for n in nodes}
            text = corosync_conf(
                addresses,
                node.state_dir,
                transport="knet",
                token_ms=TOKEN_MS,
                totem_extra=totem,
                run_dir=node.run_dir,
            )
            for link in {0, 1} - set(links):
                text = re.sub(rf"^ *ring{link}_addr.*\n", "", text, flags=re.MULTILINE)
                block = rf" *interface \{{\n *linknumber: {link}\n(?: +knet.*\n)* *\}}\n"
                text = re.sub(block, "", text)
            node.conf.write_text(text)

    def reload(self, by):
        said = self.nodes[by].machine.run("corosync-cfgtool", "-R", check=False)
        assert said.returncode == 0, f"{said.stdout}{said.stderr}\n{self.cluster.tail_logs()}"

    def wait_up(self, *links):
        """Wait until these links are up between all nodes that run."""
        for link in links:
            wait_links(self.cluster, link, set(), UP_WITHIN_S)

    def keys(self, nodeid):
        """Name the keys of the links on a node."""
        said = self.nodes[nodeid].machine.run("corosync-cmapctl", "-m", "stats", "stats.knet.")
        return {line.rpartition(" = ")[0] for line in said.stdout.splitlines()}

    def lines(self, nodeid, text):
        return self.nodes[nodeid].log_text().count(text)


@pytest.fixture(params=["ours-highest", "two-of-ours"])
def ring(request, tmp_path):
    stock, ours = {"ours-highest": ([1, 2], [3]), "two-of-ours": ([2], [1, 3])}[request.param]
    conf = {"transport": "knet", "token_ms": TOKEN_MS}
    with (
        NetBed(NODES, networks=2) as bed,
        Cluster(bed.machines, stock, ours, tmp_path, **conf) as cluster,
    ):
        made = Ring(bed, cluster)
        made.write(links=[0])
        cluster.start()
        cluster.wait_quorate()
        made.wait_up(0)
        yield made


def test_links_and_nodes_come_and_go(ring):
    cluster = ring.cluster
    before = memberships(cluster)

    ring.write()
    ring.reload(by=1)
    ring.wait_up(0, 1)
    everywhere = [ring.keys(nodeid) for nodeid in NODES]
    # One link to ourselves, two to each other node.
    assert [len(keys) for keys in everywhere] == [22 + 39 * 5] * 3
    alike = [{re.sub(r"node\d\.link\d", "", key) for key in keys} for keys in everywhere]
    assert alike[0] == alike[1] == alike[2]

    preferred = SHORT_PINGS.replace(
        "linknumber: 1\n", "linknumber: 1\n        knet_link_priority: 7\n"
    )
    ring.write(totem=SEALED + preferred)
    ring.reload(by=3)
    for nodeid in NODES:
        for other in set(NODES) - {nodeid}:
            text = f"host: host: {other} (passive) best link: 1 (pri: 7)"
            wait_until(text, lambda n=nodeid, t=text: ring.lines(n, t) > 0, SHOWN_WITHIN_S)

    ring.write(links=[1])
    ring.reload(by=1)
    for nodeid in NODES:
        shown = f"link 0 is gone on n{nodeid}"
        wait_until(shown, lambda n=nodeid: len(ring.keys(n)) == 22 + 39 * 3, SHOWN_WITHIN_S)
    ring.write()
    ring.reload(by=3)
    ring.wait_up(0, 1)
    assert memberships(cluster) == before, cluster.tail_logs()
    cluster.assert_alive(NODES)

    cluster.nodes[3].leave()
    gone = cluster.nodes.pop(3)
    ring.write(nodes=[1, 2])
    ring.reload(by=1)
    cluster.wait_quorate()
    for nodeid in (1, 2):
        assert not any("node3" in key for key in ring.keys(nodeid))
    cluster.nodes[3] = gone
    ring.write()
    ring.reload(by=2)
    gone.start()
    cluster.wait_quorate()
    ring.wait_up(0, 1)
    cluster.assert_alive(NODES)
