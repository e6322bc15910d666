"""
How often something took how long, in buckets that double.

Recording costs one index and a few additions, whatever the value is.
"""

from typing import Final

from corosync_tw.corotypes import NS_PER_US

# The last bucket but one ends at 2 ** 26 us, about 67 s; the last has no end.
BUCKETS: Final = 28
_LAST: Final = BUCKETS - 1


class Histogram:
    """
    Durations in microseconds.

    Bucket 0 holds what took less than 1 us, bucket n > 0 what took less than 2 ** n us and not less
    than half of that; the last one everything longer.

    :ivar counts: by bucket.
    :ivar sum_us: of all; ``max_us`` likewise.
    """

    __slots__ = ("counts", "max_us", "sum_us")

    def __init__(self) -> None:
        self.counts = [0] * BUCKETS
        self.sum_us = 0
        self.max_us = 0

    @property
    def count(self) -> int:
        """How many were recorded."""
        return sum(self.counts)

    def record(self, duration_ns: int) -> None:
        """Count one duration; a negative one counts as none at all."""
        duration_us = duration_ns // NS_PER_US if duration_ns > 0 else 0
        bucket = duration_us.bit_length()
        self.counts[bucket if bucket < _LAST else _LAST] += 1
        self.sum_us += duration_us
        self.max_us = max(self.max_us, duration_us)

    def clear(self) -> None:
        """Begin anew."""
        self.counts = [0] * BUCKETS
        self.sum_us = self.max_us = 0

    def mean_us(self) -> int:
        """Give the mean, 0 of nothing."""
        count = self.count
        return self.sum_us // count if count else 0

    def percentile_us(self, percent: int) -> int:
        """
        Give a duration that so many percent did not exceed: the end of its bucket.

        :param percent: 1 to 100.
        """
        wanted = -(-self.count * percent // 100)
        seen = 0
        for bucket, count in enumerate(self.counts):
            seen += count
            if count and seen >= wanted:
                return min(bucket_end_us(bucket), self.max_us)
        return 0


def bucket_end_us(bucket: int) -> int:
    """Give the longest duration that belongs to a bucket; meaningless for the last."""
    return (1 << bucket) - 1
