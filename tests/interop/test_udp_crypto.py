"""Rings of ours whose datagrams are sealed (totem.udp_crypto), and what others see of them."""

import os

import pytest

from tests.interop import order, stories
from tests.interop.link_stories import memberships
from tests.interop.netbed import NetBed, wait_until
from tests.interop.nodes import Cluster

pytestmark = pytest.mark.interop

TOKEN_MS = 5000


def extra(keyfile, cipher: str = "aes256-gcm") -> str:
    return f"    udp_crypto: {cipher}\n    keyfile: {keyfile}\n"


@pytest.fixture
def keyfile(tmp_path):
    path = tmp_path / "authkey"
    path.write_bytes(os.urandom(256))
    return path


@pytest.fixture(params=[("udpu", "aes256-gcm"), ("udp", "chacha20-poly1305")], ids=["udpu", "udp"])
def ring(request, tmp_path, keyfile):
    transport, cipher = request.param
    conf = {"transport": transport, "token_ms": TOKEN_MS, "totem_extra": extra(keyfile, cipher)}
    with NetBed([1, 2, 3]) as bed, Cluster(bed.machines, [], [1, 2, 3], tmp_path, **conf) as ring:
        ring.start()
        ring.wait_quorate()
        yield ring


def test_calm(ring):
    stories.calm(ring)


def test_a_node_is_killed_and_comes_back(ring):
    stories.killed(ring, 2)


def test_loss(ring):
    stories.loss(ring, 10)


@pytest.mark.parametrize("mode", ["passive", "active"])
def test_redundant_rings(tmp_path, keyfile, mode):
    conf = {
        "transport": "udpu",
        "token_ms": TOKEN_MS,
        "totem_extra": f"    rrp_mode: {mode}\n{extra(keyfile)}",
    }
    with (
        NetBed([1, 2, 3], networks=2) as bed,
        Cluster(bed.machines, [], [1, 2, 3], tmp_path, **conf) as cluster,
    ):
        cluster.start()
        cluster.wait_quorate()
        stories.calm(cluster)


def test_a_stock_node_and_one_with_another_key_stay_outside(tmp_path, keyfile):
    conf = {"transport": "udpu", "token_ms": TOKEN_MS, "totem_extra": extra(keyfile)}
    with (
        NetBed([1, 2, 3, 4, 5]) as bed,
        Cluster(bed.machines, [4], [1, 2, 3, 5], tmp_path, **conf) as cluster,
    ):
        other = tmp_path / "otherkey"
        other.write_bytes(os.urandom(256))
        conf_5 = cluster.nodes[5].conf
        conf_5.write_text(conf_5.read_text().replace(str(keyfile), str(other)))
        cluster.start()
        cluster.wait_quorate([1, 2, 3], members=[1, 2, 3])
        for nodeid in (1, 2, 3):
            node = cluster.nodes[nodeid]
            wait_until(
                "a word about both strangers",
                lambda node=node: (
                    "Datagrams of node 4 (10.77.5.4) are not encrypted" in node.log_text()
                    and "Datagrams of node 5 (10.77.5.5) are sealed with another key"
                    in node.log_text()
                ),
                20,
            )
            text = node.log_text()
            assert text.count("are not encrypted") == 1
            assert "stock Corosync cannot join" in text.replace("\n", " ")
        cluster.assert_alive([1, 2, 3, 4, 5])
        assert cluster.nodes[1].quorate_members() == [1, 2, 3]


# What is written one after the other: cipher, and whether the key file is another one.
CHANGES = (("aes256-gcm", True), ("chacha20-poly1305", False), ("aes256-gcm", True))
RATE = 150
MESSAGES = 3000
CHANGED_WITHIN_S = 30.0


def reload(cluster, nodeid):
    said = cluster.nodes[nodeid].machine.run("corosync-cfgtool", "-R", check=False)
    assert (said.returncode, said.stdout) == (0, "Reloading corosync.conf...\nDone\n"), said


def forgotten(cluster, times):
    words = "totem.udp_crypto: the old key is forgotten"
    return all(node.log_text().count(words) == times for node in cluster.nodes.values())


@pytest.mark.parametrize("rings", [1, 2])
def test_keys_change_under_load(tmp_path, keyfile, rings):
    first = extra(keyfile)
    mode = "" if rings == 1 else "    rrp_mode: passive\n"
    conf = {"transport": "udpu", "token_ms": TOKEN_MS, "totem_extra": mode + first}
    with (
        NetBed([1, 2, 3], networks=rings) as bed,
        Cluster(bed.machines, [], [1, 2, 3], tmp_path, **conf) as cluster,
    ):
        cluster.start()
        cluster.wait_quorate()
        load = stories.Load(cluster, RATE, MESSAGES)
        before = memberships(cluster)
        clients = list(load.clients.values())
        texts = {nodeid: node.conf.read_text() for nodeid, node in cluster.nodes.items()}
        for times, (cipher, another_key) in enumerate(CHANGES, 1):
            if another_key:
                keyfile.write_bytes(os.urandom(128 * times))
            for nodeid, node in cluster.nodes.items():
                node.conf.write_text(texts[nodeid].replace(first, extra(keyfile, cipher)))
            reload(cluster, times)
            wait_until(
                f"change {times}", lambda times=times: forgotten(cluster, times), CHANGED_WITHIN_S
            )
            load.until_share(times / len(CHANGES) / 2)
        load.until_all_of(clients, clients)
        load.until_level(clients)
        logs = load.finish(clients)
        order.check_same(logs, len(logs))
        order.check_none_lost(logs, logs)
        assert memberships(cluster) == before, cluster.tail_logs()
        # The last key is the one in use: a node that starts anew knows no other.
        cluster.nodes[2].leave()
        cluster.nodes[2].start()
        cluster.wait_quorate()
        cluster.assert_alive([1, 2, 3])


def test_a_node_without_the_new_key_is_named_and_waited_for(tmp_path, keyfile):
    conf = {"transport": "udpu", "token_ms": TOKEN_MS, "totem_extra": extra(keyfile)}
    with (
        NetBed([1, 2]) as bed,
        Cluster(bed.machines, [], [1, 2], tmp_path, **conf) as cluster,
    ):
        cluster.start()
        cluster.wait_quorate()
        before = memberships(cluster)
        other = tmp_path / "otherkey"
        other.write_bytes(os.urandom(256))
        texts = {nodeid: node.conf.read_text() for nodeid, node in cluster.nodes.items()}
        words = "not changed yet: nodes 2 do not have the new one"
        for nodeid, node in cluster.nodes.items():
            node.conf.write_text(texts[nodeid].replace(str(keyfile), str(other)))
            reload(cluster, 1)
            wait_until(words, lambda: words in cluster.nodes[1].log_text(), 30)
        wait_until("the change", lambda: forgotten(cluster, 1), CHANGED_WITHIN_S)
        assert memberships(cluster) == before, cluster.tail_logs()
