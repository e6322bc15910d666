"""Every event in every state: what becomes of the state, and whether anything is sent."""

from collections.abc import Callable

import pytest

from corosync_tw.corotypes import RingId
from corosync_tw.totem import wire
from corosync_tw.totem.const import MembState
from corosync_tw.totem.deadlines import Deadline

from .lone_node import ME, PEER, RING, LoneNode, sent

IDLE, GATHER, COMMIT, RECOVERY, OPERATIONAL = (
    MembState.IDLE,
    MembState.GATHER,
    MembState.COMMIT,
    MembState.RECOVERY,
    MembState.OPERATIONAL,
)
STRANGER = 9
FOREIGN = RingId(STRANGER, 2000)


def _expire(which: Deadline) -> Callable[[LoneNode], list]:
    def event(node: LoneNode) -> list:
        ring = node.srp._ring
        if ring.state is IDLE:
            return node.after(10_000)
        ring.deadlines.cancel_all()
        ring.deadlines.set(which, node.now)
        node.srp.advance(node.now)
        return node.srp.poll()

    return event


# event: what happens to the node
EVENTS: dict[str, Callable[[LoneNode], list]] = {
    "mcast of our ring": lambda n: n.put(n.mcast(1)),
    "mcast of a stranger": lambda n: n.put(n.mcast(1, sender=STRANGER, ring_id=FOREIGN)),
    "late mcast of a member": lambda n: n.put(n.mcast(1, ring_id=RingId(PEER, 500))),
    "encapsulated mcast": lambda n: n.put(n.encapsulated(1, n.mcast(1, ring_id=RingId(7, 7)))),
    "merge detect of our ring": lambda n: n.put(
        wire.encode_merge_detect(wire.MergeDetect(PEER, PEER, n.srp._ring.my_ring_id))
    ),
    "merge detect of a stranger": lambda n: n.put(
        wire.encode_merge_detect(wire.MergeDetect(STRANGER, STRANGER, FOREIGN))
    ),
    "join that agrees": lambda n: n.put(n.join(PEER, ring_seq=1000)),
    "join that knows less": lambda n: n.put(n.join(PEER, (PEER, ME), ring_seq=1000)),
    "join of a stranger": lambda n: n.put(n.join(STRANGER, (STRANGER,), ring_seq=2000)),
    "late join of a member": lambda n: n.put(n.join(PEER, ring_seq=500)),
    "join that fails us": lambda n: n.put(n.join(PEER, failed=(ME,), ring_seq=1000)),
    "leave": lambda n: n.put(n.join(PEER, (2, 3), failed=(PEER,), ring_seq=1000, nodeid=0)),
    "commit token for us": lambda n: n.put(n.commit_token(memb_index=1)),
    "commit token, complete": lambda n: n.put(n.commit_token(memb_index=3)),
    "commit token of others": lambda n: n.put(
        n.commit_token(memb_index=1, members=(PEER, STRANGER), ring_id=RingId(PEER, 3000))
    ),
    "orf token": lambda n: n.put(n.token(0)),
    "orf token of another ring": lambda n: n.put(n.token(0, ring_id=FOREIGN)),
    "hold cancel": lambda n: n.put(
        wire.encode_token_hold_cancel(wire.TokenHoldCancel(PEER, n.srp._ring.my_ring_id))
    ),
    "garbage": lambda n: n.put(b"\xff" * 60),
    **{f"deadline {which.name}": _expire(which) for which in Deadline},
}

_STAYS = dict.fromkeys((IDLE, GATHER, COMMIT, RECOVERY, OPERATIONAL))


def row(**changed: MembState) -> dict[MembState, MembState]:
    """Name the states that an event changes; all others stay."""
    return {state: changed.get(state.name, state) for state in _STAYS}


# event: state before -> state after; every state is there by construction of row()
MATRIX: dict[str, dict[MembState, MembState]] = {
    "mcast of our ring": row(),
    "mcast of a stranger": row(OPERATIONAL=GATHER),
    "late mcast of a member": row(),
    "encapsulated mcast": row(),
    "merge detect of our ring": row(),
    "merge detect of a stranger": row(OPERATIONAL=GATHER),
    "join that agrees": row(COMMIT=GATHER, RECOVERY=GATHER, OPERATIONAL=GATHER),
    "join that knows less": row(COMMIT=GATHER, RECOVERY=GATHER, OPERATIONAL=GATHER),
    "join of a stranger": row(OPERATIONAL=GATHER),
    "late join of a member": row(),
    "join that fails us": row(COMMIT=GATHER, RECOVERY=GATHER),
    "leave": row(COMMIT=GATHER, RECOVERY=GATHER, OPERATIONAL=GATHER),
    "commit token for us": row(GATHER=COMMIT),
    "commit token, complete": row(COMMIT=RECOVERY),
    "commit token of others": row(),
    "orf token": row(),
    "orf token of another ring": row(),
    "hold cancel": row(),
    "garbage": row(),
    "deadline SELF_FRAMES": row(),
    "deadline TOKEN_LOSS": row(COMMIT=GATHER, RECOVERY=GATHER, OPERATIONAL=GATHER),
    "deadline HEARTBEAT": row(COMMIT=GATHER, RECOVERY=GATHER, OPERATIONAL=GATHER),
    "deadline TOKEN_RETRANSMIT": row(),
    "deadline TOKEN_HOLD": row(),
    "deadline TOKEN_WARNING": row(),
    "deadline MERGE_DETECT": row(),
    "deadline JOIN": row(),
    "deadline SEND_JOIN": row(),
    "deadline CONSENSUS": row(),
    "deadline PAUSE": row(),
    "deadline PROBE": row(),
}

# These deadlines exist in Gather alone; armed elsewhere they would be a fault of ours.
GATHER_ONLY = {"deadline JOIN", "deadline SEND_JOIN"}
# A token is answered only while a ring lives.
ANSWERED_TOKENS = {RECOVERY, OPERATIONAL}


def test_the_matrix_has_no_blanks() -> None:
    assert set(MATRIX) == set(EVENTS)
    assert all(set(states) == set(MembState) for states in MATRIX.values())


@pytest.mark.parametrize("event", EVENTS)
@pytest.mark.parametrize("state", list(MembState))
def test_event_in_state(state: MembState, event: str) -> None:
    if event in GATHER_ONLY and state not in {IDLE, GATHER}:
        return
    node = LoneNode().enter(state)
    effects = EVENTS[event](node)
    assert node.srp.state is MATRIX[event][state]
    if state is IDLE:
        assert effects == []
    entered = node.srp.state is GATHER and state is not GATHER
    if entered:
        assert sent(effects, wire.MembJoin), "Gather begins with a Join"
    if event == "orf token":
        assert bool(sent(effects, wire.OrfToken)) == (state in ANSWERED_TOKENS)


def test_gather_only_deadlines_are_disarmed_by_commit() -> None:
    node = LoneNode(send_join_timeout_ns=50_000_000).enter(COMMIT)
    assert not node.srp._ring.deadlines.is_set(Deadline.JOIN)
    assert not node.srp._ring.deadlines.is_set(Deadline.SEND_JOIN)
    assert not node.srp._ring.deadlines.is_set(Deadline.CONSENSUS)


def test_ring_is_the_one_offered() -> None:
    node = LoneNode().enter(OPERATIONAL)
    assert node.srp.ring_id == RING
    assert node.srp.members == (1, 2, 3)
