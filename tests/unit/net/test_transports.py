"""udpu and udp over real sockets on the loopback network."""

import socket

import pytest

from corosync_tw.net.errors import NetError
from corosync_tw.net.interfaces import IMemberTable, ITransport, NetEventKind
from corosync_tw.net.settings import UdpSettings
from corosync_tw.net.udp import UdpTransport
from corosync_tw.net.udpu import UdpuTransport
from tests.unit.net.net_support import Events, FakeReactor, Inbox, frame

MCAST, ORF_TOKEN, JOIN = 1, 0, 3
GROUP = "239.255.77.1"


def free_port():
    """Find a port that is free together with the one below it."""
    while True:
        with (
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as one,
            socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as two,
        ):
            one.bind(("", 0))
            try:
                two.bind(("", one.getsockname()[1] - 1))
            except OSError:
                continue
            return one.getsockname()[1]


class Node:
    def __init__(self, make, **settings):
        self.reactor, self.events, self.inbox = FakeReactor(), Events(), Inbox()
        self.transport = make(self.reactor, UdpSettings(**settings), self.events)
        self.stats = self.transport.stats

    def receive(self, count):
        """Take turns until so many datagrams came, and give them."""
        while len(self.inbox.frames) < count:
            self.reactor.turn()
        frames = self.inbox.frames
        self.inbox.batches.clear()
        return frames


@pytest.fixture
def nodes():
    """Make started nodes of a transport, node n at 127.0.0.n; they are stopped afterwards."""
    started = []

    def make(transport, count=3, **settings):
        port = settings.pop("port", None) or free_port()
        members = settings.pop("members", {n: f"127.0.0.{n}" for n in range(1, count + 1)})
        for n in range(1, count + 1):
            node = Node(
                transport,
                nodeid=n,
                bind_address=f"127.0.0.{n}",
                members=members,
                port=port,
                **settings,
            )
            node.transport.start(node.inbox)
            started.append(node)
        return started[-count:]

    yield make
    for node in started:
        node.transport.stop()
        assert node.reactor.readers == node.reactor.writers == []


KINDS = pytest.mark.parametrize(
    ("transport", "settings"),
    [
        pytest.param(UdpuTransport, {}, id="udpu"),
        pytest.param(
            UdpTransport, {"mcast_address": GROUP}, id="udp", marks=pytest.mark.needs("multicast")
        ),
    ],
)


@KINDS
@pytest.mark.parametrize("offload", [pytest.param(True, marks=pytest.mark.needs("gso")), False])
def test_everybody_else_hears_a_multicast_once_and_in_order(nodes, transport, settings, offload):
    one, two, three = nodes(transport, offload=offload, **settings)
    sent = [frame(MCAST, bytes([n]) * 1387) for n in range(60)] + [frame(MCAST, b"last")]
    one.transport.send_mcast([(f[:13], memoryview(f)[13:]) for f in sent], True)
    assert two.receive(61) == sent
    assert three.receive(61) == sent
    one.transport.drain()
    assert one.inbox.frames == []
    assert (one.stats.tx_gso_calls > 0) == offload


@KINDS
def test_a_token_reaches_its_target_alone(nodes, transport, settings):
    one, two, three = nodes(transport, **settings)
    one.transport.send_token(3, frame(ORF_TOKEN))
    assert three.receive(1) == [frame(ORF_TOKEN)]
    two.transport.drain()
    assert two.inbox.frames == []


@KINDS
def test_messages_come_before_the_token_sent_after_them(nodes, transport, settings):
    one, two, _ = nodes(transport, **settings)
    messages = [frame(MCAST, bytes([n])) for n in range(3)]
    one.transport.send_mcast([(m,) for m in messages], True)
    one.transport.send_token(2, frame(ORF_TOKEN))
    assert two.receive(4) == [*messages, frame(ORF_TOKEN)]


@KINDS
def test_a_token_for_an_unknown_node_is_counted(nodes, transport, settings):
    (one,) = nodes(transport, 1, **settings)
    one.transport.send_token(9, frame(ORF_TOKEN))
    assert one.stats.tx_no_address == 1


@KINDS
def test_a_stopped_transport_neither_sends_nor_receives(nodes, transport, settings):
    one, _two, _ = nodes(transport, **settings)
    done = []
    one.transport.stop().addCallback(done.append)
    one.transport.stop()
    one.transport.send_mcast([(frame(MCAST),)], False)
    one.transport.send_token(2, frame(ORF_TOKEN))
    one.transport.drain()
    assert done == [None]
    assert one.stats.tx_frames == 0


@KINDS
def test_the_interfaces_are_provided(nodes, transport, settings):
    (one,) = nodes(transport, 1, **settings)
    assert ITransport.providedBy(one.transport)
    assert IMemberTable.providedBy(one.transport)


@KINDS
def test_a_busy_port_is_named_with_the_remedy_and_nothing_stays_open(nodes, transport, settings):
    port = free_port()
    (one,) = nodes(transport, 1, port=port, **settings)
    other = Node(transport, nodeid=2, bind_address="127.0.0.1", port=port, **settings)
    with pytest.raises(NetError, match=f"127.0.0.1 port {port}: .*in use.*mcastport") as caught:
        other.transport.start(other.inbox)
    assert caught.value.exit_code == 15
    assert other.reactor.readers == []
    one.transport.stop()
    other.transport.start(other.inbox)
    other.transport.stop()


@KINDS
def test_an_address_of_another_machine_is_named_with_the_remedy(transport, settings):
    node = Node(transport, nodeid=1, bind_address="192.0.2.77", **settings)
    with pytest.raises(NetError, match=r"192.0.2.77 port 54\d\d: .*ip addr add"):
        node.transport.start(node.inbox)


@KINDS
def test_members_come_and_go_at_run_time(nodes, transport, settings):
    one, two, _ = nodes(transport, **settings)
    one.transport.remove_member(2)
    one.transport.remove_member(2)
    assert dict(one.transport.members()) == {3: "127.0.0.3"}
    one.transport.send_token(2, frame(ORF_TOKEN))
    one.transport.add_member(2, "127.0.0.2")
    one.transport.send_token(2, frame(ORF_TOKEN, b"again"))
    assert two.receive(1) == [frame(ORF_TOKEN, b"again")]


@KINDS
def test_a_member_of_another_family_is_refused(transport, settings):
    with pytest.raises(NetError, match="node 2"):
        Node(transport, nodeid=1, bind_address="127.0.0.1", members={2: "::1"}, **settings)


def test_udpu_drops_what_comes_from_strangers_unless_told_otherwise(nodes):
    listed = {1: "127.0.0.1", 2: "127.0.0.2"}
    one, _, three = nodes(UdpuTransport, members=listed)
    three.transport.send_mcast([(frame(MCAST, b"stranger"),)], False)
    one.reactor.turn()
    assert one.inbox.frames == []
    assert one.stats.rx_rejected == 1
    open_one, _, three = nodes(UdpuTransport, members=listed, block_unlisted_ips=False)
    three.transport.send_mcast([(frame(MCAST, b"stranger"),)], False)
    assert open_one.receive(1) == [frame(MCAST, b"stranger")]


def test_udpu_hears_a_member_added_at_run_time_and_not_a_removed_one(nodes):
    one, two, _ = nodes(UdpuTransport, members={1: "127.0.0.1", 3: "127.0.0.3"})
    one.transport.add_member(2, "127.0.0.2")
    two.transport.send_mcast([(frame(MCAST, b"new"),)], False)
    assert one.receive(1) == [frame(MCAST, b"new")]
    one.transport.remove_member(2)
    two.transport.send_mcast([(frame(MCAST, b"gone"),)], False)
    one.reactor.turn()
    assert one.inbox.frames == []


def test_udpu_spares_nodes_outside_the_ring_its_traffic_but_not_the_search(nodes):
    one, two, three = nodes(UdpuTransport)
    one.transport.set_ring_members(frozenset({1, 3}))
    one.transport.send_mcast([(frame(MCAST, b"ring"),)], True)
    one.transport.send_mcast([(frame(JOIN, b"all"),)], False)
    assert two.receive(1) == [frame(JOIN, b"all")]
    assert three.receive(2) == [frame(MCAST, b"ring"), frame(JOIN, b"all")]
    one.transport.set_ring_members(None)
    one.transport.send_mcast([(frame(MCAST, b"forming"),)], True)
    assert two.receive(1) == [frame(MCAST, b"forming")]


@pytest.mark.needs("ipv6")
def test_udpu_over_ipv6():
    port = free_port()
    members = {1: "::1", 2: "0:0:0:0:0:0:0:1"}
    node = Node(UdpuTransport, nodeid=1, bind_address="::1", members=members, port=port)
    node.transport.start(node.inbox)
    sent = [frame(MCAST, bytes([n]) * 1000) for n in range(10)]
    node.transport.send_mcast([(f,) for f in sent], False)
    assert node.receive(10) == sent
    node.transport.stop()


@pytest.mark.needs("multicast")
def test_udp_learns_where_a_token_goes_when_nobody_is_listed(nodes):
    one, two, _ = nodes(UdpTransport, members={}, mcast_address=GROUP)
    one.transport.send_token(2, frame(ORF_TOKEN))
    assert one.stats.tx_no_address == 1
    two.transport.send_mcast([(frame(JOIN, nodeid=2),)], False)
    one.receive(1)
    assert dict(one.transport.members()) == {2: "127.0.0.2"}
    assert one.events.kinds() == [NetEventKind.ADDRESS_LEARNT]
    one.transport.send_token(2, frame(ORF_TOKEN))
    assert two.receive(1) == [frame(ORF_TOKEN)]


@pytest.mark.needs("multicast")
def test_udp_with_a_list_does_not_learn(nodes):
    one, two, _ = nodes(UdpTransport, members={1: "127.0.0.1"}, mcast_address=GROUP)
    two.transport.send_mcast([(frame(JOIN, nodeid=2),)], False)
    one.receive(1)
    assert dict(one.transport.members()) == {}


@pytest.mark.needs("multicast")
def test_udp_groups_and_ports_are_apart(nodes):
    one, two = nodes(UdpTransport, 2, mcast_address=GROUP)
    three, four = nodes(UdpTransport, 2, mcast_address="239.255.77.2")
    one.transport.send_mcast([(frame(MCAST, b"12"),)], False)
    three.transport.send_mcast([(frame(MCAST, b"34"),)], False)
    assert two.receive(1) == [frame(MCAST, b"12")]
    assert four.receive(1) == [frame(MCAST, b"34")]


@pytest.mark.parametrize("group", ["192.0.2.1", "", "ff15::1", "nonsense"])
def test_udp_needs_a_group_of_its_family(group):
    with pytest.raises(NetError):
        Node(UdpTransport, nodeid=1, bind_address="127.0.0.1", mcast_address=group)


def test_ipv6_has_no_broadcast():
    with pytest.raises(NetError, match="mcastaddr"):
        Node(UdpTransport, nodeid=1, bind_address="::1", broadcast=True)


def test_the_differentiated_services_code_point_is_set(nodes):
    (one,) = nodes(UdpuTransport, 1, ip_dscp=46)
    sock = one.transport._token_socket._sock
    assert sock.getsockopt(socket.IPPROTO_IP, socket.IP_TOS) == 46 << 2


@pytest.mark.needs("freebind", "netlink")
@pytest.mark.parametrize("transport", [UdpuTransport, UdpTransport])
def test_one_network_of_several_may_be_down_at_the_start(transport):
    # TEST-NET-1: nobody has it.
    settings = {"nodeid": 1, "bind_address": "192.0.2.1", "port": free_port()}
    settings |= {"mcast_address": GROUP, "multicast_loop": False}
    with pytest.raises(NetError):
        Node(transport, **settings).transport.start(Inbox())
    node = Node(transport, patient=True, **settings)
    node.transport.start(node.inbox)
    try:
        assert node.events.kinds() == [NetEventKind.INTERFACE_DOWN]
    finally:
        node.transport.stop()


@pytest.mark.needs("multicast")
def test_a_ring_of_one_multicasts_to_nobody(nodes):
    one, two = nodes(UdpTransport, 2, mcast_address=GROUP)
    one.transport.set_ring_members(frozenset({1}))
    one.transport.send_mcast([(frame(MCAST, b"for ourselves"),)], True)
    one.transport.send_mcast([(frame(JOIN, b"for all"),)], False)
    one.transport.set_ring_members(frozenset({1, 2}))
    one.transport.send_mcast([(frame(MCAST, b"for two"),)], True)
    while len(two.inbox.frames) < 2:
        two.reactor.turn()
    assert two.inbox.frames == [frame(JOIN, b"for all"), frame(MCAST, b"for two")]
