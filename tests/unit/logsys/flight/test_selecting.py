"""Which records are wanted."""

import re

import pytest

from corosync_tw.logsys.flight.events import Code
from corosync_tw.logsys.flight.record import FlightRecord
from corosync_tw.logsys.flight.selecting import Selection
from corosync_tw.logsys.flight.table import EVENTS
from corosync_tw.logsys.flight.words import OURS

RECORD = FlightRecord(
    time_ns=1000,
    monotonic_ns=1,
    nodeid=2,
    lane=0,
    seq=1,
    event=EVENTS[Code.MEMBER_LEFT],
    values={"node": 3, "reason": "it was slow"},
    ring=None,
    whole=True,
    table=OURS,
    aligned_ns=1000,
)


@pytest.mark.parametrize(
    ("selection", "wanted"),
    [
        (Selection(), True),
        (Selection(subsystems=frozenset({"TOTEM", "KNET"})), True),
        (Selection(subsystems=frozenset({"KNET"})), False),
        (Selection(nodeids=frozenset({2})), True),
        (Selection(nodeids=frozenset({3})), False),
        (Selection(events=frozenset({"member_left"})), True),
        (Selection(events=frozenset({"members_left"})), False),
        (Selection(since_ns=1000), True),
        (Selection(since_ns=1001), False),
        (Selection(until_ns=1001), True),
        (Selection(until_ns=1000), False),
        (Selection(message=re.compile("was slow$")), True),
        (Selection(message=re.compile("^was")), False),
        (Selection(nodeids=frozenset({2}), until_ns=1000), False),
    ],
)
def test_all_that_is_said_has_to_hold(selection, wanted):
    assert selection.matches(RECORD) == wanted
