"""
Sentences of the 1995 paper on membership and recovery, one test each.

Reference: Amir, Moser, Melliar-Smith, Agarwal, Ciarfella, ACM TOCS 13(4), sections 6 and 7.
"""

from dataclasses import replace

from corosync_tw.corotypes import ConfChangeType, RingId
from corosync_tw.totem import wire
from corosync_tw.totem.commit import OBLIGATED, RECEIVED
from corosync_tw.totem.const import Encapsulated, MembState
from corosync_tw.totem.effects import ConfigurationChange, Deliver, SendToken, StoreRingId
from corosync_tw.totem.srp import Srp

from .lone_node import (
    LAST,
    ME,
    PEER,
    RING,
    LoneNode,
    Queue,
    changes,
    payloads,
    sent,
    sent_frames,
    the_token,
)

STRANGER = 9

NEXT = RingId(PEER, 1004)


# -- Gather


def test_a_join_carries_our_sets_and_ring_seq() -> None:
    node = LoneNode()
    effects = node.gather()
    join = sent(effects, wire.MembJoin)[-1]
    assert (join.nodeid, join.system_from) == (ME, ME)
    assert (join.proc_list, join.failed_list, join.ring_seq) == ((1, 2, 3), (), 1)


def test_joins_are_repeated_until_the_ring_forms() -> None:
    node = LoneNode().enter(MembState.GATHER)
    assert len(sent(node.after(160), wire.MembJoin)) == 3


def test_a_join_that_knows_less_is_ignored() -> None:
    node = LoneNode().enter(MembState.GATHER)
    assert node.put(node.join(PEER, (PEER,))) == []


def test_a_join_of_a_failed_processor_is_ignored() -> None:
    node = LoneNode().enter(MembState.GATHER)
    node.srp._ring.memb.fail_set = {PEER}
    assert node.put(node.join(PEER, (PEER, ME, LAST, 8))) == []


def test_a_join_that_knows_more_is_merged_and_gather_begins_anew() -> None:
    node = LoneNode().enter(MembState.GATHER)
    join = sent(node.put(node.join(PEER, (1, 2, 3, 8))), wire.MembJoin)[0]
    assert join.proc_list == (1, 2, 3, 8)


def test_who_fails_me_is_failed_by_me() -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    node.after(3001)
    node.put(node.join(LAST, failed=(ME,)))
    assert node.srp._ring.memb.fail_set == {LAST}


def test_a_stranger_who_fails_me_is_ignored() -> None:
    node = LoneNode().enter(MembState.GATHER)
    assert node.put(node.join(LAST, failed=(ME,))) == []
    assert node.srp._ring.memb.fail_set == set()


def test_a_stranger_who_fails_a_candidate_of_mine_is_ignored() -> None:
    node = LoneNode().enter(MembState.GATHER)
    candidate = node.srp._ring.memb.candidates()[-1]
    assert node.put(node.join(STRANGER, (STRANGER, candidate), failed=(candidate,))) == []
    assert STRANGER not in node.srp._ring.memb.proc_set


def test_an_operational_ring_follows_no_stranger_who_fails_anybody() -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    node.put(node.join(STRANGER, (STRANGER, 99), failed=(99,), ring_seq=1000))
    assert node.srp.state is MembState.OPERATIONAL
    node.put(node.join(STRANGER, (STRANGER,), ring_seq=1000))
    assert node.srp.state is MembState.GATHER


def test_failures_seen_by_a_fellow_member_are_taken_over() -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    node.put(node.join(PEER, failed=(LAST,), ring_seq=1000))
    assert node.srp._ring.memb.fail_set == {LAST}


def test_silent_processors_fail_at_the_consensus_timeout() -> None:
    node = LoneNode()
    node.srp.start(node.now)
    node.put(node.join(PEER))
    node.put(node.join(PEER))
    node.after(3500)
    node.put(node.join(PEER))
    node.after(101)
    assert node.srp._ring.memb.fail_set == {LAST}
    assert node.srp.state is MembState.GATHER


def test_who_agreed_and_thinks_otherwise_now_does_not_agree() -> None:
    node = LoneNode().enter(MembState.GATHER)
    memb = node.srp._ring.memb
    everybody = tuple(sorted((*memb.proc_set, STRANGER)))
    node.put(node.join(STRANGER, everybody))
    node.put(node.join(STRANGER, everybody))
    assert STRANGER in memb.consensus
    node.put(node.join(STRANGER, everybody, failed=(LAST,)))
    assert (STRANGER in memb.consensus, memb.fail_set) == (False, set())
    node.put(node.join(STRANGER, everybody))
    assert STRANGER in memb.consensus


def test_the_consensus_timeout_counts_from_the_time_when_more_agreed_than_ever() -> None:
    node = LoneNode()
    node.srp.start(node.now)
    node.put(node.join(PEER))
    node.after(1000)
    node.put(node.join(PEER))
    # Known already: no further time for it.
    node.after(1000)
    node.put(node.join(PEER))
    node.after(2599)
    assert node.srp._ring.memb.fail_set == set()
    node.after(1)
    assert node.srp._ring.memb.fail_set == {LAST}


def test_the_lowest_of_those_who_agree_creates_the_commit_token() -> None:
    node = LoneNode(members=(2, 3))
    node.srp.start(node.now)
    node.put(node.join(LAST))
    effects = node.put(node.join(LAST, ring_seq=4000))
    token = sent(effects, wire.CommitToken)[0]
    assert token.addr == [2, 3]
    assert token.ring_id == RingId(ME, 4004)
    assert [e.target for e in effects if isinstance(e, SendToken)] == [LAST]


def test_a_lone_processor_forms_a_ring_of_itself_and_speaks_to_itself() -> None:
    queue = Queue()
    node = LoneNode(members=(ME,))
    node.queue, node.srp = queue, Srp(node.params, queue, 7, 0)
    node.srp.start(0)
    node.send(b"alone")
    effects = node.after(5)
    assert changes(effects)[-1].members == (ME,)
    assert changes(effects)[-1].ring_id == RingId(ME, 12)
    assert payloads(effects) == [b"alone"]


def test_a_leave_names_the_leaver_last_among_the_failed() -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    node.srp.leave(node.now)
    leave = sent(node.srp.poll(), wire.MembJoin)[0]
    assert (leave.nodeid, leave.system_from) == (0, ME)
    assert (leave.proc_list, leave.failed_list) == ((1, 3), (ME,))
    assert node.srp.next_deadline() is None


def test_joins_that_queued_up_while_we_were_paused_are_flushed() -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    node.now += 1_600_000_000
    node.srp.receive([node.join(LAST, ring_seq=1000)], node.now)
    assert node.srp.state is MembState.OPERATIONAL


# -- foreign messages


def test_a_busy_representative_looks_for_other_rings_as_well() -> None:
    node = LoneNode(members=(2, 3))
    node.srp.start(node.now)
    node.put(node.join(LAST), node.join(LAST))
    node.recover()
    node.put(node.commit_token(memb_index=2, ring_id=node.srp._ring.my_ring_id))
    node.token_seq = 1
    node.install()
    effects = node.put(node.token(0))
    for _ in range(5):
        node.send(b"something")
        effects += node.after(50)
        effects += node.put(node.token(node.srp.marks[0]))
    assert [m.ring_id for m in sent(effects, wire.MergeDetect)] == [node.srp.ring_id]


def test_a_resting_representative_looks_for_other_rings() -> None:
    node = LoneNode(members=(2, 3))
    node.srp.start(node.now)
    node.put(node.join(LAST), node.join(LAST))
    node.recover()
    commit = node.commit_token(memb_index=2, ring_id=node.srp._ring.my_ring_id)
    node.put(commit)
    node.token_seq = 1
    node.install()
    effects = node.put(node.token(0)) + node.after(250)
    assert [m.ring_id for m in sent(effects, wire.MergeDetect)] == [node.srp.ring_id]


# -- Commit


def test_each_member_writes_what_it_has_of_its_old_ring() -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    node.put(node.mcast(1), node.mcast(2), node.mcast(4))
    node.after(3001)
    node.put(node.join(PEER), node.join(LAST))
    token = sent(node.commit(NEXT), wire.CommitToken)[0]
    assert token.memb_index == 2
    assert token.memb_list[1] == wire.CommitEntry(RING, 2, 2, 0)


def test_a_member_without_holes_says_received() -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    node.put(node.mcast(1))
    node.after(3001)
    node.put(node.join(PEER), node.join(LAST))
    token = sent(node.commit(NEXT), wire.CommitToken)[0]
    assert token.memb_list[1] == wire.CommitEntry(RING, 1, 1, RECEIVED)


def test_the_ring_id_is_stored_before_the_commit_token_goes_on() -> None:
    node = LoneNode().enter(MembState.GATHER)
    effects = node.put(node.commit_token(memb_index=1))
    kinds = [type(e) for e in effects if isinstance(e, StoreRingId | SendToken)]
    assert kinds == [StoreRingId, SendToken]
    assert StoreRingId(1000) in effects


def test_a_commit_token_that_is_lost_is_sent_again() -> None:
    node = LoneNode().enter(MembState.COMMIT)
    assert len(sent(node.after(715), wire.CommitToken)) == 1


def test_a_commit_token_for_other_members_is_not_ours() -> None:
    node = LoneNode().enter(MembState.GATHER)
    node.put(node.commit_token(memb_index=1, members=(1, 2)))
    assert node.srp.state is MembState.GATHER


# -- Recovery


def _failing(node: LoneNode, lost: int = LAST, *, keep: bool = False) -> LoneNode:
    """Lose the token on an operational ring, and gather with (or without) the lost member."""
    node.after(3001)
    if not keep:
        node.members = tuple(m for m in node.members if m != lost)
        node.srp._ring.memb.fail_set = {lost}
        node.put(node.join(PEER, (1, 2, 3), failed=(lost,)))
    else:
        node.put(node.join(PEER), node.join(LAST))
    return node


def _entry(aru: int, high_delivered: int | None = None, flag: int = 0) -> wire.CommitEntry:
    return wire.CommitEntry(RING, aru, aru if high_delivered is None else high_delivered, flag)


def test_old_messages_above_the_lowest_aru_are_sent_again_encapsulated() -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    node.put(node.mcast(1, b"1"), node.mcast(2, b"2"), node.mcast(4, b"4"))
    _failing(node)
    node.commit(NEXT)
    node.recover({PEER: _entry(1)})
    messages = sent(node.put(node.token(0, retrans_flg=1)), wire.Mcast)
    assert all(m.encapsulated == Encapsulated.ENCAPSULATED for m in messages)
    inner = [wire.decode(m.payload) for m in messages]
    assert [(m.ring_id, m.seq, bytes(m.payload)) for m in inner] == [
        (RING, 2, b"2"),
        (RING, 4, b"4"),
    ]


def test_what_another_sends_again_is_not_sent_once_more() -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    old = [node.mcast(i) for i in (1, 2, 3)]
    node.put(*old)
    _failing(node)
    node.commit(NEXT)
    node.recover({PEER: _entry(0)})
    node.put(node.encapsulated(1, old[1]))
    messages = sent(node.put(node.token(1, retrans_flg=1)), wire.Mcast)
    assert [wire.decode(m.payload).seq for m in messages] == [1, 3]


def test_nothing_new_is_sent_during_recovery() -> None:
    node = LoneNode().enter(MembState.RECOVERY)
    node.send(b"later")
    assert sent(node.put(node.token(0)), wire.Mcast) == []


def test_retrans_flg_is_up_while_somebody_has_messages_left() -> None:
    node = LoneNode(max_messages=1).enter(MembState.OPERATIONAL)
    node.put(*[node.mcast(i) for i in (1, 2, 3)])
    _failing(node)
    node.commit(NEXT)
    node.recover({PEER: _entry(0)})
    flags = []
    for seq in range(5):
        token = the_token(node.put(node.token(min(seq, 3), retrans_flg=flags[-1] if flags else 0)))
        flags.append(token.retrans_flg)
    assert flags == [1, 1, 0, 0, 0]


def test_the_ring_is_installed_after_four_quiet_visits() -> None:
    node = LoneNode().enter(MembState.RECOVERY)
    states = []
    for _ in range(4):
        node.put(node.token(0))
        states.append(node.srp.state)
    assert states == [MembState.RECOVERY] * 3 + [MembState.OPERATIONAL]


def test_a_raised_retrans_flg_starts_the_count_again() -> None:
    node = LoneNode().enter(MembState.RECOVERY)
    for flag in (0, 0, 0, 1, 0, 0, 0):
        node.put(node.token(0, retrans_flg=flag))
        assert node.srp.state is MembState.RECOVERY
    node.put(node.token(0))
    assert node.srp.state is MembState.OPERATIONAL


def test_the_ring_is_not_installed_before_all_have_what_was_sent() -> None:
    node = LoneNode().enter(MembState.RECOVERY)
    node.put(node.encapsulated(1, b"whatever the other old ring had" * 3))
    for _ in range(6):
        node.put(node.token(1, 0, aru_addr=LAST))
        assert node.srp.state is MembState.RECOVERY


# -- installation (section 7)


def _events(effects: list) -> list[object]:
    """Flatten deliveries and changes into one list."""
    events: list[object] = []
    for effect in effects:
        if isinstance(effect, Deliver):
            events += [bytes(frame.payload) for frame in effect.expand()]
        elif isinstance(effect, ConfigurationChange):
            events.append((effect.kind, effect.members))
    return events


def _transitional(*members: int) -> tuple[ConfChangeType, tuple[int, ...]]:
    return (ConfChangeType.TRANSITIONAL, members)


def _regular(*members: int) -> tuple[ConfChangeType, tuple[int, ...]]:
    return (ConfChangeType.REGULAR, members)


def test_messages_up_to_a_hole_then_transitional_then_the_rest_then_regular() -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    node.put(node.mcast(1, b"1"), node.mcast(4, b"4"))
    _failing(node)
    node.commit(NEXT)
    node.recover({PEER: _entry(1)})
    effects = node.put(node.encapsulated(1, node.mcast(2, b"2", ring_id=RING)))
    effects += node.put(node.token(1, 1, retrans_flg=1))
    for _ in range(5):
        effects += node.put(node.token(2, 2))
    assert _events(effects) == [b"2", _transitional(1, 2), b"4", _regular(1, 2)]


def test_behind_a_hole_messages_of_those_who_left_are_not_delivered() -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    node.put(node.mcast(2, b"gone", LAST), node.mcast(3, b"here", PEER))
    _failing(node)
    node.commit(NEXT)
    node.recover({PEER: _entry(0)})
    effects = node.put(node.token(0, retrans_flg=1))
    for _ in range(5):
        effects += node.put(node.token(2, 2))
    assert _events(effects) == [_transitional(1, 2), b"here", _regular(1, 2)]


def test_an_unacknowledged_safe_message_waits_for_the_transitional_configuration() -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    node.put(node.mcast(1, b"safe", safe=True), node.mcast(2, b"agreed"))
    _failing(node)
    node.commit(NEXT)
    node.recover({PEER: _entry(2, 0, RECEIVED)})
    effects = node.install()
    assert _events(effects) == [_transitional(1, 2), b"safe", b"agreed", _regular(1, 2)]


def test_a_safe_message_that_another_delivered_is_delivered_in_the_regular_configuration() -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    node.put(node.mcast(1, b"safe", safe=True), node.mcast(2, b"agreed"))
    _failing(node)
    node.commit(NEXT)
    node.recover({PEER: _entry(2, 2, RECEIVED)})
    assert _events(node.install()) == [b"safe", b"agreed", _transitional(1, 2), _regular(1, 2)]


def test_members_of_other_old_rings_join() -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    _failing(node, keep=True)
    node.commit(NEXT)
    other = wire.CommitEntry(RingId(LAST, 77), 5, 5, 1)
    node.recover({PEER: _entry(0), LAST: other})
    transitional, regular = changes(node.install())
    assert (transitional.members, transitional.left) == ((1, 2), (3,))
    assert (regular.members, regular.joined) == ((1, 2, 3), (3,))


def test_new_messages_that_overtake_the_installation_are_delivered_after_it() -> None:
    node = LoneNode().enter(MembState.RECOVERY)
    for _ in range(3):
        node.put(node.token(0))
    effects = node.put(node.mcast(1, b"early"))
    effects += node.put(node.token(1, 0, aru_addr=0))
    assert node.srp.state is MembState.OPERATIONAL
    assert _events(effects)[-2:] == [_regular(1, 2, 3), b"early"]


# -- a recovery that fails


def _recover_then_lose_token(node: LoneNode, visits: int) -> None:
    node.put(node.mcast(3, b"late", LAST))
    node.after(3001)
    node.put(node.join(PEER), node.join(LAST))
    node.commit(NEXT)
    node.recover({PEER: _entry(1), LAST: _entry(1)})
    node.put(node.encapsulated(1, node.mcast(1, b"1", ring_id=RING)))
    node.put(node.token(1, 1, retrans_flg=1))
    for _ in range(visits):
        node.put(node.token(2, 2))
    node.after(3001)
    assert node.srp.state is MembState.GATHER


def test_recovered_messages_survive_a_failed_recovery() -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    _recover_then_lose_token(node, 1)
    log = node.srp._ring.installed
    assert (log.ring_id, log.my_aru, log.get(1) is not None) == (RING, 1, True)


def test_what_others_may_have_installed_is_owed_in_the_next_recovery() -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    node.srp.ring_of_ours()
    _recover_then_lose_token(node, 3)
    assert node.srp._ring.obligated
    _failing(node)
    token = sent(node.commit(RingId(PEER, 1008)), wire.CommitToken)[0]
    assert token.memb_list[1].received_flg & OBLIGATED
    node.recover({PEER: _entry(1, 1, OBLIGATED)})
    effects = node.put(node.token(0, retrans_flg=1))
    for _ in range(5):
        effects += node.put(node.token(1, 1))
    # node 3 is gone, but its message behind the hole may have been delivered with our promise
    assert _events(effects)[-3:] == [_transitional(1, 2), b"late", _regular(1, 2)]


def test_nothing_is_owed_when_one_of_us_had_not_promised() -> None:
    node = LoneNode().enter(MembState.OPERATIONAL)
    node.srp.ring_of_ours()
    _recover_then_lose_token(node, 3)
    _failing(node)
    node.commit(RingId(PEER, 1008))
    node.recover({PEER: _entry(1, 1, 0)})
    effects = node.put(node.token(0, retrans_flg=1))
    for _ in range(5):
        effects += node.put(node.token(1, 1))
    assert b"late" not in _events(effects)


def test_a_restarted_node_never_uses_a_ring_id_twice() -> None:
    node = LoneNode(members=(ME,))
    srp = Srp(replace(node.params), Queue(), 1000, 0)
    node.srp = srp
    srp.start(0)
    stored = [e.ring_seq for e in node.after(5) if isinstance(e, StoreRingId)]
    assert stored == [1005]


def test_frames_are_never_sent_by_a_node_that_was_not_started() -> None:
    assert sent_frames(LoneNode().after(60_000)) == []


def test_strangers_who_fail_different_nodes_do_not_answer_each_other_for_ever() -> None:
    node = LoneNode(members=(2, 3)).enter(MembState.IDLE)
    node.srp.start(node.now)
    node.put(node.join(8, (2, 3, 8), failed=(3,)))
    assert node.put(node.join(8, (2, 3, 8), failed=(3,))) == []


def test_a_repeated_first_rotation_does_not_start_the_token() -> None:
    node = LoneNode(members=(2, 3))
    node.srp.start(node.now)
    node.put(node.join(LAST), node.join(LAST))
    ring_id = node.srp._ring.my_ring_id
    first = wire.CommitToken(
        LAST, 2, ring_id, 0, 2, [2, 3], [wire.CommitEntry(RingId(0, 0), 0, 0, 0)] * 2
    )
    node.put(wire.encode_commit_token(first))
    assert node.srp.state is MembState.RECOVERY
    assert not sent(node.put(wire.encode_commit_token(first)), wire.OrfToken)
    second = replace(first, token_seq=4)
    assert sent(node.put(wire.encode_commit_token(second)), wire.OrfToken)
