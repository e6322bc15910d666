"""Rings of ours whose datagrams are sealed (totem.udp_crypto), and what others see of them."""

import os

import pytest

from tests.interop import stories
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
                    "Datagrams of 10.77.5.4 are not encrypted" in node.log_text()
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
