"""States of a network, and how long it is kept out."""

import pytest

from corosync_tw.totem.rrp.health import FLAPS_MAX, TRANSITIONS, Health, LinkInput, LinkState
from corosync_tw.totem.rrp.params import RrpParams

S = 1_000_000_000


@pytest.fixture
def health():
    return Health(RrpParams(1, networks=3))


@pytest.mark.parametrize("state", list(LinkState))
@pytest.mark.parametrize("happened", list(LinkInput))
def test_what_is_not_listed_changes_nothing(health, state, happened):
    link = health.links[1]
    link.state = state
    changed = health._step(1, happened, 5 * S)
    assert changed == ((state, happened) in TRANSITIONS)
    assert link.state is TRANSITIONS.get((state, happened), state)
    if changed:
        assert health.is_sound(1) == (link.state is LinkState.ACTIVE)
        assert health.live == ((0, 1, 2) if link.state is LinkState.ACTIVE else (0, 2))


def test_every_state_can_be_left_and_entered():
    assert {state for state, _ in TRANSITIONS} == set(LinkState) == set(TRANSITIONS.values())


def flap(health, now, *, well_s=1):
    """Let network 1 fail and come back; give the hold-down."""
    health.fault(1, now)
    held_ns = health.links[1].held_until_ns - now
    assert health.links[1].state is (LinkState.HELD_DOWN if held_ns else LinkState.FAULTY)
    now += held_ns
    health.release_held(1, now)
    assert health.recover(1, now, forced=False)
    return held_ns // S, now + well_s * S


def test_the_hold_down_doubles_with_each_flap_up_to_a_bound(health):
    now, held = 0, []
    for _ in range(12):
        held_s, now = flap(health, now)
        held.append(held_s)
    assert held == [0, 5, 10, 20, 40, 80, 160, 320, 600, 600, 600, 600]


def test_the_hold_down_decays(health):
    now = 0
    for _ in range(4):
        _, now = flap(health, now)
    held, now = flap(health, now + 120 * S)
    assert held == 10
    held, _ = flap(health, now + 3600 * S)
    assert held == 0


def test_flaps_are_bounded(health):
    now = 0
    for _ in range(100):
        _, now = flap(health, now)
    assert health.links[1].flaps == FLAPS_MAX


def test_a_held_network_does_not_come_back_by_tests_but_by_force(health):
    _, now = flap(health, 0)
    health.fault(1, now)
    assert not health.recover(1, now, forced=False)
    assert not health.is_sound(1)
    health.release_held(1, now + 4 * S)
    assert health.links[1].state is LinkState.HELD_DOWN
    assert health.recover(1, now, forced=True)
    assert health.next_hold_down_ns(1) == 0


def test_a_network_that_came_back_is_not_judged_at_once(health):
    _, now = flap(health, 10 * S, well_s=0)
    assert health.sound == 0b111
    assert health.judged(now) == 0b101
    assert health.judged(now + S) == 0b111


def test_when_all_are_faulty_all_are_used(health):
    for link in range(3):
        health.fault(link, S)
    assert health.live == (0, 1, 2)
    assert health.sound == health.judged(S) == 0
