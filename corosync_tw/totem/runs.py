"""
Runs: consecutive ordered messages of one sender that stay together from the socket to the layer
above, so that nothing is done for each of them.

A run is plain (never encapsulated), little-endian and of one delivery guarantee. Its memory is not
copied: a run that was received is a view of the receive buffer, one of ours is headers of its own
and a view of the queue's memory. Neither may change while anybody holds the run.
"""

from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from corosync_tw.corotypes import Buffer, Slices
from corosync_tw.totem.messages import MCAST_LEN_BYTES
from corosync_tw.totem.seqno import SEQ_MASK


class FrameBlob(NamedTuple):
    """
    Datagrams of one sender that arrived in one piece.

    :ivar stride: bytes of each datagram; the last one may be shorter.
    """

    blob: memoryview
    stride: int

    @property
    def datagrams(self) -> int:
        """Count them."""
        return -(-len(self.blob) // self.stride)

    def frames(self) -> list[memoryview]:
        """Give each datagram by itself."""
        blob, stride = self
        return [blob[at : at + stride] for at in range(0, len(blob), stride)]


class DeliveredFrame(NamedTuple):
    """
    One ordered totem message, payload not yet unpacked by totempg.

    :ivar nodeid: originator.
    :ivar seq: sequence number in the ring that ordered it.
    :ivar payload: totempg packet; a view into the receive buffer.
    :ivar big_endian: byte order of the sender.
    """

    nodeid: int
    seq: int
    payload: bytes | memoryview
    big_endian: bool


@dataclass(slots=True)
class ReceivedRun:
    """
    Messages as a peer sent them.

    :ivar nodeid: originator of all.
    :ivar first_seq: sequence number of the first; the others follow without a gap.
    :ivar count: messages, at least one.
    :ivar safe: whether all are SAFE.
    :ivar blob: the datagrams, ``stride`` bytes each; the last one may be shorter.
    """

    nodeid: int
    first_seq: int
    count: int
    safe: bool
    blob: memoryview
    stride: int

    def frame(self, i: int) -> Slices:
        """Give a whole datagram."""
        start = i * self.stride
        return (self.blob[start : start + self.stride],)

    def payload(self, i: int) -> Buffer:
        """Give the totempg packet of a datagram."""
        start = i * self.stride
        return self.blob[start + MCAST_LEN_BYTES : start + self.stride]

    def delivered(self, i: int) -> DeliveredFrame:
        """Give one message by itself."""
        seq = (self.first_seq + i) & SEQ_MASK
        return DeliveredFrame(self.nodeid, seq, self.payload(i), False)

    def part(self, start: int, stop: int) -> "ReceivedRun":
        """Give messages [start, stop), which are at least one."""
        assert 0 <= start < stop <= self.count
        return ReceivedRun(
            self.nodeid,
            (self.first_seq + start) & SEQ_MASK,
            stop - start,
            self.safe,
            self.blob[start * self.stride : stop * self.stride],
            self.stride,
        )


@dataclass(slots=True)
class SentRun:
    """
    Messages of our own; len, slices and iteration count and give the datagrams.

    :ivar nodeid: our own.
    :ivar first_seq: sequence number of the first; the others follow without a gap.
    :ivar count: messages, at least one.
    :ivar safe: whether all are SAFE.
    :ivar headers: of each message the mcast header, the packet header and the lengths of its items,
        end to end; there may be more before and behind.
    :ivar header_ends: where each message's headers end, after where the first ones begin.
    :ivar body: the items of all messages, likewise.
    :ivar body_ends: where each message's items end, likewise.
    """

    nodeid: int
    first_seq: int
    count: int
    safe: bool
    headers: Buffer
    header_ends: "array[int]"
    body: memoryview
    body_ends: "array[int]"

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, at: slice) -> "Datagrams":
        start, stop, step = at.indices(self.count)
        assert step == 1, "a run has no gaps"
        return self.part(start, stop) if start < stop else []

    def __iter__(self) -> Iterator[Slices]:
        return map(self.frame, range(self.count))

    def frame(self, i: int) -> Slices:
        """Give a whole datagram."""
        ends, body_ends = self.header_ends, self.body_ends
        headers = self.headers[ends[i] : ends[i + 1]]
        if body_ends[i] == body_ends[i + 1]:
            return (headers,)
        return (headers, self.body[body_ends[i] : body_ends[i + 1]])

    def payload(self, i: int) -> Buffer:
        """Give the totempg packet of a datagram in one piece."""
        headers, *items = self.frame(i)
        return b"".join((headers[MCAST_LEN_BYTES:], *items))

    def delivered(self, i: int) -> DeliveredFrame:
        """Give one message by itself."""
        seq = (self.first_seq + i) & SEQ_MASK
        return DeliveredFrame(self.nodeid, seq, self.payload(i), False)

    def part(self, start: int, stop: int) -> "SentRun":
        """Give messages [start, stop), which are at least one; the memory is shared."""
        assert 0 <= start < stop <= self.count
        return SentRun(
            self.nodeid,
            (self.first_seq + start) & SEQ_MASK,
            stop - start,
            self.safe,
            self.headers,
            self.header_ends[start : stop + 1],
            self.body,
            self.body_ends[start : stop + 1],
        )


@dataclass(slots=True)
class SentBlob:
    """
    Datagrams to be sent that lie end to end; len, slices and iteration count and give them.

    :ivar blob: read-only as long as anybody holds it.
    :ivar stride: bytes of each datagram; the last one may be shorter.
    """

    blob: Buffer
    stride: int

    def __len__(self) -> int:
        return len(range(0, len(self.blob), self.stride))

    def __getitem__(self, at: slice) -> "Datagrams":
        start, stop, step = at.indices(len(self))
        assert step == 1, "datagrams have no gaps"
        return SentBlob(self.blob[start * self.stride : stop * self.stride], self.stride)

    def __iter__(self) -> Iterator[Slices]:
        blob, stride = self.blob, self.stride
        return ((blob[at : at + stride],) for at in range(0, len(blob), stride))


# What the ordered log and the layer above take as one.
Run = ReceivedRun | SentRun
# What the ordered log gives: one message, or many.
Delivered = DeliveredFrame | ReceivedRun | SentRun
# What a transport hands over, and what it is given to send.
Received = Buffer | FrameBlob
Datagrams = list[Slices] | SentRun | SentBlob
