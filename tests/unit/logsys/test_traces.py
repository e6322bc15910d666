"""Words for traces: as stock Corosync prints them, and for every code there is."""

import pytest

from corosync_tw.corotypes import RingId
from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.traces import (
    describe_trace,
    new_membership,
    primary_component,
    trace_level,
    view_list,
)
from corosync_tw.totem.const import GatherFrom, MembState
from corosync_tw.totem.trace import TraceCode

# How many values a trace has, where it is not four or a list.
VALUES = {
    TraceCode.STATE_ENTERED: 3,
    TraceCode.TOKEN_LOST: 3,
    TraceCode.RECOVERY_ORIGINATED: 3,
    TraceCode.RING_COMMITTED: 3,
    TraceCode.RECOVERY_MEMBER: 7,
    TraceCode.RECOVERY_ENDED: 3,
}


@pytest.mark.parametrize(
    ("code", "values", "level", "text"),
    [
        (TraceCode.TOKEN_LATE, (2250,), Level.NOTICE, "Token has not been received in 2250 ms"),
        (
            TraceCode.TOKEN_LOST,
            (MembState.OPERATIONAL, 3000, 3600),
            Level.NOTICE,
            (
                "A processor failed, forming new configuration: token timed out (3000ms),"
                " waiting 3600ms for consensus."
            ),
        ),
        (TraceCode.RETRANSMIT_LIST, (26, 255), Level.NOTICE, "Retransmit List: 1a ff "),
        (TraceCode.FAILED_TO_RECEIVE, (7,), Level.ERROR, "FAILED TO RECEIVE"),
        (
            TraceCode.PROCESS_PAUSED,
            (1800,),
            Level.NOTICE,
            "Process pause detected for 1800 ms, flushing membership messages.",
        ),
        (
            TraceCode.LEFT_WITHOUT_LEAVE,
            (2, 3),
            Level.NOTICE,
            "Failed to receive the leave message. failed: 2 3",
        ),
        (
            TraceCode.STATE_ENTERED,
            (MembState.OPERATIONAL, MembState.GATHER, GatherFrom.JOIN_DURING_OPERATIONAL_STATE),
            Level.DEBUG,
            "entering GATHER state from 12(join during operational state).",
        ),
        (
            TraceCode.STATE_ENTERED,
            (MembState.COMMIT, MembState.RECOVERY, 0),
            Level.DEBUG,
            "entering RECOVERY state.",
        ),
    ],
)
def test_stock_words(code, values, level, text):
    message = describe_trace(code, values)[-1]
    assert (message.subsys, message.level, message.text) == ("TOTEM", level, text)


@pytest.mark.parametrize("reason", GatherFrom)
def test_every_reason_to_gather_has_words(reason):
    (message,) = describe_trace(TraceCode.STATE_ENTERED, (1, MembState.GATHER, reason))
    assert f"from {reason.value}(" in message.text


@pytest.mark.parametrize("code", TraceCode)
def test_every_code_has_words_and_is_never_louder_than_announced(code):
    messages = describe_trace(code, range(1, VALUES.get(code, 4) + 1))
    assert messages
    assert not messages[0].text.startswith("trace ")
    assert min(message.level for message in messages) >= trace_level(code)


@pytest.mark.parametrize(("code", "values"), [(9999, (1, 2)), (TraceCode.TOKEN_LATE, ())])
def test_unexpected_traces_are_printed_as_they_are(code, values):
    (message,) = describe_trace(code, values)
    assert message.text == f"trace {int(code)} {values}"


def test_membership_line():
    assert new_membership(RingId(1, 26), [2, 3], []).text == (
        "A new membership (1.1a) was formed. Members joined: 2 3"
    )
    assert new_membership(RingId(1, 8), [], [2]).text == (
        "A new membership (1.8) was formed. Members left: 2"
    )
    assert new_membership(RingId(1, 8), [], []).text == (
        "A new membership (1.8) was formed. Members"
    )


def test_quorum_lines():
    assert primary_component(True).text == (
        "This node is within the primary component and will provide service."
    )
    assert "NOT provide any services" in primary_component(False).text
    assert [m.text for m in view_list("Members", [])] == ["Members[0]:"]
    assert [m.text for m in view_list("Sync joined", [1, 2])] == ["Sync joined[2]: 1 2"]


def test_long_view_lists_are_broken_as_in_stock():
    lines = [m.text for m in view_list("Members", range(1, 31))]
    assert lines[0] == "Members[30]:" + "".join(f" {n}" for n in range(1, 25)) + "\\"
    assert lines[1] == "Members[30]: 25 26 27 28 29 30"


@pytest.mark.parametrize(
    ("code", "values", "texts"),
    [
        (
            TraceCode.STATE_ENTERED,
            (MembState.OPERATIONAL, MembState.IDLE, 0),
            ["sending join/leave message", "entering IDLE state."],
        ),
        (TraceCode.COMMIT_TOKEN_CREATED, (3,), ["Creating commit token because I am the rep."]),
        (TraceCode.COMMIT_TOKEN_RECEIVED, (2, 4), ["got commit token"]),
        (
            TraceCode.RING_COMMITTED,
            (22, 23, 29),
            ["Saving state aru 16 high seq received 17", "Storing new sequence id for ring 1d"],
        ),
        (TraceCode.RECOVERY_TRANSITIONAL, (1, 5), ["TRANS [0] member 1:", "TRANS [1] member 5:"]),
        (
            TraceCode.RECOVERY_MEMBER,
            (1, 5, 1, 29, 22, 21, 1),
            [
                "position [1] member 5:",
                "previous ringid (1.1d)",
                "aru 16 high delivered 15 received flag 1",
            ],
        ),
        (
            TraceCode.RECOVERY_ORIGINATED,
            (0, 22, 22),
            ["Did not need to originate any messages in recovery."],
        ),
        (
            TraceCode.RECOVERY_ORIGINATED,
            (2, 22, 26),
            ["copying all old ring messages from 17-1a.", "Originated 2 messages in RECOVERY."],
        ),
        (TraceCode.TOKEN_ORIGINATED, (0,), ["Sending initial ORF token"]),
        (
            TraceCode.RECOVERY_ENDED,
            (2, 21, 26),
            [
                "Resetting old ring state",
                "recovery to regular 1-2",
                "Delivering to app 16 to 1a",
            ],
        ),
    ],
)
def test_stock_words_for_the_forming_of_a_ring(code, values, texts):
    assert [message.text for message in describe_trace(code, values)] == texts
