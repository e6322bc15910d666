import pytest

from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.rings import Said, active_status, describe_ring
from corosync_tw.totem.links import (
    LinkEvent,
    LinkEventKind,
    LinkFaultCause,
    LinkRecoveryCause,
    ProbeFault,
)

S = 1_000_000_000
LIMIT = "(threshold 10)"
HOLD = "the next fault within a while keeps it out for 5 s at least"


def said(kind, *values, nodeid=0):
    return describe_ring(LinkEvent(kind, 1, nodeid, values), "10.0.0.1")


def lines(kind, *values, nodeid=0):
    return [(m.level, m.text) for m in said(kind, *values, nodeid=nodeid).messages]


@pytest.mark.parametrize(
    ("cause", "nodeid", "evidence"),
    [
        (
            LinkFaultCause.TOKENS_MISSING,
            0,
            "ring 1: 11 times a token came by the other rings only (threshold 10)",
        ),
        (
            LinkFaultCause.TOKENS_LAG,
            0,
            "ring 1: 11 tokens fewer than by the best ring, which had 40 (threshold 10)",
        ),
        (
            LinkFaultCause.MESSAGES_LAG,
            3,
            "ring 1: 11 messages of node 3 fewer than by the best ring, which had 40 " + LIMIT,
        ),
    ],
)
def test_a_fault_in_the_words_of_1x_and_its_evidence(cause, nodeid, evidence):
    assert lines(LinkEventKind.FAULTY, cause, 11, 40, 10, nodeid=nodeid) == [
        (Level.ERROR, "Marking ringid 1 interface 10.0.0.1 FAULTY"),
        (Level.NOTICE, evidence),
    ]


def test_a_recovery_in_the_words_of_1x_and_its_evidence():
    assert lines(LinkEventKind.RECOVERED, LinkRecoveryCause.TESTED, 3, 12 * S, 5 * S) == [
        (Level.NOTICE, "Automatically recovered ring 1"),
        (Level.NOTICE, f"ring 1: was faulty for 12.0 s, 3 tests in a row were clean; {HOLD}"),
    ]
    told = lines(LinkEventKind.RECOVERED, LinkRecoveryCause.TOLD, 0, 2 * S, 0, nodeid=4)
    assert told[1][1] == "ring 1: was faulty for 2.0 s, the tests of node 4 were clean"
    forced = lines(LinkEventKind.RECOVERED, LinkRecoveryCause.FORCED, 0, 2 * S, 0)
    assert forced[0][1] == "Ring 1 is used again by order of an administrator"


@pytest.mark.parametrize("fault", ProbeFault)
def test_a_test_that_is_not_believed_names_the_peer_and_the_likely_mistake(fault):
    text = said(LinkEventKind.PROBE_REFUSED, fault, 6, 7, 9, nodeid=3)
    assert text.messages == ()
    assert "A test of ring 1 from node 3 is not believed, it" in text.trouble
    assert "somebody" in said(LinkEventKind.PROBE_REFUSED, fault, 6, 7, 9).trouble


def test_all_faulty_is_said_once_in_a_while():
    assert "All 2 rings are faulty" in said(LinkEventKind.ALL_FAULTY, 2).trouble


def test_what_is_of_knet_is_not_said_here():
    assert said(LinkEventKind.MTU_CHANGED, 1400) == Said()


def test_the_status_of_a_sound_ring():
    assert active_status(0) == "ring 0 active with no faults"
