"""Monitors and their counts, and what they do where the counts end."""

import pytest

from corosync_tw.totem.rrp.monitor import COUNT_MAX, MessageMonitors, Monitor, SenderMonitor
from tests.unit.totem.rrp.one_end import OneEnd, blob, orf_token

BOUNDARIES = [1 << 15, 1 << 16, COUNT_MAX + 1, 1 << 31, 1 << 32]


def counted(*packets):
    """Give a monitor that has counted so many packets of each network."""
    monitor = Monitor(len(packets), 0)
    for link, number in enumerate(packets):
        for _ in range(number):
            monitor.count(link)
    return monitor


def test_lag_is_the_difference_to_the_best():
    monitor = counted(5, 3, 0)
    assert [monitor.lag(link) for link in range(3)] == [0, 2, 5]
    monitor.level([2])
    assert monitor.lag(2) == 0
    monitor.level_all()
    assert monitor.counts == [5, 5, 5]


def test_what_a_network_held_back_redeems_it_and_accuses_no_other():
    monitor = counted(5, 3)
    for _ in range(9):
        monitor.count_late(1)
    assert monitor.counts == [5, 5]


def test_messages_that_were_held_back_redeem_and_do_not_accuse():
    monitors = MessageMonitors(2, 0)
    for seq in (10, 20, 30):
        monitors.count(0, 7, seq - 9, 10)
        monitors.token_arrived(seq)
        monitors.settle()
    (_, monitor), *_ = monitors.token_arrived(30) or [(7, monitors.senders[7])]
    assert monitor.counts == [30, 0]
    # Of the visits before the last two.
    monitors.count(1, 7, 1, 10)
    monitors.count(1, 7, 11, 10)
    monitors.count(1, 7, 1, 300)
    monitors.token_arrived(40)
    assert monitor.counts == [30, 30]


def test_a_network_that_is_levelled_time_and_again_does_not_run_away():
    """While it is not judged it is levelled with each token, and brings some itself."""
    monitor = Monitor(3, 0)
    for _ in range(100):
        for links in ((2, 0), (1, 2), (0, 1)):
            for link in links:
                monitor.count(link)
            monitor.level([1])
    assert max(monitor.lag(link) for link in range(3)) <= 1


def test_networks_that_are_levelled_together_do_not_raise_each_other():
    monitor = counted(5, 7, 9, 6)
    monitor.level([1, 2])
    assert monitor.counts == [5, 6, 6, 6]
    monitor.level(range(4))
    assert monitor.counts == [6, 6, 6, 6]


def test_only_a_network_that_brings_something_is_forgiven():
    monitor = counted(50, 10, 0)
    monitor.forgive()
    assert monitor.counts == [50, 11, 0]
    monitor.forgive()
    assert monitor.counts == [50, 11, 0]


def test_nobody_is_raised_above_the_best():
    monitor = counted(5, 5)
    monitor.forgive(3)
    assert monitor.counts == [5, 5]


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_counts_cross_boundaries_and_keep_their_differences(boundary):
    monitor = Monitor(3, boundary - 50)
    for _ in range(99):
        monitor.count(0)
    for _ in range(60):
        monitor.count(1)
    # One of them is forgiven when a hundred have come.
    assert (monitor.lag(0), monitor.lag(2)) == (0, 99)
    assert monitor.lag(1) in {38, 39}
    assert max(monitor.counts) <= COUNT_MAX


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_a_dead_network_is_found_across_boundaries(boundary):
    end = OneEnd(count_start=boundary - 5)
    for token_seq in range(1, 11):
        end.bring(0, orf_token(token_seq))
    assert end.faulty() == []
    end.bring(0, orf_token(11))
    assert end.faulty() == [1]


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_sound_networks_stay_so_across_boundaries(boundary):
    end = OneEnd(count_start=boundary - 100)
    for token_seq in range(1, 300):
        end.bring(token_seq % 2, orf_token(token_seq))
    assert end.faulty() == []


@pytest.mark.parametrize("first_seq", [(1 << bits) - 150 for bits in (15, 16, 31, 32)])
def test_message_numbers_wrap(first_seq):
    end = OneEnd()
    seq = first_seq
    for visit in range(1, 8):
        for link in (0, 1):
            end.bring(link, blob(seq & 0xFFFFFFFF, 40))
            seq += 40
        end.bring(visit % 2, orf_token(visit, seq=(seq - 1) & 0xFFFFFFFF))
    assert end.faulty() == []
    for visit in range(8, 13):
        end.bring(0, blob(seq & 0xFFFFFFFF, 40))
        seq += 40
        end.bring(visit % 2, orf_token(visit, seq=(seq - 1) & 0xFFFFFFFF))
    assert end.faulty() == [1]


def test_what_the_last_token_did_not_tell_of_waits_for_the_next():
    monitors = MessageMonitors(2, 0)
    monitors.token_arrived(10)
    monitors.count(0, 7, 10, 1)
    monitors.count(1, 7, 11, 5)
    monitor = monitors.senders[7]
    assert (monitor.counts, monitor.due, monitor.young) == ([0, 0], [1, 0], [0, 5])
    monitors.token_arrived(15)
    monitors.settle()
    assert (monitor.counts, monitor.due, monitor.young) == ([1, 0], [0, 5], [0, 0])
    monitors.token_arrived(15)
    monitors.settle()
    assert monitor.counts == [1, 5]
    assert monitors.token_arrived(15) == []


def visit(monitor, *messages):
    """Let networks bring so many messages each, one after the other, and count them."""
    monitor.due[:] = messages
    monitor.close_visit()


def test_nothing_is_forgiven_between_two_networks_of_one_visit():
    """What is read later leads by no message because of that."""
    monitor = SenderMonitor(2, 0)
    for _ in range(1000):
        visit(monitor, 352, 352)
    assert monitor.counts == [352_000, 352_000]


def test_bursts_decide_how_many_messages_are_many():
    monitor = SenderMonitor(2, 0)
    assert monitor.allowed_msgs(100) == 100
    visit(monitor, 352, 3)
    assert monitor.allowed_msgs(100) == 3 * 352
    visit(monitor, 0, 352)
    assert monitor.allowed_msgs(100) == 3 * 352


def test_a_burst_is_forgotten_when_little_is_sent():
    monitor = SenderMonitor(2, 0)
    visit(monitor, 352, 352)
    for _ in range(25):
        visit(monitor, 1, 0)
    assert monitor.allowed_msgs(100) == 100
    for _ in range(25):
        visit(monitor, 1, 0)
    assert monitor.burst_msgs == 1


def test_a_new_ring_begins_with_nothing_due():
    monitors = MessageMonitors(2, 0)
    monitors.count(0, 7, 1, 500)
    monitors.set_members(frozenset({7}))
    monitors.token_arrived(1)
    assert monitors.senders[7].counts == [0, 0]


def test_there_are_no_more_modules_than_nodes_can_be():
    monitors = MessageMonitors(2, 0)
    for nodeid in range(1, 1000):
        monitors.count(0, nodeid, 1, 1)
    assert len(monitors.senders) == 384
