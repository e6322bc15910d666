"""
The UDP transports on machines of their own: bridges, MTU 1500, interfaces that go and come.

Everything runs in this process on one reactor; sockets are opened inside the machines' name
spaces and stay there.
"""

import contextlib
import ctypes
import os
import time

import pytest
from twisted.internet.epollreactor import EPollReactor
from zope.interface import implementer

from corosync_tw.net.driver import Driver
from corosync_tw.net.errors import NetError
from corosync_tw.net.interfaces import IDriverObserver, NetEventKind
from corosync_tw.net.ringid_store import MemoryRingIdStore
from corosync_tw.net.settings import UdpSettings
from corosync_tw.net.udp import UdpTransport
from corosync_tw.net.udpu import UdpuTransport
from corosync_tw.timers.clock import install_monotonic
from corosync_tw.totem.params import TotemParams
from corosync_tw.totem.pg import Totempg
from corosync_tw.totem.srp import Srp
from tests.interop import stories
from tests.interop.netbed import NetBed, require
from tests.interop.nodes import Cluster
from tests.unit.net.net_support import Events, Inbox, frame

pytestmark = pytest.mark.interop

LIMIT_S = 20.0
MCAST, ORF_TOKEN, JOIN = 1, 0, 3
GROUP = {4: "239.192.77.9", 6: "ff15::77:9"}
CLONE_NEWNET = 0x40000000
MS = 1_000_000


@contextlib.contextmanager
def inside(machine):
    """Let this thread open sockets in a machine's network."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/self/ns/net", "rb") as home, open(f"/proc/{machine.pid}/ns/net", "rb") as away:
        assert libc.setns(away.fileno(), CLONE_NEWNET) == 0, os.strerror(ctypes.get_errno())
        try:
            yield
        finally:
            assert libc.setns(home.fileno(), CLONE_NEWNET) == 0


def address_of(machine, version):
    return machine.address if version == 4 else f"fd77::{machine.number}"


@pytest.fixture(scope="module")
def bed():
    require("ip")
    with NetBed([1, 2, 3]) as bed:
        for machine in bed.machines.values():
            add_ipv6(machine)
        yield bed


def add_ipv6(machine):
    # nodad: usable at once instead of after the search for a duplicate.
    machine.run("ip", "-6", "addr", "add", f"{address_of(machine, 6)}/64", "dev", "eth0", "nodad")


@pytest.fixture
def reactor():
    reactor = EPollReactor()
    install_monotonic(reactor)
    yield reactor
    for call in reactor.getDelayedCalls():
        call.cancel()
    for reader in reactor.removeAll():
        reader.connectionLost(None)
    reactor._poller.close()


def run_until(reactor, what, condition):
    """Run the reactor until ``condition`` holds."""
    end = time.monotonic() + LIMIT_S
    while not condition():
        assert time.monotonic() < end, f"not within {LIMIT_S} s: {what}"
        reactor.runUntilCurrent()
        reactor.doIteration(min(reactor.timeout() or 0.05, 0.05))


class End:
    """A transport on a machine."""

    def __init__(self, reactor, machine, machines, transport, version=4, **settings):
        self.machine, self.events, self.inbox = machine, Events(), Inbox()
        if transport is UdpTransport and not settings.get("broadcast"):
            settings.setdefault("mcast_address", GROUP[version])
        members = {n: address_of(m, version) for n, m in machines.items()}
        self.transport = transport(
            reactor,
            UdpSettings(machine.number, address_of(machine, version), members, **settings),
            self.events,
        )
        self.stats = self.transport.stats

    def start(self, receiver=None):
        with inside(self.machine):
            self.transport.start(receiver or self.inbox)


@pytest.fixture
def ends(bed, reactor):
    made = []

    def make(*args, **settings):
        for machine in bed.machines.values():
            end = End(reactor, machine, bed.machines, *args, **settings)
            end.start()
            made.append(end)
        return made

    yield make
    for end in made:
        end.transport.stop()


CASES = pytest.mark.parametrize(
    "case",
    [
        (UdpuTransport, 4, {}),
        (UdpuTransport, 6, {}),
        (UdpTransport, 4, {}),
        (UdpTransport, 6, {}),
        (UdpTransport, 4, {"broadcast": True}),
    ],
    ids=["udpu-4", "udpu-6", "multicast-4", "multicast-6", "broadcast"],
)


@CASES
@pytest.mark.parametrize("offload", [True, False], ids=["gso", "plain"])
def test_frames_cross_the_bridge_whole_and_in_order(ends, reactor, case, offload):
    transport, version, settings = case
    one, two, three = ends(transport, version, offload=offload, **settings)
    full = 1472 if version == 4 else 1452
    sent = [frame(MCAST, bytes([n]) * (full - 13)) for n in range(88)] + [frame(MCAST, b"tail")]
    one.transport.send_mcast([(f[:45], memoryview(f)[45:]) for f in sent], True)
    one.transport.send_token(3, frame(ORF_TOKEN))
    both = lambda: len(two.inbox.frames) >= 89 and len(three.inbox.frames) >= 90
    run_until(reactor, "all frames arrive", both)
    assert two.inbox.frames == sent
    assert [f for f in three.inbox.frames if f[3] == MCAST] == sent
    assert three.inbox.frames.count(frame(ORF_TOKEN)) == 1
    assert one.inbox.frames == []
    if offload:
        targets = 2 if transport is UdpuTransport else 1
        # 88 full frames and a short one: two calls a target, and one for the token.
        assert one.stats.tx_calls == 2 * targets + 1
        assert two.stats.rx_calls < 20
    else:
        assert two.stats.rx_calls == 89


def test_frames_above_the_mtu_are_fragmented_and_offload_is_given_up_for_them_alone(ends, reactor):
    one, two, _ = ends(UdpuTransport)
    long = [frame(MCAST, bytes([n]) * 4000) for n in range(10)]
    short = [frame(MCAST, bytes([n]) * 1000) for n in range(10)]
    one.transport.send_mcast([(f,) for f in long], False)
    one.transport.send_mcast([(f,) for f in short], False)
    run_until(reactor, "all frames arrive", lambda: len(two.inbox.frames) == 20)
    assert two.inbox.frames == long + short
    assert one.events.kinds() == [NetEventKind.OFFLOAD_OFF]
    assert one.stats.tx_gso_calls == 2


@pytest.mark.parametrize(
    ("transport", "version"),
    [(UdpuTransport, 4), (UdpTransport, 4), (UdpTransport, 6)],
    ids=["udpu", "multicast-4", "multicast-6"],
)
def test_an_interface_goes_loses_its_addresses_and_returns(bed, ends, reactor, transport, version):
    rejoins = transport is UdpTransport
    one, two, _ = ends(transport, version)
    machine = two.machine
    machine.run("ip", "link", "set", "eth0", "down")
    machine.run("ip", "addr", "flush", "dev", "eth0")
    down = lambda: NetEventKind.INTERFACE_DOWN in two.events.kinds()
    run_until(reactor, "the loss is noticed", down)
    two.transport.send_mcast([(frame(JOIN, b"lost"),)] * 3, False)
    two.transport.send_token(1, frame(ORF_TOKEN, b"lost"))
    machine.run("ip", "link", "set", "eth0", "up")
    machine.run("ip", "addr", "add", f"{machine.address}/24", "dev", "eth0")
    machine.run("ip", "route", "replace", "224.0.0.0/4", "dev", "eth0")
    add_ipv6(machine)
    last = NetEventKind.GROUP_REJOINED if rejoins else NetEventKind.INTERFACE_UP
    run_until(reactor, "the return is noticed", lambda: last in two.events.kinds())
    assert two.stats.interface_downs >= 1
    assert two.stats.tx_unreachable > 0

    def back():
        # A neighbour that was asked for in vain is asked for again after a while.
        one.transport.send_mcast([(frame(MCAST, b"there"),)], False)
        two.transport.send_mcast([(frame(MCAST, b"back"),)], False)
        reactor.doIteration(0.05)
        return (
            frame(MCAST, b"there") in two.inbox.frames and frame(MCAST, b"back") in one.inbox.frames
        )

    run_until(reactor, "frames pass both ways", back)
    assert frame(JOIN, b"lost") not in one.inbox.frames
    assert two.transport._watch.interface.address == address_of(machine, version)


def test_a_multicast_without_a_route_is_refused_with_the_remedy(bed, reactor):
    machine = bed.machines[1]
    machine.run("ip", "-6", "addr", "add", "fd99::1/128", "dev", "lo", "nodad")
    try:
        end = End(reactor, machine, {}, UdpTransport, 6)
        settings = UdpSettings(1, "fd99::1", mcast_address=GROUP[6])
        end.transport = UdpTransport(reactor, settings, end.events)
        before = reactor.getReaders()
        with pytest.raises(NetError, match=r"ff15::77:9.*unreachable.*ip route add") as caught:
            end.start()
        assert caught.value.exit_code == 15
        assert reactor.getReaders() == before
    finally:
        machine.run("ip", "-6", "addr", "del", "fd99::1/128", "dev", "lo")


@implementer(IDriverObserver)
class Member:
    """A core and its driver on a machine."""

    def __init__(self, reactor, bed, machine, transport):
        self.end = End(reactor, machine, bed.machines, transport)
        params = TotemParams(
            my_id=machine.number,
            token_timeout_ns=400 * MS,
            token_retransmit_timeout_ns=95 * MS,
            token_hold_timeout_ns=60 * MS,
            consensus_timeout_ns=480 * MS,
        )
        self.core = Srp(params, Totempg(1472), 0, Driver.now_ns())
        self.driver = Driver(reactor, self.core, self.end.transport, MemoryRingIdStore(), self)
        with inside(machine):
            self.driver.start()

    def turn_ended(self):
        pass

    def effects_emitted(self, effects):
        pass

    def storage_failed(self, error):
        raise error

    def storage_slow(self, elapsed_ns):
        pass

    def core_failed(self, failure):
        failure.raiseException()

    def loop_paused(self, gap_ns, threshold_ns):
        pass


@pytest.mark.parametrize("transport", [UdpuTransport, UdpTransport], ids=["udpu", "multicast"])
def test_a_ring_survives_an_interface_that_goes_and_returns(bed, reactor, transport):
    members = [Member(reactor, bed, m, transport) for m in bed.machines.values()]
    views = lambda *expected: lambda: tuple(m.core.members for m in members) == expected
    run_until(reactor, "a ring of three", views((1, 2, 3), (1, 2, 3), (1, 2, 3)))
    machine = bed.machines[2]
    machine.run("ip", "link", "set", "eth0", "down")
    run_until(reactor, "two rings", views((1, 3), (2,), (1, 3)))
    machine.run("ip", "link", "set", "eth0", "up")
    machine.run("ip", "route", "replace", "224.0.0.0/4", "dev", "eth0")
    run_until(reactor, "a ring of three again", views((1, 2, 3), (1, 2, 3), (1, 2, 3)))
    for member in members:
        member.driver.stop()


@pytest.mark.parametrize(
    ("stock", "ours"), [([1, 2], [3]), ([2, 3], [1])], ids=["ours-highest", "ours-lowest"]
)
def test_stock_nodes_share_a_multicast_ring_with_us(bed, tmp_path, stock, ours):
    with Cluster(
        bed.machines, stock, ours, tmp_path, transport="udp", token_ms=stories.TOKEN_MS
    ) as cluster:
        cluster.start()
        stories.calm(cluster)


def test_stock_nodes_share_a_broadcast_ring_with_us(bed, tmp_path):
    with Cluster(
        bed.machines, [1, 3], [2], tmp_path, transport="udp", token_ms=stories.TOKEN_MS
    ) as cluster:
        for node in cluster.nodes.values():
            text = node.conf.read_text()
            assert "mcastaddr: 239.192.77.5" in text
            node.conf.write_text(text.replace("mcastaddr: 239.192.77.5", "broadcast: yes"))
        cluster.start()
        stories.calm(cluster)
