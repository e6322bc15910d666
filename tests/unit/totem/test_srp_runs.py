"""What the core does with datagrams that arrived in one piece."""

import pytest

from corosync_tw.corotypes import RingId
from corosync_tw.totem import wire
from corosync_tw.totem.const import MembState
from corosync_tw.totem.effects import Deliver
from corosync_tw.totem.runs import DeliveredFrame, FrameBlob, ReceivedRun
from corosync_tw.totem.seqno import seq_add
from tests.unit.totem.lone_node import PEER, LoneNode, delivered


@pytest.fixture
def node():
    return LoneNode().enter(MembState.OPERATIONAL)


def blob(*frames: bytes) -> FrameBlob:
    return FrameBlob(memoryview(b"".join(frames)), len(frames[0]))


def frames_of(effects):
    return [frame for e in effects if isinstance(e, Deliver) for frame in e.frames]


def messages(node, first, count, **header):
    return [node.mcast(seq, b"%03d" % seq, **header) for seq in range(first, first + count)]


def after(node, count):
    return seq_add(node.srp._ring.installed.my_aru, count)


def test_what_is_next_is_delivered_in_one_piece(node):
    first = after(node, 1)
    received = blob(*messages(node, first, 46))
    (run,) = frames_of(node.put(received))
    assert isinstance(run, ReceivedRun)
    assert (run.nodeid, run.first_seq, run.count, run.safe) == (PEER, first, 46, False)
    assert run.blob.obj is received.blob.obj
    assert node.srp.stats.mcast_rx == 46


def test_messages_behind_a_hole_wait_and_a_late_one_lets_them_go(node):
    first = after(node, 1)
    assert frames_of(node.put(blob(*messages(node, first + 1, 5)))) == []
    single, run = frames_of(node.put(node.mcast(first, b"late")))
    assert isinstance(single, DeliveredFrame)
    assert (run.first_seq, run.count) == (first + 1, 5)


def test_what_is_here_already_is_dropped_and_the_rest_kept(node):
    first = after(node, 1)
    node.put(blob(*messages(node, first, 4)))
    effects = node.put(blob(*messages(node, first + 2, 5)))
    assert [frame.seq for frame in delivered(effects)] == [first + 4, first + 5, first + 6]
    assert node.srp.stats.rx_msg_dropped == 2


def test_another_sender_and_another_guarantee_begin_another_run(node):
    first = after(node, 1)
    frames = [
        *messages(node, first, 2),
        *messages(node, first + 2, 2, sender=3),
        *messages(node, first + 4, 2, safe=True),
    ]
    effects = node.put(blob(*frames))
    assert [(run.first_seq, run.count) for run in frames_of(effects)] == [
        (first, 2),
        (first + 2, 2),
    ]
    assert node.srp._ring.installed.my_aru == first + 5


def test_datagrams_that_are_no_messages_of_the_ring_are_handled_one_by_one(node):
    first = after(node, 1)
    one, two, three = messages(node, first, 3)
    garbage = b"\x00" * len(one)
    effects = node.put(blob(one, garbage, two, three[:10]))
    assert [frame.seq for frame in delivered(effects)] == [first, first + 1]
    assert node.srp.stats.rx_msg_dropped == 2


@pytest.mark.parametrize("state", [MembState.GATHER, MembState.COMMIT, MembState.RECOVERY])
def test_in_other_states_they_are_handled_one_by_one(state):
    together, apart = LoneNode().enter(state), LoneNode().enter(state)
    ring_id = together.srp._ring.installed.ring_id
    frames = [
        wire.encode_mcast_header(PEER, PEER, seq, RingId(*ring_id), 0) + b"x" for seq in range(1, 5)
    ]
    assert together.put(blob(*frames)) == apart.put(*frames)
    assert len(together.srp._ring.installed) == len(apart.srp._ring.installed)
    assert together.srp.stats.mcast_rx == apart.srp.stats.mcast_rx
