"""Each cause is told from records that are written out here, and from no other ones."""

from dataclasses import replace

import pytest

from corosync_tw.corotypes import RingId
from corosync_tw.diagnosis.incidents.causes import EVIDENCE_MAX, Confidence
from corosync_tw.diagnosis.incidents.changes import find_changes, last_change, leaving, nearest
from corosync_tw.diagnosis.incidents.explaining import explain, explain_moment
from corosync_tw.diagnosis.incidents.lives import End
from tests.unit.diagnosis.records import (
    ALONE,
    BOOT,
    GATHER,
    NEW,
    NEXT_BOOT,
    OLD,
    OPERATIONAL,
    S,
    begins,
    installs,
    life,
    loses,
    record,
    witnesses,
)

MISMATCH = ("configuration_mismatch", Confidence.CERTAIN)


def causes_of(lives, nodeid=3):
    change = leaving(find_changes(lives), nodeid)
    return explain(lives, change).left[nodeid]


def the_cause(lives, nodeid=3):
    first = causes_of(lives, nodeid)[0]
    return first.name, first.confidence


def test_a_good_bye_is_a_clean_leave():
    leaves = life(3, begins(3), record(3, 99.9, "node_ending", code=0, leaves=1), end=End.ENDED)
    said = record(1, 100, "leave_received", node=3)
    assert the_cause([*witnesses(said), leaves]) == ("clean_leave", Confidence.CERTAIN)
    # The others alone know as well.
    assert the_cause(witnesses(said)) == ("clean_leave", Confidence.CERTAIN)


def test_an_order_to_die_has_its_reason():
    order = record(1, 99, "node_killed", node=3, by=2, reason="no quorum device")
    (cause,) = causes_of(witnesses(order))
    assert cause.name == "ordered_to_die"
    assert "node 2 ordered it to end: no quorum device" in cause.text


@pytest.mark.parametrize(
    ("end", "later", "expected"),
    [
        (End.KILLED, BOOT, ("killed", Confidence.CERTAIN)),
        (End.KILLED, NEXT_BOOT, ("machine_restarted", Confidence.CERTAIN)),
        (End.OPEN, None, ("killed", Confidence.LIKELY)),
    ],
)
def test_a_process_without_an_ending_was_killed(end, later, expected):
    last = record(3, 99.5, "sample", rep=1, ring_seq=8, offset=0, delivered=1)
    lives = [*witnesses(), life(3, begins(3), last, end=end)]
    if later is not None:
        again = record(3, 200, "node_started", node=3, pid=9, version="1")
        lives.append(life(3, again, boot=later))
    assert the_cause(lives) == expected


def test_a_process_that_was_killed_long_after_did_not_leave_by_that():
    on = record(3, 300, "sample", rep=1, ring_seq=8, offset=0, delivered=1)
    assert the_cause([*witnesses(), life(3, begins(3), on, end=End.KILLED)])[0] != "killed"


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        ("loop_paused", {"gap": 20 * S, "threshold": S}, "paused"),
        ("process_paused", {"pause": 20_000}, "paused"),
        ("suspended", {"length": 20 * S}, "suspended"),
    ],
)
def test_who_stood_still_says_so_when_it_runs_again(name, values, expected):
    stop = record(3, 119, name, **values)
    sleeper = life(3, begins(3), stop, installs(3, 120, ALONE, (3,), kept=(3,), left=(1, 2)))
    lives = [*witnesses(), sleeper]
    assert the_cause(lives) == (expected, Confidence.CERTAIN)
    assert "20.0 s" in causes_of(lives)[0].text
    # The lone view of the sleeper: not the others stood still.
    assert the_cause(lives, 1) == ("witness_paused", Confidence.CERTAIN)


def test_a_pause_before_the_ring_was_there_is_no_cause():
    before = record(3, 1.5, "loop_paused", gap=S, threshold=S)
    lives = [*witnesses(), life(3, before, begins(3))]
    assert the_cause(lives)[0] == "unknown"


def test_a_pause_after_which_the_token_was_seen_is_no_cause():
    def last_visit(nodeid):
        trail = {"token_seq": 70, "target": 1, "repeats": 0, "since": 1000}
        return record(nodeid, 101, "token_trail", **trail)

    alone = loses(3, silent=(1, 2), others=(3,), ring=ALONE, left=(1, 2))
    for paused_at_s, expected in ((99, "link_cut"), (100.2, "paused")):
        stop = record(3, paused_at_s, "loop_paused", gap=S, threshold=S)
        lives = [*witnesses(last_visit(1)), life(3, begins(3), stop, alone)]
        assert the_cause(lives) == (expected, Confidence.CERTAIN)
        stop = record(1, paused_at_s, "loop_paused", gap=S, threshold=S)
        lives = [*witnesses(stop), life(3, begins(3), last_visit(3), alone)]
        assert the_cause(lives, 1) == (expected, Confidence.CERTAIN)


def test_who_runs_on_and_hears_nobody_is_cut_off():
    alone = loses(3, silent=(1, 2), others=(3,), ring=ALONE, left=(1, 2))
    lives = [*witnesses(), life(3, begins(3), alone)]
    assert the_cause(lives) == ("link_cut", Confidence.CERTAIN)
    assert "nodes 1, 2" in causes_of(lives)[0].text
    assert "cut both ways" in causes_of(lives)[0].text
    assert the_cause(lives, 1) == ("link_cut", Confidence.CERTAIN)


def test_links_of_knet_that_are_down_at_both_ends_are_cut():
    down = record(1, 100.5, "host_unreachable", node=3, link=0)
    there = [
        record(3, 100.6, "host_unreachable", node=1, link=0),
        record(3, 102, "sample", rep=1, ring_seq=8, offset=0, delivered=1),
    ]
    lives = [*witnesses(down), life(3, begins(3), there)]
    assert the_cause(lives) == ("link_cut", Confidence.CERTAIN)
    assert "in one direction or both" in causes_of(lives)[0].text


def test_a_link_that_works_one_way_is_told_from_one_that_is_cut():
    one_way = [
        record(3, 102, "link_failed", speaker=3, listener=1),
        record(3, 102, "link_failed", speaker=3, listener=2),
    ]
    alone = loses(3, silent=(), others=(3,), ring=ALONE, left=(1, 2))
    lives = [*witnesses(), life(3, begins(3), one_way, alone)]
    assert the_cause(lives) == ("link_cut_one_way", Confidence.CERTAIN)
    assert "node 1 does not hear node 3" in causes_of(lives)[0].text
    both = record(1, 102, "link_failed", speaker=1, listener=3)
    two = record(2, 102, "link_failed", speaker=2, listener=3)
    assert (
        the_cause(
            [life(1, begins(1), loses(1), both), life(2, begins(2), loses(2), two), lives[2]]
        )[0]
        != "link_cut_one_way"
    )


@pytest.mark.parametrize(
    ("name", "values", "expected"),
    [
        (
            "storage_failed",
            {"code": 21, "text": "a: No space left on device"},
            ("disk_full", Confidence.CERTAIN),
        ),
        ("storage_failed", {"code": 21, "text": "b: gone"}, ("storage_failed", Confidence.CERTAIN)),
        ("storage_slow", {"elapsed": 3 * S}, ("disk_slow", Confidence.CERTAIN)),
        (
            "log",
            {"level": 3, "subsys": 0, "text": "cannot write: No space left on device"},
            ("disk_full", Confidence.LIKELY),
        ),
    ],
)
def test_a_disk_that_takes_nothing_is_named(name, values, expected):
    full = life(3, begins(3), record(3, 100, name, **values))
    assert the_cause([*witnesses(), full]) == expected


@pytest.mark.parametrize(
    ("name", "values", "sure"),
    [
        ("node_failed", {"code": 15, "text": "Received config version (3) is different"}, True),
        ("packet_refused", {"link": 0, "node": 1, "cause": 2}, False),
        ("reload_done", {"error": 7}, False),
    ],
)
def test_configurations_that_differ_are_named(name, values, sure):
    other = life(3, begins(3), record(3, 100, name, **values))
    expected = Confidence.CERTAIN if sure else Confidence.LIKELY
    assert the_cause([*witnesses(), other]) == ("configuration_mismatch", expected)


@pytest.mark.parametrize(("node", "cause"), [(1, 13), (4, 2), (0, 2)])
def test_packets_that_are_refused_for_another_reason_or_of_another_node_prove_no_key(node, cause):
    other = life(3, begins(3), record(3, 100, "packet_refused", link=0, node=node, cause=cause))
    assert the_cause([*witnesses(), other])[0] == "unknown"


@pytest.mark.parametrize(
    ("name", "values"),
    [("packet_refused", {"link": 0, "cause": 2}), ("datagram_refused", {"cause": 2})],
)
def test_nodes_that_refuse_each_others_packets_have_other_keys(name, values):
    here, there = record(1, 100, name, node=3, **values), record(3, 100, name, node=1, **values)
    assert the_cause([*witnesses(here), life(3, begins(3), there)]) == MISMATCH
    (cause,) = causes_of([*witnesses(here), life(3, begins(3), there)])
    assert cause.text.startswith("it and node 1 cannot open each other's packets")


def test_who_is_told_of_an_older_version_and_leaves_is_behind():
    version = record(1, 99, "config_version_differs", node=3, version=4, ours=5)
    leave = record(1, 99.1, "leave_received", node=3)
    (cause,) = causes_of(witnesses(version, leave))
    assert (cause.name, cause.confidence) == MISMATCH
    assert "config_version 4 and that of the others 5" in cause.text
    newer = record(1, 99, "config_version_differs", node=3, version=6, ours=5)
    assert the_cause(witnesses(newer, leave)) == ("clean_leave", Confidence.CERTAIN)


def test_a_daemon_that_gives_up_says_why():
    ends = life(3, begins(3), record(3, 100, "node_failed", code=15, text="broken"), end=End.FAILED)
    assert the_cause([*witnesses(), ends]) == ("gave_up", Confidence.CERTAIN)


def test_without_the_recording_of_the_node_the_cause_is_not_known():
    (cause,) = causes_of(witnesses())
    assert (cause.name, cause.confidence) == ("unknown", Confidence.UNKNOWN)
    assert "silent to nodes 1, 2" in cause.text
    assert "flight-3*.rec" in cause.remedy
    assert [each.name for each in cause.evidence].count("consensus_timed_out") == 2


def test_a_token_that_is_lost_among_the_same_nodes_was_lost_on_its_way():
    def loser(nodeid, *more):
        return life(
            nodeid,
            begins(nodeid),
            record(nodeid, 101, "token_lost", state=4, token_timeout=1000, consensus_timeout=1200),
            record(nodeid, 101, "state_entered", old=OPERATIONAL, new=GATHER, reason=2),
            *more,
            installs(nodeid, 101.2, NEW, (1, 2, 3), kept=(1, 2, 3)),
        )

    lives = [loser(1), loser(2), loser(3)]
    (cause,) = explain(lives, last_change(find_changes(lives)[1:])).again
    assert (cause.name, cause.confidence) == ("token_lost_by_loss", Confidence.LIKELY)
    asked = [record(1, 100 + n / 100, "retransmit_list", seqs=(n,)) for n in range(20)]
    lives[0] = loser(1, *asked)
    (cause,) = explain(lives, find_changes(lives)[-1]).again
    assert (cause.name, cause.confidence) == ("token_lost_by_loss", Confidence.CERTAIN)
    assert "20 times" in cause.text
    assert len(cause.evidence) == EVIDENCE_MAX
    lives[1] = loser(2, record(2, 101.1, "loop_paused", gap=S, threshold=S))
    (cause,) = explain(lives, find_changes(lives)[-1]).again
    assert (cause.name, cause.nodeid) == ("paused", 2)


def test_where_the_token_was_lost_is_told_from_how_far_it_came():
    def loser(nodeid, token_seq, *, repeats=9, more=()):
        target = nodeid % 3 + 1
        trail = {"token_seq": token_seq, "target": target, "repeats": repeats, "since": 1000}
        return life(
            nodeid,
            begins(nodeid),
            record(nodeid, 101, "token_lost", state=4, token_timeout=1000, consensus_timeout=1200),
            record(nodeid, 101, "token_trail", **trail),
            record(nodeid, 101, "state_entered", old=OPERATIONAL, new=GATHER, reason=2),
            *more,
            installs(nodeid, 101.2, NEW, (1, 2, 3), kept=(1, 2, 3)),
        )

    def why(*lives):
        (cause,) = explain(lives, find_changes(lives)[-1]).again
        return cause.name, cause.confidence, cause.text

    name, confidence, text = why(loser(1, 70), loser(2, 71), loser(3, 69))
    assert (name, confidence) == ("token_lost_by_loss", Confidence.CERTAIN)
    assert "from node 2 to node 3: it was sent 10 times, and never arrived" in text
    # It was here last, and nothing shows that it went on; or who should have had it is silent.
    assert why(loser(1, 70), loser(2, 71, repeats=0), loser(3, 69))[1] is Confidence.LIKELY
    assert why(loser(1, 70), loser(2, 71))[1] is Confidence.LIKELY
    stop = record(3, 101, "loop_paused", gap=S, threshold=S)
    assert why(loser(1, 70), loser(2, 71), loser(3, 69, more=[stop]))[0] == "paused"


def test_a_clock_that_is_set_is_told_beside_and_at_its_moment():
    step = record(2, 100, "clock_stepped", step=-3600 * S)
    told = explain_moment([life(2, begins(2), step)], 130 * S)
    (beside,) = told.beside
    assert (told.change, beside.name) == (None, "clock_stepped")
    assert "node 2 was set by -3600.000 s" in beside.text
    lives = [life(1, begins(1), loses(1)), life(2, begins(2), loses(2), step)]
    told = explain(lives, leaving(find_changes(lives), 3))
    assert [cause.name for cause in told.left[3]] == ["unknown"]
    assert [cause.name for cause in told.beside] == ["clock_stepped"]
    assert not explain_moment(lives, 500 * S).beside


def stepped(nodeid, at_s, by_s):
    return record(nodeid, at_s, "clock_stepped", step=int(by_s * S))


def test_nodes_with_one_clock_see_one_step():
    lives = [
        life(1, stepped(1, 10.2, 3600), stepped(1, 20, -3600), stepped(1, 40, -3600)),
        life(2, stepped(2, 10.1, 3599.9997), stepped(2, 20, -3600.0001)),
        life(3, stepped(3, 30, 0.25)),
    ]
    (beside,) = explain_moment(lives, 15 * S).beside
    assert beside.text.startswith(
        "the clock of nodes 1, 2 was set by +3600.000 s and the clock of nodes 1, 2 was set by"
        " -3600.000 s and the clock of node 3 was set by +0.250 s and the clock of node 1 was set"
        " by -3600.000 s;"
    )


def shifted(each, by_s):
    """The same on a wall clock that was set since."""
    return replace(each, time_ns=each.time_ns + int(by_s * S))


def test_a_moment_may_be_told_by_the_clock_before_it_was_set():
    lives = witnesses(shifted(stepped(1, 120, -3600), 3600))
    lives = [
        replace(
            each,
            records=tuple(shifted(r, 3600) if r.aligned_ns < 120 * S else r for r in each.records),
        )
        for each in lives
    ]
    changes = find_changes(lives)
    for when_s in (103, 3703):
        assert nearest(changes, when_s * S, 5 * S).ring == NEW
    assert nearest(changes, 2000 * S, 5 * S) is None
    # The step itself was at 3720 by the clock before, and at 120 by that after it.
    for when_s in (130, 3730):
        (beside,) = explain_moment(lives, when_s * S).beside
        assert beside.name == "clock_stepped"
    assert not explain_moment(lives, 2000 * S).beside


def test_a_step_was_at_the_time_to_which_the_clock_was_set_as_well():
    lives = [life(2, begins(2), shifted(stepped(2, 5000, 3600), -7200))]
    for when_s in (5000 - 7200, 5000 - 3600, 5000):
        (beside,) = explain_moment(lives, when_s * S).beside
        assert beside.name == "clock_stepped"
    assert not explain_moment(lives, 4800 * S).beside


def test_a_step_after_a_change_is_told_when_it_was_asked_for():
    lives = witnesses(stepped(1, 120, -3600))
    change = last_change(find_changes(lives))
    assert not explain(lives, change).beside
    assert not explain(lives, change, when_ns=50 * S).beside
    for more in ({"when_ns": 100 * S}, {"until_ns": 120 * S}):
        (beside,) = explain(lives, change, **more).beside
        assert beside.name == "clock_stepped"


def joining(*more):
    lives = witnesses(*installs(1, 150, RingId(1, 16), (1, 2, 3), kept=(1, 2), joined=(3,)))
    lives.append(life(3, *more))
    told = explain(lives, last_change(find_changes(lives)))
    return told.joined[3][0]


def test_a_node_without_a_recording_joins_for_unknown_reasons():
    lives = witnesses(*installs(1, 150, RingId(1, 16), (1, 2, 3), kept=(1, 2), joined=(3,)))
    (cause,) = explain(lives, last_change(find_changes(lives))).joined[3]
    assert (cause.name, cause.text) == ("unknown", "only its own recording tells why it joined")


def test_a_node_joins_because_it_was_started():
    begun = record(3, 149, "node_started", node=3, pid=4, version="1")
    assert joining(begun, installs(3, 150, RingId(1, 16), (1, 2, 3))).name == "started"


def test_a_first_ring_formed_because_its_node_was_started():
    alone = life(
        1,
        record(1, 1, "node_started", node=1, pid=1, version="1"),
        installs(1, 2, OLD, (1,), joined=(1,)),
    )
    (cause,) = explain([alone], find_changes([alone])[0]).again
    assert (cause.name, cause.nodeid) == ("started", 1)


def test_a_node_that_was_started_during_the_change_joins_by_that():
    lives = [
        life(
            1,
            record(1, 1, "node_started", node=1, pid=1, version="1"),
            installs(1, 2, OLD, (1,), joined=(1,)),
            record(1, 100, "state_entered", old=OPERATIONAL, new=GATHER, reason=2),
            installs(1, 110, NEW, (1, 3), kept=(1,), joined=(3,)),
        ),
        life(3, record(3, 50, "node_started", node=3, pid=1, version="1"), end=End.KILLED),
        life(
            3,
            record(3, 104, "node_started", node=3, pid=2, version="1"),
            installs(3, 110, NEW, (1, 3), joined=(1, 3)),
        ),
    ]
    (cause,) = explain(lives, find_changes(lives)[-1]).joined[3]
    assert (cause.name, cause.evidence[0].aligned_ns) == ("started", 104 * S)


def test_a_node_joins_because_it_runs_or_is_heard_again():
    woken = record(3, 149, "loop_paused", gap=48 * S, threshold=S)
    assert joining(begins(3), woken).name == "awake_again"
    works = record(3, 149, "link_works", speaker=3, listener=1)
    assert joining(begins(3), works).name == "heard_again"
    assert joining(begins(3), record(3, 149, "node_ready")).name == "unknown"


def test_a_node_joins_because_rings_that_were_apart_merge():
    alone = loses(3, silent=(1, 2), others=(3,), ring=ALONE, left=(1, 2))
    cause = joining(begins(3), alone, installs(3, 150, RingId(1, 16), (1, 2, 3), kept=(3,)))
    assert (cause.name, cause.confidence) == ("heard_again", Confidence.LIKELY)


def test_the_last_time_that_a_node_left_is_found_in_small_rings_too():
    few = RingId(1, 20)
    last = installs(1, 150, RingId(1, 16), (1, 2, 3), kept=(1, 2), joined=(3,))
    last += installs(1, 200, few, (1,), kept=(1,), left=(2, 3))
    changes = find_changes([life(1, begins(1), loses(1), last), life(2, begins(2), loses(2))])
    assert leaving(changes, 3).ring == few


def test_who_loses_most_has_not_lost_them():
    alone = loses(3, silent=(1, 2), others=(3,), ring=RingId(3, 20), left=(1, 2))
    gone = installs(1, 50, RingId(1, 9), (2, 3), kept=(2, 3), left=(1,))
    back = installs(1, 60, OLD, (1, 2, 3), kept=(2, 3), joined=(1,))
    lives = [life(2, gone, back, loses(2)), life(3, back, alone)]
    assert leaving(find_changes(lives), 1).ring == RingId(1, 9)


def test_what_is_asked_for_is_found():
    changes = find_changes(witnesses())
    assert [change.ring for change in changes] == [OLD, NEW]
    assert last_change(changes).ring == NEW
    assert leaving(changes, 2) is None
    assert nearest(changes, 3 * S, 5 * S).ring == OLD
    assert nearest(changes, 102 * S, 5 * S).ring == NEW
    assert nearest(changes, 109 * S, 5 * S) is None
    assert last_change([]) is None
    assert nearest([], 0, S) is None
