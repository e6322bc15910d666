"""The ring log as a dict of messages: what RingLog must do, whatever it keeps together."""

from collections.abc import Container

from corosync_tw.totem.const import QUEUE_RTR_ITEMS_SIZE_MAX
from corosync_tw.totem.runs import DeliveredFrame
from corosync_tw.totem.seqno import seq_add, seq_diff, seq_lt, seq_lte


class RingLogTwin:
    """Keeps (frame, safe) by seq; every mark moves one step at a time."""

    def __init__(self, start: int) -> None:
        self.my_aru = self.high_seq_received = self.high_delivered = self.last_released = start
        self.messages: dict[int, tuple[DeliveredFrame, bool]] = {}
        self.misses: dict[int, int] = {}

    def wants(self, seq: int) -> bool:
        ahead = seq_diff(seq, self.last_released)
        return 0 < ahead < QUEUE_RTR_ITEMS_SIZE_MAX and seq not in self.messages

    def add(self, frame: DeliveredFrame, safe: bool) -> None:
        self.messages[frame.seq] = (frame, safe)
        if seq_lt(self.high_seq_received, frame.seq):
            self.high_seq_received = frame.seq

    def update_aru(self) -> None:
        while seq_add(self.my_aru, 1) in self.messages:
            self.my_aru = seq_add(self.my_aru, 1)

    def take_deliverable(self, safe_to: int) -> list[DeliveredFrame]:
        taken = []
        while self.high_delivered != self.my_aru:
            frame, safe = self.messages[seq_add(self.high_delivered, 1)]
            if safe and not seq_lte(frame.seq, safe_to):
                break
            taken.append(frame)
            self.high_delivered = frame.seq
        return taken

    def take_remaining(self, obligation_set: Container[int]) -> list[DeliveredFrame]:
        taken, holes = [], 0
        while self.high_delivered != self.high_seq_received:
            self.high_delivered = seq_add(self.high_delivered, 1)
            frame, _ = self.messages.get(self.high_delivered, (None, False))
            holes += frame is None
            if frame is not None and (not holes or frame.nodeid in obligation_set):
                taken.append(frame)
        return taken

    def release(self, safe_to: int) -> None:
        while seq_lt(self.last_released, safe_to) and self.last_released != self.high_delivered:
            self.last_released = seq_add(self.last_released, 1)
            del self.messages[self.last_released]
            self.misses.pop(self.last_released, None)

    def holes(self, token_seq: int, miss_count_const: int, count_max: int) -> list[int]:
        missing: list[int] = []
        seq = self.my_aru
        while seq_lt(seq, token_seq) and len(missing) < count_max:
            seq = seq_add(seq, 1)
            if seq not in self.messages:
                self.misses[seq] = self.misses.get(seq, 0) + 1
                if self.misses[seq] >= miss_count_const:
                    missing.append(seq)
        return missing
