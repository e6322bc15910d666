"""Messages that are queued in runs count and are timed like messages that come one by one."""

from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.services.stats.meter import StackMeter

HEADS = {number: number.to_bytes(4, "little") + b"rest" for number in (1, 2)}
runs_ = st.lists(st.tuples(st.sampled_from([1, 2]), st.integers(1, 50)), max_size=20)


def singly(meter: StackMeter, number: int, count: int, now_ns: int) -> None:
    for _ in range(count):
        meter.queued(HEADS[number], now_ns)


def in_a_run(meter: StackMeter, number: int, count: int, now_ns: int) -> None:
    meter.queued_run(HEADS[number], count, now_ns)


@settings(deadline=None)
@given(runs_, st.integers(0, 200))
def test_a_run_counts_as_its_messages(runs, waiting):
    meters = StackMeter(), StackMeter()
    for meter, queue in zip(meters, (singly, in_a_run), strict=True):
        for now_ns, (number, count) in enumerate(runs):
            queue(meter, number, count, now_ns)
        if meter.probing:
            meter.follow_probe(1000, waiting, (7, 7))
    assert [meters[0].sent(number) for number in HEADS] == [
        meters[1].sent(number) for number in HEADS
    ]
    assert meters[0].probing == meters[1].probing
    assert meters[0].delivery_latency.count == meters[1].delivery_latency.count


def test_the_first_message_of_a_run_is_watched():
    meter = StackMeter()
    meter.queued_run(HEADS[1], 10, 100)
    meter.follow_probe(200, 10, (3, 3))
    assert meter.probing
    meter.follow_probe(300, 9, (4, 3))
    assert meter.probing, "it is sent, but not delivered"
    meter.follow_probe(400, 0, (5, 4))
    assert not meter.probing
    assert meter.delivery_latency.count == 1
