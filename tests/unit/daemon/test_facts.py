"""What clients of libcfg are told about links, on a node of three over udpu."""

from ipaddress import ip_address

import pytest

from corosync_tw.config.load import load_text
from corosync_tw.daemon.facts import NodeFacts
from corosync_tw.net.interfaces import NetEvent, NetEventKind
from corosync_tw.services.cfg.facts import Interface, LinkState, NodeState
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.cmap.values import TypedValue
from tests.unit.config.hosts import conf, host


class Stack:
    members = (1, 2)


@pytest.fixture
def store():
    return CmapStore()


@pytest.fixture
def facts(store):
    return facts_of("", store)


def facts_of(totem, store):
    nodes = [(n, f"ring0_addr: 192.168.1.{n}") for n in (1, 2, 3)]
    config = load_text(conf(nodes=nodes, totem=totem), "f", host())
    return NodeFacts(lambda: config, Stack(), store)


def test_our_interface(facts):
    assert facts.interfaces() == [Interface(0, "192.168.1.1", "OK")]


def test_addresses(facts):
    assert facts.node_addresses(3) == [ip_address("192.168.1.3")]
    assert facts.node_addresses(9) == []


def test_a_member(facts):
    link = LinkState(enabled=True, connected=True, mtu_bytes=1410, src_address="192.168.1.2")
    assert facts.node_state(2) == NodeState(reachable=True, links=(link,))


def test_a_node_that_is_not_there(facts):
    link = LinkState(enabled=True, mtu_bytes=1410, src_address="192.168.1.3")
    assert facts.node_state(3) == NodeState(links=(link,))
    assert facts.node_state(9) == NodeState()


def test_our_interface_is_down(facts):
    for kind in (NetEventKind.INTERFACE_DOWN, NetEventKind.GROUP_LOST):
        facts.net_event(NetEvent(kind, ""))
        assert not facts.node_state(2).links[0].enabled
    facts.net_event(NetEvent(NetEventKind.INTERFACE_UP, ""))
    assert facts.node_state(2).links[0].enabled


def test_the_mtu_follows_the_file(store):
    assert facts_of("netmtu: 9000", store).node_state(2).links[0].mtu_bytes == 8910


def test_the_time_to_think(facts, store):
    assert facts.shutdown_timeout_ms() == 5000
    store.set("cfg.shutdown_timeout", TypedValue.u32(300))
    assert facts.shutdown_timeout_ms() == 300
    store.set("cfg.shutdown_timeout", TypedValue.string("300"))
    assert facts.shutdown_timeout_ms() == 5000
