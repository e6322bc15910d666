"""A representative whose ring rests speaks at once: the token is here."""

import pytest

from corosync_tw.corotypes import Guarantee
from corosync_tw.services.effects import CpgDeliver
from corosync_tw.totem import wire
from corosync_tw.totem.effects import SendMcast, SendToken

from .memory_ring import MemoryRing

CONN = 1
GROUP = b"group"


@pytest.fixture
def ring():
    """Three nodes in one group, whose ring rests at node 1."""
    ring = MemoryRing((1, 2, 3))
    ring.form()
    for nodeid, stack in ring.nodes.items():
        stack.cpg_join(CONN, GROUP, nodeid)
    ring.run_until(lambda: all(len(s.cpg_membership(GROUP)) == 3 for s in ring.nodes.values()))
    ring.run_until(lambda: rests(ring))
    return ring


def rests(ring):
    return ring.nodes[1].srp._ring.token.my_token_rests


def say(ring, nodeid, *messages):
    ring.nodes[nodeid].cpg_mcast(
        CONN, [(message,) for message in messages], Guarantee.AGREED, ring.now_ns
    )


def delivered(ring, nodeid):
    return [bytes(effect.data) for effect in ring.delivered(nodeid)]


def frames(effects):
    return [
        wire.decode(b"".join(slices))
        for effect in effects
        if isinstance(effect, SendMcast)
        for slices in effect.frames
    ]


def test_what_is_said_goes_out_with_the_token_at_once(ring):
    say(ring, 1, b"one", b"two")
    effects = ring.nodes[1].poll()
    assert [type(message) for message in frames(effects)] == [wire.Mcast]
    assert isinstance(effects[-1], SendToken)
    token = wire.decode(effects[-1].frame)
    assert token.seq == token.aru == frames(effects)[0].seq
    ring._execute(1, effects)
    ring._drain(1, ring.nodes[1])
    assert delivered(ring, 1) == [b"one", b"two"]
    ring.run_until(lambda: len(delivered(ring, 2)) == len(delivered(ring, 3)) == 2)


def test_the_ring_goes_on_and_rests_again(ring):
    ring_id = ring.nodes[1].ring_id
    for word in (b"one", b"two", b"three"):
        say(ring, 1, word)
        say(ring, 3, word)
        ring.run_until(lambda: not rests(ring))
        ring.run_until(lambda: rests(ring))
    for nodeid in ring.nodes:
        assert sorted(delivered(ring, nodeid)) == sorted([b"one", b"two", b"three"] * 2)
        assert delivered(ring, nodeid) == delivered(ring, 1)
    assert {s.srp.stats.mcast_retx for s in ring.nodes.values()} == {0}
    assert {s.ring_id for s in ring.nodes.values()} == {ring_id}


def test_a_token_that_went_on_by_itself_is_waited_for(ring):
    node = ring.nodes[1]
    while rests(ring):
        ring.now_ns = node.next_deadline()
        node.advance(ring.now_ns)
    ring._drain(1, node)
    say(ring, 1, b"late")
    assert wire.Mcast not in map(type, frames(node.poll()))
    ring.run_until(lambda: delivered(ring, 3) == [b"late"])


def test_others_ask_for_the_token(ring):
    say(ring, 2, b"from two")
    effects = ring.nodes[2].poll()
    assert [type(message) for message in frames(effects)] == [wire.TokenHoldCancel]
    ring._execute(2, effects)
    ring.run_until(lambda: delivered(ring, 1) == [b"from two"])


def test_several_at_once_are_packed_and_bounded(ring):
    words = [bytes([n]) * 900 for n in range(200)]
    say(ring, 1, *words)
    ring.run_until(lambda: len(delivered(ring, 3)) == len(words))
    assert delivered(ring, 3) == words
    assert all(isinstance(effect, CpgDeliver) for effect in ring.delivered(3))
