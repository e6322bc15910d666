"""
What a stack counts and times as it runs.

Counting a message costs next to nothing: those that follow each other are mostly of one kind, so
only a change of kind is written down. Everything else is looked at once a visit of the token.

Source: Corosync exec/main.c deliver_fn, main_mcast, corosync_totem_stats_updater.
"""

from collections import deque
from typing import Final

from corosync_tw.corotypes import NS_PER_MS, Buffer
from corosync_tw.services.stats.histogram import Histogram
from corosync_tw.totem.seqno import seq_lte

# Source: include/corosync/totem/totemstats.h TOTEM_TOKEN_STATS_MAX.
TOKENS_KEPT: Final = 100
_ID_LEN: Final = 4


class StackMeter:
    """
    Counters and histograms.

    :ivar received: messages for services that were delivered here, by exec id.
    :ivar token_rotation: between visits of the token.
    :ivar delivery_latency: from the queue to our own delivery; one message at a time is watched.
    :ivar callback_time: of the loop that runs the stack, which keeps it; likewise collection_time,
        of looks for garbage.
    :ivar sync_time: from a configuration change to the end of the synchronization.
    """

    __slots__ = (
        "_backlogs",
        "_head",
        "_head_count",
        "_mcast_count",
        "_probe_count",
        "_probe_ns",
        "_probe_seq",
        "_rotations",
        "_sent",
        "_sync_began_ns",
        "callback_time",
        "collection_time",
        "delivery_latency",
        "received",
        "sync_time",
        "token_rotation",
    )

    def __init__(self) -> None:
        self.received: dict[int, int] = {}
        self.token_rotation = Histogram()
        self.delivery_latency = Histogram()
        self.sync_time = Histogram()
        self.callback_time = Histogram()
        self.collection_time = Histogram()
        self._rotations: deque[int] = deque(maxlen=TOKENS_KEPT)
        self._backlogs: deque[int] = deque(maxlen=TOKENS_KEPT)
        # Of this node, by the first bytes of the message; without those since the last new head.
        self._sent: dict[bytes, int] = {}
        self._head: Buffer = b""
        self._head_count = 0
        self._mcast_count = 0
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
            "callback_time": self.callback_time,
            "collection_time": self.collection_time,
        }

    @property
    def probing(self) -> bool:
        """Whether a message is under watch."""
        return self._probe_ns is not None

    def queued(self, head: Buffer, now_ns: int) -> None:
        """
        Count a message of ours.

        :param head: its beginning, for messages of one kind mostly the same object.
        """
        if head is self._head:
            self._head_count += 1
        else:
            self._new_head(head)
        if self._probe_ns is None:
            self._probe_ns = now_ns
            self._probe_count = self._mcast_count + self._head_count

    def queued_run(self, head: Buffer, count: int, now_ns: int) -> None:
        """Count messages of one kind."""
        self.queued(head, now_ns)
        self._head_count += count - 1

    def _new_head(self, head: Buffer) -> None:
        self._write_down()
        self._head = head
        self._head_count = 1

    def _write_down(self) -> None:
        count, self._head_count = self._head_count, 0
        if count:
            number = bytes(self._head[:_ID_LEN])
            self._sent[number] = self._sent.get(number, 0) + count
            self._mcast_count += count

    def queued_in_sync(self, head: Buffer) -> None:
        """Count a message of ours that belongs to synchronization."""
        number = bytes(head[:_ID_LEN])
        self._sent[number] = self._sent.get(number, 0) + 1

    def got(self, number: int) -> int:
        """Tell how many messages with an exec id were delivered here."""
        return self.received.get(number, 0)

    def sent(self, number: int) -> int:
        """Tell how many messages with an exec id this node sent."""
        self._write_down()
        return self._sent.get(number.to_bytes(_ID_LEN, "little"), 0)

    def token_visit(self, rotation_ns: int, backlog_frames: int) -> None:
        """
        Take note of a visit of the token.

        :param rotation_ns: since the visit before; 0 at the first, and when a visit goes on.
        """
        self._backlogs.append(backlog_frames)
        if rotation_ns:
            self._rotations.append(rotation_ns)
            self.token_rotation.record(rotation_ns)

    def follow_probe(self, now_ns: int, waiting_msgs: int, marks: tuple[int, int]) -> None:
        """
        Look what became of the message under watch; once a visit of the token.

        :param waiting_msgs: messages of the ordinary stream that are not completely sent.
        :param marks: highest sequence number that was seen, and that was delivered.
        """
        assert self._probe_ns is not None, "no message is under watch"
        seen, delivered = marks
        given_up = self._mcast_count + self._head_count - waiting_msgs
        if self._probe_seq is None and given_up >= self._probe_count:
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
        return _mean(self._rotations) // NS_PER_MS

    def mean_backlog_frames(self) -> int:
        """Give the mean backlog at the last visits of the token."""
        return _mean(self._backlogs)

    def clear(self) -> None:
        """Begin the histograms anew; counters of messages go on."""
        self._rotations.clear()
        self._backlogs.clear()
        for histogram in self.histograms().values():
            histogram.clear()


def _mean(values: deque[int]) -> int:
    return sum(values) // len(values) if values else 0
