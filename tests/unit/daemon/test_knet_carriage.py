"""Knet as the daemon wires it: parameters from the file, lines for the log, what a reload does."""

import pytest
from twisted.internet.task import Clock
from twisted.logger import LogPublisher, formatEvent

from corosync_tw.config.load import load_text, service_params, totem_params
from corosync_tw.daemon.journal import Journal
from corosync_tw.daemon.knet_carriage import KnetCarriage
from corosync_tw.daemon.knet_facts import KnetFacts
from corosync_tw.daemon.knet_params import carrier_settings, knet_params, lacking_model
from corosync_tw.net.knet.params import LinkPolicy
from corosync_tw.net.knet.stats import Refusal
from corosync_tw.services.cfg.facts import Interface
from corosync_tw.services.stack import Stack
from corosync_tw.totem.links import LinkEvent, LinkEventKind
from corosync_tw.totem.window import Agreement
from tests.unit.config.hosts import conf, host
from tests.unit.net.net_support import Events, FakeReactor

MACHINE = host("here", "192.168.1.1/24", "10.1.0.1/16")
NODES = [
    (n, f"name: n{n}", f"ring0_addr: 192.168.1.{n}", f"ring1_addr: 10.1.0.{n}") for n in (1, 2, 3)
]
MS = 1_000_000


def load(nodes=NODES, totem="", rest=""):
    return load_text(conf(transport="knet", nodes=nodes, totem=totem, rest=rest), "f", MACHINE)


class Reactor(FakeReactor, Clock):
    def __init__(self):
        FakeReactor.__init__(self)
        Clock.__init__(self)


class Bed:
    def __init__(self, **parts):
        self.config, self.lines, self.failures = load(**parts), [], []
        self.carriage = KnetCarriage(Reactor(), self.config, Events())
        self.stack = Stack(totem_params(self.config, 1), service_params(self.config), 0, 0)
        publisher = LogPublisher(lambda event: self.lines.append(formatEvent(event)))
        journal = Journal(1, lambda: 0, None, publisher)
        self.carriage.attach(self.stack, journal, self.failures.append)

    def adopt(self, config):
        self.lines.clear()
        self.carriage.adopt(self.config, config)
        self.config = config


@pytest.fixture
def bed():
    return Bed()


def test_the_parameters_of_links():
    totem = (
        "link_mode: active\nknet_mtu: 1000\nknet_compression_model: zlib\nblock_unlisted_ips: no\n"
        "interface {\nlinknumber: 1\nmcastport: 6000\nknet_link_priority: 0\n"
        "knet_ping_interval: 100\nknet_ping_timeout: 300\nknet_pong_count: 5\n}\n"
    )
    config = load(totem=totem)
    params = knet_params(config, {"10.1.0.1": 9000})
    assert (params.nodeid, params.policy, params.mtu_bytes) == (1, LinkPolicy.ACTIVE, 1000)
    assert (params.access_lists, params.pmtud_interval_ns) == (False, 30_000 * MS)
    assert (params.compress.model, params.compress.threshold_bytes) == ("zlib", 100)
    assert [(link.nodeid, link.link, link.address) for link in params.links] == [
        (2, 0, "192.168.1.2"),
        (3, 0, "192.168.1.3"),
        (2, 1, "10.1.0.2"),
        (3, 1, "10.1.0.3"),
    ]
    first, _, second, _ = params.links
    assert (first.ping_interval_ns, first.pong_timeout_ns) == (912 * MS, 1825 * MS)
    assert (second.ping_interval_ns, second.pong_timeout_ns) == (100 * MS, 300 * MS)
    assert (first.pong_count, second.pong_count, second.priority) == (2, 5, 1)
    assert (first.interface_mtu_bytes, second.interface_mtu_bytes) == (0, 9000)
    settings = carrier_settings(config, config.membership.links[1])
    assert (settings.bind_address, settings.port) == ("10.1.0.1", 6000)
    assert settings.peers == {2: "10.1.0.2", 3: "10.1.0.3"}


def test_a_model_that_is_not_there_is_named_with_its_line():
    assert lacking_model(load()) == []
    assert lacking_model(load(totem="knet_compression_model: zlib")) == []
    (fault,) = lacking_model(load(totem="knet_compression_model: lzo2"))
    assert fault.startswith("f:5: totem.knet_compression_model: ")
    assert "use lz4" in fault


def test_the_first_lines_are_stocks(bed):
    assert bed.lines == [
        "totemknet initialized",
        "pmtud: MTU manually set to: 0",
        "Configuring link 0",
        "Configured link number 0: local addr: 192.168.1.1, port=5405",
        "Configuring link 1",
        "Configured link number 1: local addr: 10.1.0.1, port=5406",
    ]


def test_a_nozzle_is_not_made():
    assert "noz0" in Bed(rest="nozzle {\nname: noz0\nipaddr: 10.9.0.0\n}").lines[1]


def test_events_are_written_down(bed):
    bed.lines.clear()
    bed.carriage.link_event(LinkEvent(LinkEventKind.HOST_DOWN, 1, 2, ()))
    values = (int(Refusal.UNKNOWN_NODE), 3)
    bed.carriage.link_event(LinkEvent(LinkEventKind.PACKET_REFUSED, 0, 9, values))
    assert bed.lines[0] == "link: host: 2 link: 1 is down"
    assert "Packets of node 9 come from" in bed.lines[1]
    bed.carriage.links_failed("broken")
    assert bed.failures == ["broken"]


def test_what_a_link_lost_until_it_was_down_does_not_slow_the_others_down(bed):
    window = bed.stack.srp.window
    window.agree(Agreement(1000))
    window.note_visit(100, 0, requests=True)
    narrow_msgs = window.visit_msgs
    for kind in (LinkEventKind.HOST_UP, LinkEventKind.BEST_LINK):
        bed.carriage.link_event(LinkEvent(kind, 1, 2, (0, 0, 1)))
    assert window.visit_msgs == narrow_msgs
    bed.carriage.link_event(LinkEvent(LinkEventKind.HOST_DOWN, 1, 2, ()))
    assert window.visit_msgs == 2 * narrow_msgs


def test_clients_of_cfg_are_told_about_links(bed):
    facts = bed.carriage.facts(lambda: bed.config, bed.stack, bed.stack.cmap.store)
    assert isinstance(facts, KnetFacts)
    assert facts.interfaces()[1] == Interface(1, "10.1.0.1", "n00")
    assert bed.carriage.learnt(2) == []
    names = bed.carriage.stats_providers()["stats.knet."].keys()
    assert "stats.knet.node2.link1.mtu" in names


def test_a_reload_changes_nodes_links_and_timers(bed):
    transport = bed.carriage.transport
    bed.adopt(load(nodes=[node[:3] for node in NODES[:2]]))
    assert transport.links() == ((1, 0), (2, 0))
    assert bed.lines[:2] == [
        "Configuring link 0",
        "Configured link number 0: local addr: 192.168.1.1, port=5405",
    ]
    bed.adopt(load(totem="interface {\nlinknumber: 1\nknet_link_priority: 7\n}"))
    assert transport.links() == ((1, 0), (2, 0), (2, 1), (3, 0), (3, 1))
    assert {link.priority for link in transport.params.links if link.link == 1} == {7}
    assert transport.members() == {2: "192.168.1.2", 3: "192.168.1.3"}
