"""
The messages of one ring, put in order: what was received, what is missing, what may be delivered,
what may be forgotten.

What is new as a whole stays a run from the socket to the layer above; of what is not, and of what
is recovered, messages are kept one by one.

Source: Totem95 section 5 (my_aru, safe and agreed delivery); Corosync exec/totemsrp.c update_aru,
messages_deliver_to_app, messages_free, include/corosync/sq.h.
"""

from bisect import bisect_right
from collections.abc import Container

from corosync_tw.corotypes import RingId, Slices
from corosync_tw.totem.const import QUEUE_RTR_ITEMS_SIZE_MAX
from corosync_tw.totem.runs import Delivered, DeliveredFrame, Run
from corosync_tw.totem.seqno import SEQ_MASK, seq_diff, seq_lt, seq_lte

# What the layer above gets (None for an encapsulated message of the old ring), whether it is SAFE,
# the datagram.
StoredMessage = tuple[DeliveredFrame | None, bool, Slices]


class RingLog:
    """
    Sort queue and marks of one ring.

    Live sequence numbers lie in (last_released, last_released + QUEUE_RTR_ITEMS_SIZE_MAX). A mark
    may lie inside a run, but my_aru and high_seq_received never do.

    :ivar my_aru: every message up to it is here.
    :ivar high_seq_received: highest message seen.
    :ivar high_delivered: delivered up to it, ``<= my_aru`` while the ring is operational.
    :ivar last_released: forgotten up to it, ``<= high_delivered``.
    """

    __slots__ = (
        "_items",
        "_len",
        "_miss_counts",
        "_runs",
        "high_delivered",
        "high_seq_received",
        "last_released",
        "my_aru",
        "ring_id",
    )

    def __init__(self, ring_id: RingId, seqno_start: int) -> None:
        self.ring_id = ring_id
        self.my_aru = seqno_start
        self.high_seq_received = seqno_start
        self.high_delivered = seqno_start
        self.last_released = seqno_start
        # A run is found by its first message here, by the others in the list.
        self._items: dict[int, StoredMessage | Run] = {}
        self._runs: list[Run] = []
        self._len = 0
        self._miss_counts: dict[int, int] = {}

    def __len__(self) -> int:
        return self._len

    def get(self, seq: int) -> StoredMessage | None:
        """Give a live message."""
        if not self._is_live(seq):
            return None
        item = self._items.get(seq)
        if isinstance(item, tuple):
            return item
        run, i = self._run_with(seq)
        return (run.delivered(i), run.safe, run.frame(i)) if run is not None else None

    def wants(self, seq: int) -> bool:
        """Tell whether this message is new and within the sort queue."""
        return (
            self._is_live(seq)
            and seq not in self._items
            and (seq_lt(self.high_seq_received, seq) or self._run_with(seq)[0] is None)
        )

    def add(self, seq: int, message: StoredMessage) -> None:
        """
        Keep a message that ``wants`` accepted.

        Post: high_seq_received >= seq; my_aru is left to ``update_aru``.
        """
        self._items[seq] = message
        self._len += 1
        if seq_lt(self.high_seq_received, seq):
            self.high_seq_received = seq

    def add_run(self, run: Run) -> bool:
        """
        Keep a run that is new as a whole and fits the sort queue.

        Most begin beyond all that was seen. On an accelerated ring others fill a hole: the messages
        that follow a token arrive after the first ones of whoever got the token.

        :return: False when it is another one: then its messages are to be offered one by one.
        """
        last = (run.first_seq + run.count - 1) & SEQ_MASK
        if not self._is_live(last):
            return False
        if seq_lt(self.high_seq_received, run.first_seq):
            self._runs.append(run)
            self.high_seq_received = last
        elif not self._insert(run):
            return False
        self._items[run.first_seq] = run
        self._len += run.count
        return True

    def _insert(self, run: Run) -> bool:
        """Put a run where it belongs, if nothing that it brings is here yet."""
        first, items, runs = run.first_seq, self._items, self._runs
        if not self._is_live(first) or self._run_with(first)[0] is not None:
            return False
        if any(((first + i) & SEQ_MASK) in items for i in range(run.count)):
            return False
        if not runs or seq_lt(first, runs[0].first_seq):
            runs.insert(0, run)
        else:
            runs.insert(self._count_to(first), run)
        return True

    def _is_live(self, seq: int) -> bool:
        return 0 < ((seq - self.last_released) & SEQ_MASK) < QUEUE_RTR_ITEMS_SIZE_MAX

    def _run_with(self, seq: int) -> tuple[Run | None, int]:
        """Find the run that a message is in, and its place there."""
        runs = self._runs
        if not runs:
            return None, 0
        at = self._count_to(seq) - 1
        i = (seq - runs[at].first_seq) & SEQ_MASK
        return (runs[at], i) if i < runs[at].count else (None, 0)

    def _count_to(self, seq: int) -> int:
        """Count the runs that begin up to a message that is not before the first of them."""
        runs = self._runs
        start = runs[0].first_seq
        distance = (seq - start) & SEQ_MASK
        return bisect_right(runs, distance, key=lambda run: (run.first_seq - start) & SEQ_MASK)

    def _from(self, seq: int) -> StoredMessage | Run | None:
        """Give a message, or what its run has from it on."""
        item = self._items.get(seq)
        if item is None:
            run, i = self._run_with(seq)
            if run is not None:
                return run.part(i, run.count)
        return item

    def update_aru(self) -> None:
        """Move my_aru up to the first hole (update_aru)."""
        items = self._items
        aru = self.my_aru
        while (item := items.get((aru + 1) & SEQ_MASK)) is not None:
            aru = (aru + (1 if isinstance(item, tuple) else item.count)) & SEQ_MASK
        self.my_aru = aru

    def take_deliverable(self, safe_to: int) -> list[Delivered]:
        """
        Give the messages next in order, up to the first hole or the first SAFE message beyond
        ``safe_to``.

        :param safe_to: every member of the ring has everything up to it.
        """
        seq = self.high_delivered
        end = self.my_aru
        delivered: list[Delivered] = []
        while seq != end:
            item = self._from((seq + 1) & SEQ_MASK)
            assert item is not None, "a message at or before my_aru is missing"
            if isinstance(item, tuple):
                frame, safe, _ = item
                if safe and not seq_lt(seq, safe_to):
                    break
                seq = (seq + 1) & SEQ_MASK
                if frame is not None:
                    delivered.append(frame)
                continue
            count = min(item.count, seq_diff(safe_to, seq)) if item.safe else item.count
            if count <= 0:
                break
            delivered.append(item if count == item.count else item.part(0, count))
            seq = (seq + count) & SEQ_MASK
        self.high_delivered = seq
        return delivered

    def take_remaining(self, obligation_set: Container[int]) -> list[Delivered]:
        """
        Give what is left when the ring is over; the ring's log is of no use afterwards.

        Behind the first hole only messages of the obligation set count: others may depend on what
        was lost.

        :param obligation_set: nodeids of my_deliver_memb.
        Source: Totem95 section 7.3, EVS94 section 3; messages_deliver_to_app with skip.
        """
        delivered: list[Delivered] = []
        seq = self.high_delivered
        hole_seen = False
        while seq_lt(seq, self.high_seq_received):
            item = self._from((seq + 1) & SEQ_MASK)
            if item is None:
                hole_seen = True
                seq = (seq + 1) & SEQ_MASK
                continue
            frame, count = (item[0], 1) if isinstance(item, tuple) else (item, item.count)
            seq = (seq + count) & SEQ_MASK
            if frame is not None and (not hole_seen or frame.nodeid in obligation_set):
                delivered.append(frame)
        assert seq == self.high_seq_received, "a run beyond the highest message received"
        self.high_delivered = seq
        return delivered

    def release(self, safe_to: int) -> None:
        """
        Forget what every member has and we have delivered.

        Source: messages_free.
        """
        end = safe_to if seq_lt(safe_to, self.high_delivered) else self.high_delivered
        if not seq_lt(self.last_released, end):
            return
        items = self._items
        runs_gone = 0
        seq = self.last_released
        while seq_lt(seq, end):
            following = (seq + 1) & SEQ_MASK
            if isinstance(items.get(following), tuple):
                del items[following]
                seq = following
                continue
            run = self._runs[runs_gone]
            seq = (run.first_seq + run.count - 1) & SEQ_MASK
            if seq_lte(seq, end):
                del items[run.first_seq]
                runs_gone += 1
        del self._runs[:runs_gone]
        self._len -= seq_diff(end, self.last_released)
        self.last_released = end
        for seq in [seq for seq in self._miss_counts if seq_lte(seq, end)]:
            del self._miss_counts[seq]

    def skip_to(self, seq: int) -> None:
        """
        Count everything up to ``seq`` as delivered; used once, when the ring is installed.

        Recovery's encapsulated messages occupy the first sequence numbers of a ring and are not for
        the application.
        """
        self.high_delivered = seq

    def holes(self, token_seq: int, miss_count_const: int, count_max: int) -> list[int]:
        """
        List what is missing up to ``token_seq`` and has been for ``miss_count_const`` visits of the
        token.

        :param count_max: at most so many are given, lowest first.
        Source: orf_token_rtr, sq_item_miss_count.
        """
        missing: list[int] = []
        seq = self.my_aru
        while seq_lt(seq, token_seq) and len(missing) < count_max:
            seq = (seq + 1) & SEQ_MASK
            item = self._items.get(seq)
            if item is not None:
                if not isinstance(item, tuple):
                    seq = (seq + item.count - 1) & SEQ_MASK
                continue
            if not self._is_live(seq):
                break
            misses = self._miss_counts.get(seq, 0) + 1
            self._miss_counts[seq] = misses
            if misses >= miss_count_const:
                missing.append(seq)
        return missing
