"""
What a stack counts and times as it runs.

Messages are counted one by one; everything else is looked at once a visit of the token.

Source: Corosync exec/main.c deliver_fn, main_mcast, corosync_totem_stats_updater.
"""

from collections import deque
from typing import Final, NamedTuple

from corosync_tw.corotypes import NS_PER_MS
from corosync_tw.services.stats.histogram import Histogram
from corosync_tw.totem.seqno import seq_lte

# Source: include/corosync/totem/totemstats.h TOTEM_TOKEN_STATS_MAX.
TOKENS_KEPT: Final = 100


class TokenVisit(NamedTuple):
    """
    One visit of the token.

    :ivar rotation_ns: since the visit before.
    :ivar backlog_frames: that waited when it had gone.
    """

    rotation_ns: int
    backlog_frames: int


class StackMeter:
    """
    Counters and histograms.

    :ivar received: messages for services that were delivered here, by exec id.
    :ivar sent: of this node, by the first four bytes of the message, which are its exec id.
    :ivar mcast_count: messages queued in the ordinary stream, ever.
    :ivar token_rotation: between visits of the token.
    :ivar delivery_latency: from the queue to our own delivery; one message at a time is watched.
    :ivar sync_time: from a configuration change to the end of the synchronization.
    """

    __slots__ = (
        "_probe_count",
        "_probe_ns",
        "_probe_seq",
        "_sync_began_ns",
        "delivery_latency",
        "mcast_count",
        "received",
        "sent",
        "sync_time",
        "token_rotation",
        "visits",
    )

    def __init__(self) -> None:
        self.received: dict[int, int] = {}
        self.sent: dict[bytes, int] = {}
        self.mcast_count = 0
        self.token_rotation = Histogram()
        self.delivery_latency = Histogram()
        self.sync_time = Histogram()
        self.visits: deque[TokenVisit] = deque(maxlen=TOKENS_KEPT)
        # The message under watch: when it was queued, as which one, and once it was sent, the
        # sequence number up to which the ring has to be delivered.
        self._probe_ns: int | None = None
        self._probe_count = 0
        self._probe_seq: int | None = None
        self._sync_began_ns: int | None = None

    def histograms(self) -> dict[str, Histogram]:
        """Name the histograms as clients see them."""
        return {
            "token_rotation": self.token_rotation,
            "delivery_latency": self.delivery_latency,
            "sync_time": self.sync_time,
        }

    def queued(self, head: bytes, now_ns: int) -> None:
        """Count a message of ours; ``head`` is its exec id, little endian."""
        self.mcast_count += 1
        self.sent[head] = self.sent.get(head, 0) + 1
        if self._probe_ns is None:
            self._probe_ns = now_ns
            self._probe_count = self.mcast_count

    def queued_in_sync(self, head: bytes) -> None:
        """Count a message of ours that belongs to synchronization."""
        self.sent[head] = self.sent.get(head, 0) + 1

    def token_visit(
        self,
        now_ns: int,
        rotation_ns: int,
        waiting_msgs: int,
        backlog_frames: int,
        marks: tuple[int, int],
    ) -> None:
        """
        Look at what a visit of the token has moved.

        :param waiting_msgs: messages of the ordinary stream that are not completely sent.
        :param marks: highest sequence number that was seen, and that was delivered.
        """
        self.visits.append(TokenVisit(rotation_ns, backlog_frames))
        if rotation_ns:
            self.token_rotation.record(rotation_ns)
        if self._probe_ns is None:
            return
        seen, delivered = marks
        if self._probe_seq is None and self.mcast_count - waiting_msgs >= self._probe_count:
            self._probe_seq = seen
        if self._probe_seq is not None and seq_lte(self._probe_seq, delivered):
            self.delivery_latency.record(now_ns - self._probe_ns)
            self._probe_ns = self._probe_seq = None

    def sync_began(self, now_ns: int) -> None:
        """Note a configuration change; its messages are no measure of latency."""
        self._sync_began_ns = now_ns
        self._probe_ns = self._probe_seq = None

    def sync_done(self, now_ns: int) -> None:
        """Note the end of a synchronization."""
        if self._sync_began_ns is not None:
            self.sync_time.record(now_ns - self._sync_began_ns)
            self._sync_began_ns = None

    def mean_rotation_ms(self) -> int:
        """Give the mean time between the last visits of the token."""
        return self._mean([visit.rotation_ns for visit in self.visits]) // NS_PER_MS

    def mean_backlog_frames(self) -> int:
        """Give the mean backlog at the last visits of the token."""
        return self._mean([visit.backlog_frames for visit in self.visits])

    @staticmethod
    def _mean(values: list[int]) -> int:
        return sum(values) // len(values) if values else 0

    def clear(self) -> None:
        """Begin the histograms anew; counters of messages go on."""
        self.visits.clear()
        for histogram in self.histograms().values():
            histogram.clear()
