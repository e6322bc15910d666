"""Knet over sockets: two nodes on loopback whose time is a clock's, and what is asked of them."""

import select
import socket
from dataclasses import replace

import pytest
from twisted.internet.task import Clock
from zope.interface import implementer

from corosync_tw.net.interfaces import ILinkReceiver
from corosync_tw.net.knet.params import KnetParams, LinkParams
from corosync_tw.net.knet_carrier import CarrierSettings
from corosync_tw.net.knet_transport import KnetTransport
from corosync_tw.services.stats.knet import HANDLE_NAMES, LINK_TYPES, KnetKeys
from corosync_tw.totem.links import LinkEventKind
from corosync_tw.totem.runs import FrameBlob
from tests.unit.net.net_support import Events, FakeReactor, frame

ADDRESSES = {1: ("127.0.0.1", "127.0.1.1"), 2: ("127.0.0.2", "127.0.1.2")}
MESSAGE, TOKEN, JOIN = 1, 0, 3
PING_S = 0.1
MS = 1_000_000


class Reactor(FakeReactor, Clock):
    """Sockets are real, time is not."""

    def __init__(self):
        FakeReactor.__init__(self)
        Clock.__init__(self)


@implementer(ILinkReceiver)
class Node:
    """One node of two."""

    def __init__(self, nodeid, ports, links=(0, 1)):
        self.nodeid, self.other, self.ports = nodeid, 3 - nodeid, ports
        self.reactor, self.events, self.received, self.failures = Reactor(), [], [], []
        self.transport = KnetTransport(
            self.reactor,
            self.params(links),
            self.settings(links),
            Events(),
            self,
            now_ns=lambda: int(self.reactor.seconds() * 1e9),
        )
        self.transport.start(self)

    def params(self, links=(0, 1), **more):
        return KnetParams(
            self.nodeid,
            tuple(
                LinkParams(
                    self.other,
                    link,
                    ADDRESSES[self.other][link],
                    ping_interval_ns=100 * MS,
                    pong_timeout_ns=200 * MS,
                    pong_count=2,
                    priority=1,
                )
                for link in links
            ),
            **more,
        )

    def settings(self, links=(0, 1)):
        own, others = ADDRESSES[self.nodeid], ADDRESSES[self.other]
        return {
            link: CarrierSettings(own[link], self.ports[link], {self.other: others[link]})
            for link in links
        }

    # Who is told

    def links_received(self, frames, released):
        del released
        for each in frames:
            pieces = each.frames() if isinstance(each, FrameBlob) else (each,)
            self.received += [bytes(piece) for piece in pieces]

    def link_event(self, event):
        self.events.append(event)

    def links_failed(self, failure):
        self.failures.append(failure)

    def value(self, name, link=0):
        return self.transport.link_value(self.other, link, name)


class Pair:
    """Both nodes, and their time."""

    def __init__(self):
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
            sock.bind(("127.0.0.1", 0))
            first = sock.getsockname()[1]
        self.ports = (first, first)
        self.nodes = [Node(1, self.ports), Node(2, self.ports)]

    def settle(self):
        """Read what is under way until nothing is."""
        while True:
            readers = {r.fileno(): r for node in self.nodes for r in node.reactor.readers}
            ready, _, _ = select.select(list(readers), [], [], 0)
            for descriptor in ready:
                readers[descriptor].doRead()
            for node in self.nodes:
                node.reactor.advance(0)
            if not ready:
                return

    def run(self, seconds):
        for _ in range(round(seconds / PING_S * 2)):
            for node in self.nodes:
                node.reactor.advance(PING_S / 2)
            self.settle()


@pytest.fixture
def pair():
    made = Pair()
    yield made
    for node in made.nodes:
        node.transport.stop()
        assert node.failures == []


def test_links_come_up_and_carry_frames_of_any_length(pair):
    one, two = pair.nodes
    assert not one.transport.reachable(2)
    pair.run(1)
    assert one.transport.reachable(2)
    assert {e.link for e in one.events if e.kind is LinkEventKind.HOST_UP} == {0, 1}
    message = frame(MESSAGE, b"m" * 40_000)
    join = frame(JOIN, b"j")
    token = frame(TOKEN, b"t")[:9] + (2).to_bytes(4, "little")
    one.transport.send_mcast([(message[:50], message[50:]), (join,)], False)
    one.transport.send_token(2, token)
    pair.settle()
    assert sorted(map(len, two.received)) == sorted(map(len, (message, join, token)))
    assert two.received[0] == message


def test_the_path_is_measured_and_shown(pair):
    one, _ = pair.nodes
    pair.run(2)
    assert one.value("mtu") > 1446
    assert (one.value("enabled"), one.value("connected"), one.value("up_count")) == (1, 1, 1)
    assert one.value("tx_ping_packets") >= 10
    assert one.transport.links() == ((1, 0), (2, 0), (2, 1))
    assert one.transport.members() == {2: "127.0.0.2"}
    provider = KnetKeys(one.transport)
    names = provider.keys()
    assert len(names) == len(HANDLE_NAMES) + 3 * len(LINK_TYPES)
    assert all(provider.get(name) for name in names)
    assert one.transport.link_value(1, 0, "mtu") == 65535
    assert one.transport.link_value(9, 0, "mtu") == one.transport.link_value(2, 5, "mtu") == 0
    assert one.transport.handle_value("tx_crypt_time_min") == 2**64 - 1
    one.transport.engine.stats.tx_crypt_time.note(7_000, 3)
    one.transport.engine.stats.tx_crypt_time.note(3_000)
    which = ("min", "max", "ave")
    assert [one.transport.handle_value(f"tx_crypt_time_{w}") for w in which] == [3000, 7000, 6000]
    one.transport.clear_stats()
    assert [one.transport.handle_value(f"tx_crypt_time_{w}") for w in which] == [2**64 - 1, 0, 0]
    assert one.value("tx_ping_packets") == 0
    assert one.value("connected") == 1


def test_word_that_nobody_listens_takes_no_link_down(pair):
    """ICMP errors can be forged, pongs cannot."""
    one, two = pair.nodes
    pair.run(1)
    two.transport.stop()
    for _ in range(3):
        one.transport.send_mcast([(frame(JOIN, b"x"),)], False)
        pair.settle()
    assert one.value("connected") == 1
    assert one.transport.stats.tx_unreachable == one.transport.stats.rx_errors == 0
    pair.run(2)
    assert one.value("connected") == 0


def test_a_link_goes_and_comes_while_the_other_one_carries_on(pair):
    one, two = pair.nodes
    pair.run(1)
    for node in pair.nodes:
        assert node.transport.reconfigure(node.params([1]), node.settings([1])) == []
    assert one.transport.links() == ((1, 0), (2, 1))
    assert one.transport.reachable(2)
    one.transport.send_mcast([(frame(JOIN, b"x"),)], False)
    pair.settle()
    assert len(two.received) == 1
    for node in pair.nodes:
        assert node.transport.reconfigure(node.params(), node.settings()) == []
    pair.run(1)
    assert (one.value("connected", 0), one.value("connected", 1)) == (1, 1)


def test_a_node_goes_and_comes(pair):
    one, _ = pair.nodes
    pair.run(1)
    alone = {link: replace(each, peers={}) for link, each in one.settings().items()}
    assert one.transport.reconfigure(one.params([]), alone) == []
    assert not one.transport.reachable(2)
    assert one.transport.members() == {}
    assert one.transport.reconfigure(one.params(), one.settings()) == []
    pair.run(3)
    assert one.transport.reachable(2)


def test_a_new_link_whose_port_is_taken_stays_down_and_is_told_of(pair):
    one, _ = pair.nodes
    pair.run(1)
    one.transport.reconfigure(one.params([0]), one.settings([0]))
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as thief:
        thief.bind((ADDRESSES[1][1], pair.ports[1]))
        (trouble,) = one.transport.reconfigure(one.params(), one.settings())
        assert str(pair.ports[1]) in str(trouble)
        pair.run(1)
        assert one.value("connected", 1) == 0
        assert one.transport.reachable(2)
    assert one.transport.reconfigure(one.params(), one.settings()) == []
    pair.run(3)
    assert one.value("connected", 1) == 1


def test_timers_and_priorities_change(pair):
    one, _ = pair.nodes
    pair.run(1)
    params = one.params()
    first, second = params.links
    preferred = replace(params, links=(first, replace(second, priority=9)), access_lists=False)
    one.events.clear()
    assert one.transport.reconfigure(preferred, one.settings()) == []
    best = [e for e in one.events if e.kind is LinkEventKind.BEST_LINK]
    assert (best[-1].link, best[-1].values[1]) == (1, 9)
