"""What a node says to rings that bad links keep it out of."""

from corosync_tw.corotypes import RingId
from corosync_tw.totem import wire
from corosync_tw.totem.asymmetry import look
from corosync_tw.totem.claims import Row, encode_claims
from corosync_tw.totem.const import MembState
from corosync_tw.totem.effects import SendMcast, Trace
from corosync_tw.totem.joining import send_merge_detect
from corosync_tw.totem.trace import TraceCode
from tests.unit.totem.lone_node import LAST, ME, PEER, RING, LoneNode

US = (PEER, ME, LAST)
THEIRS = RingId(4, 2000)
NOT_US: tuple[frozenset[int], frozenset[int]] = (frozenset(US), frozenset())


def in_a_ring():
    """Make a node that weighs at once what it hears."""
    node = LoneNode().enter(MembState.OPERATIONAL)
    node.after(200)
    return node


def heard(members, said=None):
    """Make a merge detection of the first of some nodes that do not hear us."""
    rows = [
        Row(n, 0, frozenset(members if said is None else said), frozenset(members), *NOT_US)
        for n in members
    ]
    frame = wire.encode_merge_detect(wire.MergeDetect(members[0], members[0], THEIRS))
    return frame + encode_claims(rows, 1000)


def named(node):
    """List the rings that our merge detections name now."""
    node.srp.poll()
    send_merge_detect(node.srp._ring, node.now)
    frames = [
        b"".join(frame)
        for effect in node.srp.poll()
        if isinstance(effect, SendMcast)
        for frame in effect.frames
    ]
    return [wire.decode(frame).ring_id for frame in frames]


def test_links_that_a_node_gives_up_at_once_are_told_of():
    """They were in cmap and in the status, and in the log only when they worked again."""
    node = in_a_ring()
    ring = node.srp._ring
    ring.hearing.distrust({PEER, LAST}, node.now, ring.params)
    node.srp.poll()
    look(ring, node.now)
    told = [e for e in node.srp.poll() if isinstance(e, Trace)]
    assert told == [Trace(TraceCode.LINK_FAILED, (n, ME)) for n in sorted((PEER, LAST))]
    look(ring, node.now)
    assert node.srp.poll() == []


def test_who_is_kept_out_of_a_larger_ring_names_that_one():
    node = in_a_ring()
    node.put(heard((4, 5, 6, 7)))
    assert node.srp.state is MembState.OPERATIONAL
    assert named(node) == [THEIRS]


def test_a_ring_names_itself_to_those_that_it_keeps_out():
    node = in_a_ring()
    node.put(heard((4,)))
    assert node.srp.state is MembState.OPERATIONAL
    assert named(node) == [RING]


def test_of_rings_of_one_size_those_with_lower_nodeids_go_first():
    node = in_a_ring()
    node.put(heard((4, 5, 6)))
    assert named(node) == [RING]


def test_nothing_is_said_while_a_ring_forms_anew():
    node = in_a_ring()
    node.put(heard((4, 5, 6, 7)))
    node.put(heard((4, 5, 6, 7), said=()))
    assert named(node) == []


def test_without_bad_links_everybody_names_its_own_ring():
    assert named(in_a_ring()) == [RING]
