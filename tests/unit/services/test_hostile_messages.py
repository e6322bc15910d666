"""Messages whose values nobody honest would send: bounded, and never the end of the node."""

import pytest

from corosync_tw.corotypes import PROCESSOR_COUNT_MAX, RingId
from corosync_tw.errors import CsNoMemory
from corosync_tw.services.cpg.engine import LOCAL_PROCESSES_MAX, CpgEngine
from corosync_tw.services.cpg.partial import STREAMS_MAX, PartialAssembler
from corosync_tw.services.cpg.wire import PartialMcast, PartialType, encode_joinlist
from corosync_tw.services.hello import Capabilities, Features, Hello, encode_hello
from corosync_tw.services.sync.engine import SyncEngine
from corosync_tw.services.sync.wire import encode_service_build
from corosync_tw.services.votequorum.wire import (
    NodeInfo,
    Reconfigure,
    ReconfigureParam,
    encode_nodeinfo,
    encode_reconfigure,
)
from corosync_tw.totem.pg_wire import MESSAGE_LEN_BYTES_MAX
from tests.unit.services.ordered_bus import FakeBus, Node, OrderedBus

U32_MAX = 0xFFFFFFFF
RING = RingId(1, 8)


@pytest.mark.parametrize(
    "message",
    [
        encode_nodeinfo(NodeInfo(2, U32_MAX, U32_MAX, 0)),
        encode_nodeinfo(NodeInfo(2, U32_MAX, U32_MAX, U32_MAX)),
        encode_nodeinfo(NodeInfo(0, U32_MAX, 0, 0)),
        encode_reconfigure(Reconfigure(1, U32_MAX, ReconfigureParam.NODE_VOTES)),
        encode_reconfigure(Reconfigure(1, U32_MAX, ReconfigureParam.EXPECTED_VOTES)),
    ],
)
def test_votes_without_measure_leave_a_node_able_to_speak(message):
    bus = OrderedBus(Node(1), Node(2))
    bus.form((1, 2))
    for node in bus.nodes.values():
        node.deliver(2, 1, b"a", message)
    bus.form((1,), (2,))
    bus.form((1, 2))
    assert all(node.votequorum.us.expected_votes <= U32_MAX for node in bus.nodes.values())


def test_messages_begun_under_ever_new_connections_are_bounded():
    assembler = PartialAssembler()
    for conn in range(STREAMS_MAX + 10):
        part = PartialMcast(b"g", 100, 5, PartialType.FIRST, conn, b"")
        assert assembler.add(1, part, (1,)).sound == (conn < STREAMS_MAX)
    assert assembler.dropped == 10
    last = PartialMcast(b"g", 100, 5, PartialType.LAST, 0, bytes(100))
    assert assembler.add(1, last, (1,)) == (True, (1,), bytes(100))


def test_hellos_of_strangers_are_bounded():
    capabilities = Capabilities()
    capabilities.begin(RING)
    hello = encode_hello(Hello(RING, Features.SAFE_DELIVERY))
    for nodeid in range(1, 2000):
        capabilities.deliver(nodeid, hello, False)
    assert capabilities.without(Features.SAFE_DELIVERY, (1, 2, 1999)) == (1999,)


def test_config_versions_of_nodes_that_are_gone_are_let_go():
    nodes = [Node(n) for n in (1, 2)]
    bus = OrderedBus(*nodes)
    bus.form((1, 2))
    assert nodes[0].cmap.config_versions == {1: 0, 2: 0}
    bus.form((1,), (2,))
    assert nodes[0].cmap.config_versions == {1: 0}


def test_a_member_that_names_its_services_again_and_again_is_heard_once():
    sync = SyncEngine([], lambda _message: None, lambda: None)
    sync.transitional(())
    sync.regular((1, 2), RING)
    for first in range(0, 12800, 128):
        services = tuple(range(first, first + 128))
        sync.deliver(1, encode_service_build(RING, services), False)
    assert sync.discarded == 99


def test_a_node_joins_no_more_processes_than_it_can_tell_at_once():
    entries = [(pid, b"g") for pid in range(LOCAL_PROCESSES_MAX)]
    assert len(encode_joinlist(entries)) <= MESSAGE_LEN_BYTES_MAX - 16
    bus = FakeBus()
    cpg = CpgEngine(1, bus)
    for pid in range(LOCAL_PROCESSES_MAX):
        cpg.join(pid, b"g%d" % pid, pid)
    with pytest.raises(CsNoMemory):
        cpg.join(LOCAL_PROCESSES_MAX, b"g", 1)
    cpg.disconnect(0)
    cpg.join(LOCAL_PROCESSES_MAX, b"g", 1)


def test_there_is_room_for_a_ring_of_the_largest_size():
    assert PROCESSOR_COUNT_MAX <= STREAMS_MAX
