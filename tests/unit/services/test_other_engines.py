"""The map's config version, the quorum service, the queue's levels, the hello."""

import pytest

from corosync_tw.corotypes import RingId
from corosync_tw.errors import MalformedFrame
from corosync_tw.services.cmap import wire as cmap
from corosync_tw.services.cmap.effects import ConfigVersionDiffers
from corosync_tw.services.cmap.engine import CmapEngine
from corosync_tw.services.effects import FatalError, QuorumChange
from corosync_tw.services.flow import QueueLevel, next_level
from corosync_tw.services.hello import Capabilities, Features, Hello, decode_hello, encode_hello
from corosync_tw.services.quorum.effects import QuorumNodelist
from corosync_tw.services.quorum.engine import QuorumEngine
from tests.unit.services.ordered_bus import FakeBus, Node, OrderedBus


def fatal(node):
    return node.take(FatalError)


class TestConfigVersion:
    def meet(self, *versions):
        nodes = [Node(i + 1, config_version=v) for i, v in enumerate(versions)]
        bus = OrderedBus(*nodes)
        bus.form(*((node.nodeid,) for node in nodes))
        assert all(fatal(node) == [] for node in nodes)
        bus.form(tuple(node.nodeid for node in nodes))
        return nodes

    def test_the_same_version_everywhere_is_fine(self):
        nodes = self.meet(3, 3, 3)
        assert all(fatal(node) == [] for node in nodes)
        assert nodes[0].cmap.config_versions == {1: 3, 2: 3, 3: 3}

    def test_who_is_behind_ends_and_leaves_first(self):
        one, two = self.meet(3, 4)
        assert two.take(ConfigVersionDiffers) == [ConfigVersionDiffers(1, version=3, ours=4)]
        assert one.take(ConfigVersionDiffers) == [ConfigVersionDiffers(2, version=4, ours=3)]
        assert fatal(two) == []
        assert fatal(one) == [
            FatalError(
                "Received config version (4) is different than my config version (3)! Exiting",
                0,
                leave_first=True,
                subsys="CMAP",
            )
        ]

    def test_nodes_that_meet_in_their_first_ring_compare_as_well(self):
        nodes = [Node(1, config_version=3), Node(2, config_version=4)]
        OrderedBus(*nodes).form((1, 2))
        assert [len(fatal(node)) for node in nodes] == [1, 0]

    def test_a_node_without_a_version_takes_no_part(self):
        assert [fatal(node) for node in self.meet(0, 4)] == [[], []]

    def test_versions_are_compared_at_the_first_ring_that_somebody_came_along_to(self):
        nodes = [Node(1, config_version=3), Node(2, config_version=3), Node(3, config_version=9)]
        bus = OrderedBus(*nodes)
        bus.form((1, 2), (3,))
        bus.form((1, 2), (3,))
        bus.form((1, 2, 3))
        assert [fatal(node) for node in nodes] == [[], [], []]

    def test_a_full_queue_is_tried_again(self):
        bus = FakeBus()
        engine = CmapEngine(1, 7, bus)
        bus.full = True
        assert not engine.sync_process()
        bus.full = False
        assert engine.sync_process()
        value = cmap.decode(bus.trans[0][1], False).items[0]
        assert value == (b"totem.config_version", 8, (7).to_bytes(8, "little"))

    def test_the_other_byte_order(self):
        engine = CmapEngine(1, 7, FakeBus())
        item = cmap.NAME.big.pack(20, b"totem.config_version")
        item += cmap._ITEM_TAIL.big.pack(8, 8) + (9).to_bytes(8, "big")
        engine.on_mcast(2, 1, cmap.MCAST.big.pack(0, 0, 0, 1) + item, True)
        assert engine.config_versions == {2: 9}
        with pytest.raises(MalformedFrame):
            engine.on_mcast(2, 1, b"", False)

    def test_an_eight_byte_number_has_eight_bytes(self):
        engine = CmapEngine(1, 7, FakeBus())
        item = cmap.CmapItem(b"totem.config_version", cmap.ValueType.UINT64, b"1234")
        with pytest.raises(MalformedFrame):
            engine.on_mcast(2, 1, cmap.encode(cmap.McastReason.SYNC, (item,)), False)


class TestQuorumService:
    def test_without_a_provider_a_node_is_always_quorate(self):
        bus = FakeBus()
        engine = QuorumEngine(False, bus)
        assert engine.quorate
        engine.sync_init((), (1, 2), RingId(1, 4))
        assert engine.sync_process()
        engine.sync_activate()
        ring_id = RingId(1, 4)
        assert bus.effects == [
            QuorumNodelist(ring_id, (1, 2), (1, 2), ()),
            QuorumChange(True, (1, 2), ring_id),
        ]

    def test_who_left_and_joined_since_the_last_activation(self):
        engine = QuorumEngine(True, FakeBus())
        engine.sync_init((), (1, 2), RingId(1, 4))
        assert (engine.left, engine.joined) == ((), (1, 2))
        engine.sync_activate()
        engine.sync_init((1,), (1, 3), RingId(1, 8))
        engine.sync_abort()
        engine.sync_init((1, 3), (1, 2, 3), RingId(1, 12))
        assert (engine.left, engine.joined) == ((2,), (2, 3))
        engine.sync_activate()
        engine.sync_init((1, 2, 3), (1, 2, 3), RingId(1, 16))
        assert (engine.left, engine.joined) == ((), ())


# level before, percent used, level after (totempg.c check_q_level)
LEVELS = [
    (QueueLevel.LOW, 29.9, QueueLevel.LOW),
    (QueueLevel.LOW, 35, QueueLevel.LOW),
    (QueueLevel.LOW, 45, QueueLevel.GOOD),
    (QueueLevel.GOOD, 55, QueueLevel.GOOD),
    (QueueLevel.GOOD, 65, QueueLevel.HIGH),
    (QueueLevel.HIGH, 72, QueueLevel.HIGH),
    (QueueLevel.HIGH, 75, QueueLevel.CRITICAL),
    (QueueLevel.CRITICAL, 74.9, QueueLevel.CRITICAL),
    (QueueLevel.CRITICAL, 69, QueueLevel.HIGH),
    (QueueLevel.CRITICAL, 50, QueueLevel.CRITICAL),
    (QueueLevel.CRITICAL, 49, QueueLevel.GOOD),
    (QueueLevel.CRITICAL, 0, QueueLevel.LOW),
    (QueueLevel.LOW, 100, QueueLevel.CRITICAL),
]


@pytest.mark.parametrize(("before", "percent", "after"), LEVELS)
def test_queue_levels(before, percent, after):
    assert next_level(before, percent) is after


class TestHello:
    def test_it_survives_the_wire_and_later_versions(self):
        hello = Hello(RingId(3, 1 << 40), Features.SAFE_DELIVERY)
        assert decode_hello(encode_hello(hello), False) == hello
        assert decode_hello(encode_hello(hello) + b"more", False) == hello
        with pytest.raises(MalformedFrame):
            decode_hello(encode_hello(hello)[:-1], False)

    def test_only_what_was_said_in_this_ring_counts(self):
        capabilities = Capabilities()
        old, ring = RingId(1, 4), RingId(1, 8)
        capabilities.begin(old)
        capabilities.deliver(1, encode_hello(Hello(old, Features.SAFE_DELIVERY)), False)
        assert capabilities.without(Features.SAFE_DELIVERY, (1, 2)) == (2,)
        capabilities.begin(ring)
        capabilities.deliver(1, encode_hello(Hello(ring, Features.SAFE_DELIVERY)), False)
        capabilities.deliver(2, encode_hello(Hello(old, Features.SAFE_DELIVERY)), False)
        capabilities.deliver(3, encode_hello(Hello(ring, Features.NONE)), False)
        assert capabilities.without(Features.SAFE_DELIVERY, (1, 2, 3)) == (2, 3)
