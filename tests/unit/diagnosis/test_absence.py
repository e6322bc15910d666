"""Why a node is in no ring with others, from records that are written out."""

from corosync_tw.corotypes import RingId
from corosync_tw.diagnosis.incidents.absence import absence_of
from corosync_tw.diagnosis.incidents.causes import Confidence
from corosync_tw.diagnosis.incidents.changes import find_changes
from corosync_tw.diagnosis.incidents.lives import End
from corosync_tw.diagnosis.incidents.rules_absent import explain_absence
from tests.unit.diagnosis.records import begins, installs, life, loses, record, witnesses

LISTED = (1, 2, 3, 4)
UNSEALED = 2
STARTED = {"node": 4, "pid": 9, "version": "1"}


def why_out(lives, nodeid, listed=LISTED):
    absence = absence_of(lives, find_changes(lives), nodeid, listed)
    return None if absence is None else explain_absence(absence)


def the_cause(lives, nodeid):
    (cause,) = why_out(lives, nodeid)
    return cause.name, cause.confidence


def refusal(nodeid, at_s, of):
    return record(nodeid, at_s, "packet_refused", link=0, node=of, cause=UNSEALED)


def starts(nodeid, at_s, *more, end=End.RUNNING):
    values = {**STARTED, "node": nodeid}
    return life(nodeid, record(nodeid, at_s, "node_started", **values), *more, end=end)


def test_a_member_is_not_absent():
    assert absence_of(witnesses(), find_changes(witnesses()), 1, LISTED) is None


def test_a_node_that_nobody_heard_of():
    assert the_cause(witnesses(), 4) == ("unknown", Confidence.UNKNOWN)
    (cause,) = why_out(witnesses(), 4)
    assert cause.text.startswith("nodes 1, 2 recorded no packet of it")
    assert the_cause(witnesses(), 9) == ("not_listed", Confidence.CERTAIN)
    assert why_out(witnesses(), 9, ())[0].name == "unknown"


def test_a_node_that_left_and_of_which_no_more_is_known():
    assert why_out(witnesses(), 3) == []


def test_a_node_that_never_got_in_for_its_key():
    cause = ("configuration_mismatch", Confidence.CERTAIN)
    assert the_cause(witnesses(refusal(1, 50, 4)), 4) == cause
    # Its own recording alone, asked beside it: of itself, and of others.
    alone = starts(4, 40, installs(4, 41, RingId(4, 4), (4,), joined=(4,)), refusal(4, 50, 1))
    assert the_cause([alone], 4) == cause
    assert the_cause([alone], 1) == cause


def test_a_node_that_came_back_with_another_key():
    lives = witnesses(refusal(1, 120, 3))
    assert the_cause(lives, 3) == ("configuration_mismatch", Confidence.CERTAIN)
    # What was refused before it left kept it out of nothing.
    assert why_out(witnesses(refusal(1, 50, 3)), 3) == []


def test_a_node_that_came_back_and_gave_up():
    failed = record(3, 121, "node_failed", code=15, text="broken")
    lives = [*witnesses(), life(3, begins(3), end=End.KILLED)]
    assert the_cause([*lives, starts(3, 120, failed, end=End.FAILED)], 3) == (
        "gave_up",
        Confidence.CERTAIN,
    )
    older = record(3, 121, "node_failed", code=0, text="Received config version (3) is different")
    assert the_cause([*lives, starts(3, 120, older, end=End.FAILED)], 3)[0] == (
        "configuration_mismatch"
    )
    full = record(3, 121, "storage_failed", code=21, text="x: No space left on device")
    assert the_cause([*lives, starts(3, 120, full, end=End.FAILED)], 3)[0] == "disk_full"
    ended = record(3, 121, "node_ending", code=0, leaves=1)
    assert the_cause([*lives, starts(3, 120, ended, end=End.ENDED)], 3)[0] == "not_running"


def test_the_end_by_which_it_left_is_not_told_again():
    failed = record(3, 104, "node_failed", code=15, text="broken")
    assert why_out([*witnesses(), life(3, begins(3), failed, end=End.FAILED)], 3) == []


def test_a_node_that_faulty_links_keep_out():
    deaf = record(1, 120, "link_failed", speaker=3, listener=1)
    alone = life(3, begins(3), loses(3, silent=(1, 2), others=(3,), left=(1, 2)))
    assert the_cause([*witnesses(deaf), alone], 3) == ("link_cut_one_way", Confidence.CERTAIN)
