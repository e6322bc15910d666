"""Redundant rings as the daemon shows them."""

from dataclasses import replace

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogPublisher, formatEvent

from corosync_tw.cli.status import as_text
from corosync_tw.config.load import load_text, service_params, totem_params
from corosync_tw.corotypes import RingId
from corosync_tw.daemon.journal import Journal
from corosync_tw.daemon.ring_carriage import RingCarriage
from corosync_tw.daemon.ring_facts import RingFacts
from corosync_tw.ipc.pb.local import LocalServices
from corosync_tw.net.interfaces import NetEvent, NetEventKind
from corosync_tw.services.cfg.facts import Interface
from corosync_tw.services.stack import Stack
from corosync_tw.services.stats.rings import ALL_PREFIX, PREFIX
from corosync_tw.totem.links import Arrival, LinkEvent, LinkEventKind, LinkFaultCause, LinkSend
from corosync_tw.totem.rrp.frames import KIND_RING_TEST
from corosync_tw.totem.rrp.judge import Verdict
from corosync_tw.totem.rrp.probe import (
    LAP_MULTICAST,
    HmacAuthenticator,
    NoAuthenticator,
    Probe,
    encode_probe,
)
from corosync_tw.totem.window import Agreement
from tests.unit.config.hosts import conf, host
from tests.unit.net.net_support import Events
from tests.unit.totem.rrp.one_end import orf_token

MACHINE = host("here", "192.168.1.1/24", "10.1.0.1/16")
NODES = [
    (n, f"name: n{n}", f"ring0_addr: 192.168.1.{n}", f"ring1_addr: 10.1.0.{n}") for n in (1, 2, 3)
]
FAULT = LinkEvent(LinkEventKind.FAULTY, 1, 0, (LinkFaultCause.TOKENS_LAG, 11, 40, 10))


KEY = b"key" * 50
RING = RingId(1, 400)


def load(nodes=NODES, totem="rrp_mode: passive"):
    machine = replace(MACHINE, read_key=lambda _: KEY)
    return load_text(conf(nodes=nodes, totem=totem), "f", machine)


class Network:
    """A transport that only has a table of members."""

    def __init__(self, reactor, config, link, observer, stats):
        self.observer, self.stats = observer, stats
        self.listed = {m.nodeid: str(m.address) for m in link.members if m.nodeid != 1}
        self.blocks = None

    def members(self):
        return self.listed

    def add_member(self, nodeid, address):
        self.listed[nodeid] = address

    def remove_member(self, nodeid):
        del self.listed[nodeid]

    def block_unlisted(self, block):
        self.blocks = block


class Ring:
    members = (1, 2)


class Bed:
    def __init__(self, totem="rrp_mode: passive"):
        self.config, self.networks, self.lines, self.failures = load(totem=totem), [], [], []
        self.observer = Events()
        self.carriage = RingCarriage(Clock(), self.config, self.observer, self.make, "UDP")
        self.stack = Stack(totem_params(self.config, 1), service_params(self.config), 0, 0)
        publisher = LogPublisher(lambda event: self.lines.append(formatEvent(event)))
        journal = Journal(1, lambda: 0, None, publisher)
        self.carriage.attach(self.stack, journal, self.failures.append)
        self.facts = self.carriage.facts(lambda: self.config, self.stack, self.stack.cmap.store)

    def make(self, *arguments):
        self.networks.append(Network(*arguments))
        return self.networks[-1]

    def status(self):
        return LocalServices(self.stack, 1, lambda: 0, lambda: None).status()

    def key(self, name):
        return self.stack.cmap.store.get(name).value


@pytest.fixture
def bed():
    return Bed()


def test_the_rings_of_a_node_that_starts(bed):
    assert [bed.key(f"runtime.totem.pg.mrp.rrp.{n}.faulty") for n in (0, 1)] == [0, 0]
    assert bed.key("runtime.corosync_tw.rings.1.status") == "ring 1 active with no faults"
    assert bed.status()["faulty_rings"] == []
    assert bed.facts.redundant()
    assert bed.facts.interfaces() == [
        Interface(0, "192.168.1.1", "ring 0 active with no faults"),
        Interface(1, "10.1.0.1", "ring 1 active with no faults"),
    ]
    assert all(network.stats is bed.carriage.stats for network in bed.networks)


def test_a_fault_is_logged_and_shown(bed):
    bed.carriage.link_event(FAULT)
    assert bed.lines[0] == "Marking ringid 1 interface 10.1.0.1 FAULTY"
    assert bed.key("runtime.corosync_tw.rings.1.status") == bed.lines[0]
    assert bed.key("runtime.corosync_tw.rings.1.evidence") == bed.lines[1]
    assert bed.facts.interfaces()[1].status == bed.lines[0]
    recovered = LinkEvent(LinkEventKind.RECOVERED, 1, 2, (2, 0, 5_000_000_000, 0))
    bed.carriage.link_event(recovered)
    assert bed.facts.interfaces()[1].status == "ring 1 active with no faults"
    assert bed.lines[-1] == "ring 1: was faulty for 5.0 s, the tests of node 2 were clean"


def test_the_status_of_a_node_names_faulty_rings(bed):
    layer = bed.carriage.layer
    layer.start(0)
    layer._mark(Verdict(1, LinkFaultCause.TOKENS_LAG, 0, 11, 40, 10), 1)
    bed.carriage.link_event(FAULT)
    assert bed.status()["faulty_rings"] == [1]
    assert "Faulty rings    1" in as_text(bed.status())


def test_what_a_faulty_network_lost_does_not_slow_the_others_down(bed):
    window = bed.stack.srp.window
    window.agree(Agreement(1000))
    window.note_visit(100, 0, requests=True)
    narrow_msgs = window.visit_msgs
    bed.carriage.link_event(FAULT)
    assert window.visit_msgs == 2 * narrow_msgs


def test_a_forged_test_is_refused_and_counted_and_said_once():
    bed = Bed("rrp_mode: passive\nkeyfile: /k")
    layer = bed.carriage.layer
    layer.start(0)
    layer.set_ring_members(frozenset({1, 2, 3}))
    bed.carriage.link_event(FAULT)
    del bed.lines[:]
    probe = Probe(KIND_RING_TEST, 3, 1, LAP_MULTICAST, 2, 5, 9, 77, RING)
    layer.receive(0, [Arrival(orf_token(1, ring_id=RING), None)], 1)
    for number in range(3):
        forged = encode_probe(probe._replace(number=number), NoAuthenticator())
        layer.receive(1, [Arrival(forged, None)], number * 20_000_000_000)
        for effect in layer.poll():
            if isinstance(effect, LinkEvent):
                bed.carriage.link_event(effect)
    (line,) = bed.lines
    assert "A test of ring 1 from node 3 is not believed, its tag is wrong" in line
    assert "totem.keyfile" in line
    table = bed.carriage.stats_providers()[ALL_PREFIX]
    assert table.get(f"{ALL_PREFIX}probes_refused").value == 3
    layer.receive(1, [Arrival(encode_probe(probe, HmacAuthenticator(KEY)), None)], 60_000_000_000)
    assert [type(effect) for effect in layer.poll()] == [LinkSend]


def test_tests_are_signed_with_the_next_key_when_all_members_have_it():
    bed = Bed("rrp_mode: passive\nudp_crypto: aes256-gcm")
    layer, other = bed.carriage.layer, KEY[::-1]
    layer.start(0)
    layer.set_ring_members(frozenset({1, 2, 3}))
    bed.carriage.link_event(FAULT)
    layer.receive(0, [Arrival(orf_token(1, ring_id=RING), None)], 1)
    probe = Probe(KIND_RING_TEST, 3, 1, LAP_MULTICAST, 2, 5, 9, 77, RING)
    signed = Arrival(encode_probe(probe, HmacAuthenticator(other)), None)
    crypto = replace(bed.config.crypto, key=other)
    bed.carriage.adopt(bed.config, replace(bed.config, crypto=crypto))
    layer.receive(1, [signed], 1)
    assert LinkSend not in map(type, layer.poll())
    bed.carriage.use_keys()
    layer.receive(1, [signed], 60_000_000_000)
    assert LinkSend in map(type, layer.poll())


def test_what_repeats_is_said_once(bed):
    refused = LinkEvent(LinkEventKind.PROBE_REFUSED, 0, 3, (3, 6, 0, 0))
    for _ in range(5):
        bed.carriage.link_event(refused)
    assert len(bed.lines) == 1
    assert "node 3" in bed.lines[0]


def test_a_link_is_connected_while_its_interface_is_up(bed):
    facts = RingFacts(lambda: bed.config, Ring(), bed.stack.cmap.store, bed.carriage)
    connected = lambda: [link.connected for link in facts.node_state(2).links]
    assert connected() == [True, True]
    bed.networks[1].observer.net_event(NetEvent(NetEventKind.INTERFACE_DOWN, "down"))
    assert connected() == [True, False]
    text = "The network interface [10.1.0.1] is down."
    assert bed.observer.events == [NetEvent(NetEventKind.INTERFACE_DOWN, text)]
    bed.networks[1].observer.net_event(NetEvent(NetEventKind.INTERFACE_UP, "up"))
    assert connected() == [True, True]
    assert [link.connected for link in facts.node_state(3).links] == [False, False]


def test_every_network_follows_the_nodelist(bed):
    new = load(NODES[:2], "rrp_mode: passive\nblock_unlisted_ips: no\nrrp_autorecovery_tests: 7")
    bed.carriage.adopt(bed.config, new)
    assert [network.listed for network in bed.networks] == [
        {2: "192.168.1.2"},
        {2: "10.1.0.2"},
    ]
    assert [network.blocks for network in bed.networks] == [False, False]
    assert bed.carriage.learnt(2) == ["192.168.1.2", "10.1.0.2"]


def test_counters_of_each_ring(bed):
    table = bed.carriage.stats_providers()[PREFIX]
    assert table.get(f"{PREFIX}0.tokens_rx").value == 0
    assert table.get(f"{PREFIX}1.faulty").value == 0


def test_a_broken_layer_ends_the_node(bed):
    bed.carriage.links_failed("a failure")
    assert bed.failures == ["a failure"]
