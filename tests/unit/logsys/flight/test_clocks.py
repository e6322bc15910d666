"""Clocks are placed where they belong, after whatever happens to nodes."""

import random

from corosync_tw.corotypes import RingId
from corosync_tw.logsys.flight.events import TRACES, Code
from corosync_tw.logsys.flight.merging import HELD_BACK_NS_MAX, align, merge
from corosync_tw.totem.trace import TraceCode
from tests.unit.logsys.flight.clusters import MS, VISIT, run_ring, told

LATE = TRACES + TraceCode.TOKEN_LATE
S = 1000 * MS
ALL = RingId(1, 8)
WITHOUT = RingId(1, 12)
ALONE = RingId(3, 12)
AGAIN = RingId(1, 16)
# A round of the token of three nodes.
ROUND_NS = 3 * MS


def wrong_ns(nodes, records):
    """Give by how much the times of records differ from the true ones, beside each other."""
    errors = [r.aligned_ns - (r.monotonic_ns - nodes[r.nodeid].monotonic_ns) for r in records]
    return max(errors) - min(errors)


def part(nodes, at_ns):
    """Cut the third one off, which then has a ring alone at once, and bring it back."""
    lost = nodes[3]
    others = {nodeid: nodes[nodeid] for nodeid in (1, 2)}
    for node in nodes.values():
        node.gathers(at_ns)
    # What it wrote down at once came before what it told later, as a node alone does.
    for seq in range(4):
        lost.at(at_ns + 1200 * MS, VISIT, seq, seq, seq, 0)
    lost.commits(at_ns + 1201 * MS)
    lost.recovers(at_ns + 1201 * MS, ALONE, [3])
    for seq in range(4, 100):
        lost.at(at_ns + 1202 * MS + seq * 20 * MS, VISIT, seq, seq, seq, 0)
    for node in others.values():
        node.commits(at_ns + 1202 * MS)
    run_ring(others, WITHOUT, at_ns + 1202 * MS, 100, hop_ns=20 * MS)
    for node in nodes.values():
        node.gathers(at_ns + 4000 * MS)
    return run_ring(nodes, AGAIN, at_ns + 4200 * MS, 60)


def test_a_ring_of_one_node_moves_nothing(nodes):
    end_ns = part(nodes, run_ring(nodes, ALL, 0, 60) + S)
    nodes[3].at(end_ns + 3 * S, LATE, 1)
    records = merge([node.recording() for node in nodes.values()])
    assert wrong_ns(nodes, records) < ROUND_NS
    visits = told(records)
    for ring, count in ((ALL, 60), (WITHOUT, 100), (ALONE, 100), (AGAIN, 60)):
        assert [seq for each, seq in visits if each == ring] == list(range(count))


def test_a_copy_of_an_earlier_time_moves_nothing(nodes):
    copies = []
    end_ns = run_ring(nodes, ALL, 0, 60)
    copies += [nodes[3].recording()]
    end_ns = part(nodes, end_ns + 8 * S)
    copies += [nodes[1].recording()]
    nodes[3].at(end_ns + S, LATE, 1)
    records = merge([*copies, *(node.recording() for node in nodes.values())])
    assert len(records) == sum(len(node.recording()) for node in nodes.values())
    assert wrong_ns(nodes, records) < ROUND_NS


def test_processes_of_one_node_have_one_clock(nodes):
    run_ring(nodes, ALL, 0, 60)
    killed = nodes[3].recording()
    nodes[3].true_ns = 20 * S
    nodes[3].start()
    nodes[3].at(20 * S, Code.NODE_READY)
    # It has no ring in common with the others yet.
    recordings = [*(node.recording() for node in nodes.values()), killed]
    assert wrong_ns(nodes, merge(recordings)) < ROUND_NS
    aligned = align(recordings)
    assert wrong_ns(nodes, [record for records in aligned for record in records]) < ROUND_NS


def test_clocks_that_drift_are_placed_between_rings(nodes):
    nodes[1].gains_ppm = 100
    run_ring(nodes, ALL, 0, 60)
    for minute in range(1, 11):
        nodes[1].at(minute * 60 * S, LATE, minute)
    run_ring(nodes, AGAIN, 602 * S, 60)
    records = merge([node.recording() for node in nodes.values()])
    first_ns = records[0].aligned_ns
    late = {r.values["waited"]: r.aligned_ns - first_ns for r in records if r.name == "token_late"}
    assert len(late) == 10
    assert all(abs(at_ns - minute * 60 * S) < ROUND_NS for minute, at_ns in late.items())


def test_a_machine_that_was_suspended_is_placed_before_and_after(nodes):
    slept_ns = 60 * S
    end_ns = run_ring(nodes, ALL, 0, 60)
    nodes[3].at(end_ns + S, LATE, 1)
    # Its clock stood still.
    nodes[3].monotonic_ns -= slept_ns
    nodes[3].at(end_ns + slept_ns + S, Code.SUSPENDED, slept_ns)
    nodes[3].at(end_ns + slept_ns + 2 * S, LATE, 2)
    run_ring(nodes, AGAIN, end_ns + slept_ns + 3 * S, 60)
    records = merge([node.recording() for node in nodes.values()])
    first_ns = records[0].aligned_ns
    late = {r.values["waited"]: r.aligned_ns - first_ns for r in records if r.name == "token_late"}
    assert abs(late[1] - end_ns - S) < ROUND_NS
    assert abs(late[2] - end_ns - slept_ns - 2 * S) < ROUND_NS


def test_files_that_contradict_each_other_hold_nothing_back_for_long(nodes):
    dice = random.Random(5)
    for node in nodes.values():
        node.recovers(0, ALL, [1, 2, 3])
        for step in range(100):
            node.at(step * S, VISIT, 0, 0, dice.randrange(1 << 31), 0)
            node.at(step * S + MS, LATE, step)
    recordings = [node.recording() for node in nodes.values()]
    placed = {
        (r.nodeid, r.lane, r.seq): r.aligned_ns for records in align(recordings) for r in records
    }
    merged = merge(recordings)
    assert len(merged) == len(placed)
    moved = [r.aligned_ns - placed[r.nodeid, r.lane, r.seq] for r in merged]
    assert min(moved) == 0
    assert max(moved) <= HELD_BACK_NS_MAX
