"""Other timeouts in a ring that runs: the ring stays, whoever changes first."""

import random
from dataclasses import replace

import pytest

from corosync_tw.corotypes import NS_PER_MS, Guarantee
from corosync_tw.services.effects import TotemConfchg
from corosync_tw.totem.params import TotemParams
from corosync_tw.totem.reconfigure import between
from tests.unit.services.memory_ring import MemoryRing

IDS = (1, 2, 3)


def scaled(params, factor):
    """Make the parameters that another token timeout leads to."""
    return replace(
        params,
        token_timeout_ns=int(params.token_timeout_ns * factor),
        token_retransmit_timeout_ns=int(params.token_retransmit_timeout_ns * factor),
        token_hold_timeout_ns=int(params.token_hold_timeout_ns * factor),
        consensus_timeout_ns=int(params.consensus_timeout_ns * factor),
    )


def rest(ring, duration_ns):
    end_ns = ring.now_ns + duration_ns
    ring.run_until(lambda: ring.now_ns >= end_ns)


def changes(ring):
    return sum(isinstance(effect, TotemConfchg) for log in ring.log.values() for effect in log)


@pytest.mark.parametrize("factor", [0.1, 0.5, 3.0, 20.0])
@pytest.mark.parametrize("delay_ms", [0, 700])
def test_a_ring_outlives_a_change_of_its_timeouts(factor, delay_ms):
    ring = MemoryRing(IDS)
    ring.form()
    rest(ring, 5_000 * NS_PER_MS)
    before = changes(ring)
    wanted = {n: scaled(TotemParams(my_id=n), factor) for n in IDS}
    order = random.Random(f"{factor}{delay_ms}").sample(IDS, len(IDS))
    for nodeid in order:
        ring.nodes[nodeid].reconfigure(wanted[nodeid], ring.now_ns)
        rest(ring, delay_ms * NS_PER_MS)
    rest(ring, 3 * max(TotemParams(my_id=1).token_timeout_ns, wanted[1].token_timeout_ns))
    assert changes(ring) == before
    for nodeid, stack in ring.nodes.items():
        assert stack.srp.params == stack.params == wanted[nodeid]
    for stack in ring.nodes.values():
        stack.cpg_join(1, b"g", 1)
    ring.run_until(lambda: all(len(s.cpg_membership(b"g")) == 3 for s in ring.nodes.values()))
    ring.nodes[1].cpg_mcast(1, [(b"x",)], Guarantee.AGREED, ring.now_ns)
    ring.run_until(lambda: all(ring.delivered(n) for n in IDS))


def test_new_timeouts_find_a_dead_node_as_fast_as_they_say():
    ring = MemoryRing(IDS)
    ring.form()
    for nodeid, stack in ring.nodes.items():
        stack.reconfigure(scaled(TotemParams(my_id=nodeid), 0.1), ring.now_ns)
    rest(ring, 10_000 * NS_PER_MS)
    ring.crash(3)
    began_ns = ring.now_ns
    ring.run_until(lambda: all(s.members == (1, 2) for s in ring.nodes.values()))
    assert ring.now_ns - began_ns < 1_000 * NS_PER_MS


def test_the_last_of_several_changes_counts():
    ring = MemoryRing(IDS)
    ring.form()
    stack = ring.nodes[1]
    old = stack.srp.params
    stack.reconfigure(scaled(old, 2.0), ring.now_ns)
    assert stack.srp.params == between(old, scaled(old, 2.0))
    stack.reconfigure(old, ring.now_ns)
    rest(ring, 20_000 * NS_PER_MS)
    assert stack.srp.params == old


def test_between_is_patient_and_talkative():
    old, new = TotemParams(my_id=1), scaled(TotemParams(my_id=1), 10.0)
    for one, other in ((old, new), (new, old)):
        middle = between(one, other)
        assert middle.token_timeout_ns == new.token_timeout_ns
        assert middle.consensus_timeout_ns == new.consensus_timeout_ns
        assert middle.token_hold_timeout_ns == old.token_hold_timeout_ns
        assert middle.token_retransmit_timeout_ns == old.token_retransmit_timeout_ns
