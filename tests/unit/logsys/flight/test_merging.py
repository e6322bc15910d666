"""Files of several nodes become one timeline, whatever their clocks say."""

import random
from itertools import pairwise

from corosync_tw.corotypes import RingId
from corosync_tw.logsys.flight.drawing import Told, draw
from corosync_tw.logsys.flight.episodes import find_episodes
from corosync_tw.logsys.flight.events import TRACES, Code
from corosync_tw.logsys.flight.merging import merge
from corosync_tw.totem.const import GatherFrom, MembState
from corosync_tw.totem.trace import TraceCode
from tests.unit.logsys.flight.clusters import LOST, MS, STATE, VISIT, Node, run_ring, told

RING_1 = RingId(1, 8)
RING_2 = RingId(1, 12)


def test_visits_are_in_the_order_of_the_token(nodes):
    end_ns = run_ring(nodes, RING_1, 0, 60)
    del nodes[3]
    run_ring(nodes, RING_2, end_ns + 100 * MS, 40)
    records = merge([node.recording() for node in nodes.values()])
    assert told(records)[-40:] == [(RING_2, seq) for seq in range(40)]
    times = [record.aligned_ns for record in records]
    assert times == sorted(times)


def test_clocks_are_placed_by_the_token(nodes):
    run_ring(nodes, RING_1, 0, 60)
    for nodeid, node in nodes.items():
        node.at((70 + 10 * nodeid) * MS, TRACES + TraceCode.TOKEN_LATE, nodeid)
    records = [r for r in merge([n.recording() for n in nodes.values()]) if r.name == "token_late"]
    assert [r.nodeid for r in records] == [1, 2, 3]
    gaps = [b.aligned_ns - a.aligned_ns for a, b in pairwise(records)]
    # As exact as the token is quick: it comes back after 3 ms.
    assert all(abs(gap - 10 * MS) < 3 * MS for gap in gaps)


def test_rings_without_visits_place_clocks_as_well(nodes):
    for node in nodes.values():
        node.recovers(5 * MS, RING_1, [1, 2, 3])
        node.at(50 * MS, LOST, MembState.OPERATIONAL, 1000, 1200)
    records = [r for r in merge([n.recording() for n in nodes.values()]) if r.name == "token_lost"]
    assert len({record.aligned_ns for record in records}) == 1


def test_recordings_with_nothing_in_common_go_by_the_wall_clock(tmp_path):
    first = Node(tmp_path, 1, 10**9, 10**18)
    second = Node(tmp_path, 2, 10**15, 10**18 + 5)
    first.at(100, LOST, 1, 2, 3)
    second.at(50, LOST, 1, 2, 3)
    records = merge([first.recording(), second.recording()])
    assert [(r.nodeid, r.aligned_ns - 10**18) for r in records] == [(2, 55), (1, 100)]


def test_a_node_whose_clock_was_set_back_while_it_was_down_goes_on_later(tmp_path):
    node = Node(tmp_path, 1, 10**9, 10**18)
    node.at(100, LOST, 1, 2, 3)
    before = node.recording()
    node.wall_ns -= 3600 * 10**9
    node.start()
    node.at(50 * MS, LOST, 4, 5, 6)
    records = merge([node.recording(), before])
    assert [record.values["state"] for record in records] == [1, 4]
    assert records[1].time_ns < records[0].time_ns


def test_numbers_of_tokens_wrap(nodes):
    last = (1 << 32) - 4
    for nodeid, node in nodes.items():
        node.recovers(nodeid, RING_1, [1, 2, 3])
    order = list(nodes.values())
    for step in range(12):
        seq = (last + step) % (1 << 32)
        order[step % 3].at(MS + step * MS, VISIT, 0, 0, seq, 0)
    records = merge([node.recording() for node in nodes.values()])
    assert [seq for _, seq in told(records)] == [(last + step) % (1 << 32) for step in range(12)]


def test_a_copy_of_a_file_adds_nothing(nodes):
    run_ring(nodes, RING_1, 0, 9)
    copy = nodes[1].recording()
    nodes[1].at(50 * MS, LOST, 1, 2, 3)
    both = merge([copy, nodes[1].recording()])
    assert [(r.name, r.seq) for r in both] == [
        (r.name, r.seq) for r in nodes[1].recording().records()
    ]


def test_files_that_contradict_each_other_are_merged_nevertheless(nodes):
    dice = random.Random(5)
    for node in nodes.values():
        node.recovers(0, RING_1, [1, 2, 3])
        for step in range(100):
            node.at(step * MS, VISIT, 0, 0, dice.randrange(200), 0)
    recordings = [node.recording() for node in nodes.values()]
    assert len(merge(recordings)) == sum(len(recording) for recording in recordings)


def test_nothing_is_merged_of_nothing():
    assert merge([]) == []
    assert "Nothing recorded" in draw([])


def story(nodes):
    """Three nodes; the third dies, two go on."""
    end_ns = run_ring(nodes, RING_1, 0, 30)
    nodes[2].at(end_ns, TRACES + TraceCode.PROCESS_PAUSED, 20)
    for nodeid in (1, 2):
        node = nodes[nodeid]
        node.at(end_ns + 1000 * MS, LOST, MembState.OPERATIONAL, 1000, 1200)
        reason = GatherFrom.THE_TOKEN_WAS_LOST_IN_THE_OPERATIONAL_STATE
        node.at(end_ns + 1000 * MS, STATE, MembState.OPERATIONAL, MembState.GATHER, reason)
        node.at(end_ns + 2200 * MS, STATE, MembState.GATHER, MembState.COMMIT, 0)
        node.true_ns = end_ns + 2201 * MS
        node.recorder.record_list(Code.MEMBERS_LEFT, RING_2, [3])
        node.recorder.record_text(Code.MEMBER_LEFT, (3,), "<script>alert('x')</script> & more")
    del nodes[3]
    run_ring(nodes, RING_2, end_ns + 2202 * MS, 20)


def test_an_episode_lasts_until_all_have_a_ring(nodes):
    recordings = [nodes[3].recording()]
    story(nodes)
    records = merge([*recordings, *(node.recording() for node in nodes.values())])
    found = find_episodes(records)
    last = found[-1]
    assert (last.left, last.joined, last.rings, last.settled) == ((3,), (), [RING_2], True)
    assert abs(last.ended_ns - last.began_ns - 1202 * MS) < 20 * MS
    assert "token_lost" in {record.name for record in last.records}
    assert "process_paused" in {record.name for record in last.records}
    assert "token_received" not in {record.name for record in last.records}


def test_a_page_shows_episodes_and_no_markup_of_what_was_recorded(nodes):
    story(nodes)
    page = draw(merge([node.recording() for node in nodes.values()]))
    found = find_episodes(merge([node.recording() for node in nodes.values()]))
    assert page.count('<details open id="change-') == len(found)
    # Each is led to from the whole.
    assert page.count('<a href="#change-') == len(found)
    assert "left: 3" in page
    assert "<script" not in page
    assert "&lt;script&gt;" in page
    assert "http" not in page.replace("http-equiv", "")
    for shape in ('class="gather"', 'class="visit"', 'class="bad"', 'class="way"'):
        assert shape in page


def test_a_page_tells_causes_of_rings_and_no_markup_in_them(nodes):
    story(nodes)
    records = merge([node.recording() for node in nodes.values()])
    told = {
        RING_2: [Told("Why node 3 left", "certain", "<b>its process</b> ended", "look & see")],
        RingId(9, 9): [Told("Why node 9 left", "likely", "never shown")],
    }
    page = draw(records, told)
    assert "<b>Why node 3 left</b>: &lt;b&gt;its process&lt;/b&gt; ended." in page
    assert "To do: look &amp; see." in page
    assert "never shown" not in page


def test_a_page_shows_when_a_node_did_not_run(nodes):
    end_ns = run_ring(nodes, RING_1, 0, 30)
    for second in range(1, 10):
        nodes[1].at(end_ns + second * 1000 * MS, Code.SAMPLE, *RING_1, 0, 0)
    nodes[2].at(end_ns + 6000 * MS, Code.LOOP_PAUSED, 5000 * MS, 800 * MS)
    nodes[2].at(end_ns + 9000 * MS, Code.SAMPLE, *RING_1, 0, 0)
    page = draw(merge([node.recording() for node in nodes.values()]))
    assert page.count('<rect class="stopped" x=') == 1
    assert "its recording ends here" in page
    nodes[3].true_ns = end_ns + 9000 * MS
    killed = nodes[3].recording()
    nodes[3].start()
    nodes[3].recorder.record_text(Code.NODE_STARTED, (3, 77), "1")
    page = draw(merge([killed, *(node.recording() for node in nodes.values())]))
    assert "its recording ends here" not in page
    assert ">not running<" in page


def test_members_that_came_are_those_of_the_larger_part(nodes):
    """Of the point of view of one node that was alone, all others are new."""
    run_ring(nodes, RING_1, 0, 3)
    for nodeid, node in nodes.items():
        node.gathers(10 * MS)
        came = [3] if nodeid < 3 else [1, 2]
        node.recorder.record_list(Code.MEMBERS_JOINED, RING_2, came)
        node.recovers(20 * MS, RING_2, [1, 2, 3])
    last = find_episodes(merge([node.recording() for node in nodes.values()]))[-1]
    assert (last.left, last.joined) == ((), (3,))


def test_of_two_parts_the_larger_one_is_explained(nodes):
    run_ring(nodes, RING_1, 0, 3)
    alone = RingId(3, 12)
    for nodeid, node in nodes.items():
        node.gathers(10 * MS)
        lost, ring, members = ([3], RING_2, [1, 2]) if nodeid < 3 else ([1, 2], alone, [3])
        node.recorder.record_list(Code.MEMBERS_LEFT, ring, lost)
        node.recovers(20 * MS, ring, members)
    records = merge([node.recording() for node in nodes.values()])
    last = find_episodes(records)[-1]
    assert (last.main_ring, last.left, last.joined) == (RING_2, (3,), ())
    told = {
        RING_2: [Told("Why 3 left", "certain", "a")],
        alone: [Told("Why 1 left", "likely", "b")],
    }
    page = draw(records, told)
    assert "left: 3; ring 1.c, 3.c" in page
    assert "Why 3 left" in page
    assert "Why 1 left" not in page


def test_a_page_of_many_visits_shows_how_many(nodes):
    run_ring(nodes, RING_1, 0, 1200, hop_ns=10_000)
    page = draw(merge([node.recording() for node in nodes.values()]))
    assert 'class="visits"' in page
    assert "visits of the token" in page
