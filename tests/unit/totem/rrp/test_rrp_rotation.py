"""Which networks packets take."""

from collections import Counter

import pytest

from corosync_tw.corotypes import Guarantee
from corosync_tw.prng import generator
from corosync_tw.sim.payload_runs import payload_runs
from corosync_tw.totem.rrp.params import RrpMode, RrpParams
from corosync_tw.totem.rrp.rotation import Rotation
from tests.unit.totem.rrp.one_end import ME, mcast


def run_of(count):
    (run,) = payload_runs(mcast(1, ME, b""), [(Guarantee.AGREED, b"payload")] * count)
    return run


def rotation(networks=2, **params):
    return Rotation(RrpParams(ME, RrpMode.PASSIVE, networks, **params))


def test_a_visits_messages_are_cut_into_one_run_a_network():
    parts = list(rotation(3).messages((0, 1, 2), 1, run_of(100)))
    assert [(link, len(part)) for link, part in parts] == [(0, 33), (1, 33), (2, 34)]
    assert [part.first_seq for _, part in parts] == [1, 34, 67]


def test_a_small_batch_stays_whole_and_goes_where_least_went():
    turns = rotation()
    sent = Counter()
    for count in (7, 1, 1, 1, 1, 1, 1, 1):
        ((link, part),) = turns.messages((0, 1), 1, run_of(count))
        sent[link] += len(part)
    assert sent == {0: 7, 1: 7}


@pytest.mark.parametrize("networks", [2, 3, 8])
@pytest.mark.parametrize("copies", [1, 2])
def test_no_network_has_more_than_a_batch_more_than_another(networks, copies):
    turns = rotation(networks)
    live = tuple(range(networks))
    random = generator(1, "batches")
    sent = dict.fromkeys(live, 0)
    for _ in range(500):
        for link, part in turns.messages(live, copies, run_of(random.choice((1, 2, 15, 40)))):
            sent[link] += len(part)
        assert max(sent.values()) - min(sent.values()) <= 24


def test_what_is_sent_again_does_not_always_meet_the_same_network():
    """Each visit sends one message again and one new one."""
    turns = rotation()
    again = Counter()
    for _ in range(400):
        ((link, _),) = turns.messages((0, 1), 1, [(mcast(1, ME),)])
        again[link] += 1
        list(turns.messages((0, 1), 1, run_of(1)))
    assert abs(again[0] - again[1]) < 80


def test_faulty_networks_are_skipped():
    turns = rotation(4)
    assert [turns.token_links((0, 3), 1) for _ in range(4)] == [[0], [3], [0], [3]]
    assert {link for link, _ in turns.messages((0, 3), 1, run_of(100))} == {0, 3}


def test_small_thresholds_make_small_parts():
    turns = rotation(problem_count_mcast_threshold=2)
    assert [len(part) for _, part in turns.messages((0, 1), 1, run_of(3))] == [1, 2]
