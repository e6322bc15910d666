"""Where changes of membership begin and end, on records with literal times."""

from corosync_tw.corotypes import RingId
from corosync_tw.logsys.flight.episodes import PRELUDE_NS, find_episodes
from corosync_tw.logsys.flight.events import TRACES, Code
from corosync_tw.logsys.flight.record import FlightRecord
from corosync_tw.logsys.flight.table import EVENTS
from corosync_tw.logsys.flight.words import OURS
from corosync_tw.totem.const import MembState
from corosync_tw.totem.trace import TraceCode

S_NS = 1_000_000_000
RING = RingId(1, 8)
STATE = TRACES + TraceCode.STATE_ENTERED


def record(at_ns, nodeid, code, ring=None, **values):
    return FlightRecord(
        time_ns=at_ns,
        monotonic_ns=at_ns,
        nodeid=nodeid,
        lane=0,
        seq=1,
        event=EVENTS[code],
        values=values,
        ring=ring,
        whole=True,
        table=OURS,
        aligned_ns=at_ns,
    )


def enters(at_ns, nodeid, state):
    return record(at_ns, nodeid, STATE, new=int(state))


def installs(at_ns, nodeid):
    return [
        record(at_ns, nodeid, Code.RING_INSTALLED, RING),
        enters(at_ns, nodeid, MembState.OPERATIONAL),
    ]


def test_what_came_shortly_before_belongs_to_it_and_nothing_earlier():
    began_ns = 100 * S_NS
    early = record(began_ns - PRELUDE_NS - 1, 1, Code.NODE_READY)
    late = record(began_ns - PRELUDE_NS, 1, Code.STORAGE_SLOW, elapsed=1)
    begins = enters(began_ns, 1, MembState.GATHER)
    ends = installs(began_ns + S_NS, 1)
    (found,) = find_episodes([early, late, begins, *ends])
    assert found.records == [late, begins, *ends]
    assert (found.began_ns, found.ended_ns) == (began_ns, began_ns + S_NS)
    assert (found.rings, found.settled) == ([RING], True)


def test_it_lasts_until_the_last_node_has_a_ring():
    records = [
        enters(1 * S_NS, 1, MembState.GATHER),
        enters(2 * S_NS, 2, MembState.GATHER),
        *installs(3 * S_NS, 1),
        *installs(4 * S_NS, 2),
        record(5 * S_NS, 1, Code.NODE_READY),
    ]
    (found,) = find_episodes(records)
    assert (found.ended_ns, found.settled) == (4 * S_NS, True)


def test_a_node_whose_file_ends_while_it_seeks_holds_nobody_up():
    records = [
        enters(1 * S_NS, 1, MembState.GATHER),
        enters(1 * S_NS, 2, MembState.GATHER),
        record(2 * S_NS, 2, Code.STORAGE_SLOW, elapsed=1),
        *installs(3 * S_NS, 1),
        record(4 * S_NS, 1, Code.NODE_READY),
        enters(50 * S_NS, 1, MembState.GATHER),
        *installs(51 * S_NS, 1),
    ]
    first, second = find_episodes(records)
    assert (first.ended_ns, first.settled) == (3 * S_NS, False)
    assert (second.began_ns, second.settled) == (50 * S_NS, True)


def test_a_ring_without_a_search_is_no_episode():
    assert find_episodes([*installs(S_NS, 1), record(2 * S_NS, 1, Code.NODE_READY)]) == []
