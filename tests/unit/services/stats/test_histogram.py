from hypothesis import given
from hypothesis import strategies as st

from corosync_tw.services.stats.histogram import BUCKETS, Histogram, bucket_end_us


@given(st.lists(st.integers(0, 10**14), max_size=50))
def test_each_duration_is_in_the_one_bucket_that_spans_it(durations_ns):
    histogram = Histogram()
    for duration_ns in durations_ns:
        histogram.record(duration_ns)
    durations_us = [duration_ns // 1000 for duration_ns in durations_ns]
    for bucket in range(BUCKETS - 1):
        at_most = sum(histogram.counts[: bucket + 1])
        assert at_most == sum(us <= bucket_end_us(bucket) for us in durations_us)
    assert histogram.count == sum(histogram.counts) == len(durations_us)
    assert histogram.sum_us == sum(durations_us)
    assert histogram.max_us == max(durations_us, default=0)


@given(st.lists(st.integers(0, 10**9), min_size=1, max_size=50), st.integers(1, 100))
def test_a_percentile_is_at_most_twice_the_true_one(durations_ns, percent):
    histogram = Histogram()
    for duration_ns in durations_ns:
        histogram.record(duration_ns)
    true_us = sorted(ns // 1000 for ns in durations_ns)[-(-len(durations_ns) * percent // 100) - 1]
    assert true_us <= histogram.percentile_us(percent) <= 2 * true_us


def test_nothing_and_less_than_nothing():
    histogram = Histogram()
    assert (histogram.mean_us(), histogram.percentile_us(99)) == (0, 0)
    histogram.record(-5)
    assert (histogram.count, histogram.counts[0], histogram.max_us) == (1, 1, 0)
    histogram.clear()
    assert histogram.count == 0
