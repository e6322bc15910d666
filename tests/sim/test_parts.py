"""Clock, network and the checks of the running ring, each by itself."""

from random import Random

import pytest

from corosync_tw.corotypes import ConfChangeType, RingId
from corosync_tw.sim.clock import ARRIVE, EventQueue, NodeClock
from corosync_tw.sim.network import Network
from corosync_tw.sim.options import Options, draw_options
from corosync_tw.sim.recorder import Recorder, ViolationError
from corosync_tw.sim.ring_checks import STARVED_VISITS_MAX, RingChecks
from corosync_tw.totem import wire
from corosync_tw.totem.const import Encapsulated
from corosync_tw.totem.effects import ConfigurationChange, Deliver
from corosync_tw.totem.runs import DeliveredFrame

RING = RingId(1, 5)


def test_events_come_in_the_order_of_time_then_of_insertion():
    queue = EventQueue()
    for time_ns, payload in ((5, "a"), (3, "b"), (5, "c"), (3, "d")):
        queue.push(time_ns, ARRIVE, 0, payload)
    assert [queue.pop()[4] for _ in range(4)] == ["b", "d", "a", "c"]
    assert queue.now_ns == 5


def test_time_that_stands_still_is_noticed():
    queue = EventQueue()

    def again():
        queue.call_at(queue.now_ns, again)

    def run():
        again()
        while True:
            queue.pop()[4]()

    with pytest.raises(AssertionError, match="time stands still"):
        run()


@pytest.mark.parametrize("drift_ppm", [-50_000, -1, 0, 1, 50_000])
def test_a_drifting_clock_reaches_each_reading_just_in_time(drift_ppm):
    clock = NodeClock(offset_ns=123_456_789, drift_ppm=drift_ppm)
    for local_ns in range(123_456_789, 123_456_789 + 10**9, 77_777_777):
        moment = clock.simulated(local_ns)
        assert clock.local(moment) >= local_ns
        assert moment == 0 or clock.local(moment - 1) < local_ns


def network(**changes):
    options = Options(1, 3, 0, jitter_ns=0)
    for name, value in changes.items():
        setattr(options, name, value)
    queue = EventQueue()
    return Network(queue, Random(1), options, lambda _frame: True), queue


def arrivals(queue):
    events = []
    while queue.heap:
        time_ns, _, _, node, frames = queue.pop()
        events.append((time_ns, node, frames))
    return events


FRAME = bytes(60)


def test_a_multicast_reaches_all_others_as_one_event_each():
    net, queue = network()
    net.multicast(1, (FRAME, FRAME))
    assert arrivals(queue) == [(200_000, 0, (FRAME, FRAME)), (200_000, 2, (FRAME, FRAME))]


def test_a_cut_link_works_in_one_direction_only():
    net, queue = network()
    net.links[0][1].cuts += 1
    net.unicast(0, 1, (FRAME,))
    net.unicast(1, 0, (FRAME,))
    assert [node for _, node, _ in arrivals(queue)] == [0]
    assert net.counts["frames cut off"] == 1


def test_a_clogged_link_lets_everything_pass_at_its_end():
    net, queue = network()
    net.links[0][1].clogged_until_ns = 10**9
    for _ in range(3):
        net.unicast(0, 1, (FRAME,))
    assert [time_ns for time_ns, _, _ in arrivals(queue)] == [10**9] * 3


@pytest.mark.parametrize("orderly", [True, False])
def test_jitter_changes_the_order_only_where_links_may(orderly):
    net, queue = network(jitter_ns=1_000_000, links_fifo=orderly)
    frames = [bytes([n]) * 60 for n in range(50)]
    for frame in frames:
        net.unicast(0, 1, (frame,))
    got = [frame for _, _, (frame,) in arrivals(queue)]
    assert sorted(got) == frames
    assert (got == frames) is orderly


@pytest.mark.parametrize(
    ("fault", "counter"),
    [
        ("loss", "frames lost"),
        ("duplication", "frames duplicated"),
        ("reorder", "frames reordered"),
        ("corruption", "frames corrupted, delivered"),
        ("truncation", "frames truncated, delivered"),
    ],
)
def test_each_fate_of_a_frame_is_counted(fault, counter):
    net, queue = network(**{fault: 0.5})
    frame = b"\x00\x00\x00\x01" + bytes(56)
    for _ in range(1000):
        net.unicast(0, 1, (frame,))
    assert 400 < net.counts[counter] < 600
    net.heal()
    before = sum(net.counts.values())
    net.unicast(0, 1, (frame,))
    assert sum(net.counts.values()) == before
    assert arrivals(queue)[-1][2] == (frame,)


def test_token_loss_spares_messages():
    net, queue = network()
    net.token_loss = 1.0
    net.unicast(0, 1, (FRAME, b"\x00\x00\x00\x01" + bytes(56)))
    assert [len(frames) for _, _, frames in arrivals(queue)] == [1]
    assert net.counts["tokens lost"] == 1


def test_options_are_drawn_alike_from_alike_generators():
    one, two, three = (draw_options(Random(seed), 1, 3, 10**9) for seed in (1, 1, 2))
    assert one.text() == two.text()
    assert one.text() != three.text()


# -- tokens and flow control


def token(seq=10, token_seq=1, aru=10):
    message = wire.OrfToken(
        nodeid=1,
        seq=seq,
        token_seq=token_seq,
        aru=aru,
        aru_addr=0,
        ring_id=RING,
        backlog=0,
        fcc=0,
        retrans_flg=0,
        rtr_list=[],
    )
    return wire.encode_orf_token(message)


def rule_of(call):
    with pytest.raises(ViolationError) as caught:
        call()
    return caught.value.args[0].rule


def test_a_token_may_be_sent_again_but_not_differ():
    checks = RingChecks(Options(1, 3, 0))
    checks.sent_token(1, token(), 0)
    checks.sent_token(1, token(), 0)
    assert rule_of(lambda: checks.sent_token(2, token(seq=11), 0)) == "one token"


def test_neither_seq_nor_token_seq_may_go_back():
    checks = RingChecks(Options(1, 3, 0))
    checks.sent_token(1, token(token_seq=5), 0)
    assert rule_of(lambda: checks.sent_token(1, token(token_seq=4), 0)) == "token_seq grows"
    lower = token(seq=9, token_seq=6, aru=9)
    assert rule_of(lambda: checks.sent_token(1, lower, 0)) == "token seq grows"


def test_sequence_numbers_may_wrap():
    checks = RingChecks(Options(1, 3, 0))
    for value in (0xFFFFFFFE, 0xFFFFFFFF, 0, 1):
        checks.sent_token(1, token(seq=value, token_seq=value, aru=value), 0)


def test_an_aru_above_seq():
    checks = RingChecks(Options(1, 3, 0))
    assert rule_of(lambda: checks.sent_token(1, token(seq=10, aru=11), 0)) == "aru below seq"


def nothing_waits():
    return 0


def test_too_many_messages_in_one_visit():
    checks = RingChecks(Options(1, 3, 0, max_messages=5))
    checks.sent_messages(1, 6, RING)
    assert rule_of(lambda: checks.passed_token(1, nothing_waits, 0)) == "flow control"


def test_too_many_messages_on_one_rotation():
    checks = RingChecks(Options(1, 3, 0, max_messages=5, window_size_msgs=8))
    for _ in range(3):
        checks.sent_messages(1, 5, RING)
        checks.passed_token(1, nothing_waits, 0)
    checks.sent_messages(2, 4, RING)
    assert rule_of(lambda: checks.passed_token(2, nothing_waits, 0)) == "flow control"


def test_a_node_that_never_gets_its_turn():
    checks = RingChecks(Options(1, 3, 0))
    checks.sent_token(1, token(), 0)
    for _ in range(STARVED_VISITS_MAX):
        checks.passed_token(1, lambda: 3, 0)
    assert rule_of(lambda: checks.passed_token(1, lambda: 3, 0)) == "no starvation"


def test_a_ring_whose_members_are_deaf_to_each_other_may_be_unfair():
    deaf = True
    checks = RingChecks(Options(1, 3, 0), lambda members: deaf and members == (1, 2))
    checks.installed(RING, (1, 2))
    checks.sent_token(1, token(), 0)
    for _ in range(STARVED_VISITS_MAX + 1):
        checks.passed_token(1, lambda: 3, 0)
    deaf = False
    for _ in range(STARVED_VISITS_MAX):
        checks.passed_token(1, lambda: 3, 0)
    assert rule_of(lambda: checks.passed_token(1, lambda: 3, 0)) == "no starvation"


# -- the recorder's own checks


def mcast(sender, seq, payload, guarantee=0):
    header = wire.encode_mcast_header(
        sender,
        sender,
        seq,
        RING,
        guarantee,
        encapsulated=Encapsulated.NOT_ENCAPSULATED,
        this_seqno=0,
    )
    return header + payload


@pytest.fixture
def recorder():
    recorder = Recorder()
    for nodeid in (1, 2):
        recorder.begin(nodeid, 1, 0)
        change = ConfigurationChange(
            ConfChangeType.REGULAR, (1, 2), (), (1, 2), RING, RingId(nodeid, 1)
        )
        recorder.configuration(nodeid, change, 0)
    return recorder


def delivery(sender, seq, payload):
    return Deliver(RING, [DeliveredFrame(sender, seq, payload, False)])


def test_a_message_passes_from_its_sender_to_all(recorder):
    recorder.sent_frames(1, (mcast(1, 7, b"hello"),), 1)
    for nodeid in (1, 2):
        recorder.deliver(nodeid, delivery(1, 7, b"hello"), 2)
    assert recorder.delivered_count == 2


def test_a_retransmission_by_another_is_no_new_message(recorder):
    frame = mcast(1, 7, b"hello")
    assert recorder.sent_frames(1, (frame,), 1) == (1, RING)
    assert recorder.sent_frames(2, (frame,), 2) == (0, RING)


def test_another_message_under_the_same_number(recorder):
    recorder.sent_frames(1, (mcast(1, 7, b"hello"),), 1)
    frames = (mcast(2, 7, b"jello"),)
    assert rule_of(lambda: recorder.sent_frames(2, frames, 2)) == "one message, one id (1.4)"


def test_a_message_in_anothers_name(recorder):
    frames = (mcast(1, 7, b"hello"),)
    assert rule_of(lambda: recorder.sent_frames(2, frames, 1)) == "no creation (1.3)"


def test_a_delivery_with_other_content(recorder):
    recorder.sent_frames(1, (mcast(1, 7, b"hello"),), 1)
    wrong = delivery(1, 7, b"jello")
    assert rule_of(lambda: recorder.deliver(2, wrong, 2)) == "no creation (1.3)"


def test_a_delivery_of_what_nobody_sent(recorder):
    made_up = delivery(1, 7, b"hello")
    assert rule_of(lambda: recorder.deliver(2, made_up, 2)) == "no creation (1.3)"


def test_a_safe_message_that_not_all_have(recorder):
    frame = mcast(1, 7, b"hello", guarantee=1)
    recorder.sent_frames(1, (frame,), 1)
    early = delivery(1, 7, b"hello")
    assert rule_of(lambda: recorder.deliver(1, early, 2)) == "safe (7.1)"
    recorder.handed(2, [frame])
    recorder.deliver(1, early, 3)
