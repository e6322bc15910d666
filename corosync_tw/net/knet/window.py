"""
Which data packets of one host were delivered, and of which reassembly began.

Sequence numbers are 1 to 65535 and go round; the window is the WINDOW_SEQS up to the highest one
seen. What is far outside begins a new window: the host restarted, or much was lost.

Source: libknet 1.25 host.c, _seq_num_lookup, _seq_num_set, _clear_cbuffers.
"""

from typing import Final

from corosync_tw.net.knet.wire import SEQ_MAX, next_seq

# KNET_CBUFFER_SIZE.
WINDOW_SEQS: Final = 4096


class SeqWindow:
    """
    One host's window.

    :ivar high: highest seq seen, 0 for none.
    """

    __slots__ = ("_begun", "_delivered", "high")

    def __init__(self) -> None:
        self.high = 0
        self._delivered = bytearray(WINDOW_SEQS)
        self._begun = bytearray(WINDOW_SEQS)

    def clear(self, high: int = 0) -> None:
        """Forget everything but that ``high`` is where the host is."""
        self.high = high
        self._delivered[:] = bytes(WINDOW_SEQS)
        self._begun[:] = bytes(WINDOW_SEQS)

    def is_new(self, seq: int) -> bool:
        """
        Tell whether a packet was not delivered yet.

        Post: the window reaches to ``seq``, unless that is behind it.
        """
        if not self.high:
            self.high = seq
        behind = (self.high - seq) % SEQ_MAX
        if behind < WINDOW_SEQS:
            return not self._delivered[seq % WINDOW_SEQS]
        self._advance(seq, SEQ_MAX - behind)
        return True

    def take_run(self, first: int, count: int) -> bool:
        """
        Deliver packets with consecutive seqs, if all of them continue the window.

        :param count: less than WINDOW_SEQS.
        :return: False when they do not: then they are to be offered one by one.
        """
        if first != next_seq(self.high) or not self.high:
            return False
        last = next_seq(first, count - 1)
        self._advance(last, count)
        for at, end in _spans(first, count):
            self._delivered[at:end] = b"\1" * (end - at)
        return True

    def take_next(self, seq: int) -> bool:
        """Deliver a packet if it is the one after the highest."""
        high = self.high
        if not high or seq != high % SEQ_MAX + 1:
            return False
        at = seq % WINDOW_SEQS
        self._delivered[at] = 1
        self._begun[at] = 0
        self.high = seq
        return True

    def deliver(self, seq: int) -> None:
        """Note a packet that ``is_new`` accepted as delivered."""
        self._delivered[seq % WINDOW_SEQS] = 1

    def begin(self, seq: int) -> bool:
        """
        Note that reassembly of a packet's frame begins.

        :return: False when it began before.
        """
        if self._begun[seq % WINDOW_SEQS]:
            return False
        self._begun[seq % WINDOW_SEQS] = 1
        return True

    def _advance(self, seq: int, distance: int) -> None:
        """Let ``seq``, so far beyond the highest, be the highest."""
        if distance >= WINDOW_SEQS:
            self.clear(seq)
            return
        for at, end in _spans(next_seq(self.high), distance):
            self._delivered[at:end] = self._begun[at:end] = bytes(end - at)
        self.high = seq


def _spans(first: int, count: int) -> list[tuple[int, int]]:
    """Give the places of consecutive seqs, without a wrap in one span."""
    spans = []
    while count:
        at = first % WINDOW_SEQS
        # Behind SEQ_MAX comes 1, and the place of 0 stays empty.
        length = min(count, WINDOW_SEQS - at, SEQ_MAX + 1 - first)
        spans.append((at, at + length))
        count -= length
        first = next_seq(first, length)
    return spans
