"""What the members of a ring announce, and the windows that follow from it."""

from dataclasses import replace

import pytest

from corosync_tw.corotypes import Guarantee, RingId
from corosync_tw.errors import MalformedFrame
from corosync_tw.services.hello import (
    HELLO_GROUP,
    HELLO_LEN_1,
    Capabilities,
    Features,
    Hello,
    decode_hello,
    encode_hello,
)
from corosync_tw.services.params import ServiceParams
from corosync_tw.totem.window import WINDOW_SIZE_MSGS_MAX, Agreement
from tests.unit.services.memory_ring import MemoryRing

RING = RingId(1, 8)
CAPACITY = {1: 900, 2: 400, 3: 9_000_000}


def service_params(nodeid):
    return ServiceParams(nodeid=nodeid, expected_votes=3, receive_msgs_max=CAPACITY[nodeid])


def silence(stack):
    mcast = stack.pg.mcast

    def without_hello(group, slices, guarantee=Guarantee.AGREED, **more):
        if group != HELLO_GROUP:
            mcast(group, slices, guarantee, **more)

    stack.pg.mcast = without_hello


def windows(ring):
    return {n: s.srp.window.size_msgs(s.params) for n, s in ring.nodes.items()}


def test_what_a_node_takes_in_survives_the_wire():
    hello = Hello(RING, Features.ADAPTIVE_WINDOW, 4000)
    assert decode_hello(encode_hello(hello), False) == hello


def test_a_first_version_announcement_still_counts():
    first = bytearray(encode_hello(Hello(RING, Features.SAFE_DELIVERY))[:HELLO_LEN_1])
    first[:4] = b"\x01\x00\x14\x00"
    assert decode_hello(first, False) == Hello(RING, Features.SAFE_DELIVERY)
    first[0] = 2
    with pytest.raises(MalformedFrame):
        decode_hello(first, False)


def test_the_slowest_member_sets_the_window():
    capabilities = Capabilities()
    capabilities.begin(RING)
    for nodeid, count in CAPACITY.items():
        assert not capabilities.agreement((1, 2, 3)).window_size_msgs
        hello = Hello(RING, Features.ADAPTIVE_WINDOW, count)
        capabilities.deliver(nodeid, encode_hello(hello), False)
    assert capabilities.agreement((1, 2, 3)) == Agreement(400)
    assert capabilities.agreement((1, 3)) == Agreement(900)


def test_one_member_without_the_feature_leaves_the_configured_windows():
    capabilities = Capabilities()
    capabilities.begin(RING)
    features = Features.SAFE_DELIVERY | Features.COMMIT_OBLIGATION
    capabilities.deliver(1, encode_hello(Hello(RING, Features.ADAPTIVE_WINDOW, 500)), False)
    capabilities.deliver(2, encode_hello(Hello(RING, features, 500)), False)
    assert capabilities.agreement((1, 2)) == Agreement()


def test_a_window_of_nothing_is_no_announcement():
    capabilities = Capabilities()
    capabilities.begin(RING)
    capabilities.deliver(1, encode_hello(Hello(RING, Features.ADAPTIVE_WINDOW, 0)), False)
    assert capabilities.agreement((1,)) == Agreement()


def test_all_members_work_out_the_same_window():
    ring = MemoryRing(CAPACITY, service_params)
    ring.form()
    assert windows(ring) == dict.fromkeys(CAPACITY, 400)


def test_no_window_is_wider_than_the_sort_queue_allows():
    ring = MemoryRing((3,), service_params)
    ring.form()
    assert windows(ring) == {3: WINDOW_SIZE_MSGS_MAX}


def test_beside_a_stock_peer_the_windows_are_stocks():
    ring = MemoryRing(CAPACITY, service_params)
    silence(ring.nodes[3])
    ring.form()
    assert windows(ring) == dict.fromkeys(CAPACITY, 50)
    stack = ring.nodes[1]
    assert stack.srp.window.max_messages(stack.params) == 17
    ring.crash(3)
    ring.form((1, 2))
    assert windows(ring) == {1: 400, 2: 400}


def test_a_pinned_window_counts_for_all_once_it_is_announced():
    ring = MemoryRing(CAPACITY, service_params)
    ring.form()
    stack = ring.nodes[1]
    pinned = replace(stack.params, window_size_msgs=120, max_messages=60, window_pinned=True)
    stack.reconfigure(pinned, ring.now_ns)
    ring.run_until(lambda: set(windows(ring).values()) == {120}, "a window of 120")
