"""One link of knet: what goes out, what comes in, and from whom."""

import socket

import pytest

from corosync_tw.net.errors import NetError
from corosync_tw.net.knet_carrier import CarrierSettings, KnetCarrier
from corosync_tw.net.slab import SlabPool
from corosync_tw.net.stats import TransportStats
from corosync_tw.totem.runs import FrameBlob
from tests.unit.net.net_support import Events, FakeReactor

ONE, TWO, THREE = "127.0.0.1", "127.0.0.2", "127.0.0.3"
# A route of loopback takes datagrams of 64 kB; nothing is longer than UDP allows.
TOO_LONG = b"x" * 65508


def free_port():
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((ONE, 0))
        return sock.getsockname()[1]


class Ear:
    """A carrier and what it heard."""

    def __init__(self, address, port, peers, **more):
        self.reactor, self.stats, self.events = FakeReactor(), TransportStats(), Events()
        self.heard, self.too_long = [], []
        settings = CarrierSettings(address, port, peers, **more)
        self.carrier = KnetCarrier(
            self.reactor,
            settings,
            self.events,
            self.stats,
            SlabPool(),
            on_too_long=lambda *told: self.too_long.append(told),
        )
        self.carrier.start(self.heard.extend)

    def frames(self):
        self.reactor.turn()
        found = []
        for frame, _ in self.heard:
            pieces = frame.frames() if isinstance(frame, FrameBlob) else (frame,)
            found.extend(bytes(piece) for piece in pieces)
        return found


@pytest.fixture
def ears():
    """Give three nodes on one link, by nodeid."""
    port = free_port()
    addresses = {1: ONE, 2: TWO, 3: THREE}
    found = {
        nodeid: Ear(address, port, {n: a for n, a in addresses.items() if n != nodeid})
        for nodeid, address in addresses.items()
    }
    yield found
    for ear in found.values():
        ear.carrier.stop()


@pytest.mark.needs("gso", "gro")
def test_fragments_travel_together_and_tell_their_source(ears):
    sent = [bytes([n]) * 1000 for n in range(40)] + [b"short"]
    ears[1].carrier.send([(f[:14], memoryview(f)[14:]) for f in sent], (2,), False)
    assert ears[2].frames() == sent
    port = ears[1].carrier.settings.port
    assert {source for _, source in ears[2].heard} == {(ONE, port)}
    assert ears[1].stats.tx_calls == ears[2].stats.rx_calls == 1
    assert ears[3].heard == []


def test_without_targets_all_are_meant_or_the_members_of_the_ring(ears):
    carrier = ears[1].carrier
    carrier.set_ring_members(frozenset({1, 3}))
    carrier.send([(b"ring",)], None, True)
    carrier.send([(b"everybody",)], None, False)
    assert ears[2].frames() == [b"everybody"]
    assert ears[3].frames() == [b"ring", b"everybody"]
    carrier.set_ring_members(None)
    carrier.send([(b"forming",)], None, True)
    ears[2].heard.clear()
    assert ears[2].frames() == [b"forming"]


def test_peers_change(ears):
    carrier = ears[1].carrier
    carrier.set_peers({3: THREE})
    carrier.send([(b"late",)], (2, 3), False)
    assert ears[3].frames() == [b"late"]
    assert ears[2].heard == []
    assert ears[1].stats.tx_no_address == 1


def test_a_datagram_too_long_for_the_interface_is_an_answer_and_no_error(ears):
    ears[1].carrier.send([(TOO_LONG,)], (2,), False)
    assert (ears[1].stats.tx_too_long, ears[1].stats.tx_errors) == (1, 0)
    assert ears[1].too_long == [(2, len(TOO_LONG))]


@pytest.mark.needs("freebind")
def test_an_address_that_is_not_there_yet_can_be_bound():
    ear = Ear("192.0.2.77", free_port(), {2: TWO})
    ear.carrier.send([(b"x",)], (2,), False)
    ear.carrier.stop()
    ear.carrier.stop()
    ear.carrier.send([(b"x",)], (2,), False)
    ear.carrier.drain()
    assert ear.heard == []


def test_a_taken_port_is_named():
    ear = Ear(ONE, free_port(), {2: TWO})
    try:
        with pytest.raises(NetError, match=str(ear.carrier.settings.port)):
            Ear(ONE, ear.carrier.settings.port, {2: TWO})
    finally:
        ear.carrier.stop()
