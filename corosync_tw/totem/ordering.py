"""
The messages of one ring, put in order: what was received, what is missing, what may be delivered,
what may be forgotten.

Source: Totem95 section 5 (my_aru, safe and agreed delivery); Corosync exec/totemsrp.c update_aru,
messages_deliver_to_app, messages_free, include/corosync/sq.h.
"""

from collections.abc import Container

from corosync_tw.corotypes import RingId, Slices
from corosync_tw.totem.const import QUEUE_RTR_ITEMS_SIZE_MAX
from corosync_tw.totem.runs import DeliveredFrame
from corosync_tw.totem.seqno import SEQ_MASK, seq_lt, seq_lte

# What the layer above gets (None for an encapsulated message of the old ring), whether it is SAFE,
# the datagram.
StoredMessage = tuple[DeliveredFrame | None, bool, Slices]


class RingLog:
    """
    Sort queue and marks of one ring.

    Live sequence numbers lie in (last_released, last_released + QUEUE_RTR_ITEMS_SIZE_MAX).

    :ivar my_aru: every message up to it is here.
    :ivar high_seq_received: highest message seen.
    :ivar high_delivered: delivered up to it, ``<= my_aru`` while the ring is operational.
    :ivar last_released: forgotten up to it, ``<= high_delivered``.
    """

    __slots__ = (
        "_items",
        "_miss_counts",
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
        self._items: dict[int, StoredMessage] = {}
        self._miss_counts: dict[int, int] = {}

    def __len__(self) -> int:
        return len(self._items)

    def get(self, seq: int) -> StoredMessage | None:
        """Give a live message."""
        return self._items.get(seq)

    def wants(self, seq: int) -> bool:
        """Tell whether this message is new and within the sort queue."""
        return (
            0 < ((seq - self.last_released) & SEQ_MASK) < QUEUE_RTR_ITEMS_SIZE_MAX
            and seq not in self._items
        )

    def add(self, seq: int, message: StoredMessage) -> None:
        """
        Keep a message that ``wants`` accepted.

        Post: high_seq_received >= seq; my_aru is left to ``update_aru``.
        """
        self._items[seq] = message
        if seq_lt(self.high_seq_received, seq):
            self.high_seq_received = seq

    def update_aru(self) -> None:
        """Move my_aru up to the first hole (update_aru)."""
        items = self._items
        aru = self.my_aru
        following = (aru + 1) & SEQ_MASK
        while following in items:
            aru = following
            following = (aru + 1) & SEQ_MASK
        self.my_aru = aru

    def take_deliverable(self, safe_to: int) -> list[DeliveredFrame]:
        """
        Give the messages next in order, up to the first hole or the first SAFE message beyond
        ``safe_to``.

        :param safe_to: every member of the ring has everything up to it.
        """
        items = self._items
        seq = self.high_delivered
        end = self.my_aru
        run: list[DeliveredFrame] = []
        while seq != end:
            following = (seq + 1) & SEQ_MASK
            frame, safe, _ = items[following]
            if safe and not seq_lte(following, safe_to):
                break
            seq = following
            if frame is not None:
                run.append(frame)
        self.high_delivered = seq
        return run

    def take_remaining(self, obligation_set: Container[int]) -> list[DeliveredFrame]:
        """
        Give what is left when the ring is over; the ring's log is of no use afterwards.

        Behind the first hole only messages of the obligation set count: others may depend on what
        was lost.

        :param obligation_set: nodeids of my_deliver_memb.
        Source: Totem95 section 7.3, EVS94 section 3; messages_deliver_to_app with skip.
        """
        run: list[DeliveredFrame] = []
        seq = self.high_delivered
        hole_seen = False
        while seq != self.high_seq_received:
            seq = (seq + 1) & SEQ_MASK
            message = self._items.get(seq)
            if message is None:
                hole_seen = True
                continue
            frame = message[0]
            if frame is not None and (not hole_seen or frame.nodeid in obligation_set):
                run.append(frame)
        self.high_delivered = seq
        return run

    def release(self, safe_to: int) -> None:
        """
        Forget what every member has and we have delivered.

        Source: messages_free.
        """
        end = safe_to if seq_lt(safe_to, self.high_delivered) else self.high_delivered
        if not seq_lt(self.last_released, end):
            return
        items = self._items
        seq = self.last_released
        while seq != end:
            seq = (seq + 1) & SEQ_MASK
            del items[seq]
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
        while seq != token_seq and len(missing) < count_max:
            seq = (seq + 1) & SEQ_MASK
            if seq in self._items:
                continue
            if ((seq - self.last_released) & SEQ_MASK) >= QUEUE_RTR_ITEMS_SIZE_MAX:
                break
            misses = self._miss_counts.get(seq, 0) + 1
            self._miss_counts[seq] = misses
            if misses >= miss_count_const:
                missing.append(seq)
        return missing
