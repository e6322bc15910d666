"""What a node tells of its host when it is inspected."""

import json

import pytest

from corosync_tw.config.load import load_text
from corosync_tw.daemon import inspected
from corosync_tw.net.ifaddr import IFF_UP, InterfaceAddress
from tests.unit.config.hosts import conf, host

NODES = [(n, f"ring0_addr: 192.168.1.{n}") for n in (1, 2, 3)]


def tell(tmp_path):
    config = load_text(conf(nodes=NODES), "f", host())
    return json.loads(inspected.facts({"nodeid": 1}, config, str(tmp_path)))


@pytest.fixture
def interface(monkeypatch):
    """Have the node's address on an interface that the file system does not show."""

    def has_mtu(mtu):
        found = InterfaceAddress("192.168.1.1", 24, 7, "not-in-sys", IFF_UP, mtu)
        monkeypatch.setattr(inspected, "local_addresses", lambda: [found])

    return has_mtu


def test_host_and_node_are_told_together(tmp_path, interface):
    interface(1400)
    told = tell(tmp_path)
    assert told["nodeid"] == 1
    assert told["mtu_bytes"] == {"0": 1400}
    assert told["free_bytes"][str(tmp_path)] > 0


def test_mtu_that_the_system_does_not_tell(tmp_path, interface):
    interface(0)
    assert tell(tmp_path)["mtu_bytes"] == {}
