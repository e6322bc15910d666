"""What clients of libcfg are told about the links of knet, on a node of three with two links."""

import pytest

from corosync_tw.config.load import load_text
from corosync_tw.daemon.knet_facts import KnetFacts
from corosync_tw.services.cfg.facts import Interface, LinkState, NodeState
from corosync_tw.services.cmap.store import CmapStore
from tests.unit.config.hosts import conf, host


class Stack:
    members = (1, 2)


class Table:
    """Node 2 is connected by both links, node 3 by link 1 alone."""

    def link_value(self, nodeid, link, name):
        if name == "mtu":
            return 65535 if nodeid == 1 else 1446
        return int(name == "enabled" or nodeid != 3 or link == 1)

    def reachable(self, nodeid):
        return nodeid != 3


@pytest.fixture
def facts():
    nodes = [
        (n, f"name: n{n}", f"ring0_addr: 192.168.1.{n}", f"ring1_addr: 192.168.2.{n}")
        for n in (3, 1, 2)
    ]
    here = host("here", "192.168.1.1/24", "192.168.2.1/24")
    config = load_text(conf(transport="knet", nodes=nodes), "f", here)
    return KnetFacts(lambda: config, Stack(), CmapStore(), Table())


def test_a_character_for_each_node_by_nodeid(facts):
    assert facts.interfaces() == [
        Interface(0, "192.168.1.1", "n31"),
        Interface(1, "192.168.2.1", "n33"),
    ]


def test_the_links_to_a_node(facts):
    one, two = facts.node_state(3).links
    assert not facts.node_state(3).reachable
    assert one == LinkState(True, False, False, 1446, "192.168.1.1", "192.168.1.3")
    assert two == LinkState(True, True, False, 1446, "192.168.2.1", "192.168.2.3")


def test_the_link_to_ourselves_is_link_0(facts):
    state = facts.node_state(1)
    assert state.reachable
    assert state.links[0] == LinkState(True, True, False, 65535, "192.168.1.1", "192.168.1.1")
    assert state.links[1:] == (LinkState(),)


def test_a_stranger(facts):
    assert facts.node_state(9) == NodeState()
