import struct

import pytest

from corosync_tw.corotypes import PROCESSOR_COUNT_MAX
from corosync_tw.net.peers import PeerTable
from tests.unit.net.net_support import frame

JOIN, MERGE_DETECT, HOLD_CANCEL = 3, 2, 5


@pytest.fixture
def learnt():
    return []


@pytest.fixture
def peers(learnt):
    return PeerTable(1, lambda *pair: learnt.append(pair))


@pytest.mark.parametrize("kind", [JOIN, MERGE_DETECT, HOLD_CANCEL])
def test_what_a_node_sends_by_itself_tells_its_address(peers, learnt, kind):
    peers.learn(frame(kind, nodeid=2), "192.0.2.2")
    peers.learn(frame(kind, nodeid=2), "192.0.2.2")
    assert learnt == [(2, "192.0.2.2")]


def test_either_byte_order_is_read(peers, learnt):
    peers.learn(struct.pack(">HBBBII", 0xC070, 3, JOIN, 0, 2, 0), "192.0.2.2")
    assert learnt == [(2, "192.0.2.2")]


def test_a_node_that_moved_is_found(peers, learnt):
    peers.learn(frame(JOIN, nodeid=2), "192.0.2.2")
    peers.learn(frame(JOIN, nodeid=2), "192.0.2.3")
    assert learnt[-1] == (2, "192.0.2.3")
    assert peers.addresses == {2: "192.0.2.3"}


@pytest.mark.parametrize(
    "datagram",
    [
        frame(0, nodeid=2),
        frame(1, nodeid=2),
        frame(4, nodeid=2),
        frame(6, nodeid=2),
        frame(JOIN, nodeid=0),
        frame(JOIN, nodeid=1),
        frame(JOIN, nodeid=2)[:8],
        b"",
        b"\x70\xc0\x02" + frame(JOIN, nodeid=2)[3:],
        b"\x71" + frame(JOIN, nodeid=2)[1:],
    ],
    ids=["token", "mcast", "commit", "unknown", "leave", "own", "short", "empty", "v2", "magic"],
)
def test_nothing_else_tells_anything(peers, learnt, datagram):
    peers.learn(datagram, "192.0.2.2")
    assert learnt == []


def test_the_table_is_bounded(peers, learnt):
    for nodeid in range(2, PROCESSOR_COUNT_MAX + 10):
        peers.learn(frame(JOIN, nodeid=nodeid), f"192.0.2.{nodeid}")
    assert len(peers.addresses) == len(learnt) == PROCESSOR_COUNT_MAX
