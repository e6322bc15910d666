"""udpu and udp with totem.udp_crypto over real sockets on the loopback network."""

import os
import socket

import pytest
from zope.interface.verify import verifyObject

from corosync_tw.net.crypto.aead import ClusterKey
from corosync_tw.net.crypto.guard import OVERHEAD_BYTES, Guard, Refused
from corosync_tw.net.guarded import REFUSAL_INTERVAL_NS, GuardedTransport
from corosync_tw.net.interfaces import IMemberTable, ITransport, NetEventKind
from corosync_tw.net.settings import UdpSettings
from corosync_tw.net.udp import UdpTransport
from corosync_tw.net.udpu import UdpuTransport
from tests.unit.net.net_support import Events, FakeReactor, Inbox, frame

MCAST, ORF_TOKEN, JOIN = 1, 0, 3
GROUP = "239.255.77.2"
KEY = os.urandom(256)
FULL = 1500 - 28 - OVERHEAD_BYTES


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
    """A node at 127.0.0.n, with a clock of its own."""

    def __init__(self, make, port, nodeid, key=KEY, **settings):
        self.reactor, self.events, self.inbox = FakeReactor(), Events(), Inbox()
        self.now_ns = 0
        inner = make(
            self.reactor,
            UdpSettings(
                nodeid=nodeid,
                bind_address=f"127.0.0.{nodeid}",
                members={n: f"127.0.0.{n}" for n in (1, 2, 3)},
                port=port,
                **settings,
            ),
            self.events,
        )
        cluster_key = ClusterKey("aes256-gcm", key)
        guard = Guard(nodeid, cluster_key, os.urandom, lambda: self.now_ns)
        self.transport = GuardedTransport(inner, guard, self.events, lambda: self.now_ns)
        self.transport.start(self.inbox)

    @property
    def guard(self):
        return self.transport.guard

    def receive(self, count):
        """Take turns until so many datagrams came, and give them."""
        while len(self.inbox.frames) < count:
            self.reactor.turn()
        frames = self.inbox.frames
        self.inbox.batches.clear()
        return frames


@pytest.fixture(
    params=[
        pytest.param((UdpuTransport, {}), id="udpu"),
        pytest.param(
            (UdpTransport, {"mcast_address": GROUP}), id="udp", marks=pytest.mark.needs("multicast")
        ),
    ]
)
def make(request):
    transport, settings = request.param
    port = free_port()
    started = []

    def start(nodeid, **more):
        started.append(Node(transport, port, nodeid, **settings, **more))
        return started[-1]

    yield start
    for node in started:
        node.transport.stop()
        assert node.reactor.readers == node.reactor.writers == []


def meet(*nodes):
    """Send until everybody believes that the others live."""
    while any(node.guard.stats.processes < len(nodes) - 1 for node in nodes):
        for node in nodes:
            node.now_ns += 10**9
            node.transport.send_mcast([(frame(JOIN),)], False)
        for node in nodes:
            for _ in range(3):
                node.transport.drain()
    for node in nodes:
        node.transport.drain()
        node.inbox.batches.clear()


@pytest.mark.parametrize("offload", [pytest.param(True, marks=pytest.mark.needs("gso")), False])
def test_a_ring_of_three(make, offload):
    one, two, three = nodes = [make(n, offload=offload) for n in (1, 2, 3)]
    meet(*nodes)
    sent = [frame(MCAST, os.urandom(FULL - 13)) for _ in range(60)] + [frame(MCAST, b"last")]
    one.transport.send_mcast([(f[:13], memoryview(f)[13:]) for f in sent], True)
    assert two.receive(61) == sent
    assert three.receive(61) == sent
    one.transport.send_token(3, frame(ORF_TOKEN, b"token"))
    assert three.receive(1) == [frame(ORF_TOKEN, b"token")]
    assert (one.transport.stats.tx_gso_calls > 0) == offload
    verifyObject(ITransport, one.transport)
    verifyObject(IMemberTable, one.transport)


def test_messages_come_before_the_token_whatever_was_sent_first(make):
    one, two = make(1), make(2)
    meet(one, two)
    one.transport.send_token(2, frame(ORF_TOKEN))
    one.transport.send_mcast([(frame(MCAST, b"a"),), (frame(MCAST, b"b"),)], True)
    while len(two.inbox.frames) < 3:
        two.reactor.turn()
    for batch in two.inbox.batches:
        kinds = [received[3] for received in batch]
        assert kinds == sorted(kinds, key=lambda kind: kind == ORF_TOKEN)


def test_a_node_in_clear_is_named_once_a_minute(make):
    two = make(2)
    port = two.transport._inner._settings.port
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind(("127.0.0.1", 0))
        for _ in range(5):
            sock.sendto(frame(JOIN), ("127.0.0.2", port))
        while two.guard.refused[Refused.CLEAR] < 5:
            two.reactor.turn()
        (event,) = two.events.events
        assert event.kind is NetEventKind.DATAGRAM_REFUSED
        assert event.text.startswith(
            "Datagrams of node 1 (127.0.0.1) are not encrypted; they are dropped."
        )
        two.now_ns += REFUSAL_INTERVAL_NS
        sock.sendto(frame(JOIN), ("127.0.0.2", port))
        while two.guard.refused[Refused.CLEAR] < 6:
            two.reactor.turn()
        assert two.events.events[-1].text.endswith("(6 so far)")
    assert two.inbox.frames == []


def test_a_node_with_another_key_is_named(make):
    one, two = make(1, key=os.urandom(128)), make(2)
    one.transport.send_mcast([(frame(JOIN),)], False)
    while not two.events.events:
        two.reactor.turn()
    (event,) = two.events.events
    assert "node 1 (127.0.0.1)" in event.text
    assert (event.nodeid, event.cause) == (1, Refused.OTHER_KEY)
    assert "totem.keyfile" in event.text
    assert two.inbox.frames == []


def test_nothing_of_a_frame_is_on_the_network(make):
    two = make(2)
    sealed = two.guard.seal_one(frame(MCAST, b"secret" * 100))
    assert b"secret" not in sealed
