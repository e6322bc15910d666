"""A node that uses our nodeid: told, and without effect on our sets."""

import pytest

from corosync_tw.totem import wire
from corosync_tw.totem.const import LEAVE_DUMMY_NODEID, MembState
from corosync_tw.totem.effects import Trace
from corosync_tw.totem.trace import TraceCode

from .lone_node import ME, PEER, LoneNode


@pytest.mark.parametrize(
    "join",
    [
        wire.MembJoin(ME, ME, (ME, PEER), (), 1),
        wire.MembJoin(LEAVE_DUMMY_NODEID, ME, (PEER,), (ME,), 1),
        wire.MembJoin(LEAVE_DUMMY_NODEID, ME, (ME, PEER), (ME,), 1),
    ],
)
def test_joins_and_leaves_of_a_namesake_are_dropped_and_told(join):
    node = LoneNode()
    node.srp.start(0)
    node.after(1)
    effects = node.put(wire.encode_memb_join(join))
    assert [e.code for e in effects if isinstance(e, Trace)] == [TraceCode.NODEID_IN_USE]
    node.after(10_000)
    assert node.srp.state is MembState.OPERATIONAL
    assert node.srp.members == (ME,)
