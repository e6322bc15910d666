"""The in-process transport, alone and below real cores."""

import pytest
from twisted.internet.task import Clock
from zope.interface import implementer

from corosync_tw.corotypes import Guarantee
from corosync_tw.net.driver import Driver
from corosync_tw.net.interfaces import IDriverObserver, ITransport
from corosync_tw.net.loopback import BATCH_FRAMES_MAX, INBOX_FRAMES_MAX, LoopbackHub
from corosync_tw.net.ringid_store import MemoryRingIdStore
from corosync_tw.totem.const import MembState
from corosync_tw.totem.effects import Deliver
from corosync_tw.totem.params import TotemParams
from corosync_tw.totem.pg import Totempg
from corosync_tw.totem.srp import Srp
from tests.unit.net.net_support import Inbox, frame
from tests.unit.totem.pg_twin import singles

MCAST, ORF_TOKEN = 1, 0


@pytest.fixture
def clock():
    return Clock()


def started(clock, count):
    hub = LoopbackHub(clock)
    inboxes = [Inbox() for _ in range(count)]
    transports = [hub.transport(n) for n in range(1, count + 1)]
    for transport, inbox in zip(transports, inboxes, strict=True):
        transport.start(inbox)
    return hub, transports, inboxes


def test_a_turns_datagrams_are_one_batch_tokens_last(clock):
    _, (one, _, three), (mine, second, third) = started(clock, 3)
    one.send_token(2, frame(ORF_TOKEN))
    one.send_mcast([(frame(MCAST)[:13], b"a"), (frame(MCAST, b"b"),)], True)
    three.send_mcast([(frame(MCAST, b"c"),)], True)
    assert second.batches == []
    clock.advance(0)
    assert second.batches == [
        [frame(MCAST, b"a"), frame(MCAST, b"b"), frame(MCAST, b"c"), frame(ORF_TOKEN)]
    ]
    assert mine.frames == [frame(MCAST, b"c")]
    assert third.frames == [frame(MCAST, b"a"), frame(MCAST, b"b")]


def test_partitions_and_absent_nodes_lose_datagrams(clock):
    hub, (one, two, three), (_, second, third) = started(clock, 3)
    hub.partition = [frozenset({1, 2}), frozenset({3})]
    one.send_mcast([(frame(MCAST),)], False)
    one.send_token(3, frame(ORF_TOKEN))
    clock.advance(0)
    assert (second.frames, third.frames) == ([frame(MCAST)], [])
    assert one.stats.tx_no_address == 1
    two.stop()
    two.stop()
    one.send_mcast([(frame(MCAST),)], False)
    assert clock.getDelayedCalls() == []
    assert ITransport.providedBy(three)


def test_inbox_and_batch_are_bounded(clock):
    _, (one, two), (_, second) = started(clock, 2)
    one.send_mcast([(frame(MCAST),)] * (INBOX_FRAMES_MAX + 5), False)
    clock.pump([0] * (INBOX_FRAMES_MAX // BATCH_FRAMES_MAX))
    assert len(second.frames) == INBOX_FRAMES_MAX
    assert {len(batch) for batch in second.batches} == {BATCH_FRAMES_MAX}
    assert two.stats.rx_errors == 5
    assert clock.getDelayedCalls() == []


@implementer(IDriverObserver)
class Member:
    """A node of a real ring in this process."""

    def __init__(self, clock, hub, nodeid):
        self.clock = clock
        self.pg = Totempg(1472)
        self.core = Srp(TotemParams(my_id=nodeid), self.pg, 0, self.now_ns())
        self.store = MemoryRingIdStore()
        self.driver = Driver(
            clock, self.core, hub.transport(nodeid), self.store, self, now_ns=self.now_ns
        )
        self.delivered = []

    def now_ns(self):
        return round(self.clock.seconds() * 1e9)

    def say(self, text):
        self.pg.mcast(b"g", (text,), Guarantee.AGREED)
        self.core.wake(self.now_ns())
        self.driver.pump()

    def turn_ended(self):
        pass

    def effects_emitted(self, effects):
        for effect in effects:
            if isinstance(effect, Deliver):
                self.delivered += [bytes(m.data) for m in singles(self.pg, effect)]

    def storage_failed(self, error):
        raise error

    def storage_slow(self, elapsed_ns):
        pass

    def core_failed(self, failure):
        failure.raiseException()

    def loop_paused(self, gap_ns, threshold_ns):
        raise AssertionError((gap_ns, threshold_ns))


def test_real_cores_form_a_ring_order_messages_and_survive_a_death(clock):
    hub = LoopbackHub(clock)
    nodes = [Member(clock, hub, n) for n in (1, 2, 3)]
    for node in nodes:
        node.driver.start()
    clock.pump([0.001] * 500)
    assert [node.core.members for node in nodes] == [(1, 2, 3)] * 3
    assert {node.store.ring_seq for node in nodes} == {nodes[0].core.ring_id.seq}
    for node in nodes:
        node.pg.trans_ack()
    for number in range(50):
        nodes[number % 3].say(b"%d" % number)
    clock.pump([0.001] * 300)
    assert len(nodes[0].delivered) == 50
    assert nodes[0].delivered == nodes[1].delivered == nodes[2].delivered
    nodes[1].driver.stop()
    clock.pump([0.01] * 1000)
    assert [nodes[n].core.members for n in (0, 2)] == [(1, 3)] * 2
    assert nodes[0].core.state is MembState.OPERATIONAL
    nodes[2].driver.leave()
    nodes[2].driver.stop()
    clock.pump([0.01] * 1000)
    assert nodes[0].core.members == (1,)
