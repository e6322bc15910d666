"""How a network comes back: tests in a row, word of it, hold-down, and who is not believed."""

from dataclasses import replace

import pytest

from corosync_tw.corotypes import RingId
from corosync_tw.totem.links import (
    Arrival,
    LinkEventKind,
    LinkFaultCause,
    LinkRecoveryCause,
    ProbeFault,
)
from corosync_tw.totem.rrp.frames import KIND_RING_ACTIVATE, KIND_RING_TEST, kind_of
from corosync_tw.totem.rrp.judge import Verdict
from corosync_tw.totem.rrp.params import RrpMode
from corosync_tw.totem.rrp.probe import (
    LAP_MULTICAST,
    LAP_UNICAST,
    HmacAuthenticator,
    NoAuthenticator,
    Probe,
    decode_probe,
    encode_probe,
)
from corosync_tw.totem.rrp.redundant import RedundantRing
from corosync_tw.totem.rrp.trials import PAST_TESTS_MAX
from tests.unit.totem.rrp.bed import Bed
from tests.unit.totem.rrp.one_end import ME, OTHER, PEER, RING, OneEnd, orf_token

S_MS = 1000
OPEN = NoAuthenticator()
MODES = [(RrpMode.PASSIVE, 2), (RrpMode.ACTIVE, 2), (RrpMode.ACTIVE_PASSIVE, 3)]


def cut(link):
    return lambda at, _sender, _receiver: at == link


def whole(_link, _sender, _receiver):
    return False


def mark(end_or_node, now, link=1):
    rrp = end_or_node.rrp if isinstance(end_or_node, OneEnd) else end_or_node.links
    rrp._mark(Verdict(link, LinkFaultCause.TOKENS_LAG, 0, 11, 11, 10), now)


def events(bed, kind, link=1):
    return [(nodeid, event) for _, nodeid, event in bed.events(kind) if event.link == link]


# -- among nodes


@pytest.mark.parametrize(("mode", "networks"), MODES)
@pytest.mark.parametrize("nodes", [2, 3, 5])
def test_a_network_that_works_again_comes_back_on_all_nodes(mode, networks, nodes):
    bed = Bed(nodes, mode=mode, networks=networks).form()
    changes = [len(node.changes) for node in bed.all()]
    bed.lost = cut(1)
    bed.run_until(lambda: all(node.links.faulty(1) for node in bed.all()))
    bed.lost = whole
    healed = bed.now
    bed.run_until(lambda: not any(node.links.faulty(1) for node in bed.all()))
    assert 2 * S_MS <= (bed.now - healed) / 1e6 <= 4.2 * S_MS
    recovered = events(bed, LinkEventKind.RECOVERED)
    assert sorted(nodeid for nodeid, _ in recovered) == list(bed.nodes)
    assert {event.nodeid for _, event in recovered} == {1}
    causes = {nodeid: event.values[:2] for nodeid, event in recovered}
    assert causes[1] == (LinkRecoveryCause.TESTED, 3)
    assert causes[2] == (LinkRecoveryCause.TOLD, 0)
    bed.run_ms(20_000)
    assert len(events(bed, LinkEventKind.FAULTY)) == nodes
    assert [len(node.changes) for node in bed.all()] == changes


@pytest.mark.parametrize("sender", [1, 2, 3, 4])
@pytest.mark.parametrize("receiver", [1, 2, 3, 4])
def test_one_direction_between_two_nodes_is_enough_to_fail_a_test(sender, receiver):
    if sender == receiver:
        return
    bed = Bed(4).form()
    bed.lost = lambda *way: way == (1, sender, receiver)
    for node in bed.all():
        mark(node, bed.now)
    bed.run_ms(10_000)
    assert all(node.links.faulty(1) for node in bed.all())
    bed.lost = whole
    bed.run_ms(4500)
    assert not any(node.links.faulty(1) for node in bed.all())


def test_tests_must_be_clean_in_a_row():
    bed = Bed(3).form()
    began = bed.now
    for node in bed.all():
        mark(node, bed.now)
    # Every third test is lost.
    bed.lost = lambda link, *_: link == 1 and round((bed.now - began) / 1e9) % 3 == 0
    bed.run_ms(20_000)
    assert all(node.links.faulty(1) for node in bed.all())


def test_of_all_that_have_the_network_faulty_the_lowest_node_tests_it():
    bed = Bed(4).form()
    for node in bed.all():
        mark(node, bed.now)
    bed.run_ms(2500)
    assert [node.links.clean_tests(1) for node in bed.all()] == [2, 0, 0, 0]
    bed.run_ms(1000)
    assert not any(node.links.faulty(1) for node in bed.all())


def test_a_dead_network_costs_one_test_a_node_and_interval():
    bed = Bed(5).form()
    bed.lost = cut(1)
    for node in bed.all():
        mark(node, bed.now)
    bed.run_ms(1500)
    bed.carried.clear()
    bed.run_ms(10_000)
    assert sum(frames for _, _, link, frames in bed.carried if link == 1) <= 5 * 10 * 3


def test_a_member_that_holds_the_network_down_lets_no_test_end():
    bed = Bed(3, hold_down_ns=20_000_000_000).form()
    mark(bed.nodes[3], bed.now)
    bed.nodes[3].links.reenable(1, bed.now)
    bed.nodes[3].links.link_health(1).flaps = 1
    for node in bed.all():
        mark(node, bed.now)
    bed.run_ms(15_000)
    assert all(node.links.faulty(1) for node in bed.all())
    bed.run_ms(10_000)
    assert not any(node.links.faulty(1) for node in bed.all())


def test_a_flapping_network_is_kept_out_longer_each_time():
    bed = Bed(2, hold_down_decay_ns=3600 * 10**9).form()
    out_ms = []
    for _ in range(4):
        began = bed.now
        for node in bed.all():
            mark(node, bed.now)
        bed.run_until(lambda: not any(node.links.faulty(1) for node in bed.all()))
        out_ms.append(round((bed.now - began) / 1e6))
        bed.run_ms(2000)
    # A hold-down of 0, 5, 10, 20 s; then clean tests.
    assert [round(ms, -3) for ms in out_ms] == [3000, 7000, 12000, 22000]


def test_alone_there_is_nobody_to_test_with():
    bed = Bed(1).form()
    mark(bed.nodes[1], bed.now)
    bed.nodes[1].links._recovery.ring_id = RING
    bed.run_ms(3500)
    assert not bed.nodes[1].links.faulty(1)


def test_the_administrator_puts_a_network_back_and_its_faults_are_forgotten():
    end = OneEnd()
    end.rrp.link_health(1).flaps = 5
    mark(end, end.now)
    end.rrp.reenable(None, end.now)
    end.poll()
    assert end.faulty() == []
    assert end.kinds() == [LinkEventKind.FAULTY, LinkEventKind.RECOVERED]
    assert end.events[1].values == (LinkRecoveryCause.FORCED, 0, 0, 0)


def test_when_the_last_sound_network_dies_a_healed_one_carries_the_ring():
    """Network 1 works again, but is still under test when network 0 dies."""
    bed = Bed(4).form()
    changes = [len(node.changes) for node in bed.all()]
    bed.lost = cut(1)
    bed.run_until(lambda: all(node.links.faulty(1) for node in bed.all()))
    bed.lost = cut(0)
    bed.nodes[1].send(*[b"%d" % i for i in range(40)])
    bed.run_ms(15_000)
    assert [len(node.changes) for node in bed.all()] == changes
    assert all(len(node.delivered) == 40 for node in bed.all())
    assert [bed.nodes[1].links.faulty(link) for link in (0, 1)] == [True, False]


@pytest.mark.parametrize("start", [(1 << bits) - 2 for bits in (15, 16, 31, 32)])
def test_generations_and_numbers_of_tests_wrap(start):
    bed = Bed(3, test_start=start, hold_down_ns=0).form()
    for _ in range(4):
        for node in bed.all():
            mark(node, bed.now)
        bed.run_ms(4500)
        assert not any(node.links.faulty(1) for node in bed.all())
    refused = sum(node.links.stats.probes_refused for node in bed.all())
    assert refused == 0


# -- what is not believed


@pytest.fixture
def end():
    """Node 1, with network 1 faulty, in a ring whose token it knows."""
    end = OneEnd()
    end.bring(0, orf_token(1))
    mark(end, end.now)
    end.poll()
    return end


def probe(**fields):
    """Give a test of node 2, as the last member before us sends it on."""
    base = Probe(KIND_RING_TEST, OTHER, 1, LAP_MULTICAST, PEER, 5, 9, 77, RING)
    return base._replace(**fields)


def bring(end, *probes, link=1):
    """Bring probes; give those that are sent."""
    arrivals = [Arrival(encode_probe(one, OPEN), None) for one in probes]
    end.rrp.receive(link, arrivals, end.now)
    return [
        (send.link, send.targets, decode_probe(frame[0], OPEN))
        for send in end.sends()
        for frame in send.frames
        if kind_of(frame[0]) in {KIND_RING_TEST, KIND_RING_ACTIVATE}
    ]


def whole_test(end, **fields):
    """Let a test of node 2 go round."""
    bring(end, probe(sender=PEER, **fields), probe(**fields))
    return bring(end, probe(lap=LAP_UNICAST, **fields))


def told(end, **fields):
    return bring(end, probe(kind=KIND_RING_ACTIVATE, sender=PEER, **fields), link=0)


def last_fault(end):
    end.poll()
    return end.events[-1].values[0] if end.events else None


def test_the_first_lap_is_multicast_once_by_each(end):
    assert bring(end, probe(sender=PEER)) == []
    mine = probe(sender=ME)
    assert bring(end, probe()) == [(1, None, mine)]
    assert bring(end, probe()) == []


def test_the_second_lap_goes_to_the_next_if_all_were_heard(end):
    bring(end, probe(sender=PEER), probe())
    passed = probe(sender=ME, lap=LAP_UNICAST)
    assert bring(end, probe(lap=LAP_UNICAST)) == [(1, (PEER,), passed)]


def test_the_second_lap_waits_for_a_first_lap_that_it_has_overtaken(end):
    bring(end, probe())
    assert bring(end, probe(lap=LAP_UNICAST)) == []
    passed = probe(sender=ME, lap=LAP_UNICAST)
    assert bring(end, probe(sender=PEER)) == [(1, (PEER,), passed)]
    assert bring(end, probe(sender=PEER)) == []


def test_the_second_lap_ends_where_somebody_was_not_heard(end):
    bring(end, probe())
    assert bring(end, probe(lap=LAP_UNICAST)) == []
    assert end.rrp.stats.probes_refused == 0


def test_word_of_a_recovery_is_believed_after_its_test(end):
    whole_test(end)
    told(end)
    assert end.faulty() == []
    assert end.events[-1].values[0] == LinkRecoveryCause.TOLD
    # All networks bring it, several times.
    told(end)
    assert end.rrp.stats.probes_refused == 0


@pytest.mark.parametrize(
    "lie",
    [
        {"stamp": 78},
        {"number": 10},
        {"number": 8},
        {"generation": 6},
        {"activator": OTHER},
        {"sender": OTHER},
    ],
)
def test_trap_word_of_a_recovery_that_belongs_to_no_test_is_not_believed(end, lie):
    """1.x believed whoever said that a ring works, and put no generation in."""
    whole_test(end)
    bring(end, probe(kind=KIND_RING_ACTIVATE, **{"sender": PEER} | lie), link=0)
    assert end.faulty() == [1]
    assert last_fault(end) is ProbeFault.STALE


def test_trap_word_of_a_recovery_without_a_test_is_not_believed(end):
    told(end)
    assert end.faulty() == [1]
    bring(end, probe(sender=PEER), probe())
    told(end)
    assert end.faulty() == [1]


def test_trap_a_replayed_test_is_not_passed_on(end):
    whole_test(end)
    whole_test(end, number=10)
    assert bring(end, probe(), probe(lap=LAP_UNICAST)) == []
    assert last_fault(end) is ProbeFault.STALE
    assert bring(end, probe(generation=4, number=99)) == []


def test_what_comes_of_a_test_that_is_over_is_late_but_no_lie(end):
    """Address resolution gives back what waited while a network was cut."""
    bring(end, probe(sender=PEER), probe(sender=PEER, number=12))
    late = [probe(), probe(lap=LAP_UNICAST), probe(number=10), probe(number=11, sender=PEER)]
    assert bring(end, *late) == []
    assert (end.rrp.stats.probes_late, end.rrp.stats.probes_refused) == (4, 0)
    # What has come of a test is played back when it comes again.
    assert bring(end, probe(sender=PEER), *late) == []
    assert (end.rrp.stats.probes_late, end.rrp.stats.probes_refused) == (4, 5)


def test_a_test_that_was_over_long_ago_is_not_late_any_more(end):
    bring(end, probe(sender=PEER), probe(sender=PEER, number=9 + PAST_TESTS_MAX))
    bring(end, probe())
    assert end.rrp.stats.probes_refused == 0
    bring(end, probe(sender=PEER, number=10 + PAST_TESTS_MAX), probe(number=9))
    assert last_fault(end) is ProbeFault.STALE


@pytest.mark.parametrize("start", [(1 << bits) - 20 for bits in (15, 16, 31, 32)])
def test_what_is_remembered_of_past_tests_is_bounded(end, start):
    for number in range(start, start + 3 * PAST_TESTS_MAX):
        whole_test(end, number=number & 0xFFFFFFFF)
    (trial,) = end.rrp._recovery._tests[1].trials.values()
    assert len(trial.past) == PAST_TESTS_MAX
    assert end.rrp.stats.probes_refused == 0


def test_our_own_test_that_comes_home_late_is_not_counted_and_no_lie(end):
    end.after(1000)
    tests = end.rrp._recovery._tests[1]
    own = Probe(KIND_RING_TEST, ME, 1, LAP_MULTICAST, ME, 1, 1, tests.stamp, RING)
    bring(end, own._replace(sender=PEER), own._replace(sender=OTHER))
    end.after(1000)
    bring(end, own._replace(sender=OTHER, lap=LAP_UNICAST))
    assert end.rrp.clean_tests(1) == 0
    assert (end.rrp.stats.probes_late, end.rrp.stats.probes_refused) == (1, 0)


def test_a_second_lap_that_we_have_not_begun_is_a_lie(end):
    end.after(1000)
    tests = end.rrp._recovery._tests[1]
    own = Probe(KIND_RING_TEST, OTHER, 1, LAP_UNICAST, ME, 1, 1, tests.stamp, RING)
    bring(end, own)
    assert last_fault(end) is ProbeFault.STALE
    bring(end, *(own._replace(sender=nodeid, lap=LAP_MULTICAST) for nodeid in (PEER, OTHER)), own)
    assert end.rrp.clean_tests(1) == 1


@pytest.mark.parametrize(
    ("lie", "fault"),
    [
        ({"sender": ME}, ProbeFault.REFLECTED),
        ({"network": 0}, ProbeFault.WRONG_NETWORK),
        ({"network": 7}, ProbeFault.WRONG_NETWORK),
        ({"ring_id": RingId(1, 396)}, ProbeFault.STALE),
        ({"sender": 9}, ProbeFault.STRANGER),
        ({"activator": 9}, ProbeFault.STRANGER),
        ({"activator": ME}, ProbeFault.STALE),
    ],
)
def test_what_speaks_against_a_probe_is_counted_and_told(end, lie, fault):
    assert bring(end, probe(**lie)) == []
    assert last_fault(end) is fault
    assert end.rrp.stats.probes_refused == 1


def test_swapped_networks_are_named(end):
    bring(end, probe(network=0))
    end.poll()
    event = end.events[-1]
    assert (event.link, event.nodeid) == (1, OTHER)
    assert event.values == (ProbeFault.WRONG_NETWORK, KIND_RING_TEST, 0, 1)


def test_a_flood_is_counted_and_told_once_in_ten_seconds(end):
    before = len(end.events)
    for _ in range(100):
        bring(end, probe(sender=9))
    end.now += 10_000_000_000
    for _ in range(100):
        bring(end, probe(sender=9))
    end.poll()
    assert end.rrp.stats.probes_refused == 200
    assert len(end.events) - before == 2


def test_while_a_ring_forms_nobody_tests_or_is_believed(end):
    whole_test(end)
    end.rrp.set_ring_members(None)
    told(end)
    assert end.faulty() == [1]
    assert end.rrp.stats.probes_refused == 0
    end.now += 1_000_000_000
    end.rrp.advance(end.now)
    assert end.sends() == []


def test_a_new_ring_begins_with_new_tests(end):
    whole_test(end)
    end.rrp.set_ring_members(frozenset({ME, PEER, OTHER}))
    told(end)
    assert end.faulty() == [1]


def test_with_a_key_others_are_not_believed():
    keyed = HmacAuthenticator(b"key" * 10)
    end = OneEnd()
    end.rrp = RedundantRing(end.params, lambda _ring, _seq: None, keyed)
    end.rrp.set_ring_members(frozenset({ME, PEER, OTHER}))
    end.bring(0, orf_token(1))
    mark(end, end.now)
    whole_test(end)
    assert last_fault(end) is ProbeFault.UNAUTHENTICATED
    frame = encode_probe(probe(), keyed)
    end.rrp.receive(1, [Arrival(frame, None)], end.now)
    assert len(end.sends()) == 1


def test_parameters_change_while_it_runs(end):
    end.rrp.reconfigure(replace(end.params, clean_tests=1, problem_count_threshold=2), end.now)
    whole_ring = Bed(2).form()
    for node in whole_ring.all():
        node.links.reconfigure(replace(node.links.params, clean_tests=1), whole_ring.now)
        mark(node, whole_ring.now)
    whole_ring.run_ms(1100)
    assert not any(node.links.faulty(1) for node in whole_ring.all())
    end.rrp.reenable(None, end.now)
    end.now += 2_000_000_000
    for token_seq in range(2, 5):
        end.bring(0, orf_token(token_seq))
    assert end.faulty() == [1]


def test_a_test_that_was_under_way_when_the_network_failed_again_does_not_count(end):
    end.after(1000)
    own = Probe(KIND_RING_TEST, ME, 1, LAP_MULTICAST, ME, 1, 1, 0, RING)
    stamp = end.rrp._recovery._tests[1].stamp
    own = own._replace(stamp=stamp)
    bring(end, own._replace(sender=PEER), own._replace(sender=OTHER))
    end.rrp.reenable(1, end.now)
    mark(end, end.now)
    bring(end, own._replace(sender=OTHER, lap=LAP_UNICAST))
    assert end.rrp.clean_tests(1) == 0
