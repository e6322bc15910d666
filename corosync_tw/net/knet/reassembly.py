"""
Frames of one host that came in fragments.

All fragments of a frame but the last have one length, which nobody knows before one of them is
here. What contradicts the fragments before it is refused. At most FRAMES_MAX frames wait; the one
that got nothing for the longest time makes room, and the rest of it is refused then.

Source: libknet 1.25 threads_rx.c, pckt_defrag, find_pckt_defrag_buf.
"""

from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from corosync_tw.corotypes import Buffer
from corosync_tw.net.knet.window import SeqWindow
from corosync_tw.net.knet.wire import FRAME_LEN_BYTES_MAX, SEQ_MAX

# KNET_DEFRAG_BUFFERS.
FRAMES_MAX: Final = 32


class Fate(IntEnum):
    """What became of fragments that completed no frame."""

    KEPT = 0
    DUPLICATE = 1
    CONTRADICTORY = 2
    EXPIRED = 3


@dataclass(slots=True)
class Fragments:
    """
    Consecutive fragments of one frame, their payloads end to end.

    :ivar total: fragments of the frame.
    :ivar first: place of the first, from 1.
    :ivar fragment_bytes: of each but the frame's last; 0 when only the last is here.
    """

    seq: int
    total: int
    first: int
    count: int
    fragment_bytes: int
    payload: Buffer

    @property
    def ends_frame(self) -> bool:
        """Whether the frame's last fragment is among them."""
        return self.first + self.count > self.total


class _Partial:
    """A frame of which something is here."""

    __slots__ = ("arrived", "fragment_bytes", "last", "memory", "missing", "total")

    def __init__(self, total: int) -> None:
        self.total = total
        self.missing = total
        self.arrived = bytearray(total)
        self.fragment_bytes = 0
        self.memory = bytearray()
        # The last fragment, as long as nobody knows where it belongs; then its length matters.
        self.last: bytes | None = None


class Reassembly:
    """The frames of one host that are not complete."""

    __slots__ = ("_partials",)

    def __init__(self) -> None:
        # The one that got something last is last.
        self._partials: dict[int, _Partial] = {}

    def __len__(self) -> int:
        return len(self._partials)

    def clear(self) -> None:
        """Forget all of them."""
        self._partials.clear()

    def forget(self, seq: int) -> None:
        """Forget a frame that is delivered."""
        self._partials.pop(seq, None)

    def expire(self, high: int) -> None:
        """Forget frames too far behind the highest seq (_reclaim_old_defrag_bufs)."""
        for seq in [seq for seq in self._partials if (high - seq) % SEQ_MAX > FRAMES_MAX]:
            del self._partials[seq]

    def add(self, fragments: Fragments, window: SeqWindow) -> Buffer | Fate:
        """
        Take fragments of a frame that was not delivered.

        :return: the frame, when it is complete now.
        """
        seq = fragments.seq
        partial = self._partials.pop(seq, None)
        if partial is None:
            if not window.begin(seq):
                return Fate.EXPIRED
            partial = _Partial(fragments.total)
            if len(self._partials) >= FRAMES_MAX:
                del self._partials[next(iter(self._partials))]
        self._partials[seq] = partial
        fate = _put(partial, fragments)
        if fate is not Fate.KEPT or partial.missing:
            return fate
        del self._partials[seq]
        return _whole(partial)


def _put(partial: _Partial, fragments: Fragments) -> Fate:
    start = fragments.first - 1
    end = start + fragments.count
    fragment_bytes = fragments.fragment_bytes
    if partial.total != fragments.total:
        return Fate.CONTRADICTORY
    if fragment_bytes and not partial.fragment_bytes:
        if fragment_bytes * (partial.total - 1) >= FRAME_LEN_BYTES_MAX:
            return Fate.CONTRADICTORY
        partial.fragment_bytes = fragment_bytes
        partial.memory = bytearray(fragment_bytes * partial.total)
    if fragment_bytes and fragment_bytes != partial.fragment_bytes:
        return Fate.CONTRADICTORY
    arrived = partial.arrived
    fresh = arrived.count(0, start, end)
    if not fresh:
        return Fate.DUPLICATE
    payload = fragments.payload
    last_bytes = len(payload) - fragment_bytes * (fragments.count - 1)
    if fragments.ends_frame:
        if last_bytes < 1 or (partial.fragment_bytes and last_bytes > partial.fragment_bytes):
            return Fate.CONTRADICTORY
        if not arrived[-1]:
            partial.last = bytes(payload[len(payload) - last_bytes :])
        payload = payload[: len(payload) - last_bytes]
    elif last_bytes != fragment_bytes:
        return Fate.CONTRADICTORY
    partial.memory[start * fragment_bytes : start * fragment_bytes + len(payload)] = payload
    arrived[start:end] = b"\1" * fragments.count
    partial.missing -= fresh
    return Fate.KEPT


def _whole(partial: _Partial) -> Buffer | Fate:
    last = partial.last
    assert last is not None, "a complete frame has an end"
    start = partial.fragment_bytes * (partial.total - 1)
    length = start + len(last)
    if len(last) > partial.fragment_bytes or length > FRAME_LEN_BYTES_MAX:
        return Fate.CONTRADICTORY
    partial.memory[start:length] = last
    return memoryview(partial.memory)[:length].toreadonly()
