"""
Runs of messages between C clients and their handlers: many in one call, each copied once.

Beside ``lib_interfaces``, for a service whose clients send or are sent many messages. Requests are
taken from where the client left them straight into the outgoing queue; messages are written from
where the network left them straight to where the client reads.
"""

import sys
from array import array
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import NamedTuple, Protocol

from corosync_tw.corotypes import Buffer, Slices
from corosync_tw.totem.batch import MessageBatch


class RunsTaken(Enum):
    """How far somebody came who took requests."""

    # Nothing more waits that may be taken now.
    ALL = auto()
    # The next request is of another kind or guarantee.
    UP_TO_OTHER = auto()
    # There is no room for the next.
    UP_TO_FULL = auto()


class MessageHead(NamedTuple):
    """
    What precedes a client's message on the ring.

    :ivar msglen_max: of the client's bytes.
    :ivar head: with the lengths left out: at ``header_at`` + 8 that of all from ``header_at`` on,
        at ``msglen_at`` that of the client's bytes, both as little-endian 32 bits.
    """

    msglen_max: int
    head: bytes
    header_at: int
    msglen_at: int


class RequestRuns(Protocol):
    """A client's requests where it left them."""

    def next_len(self) -> int:
        """
        Give the length of the next request in bytes; 0 when none waits that may be taken now.

        The client can change it until it is taken.
        """

    def take_mcasts(
        self, head: MessageHead, room: memoryview, lens: "array[int]"
    ) -> tuple[int, int, RunsTaken]:
        """
        Take multicast requests that follow each other as messages, as many as find room.

        :param room: where to, end to end; ``lens`` gets the messages' lengths, in its first places,
            and has as many places as may be taken.
        :return: how many, the guarantee that the client asked for, the same for all of them, and
            why no more.
        """


@dataclass(slots=True)
class EventRun:
    """
    Messages of a batch, each of which is an event for a client.

    :ivar head: what precedes each, with the event's length at 8 and the message's at ``msglen_at``
        left out, both as native 32 bits.
    :ivar event_len_max: what a client has room for; longer ones are not written.
    :ivar first: of the batch's messages; ``count`` of them are meant.
    :ivar skip: bytes of each message that are not for the client.
    """

    head: bytes
    msglen_at: int
    event_len_max: int
    batch: MessageBatch
    first: int
    count: int
    skip: int

    def event_len(self, i: int) -> int:
        """Give the length of the event that a message of the batch becomes."""
        return len(self.head) + self.batch.len_bytes(i) - self.skip

    def slices(self, i: int) -> Slices:
        """Give the event that a message of the batch becomes."""
        head = bytearray(self.head)
        event_len, skip = self.event_len(i), self.skip
        for at, length in ((8, event_len), (self.msglen_at, event_len - len(head))):
            head[at : at + 4] = length.to_bytes(4, sys.byteorder)
        found: list[Buffer] = [bytes(head)]
        for piece in self.batch.slices(i):
            if skip >= len(piece):
                skip -= len(piece)
            else:
                found.append(memoryview(piece)[skip:])
                skip = 0
        return tuple(found)

    def len_bytes(self) -> int:
        """Give the length of all events together."""
        lens = self.batch.messages[self.first * 4 + 2 : (self.first + self.count) * 4 : 4]
        return sum(lens) + (len(self.head) - self.skip) * self.count

    def sound_count(self, first: int) -> int:
        """Count the messages from ``first`` on that come before one that is too long."""
        end = self.first + self.count
        lens = self.batch.messages[first * 4 + 2 : end * 4 : 4]
        len_max = self.event_len_max - len(self.head) + self.skip
        if not lens or max(lens) <= len_max:
            return end - first
        return next(i for i, length in enumerate(lens) if length > len_max)

    def part(self, first: int, count: int) -> "EventRun":
        """Give some of the events: messages [first, first + count) of the batch."""
        return replace(self, first=first, count=count)

    def held_bytes(self) -> int:
        """Give the length of all that the batch is made of."""
        return sum(map(len, self.batch.buffers))

    def copied(self) -> "EventRun":
        """Give the same events with memory of their own."""
        pieces, messages, parts = array("I"), array("I"), list[Buffer]()
        at = 0
        for number, i in enumerate(range(self.first, self.first + self.count)):
            parts += self.slices(i)[1:]
            length = self.event_len(i) - len(self.head)
            pieces.extend((0, at, length))
            messages.extend((number, 1, length, self.batch.seq(i)))
            at += length
        batch = MessageBatch(self.batch.nodeid, [b"".join(parts)], pieces, messages)
        return replace(self, batch=batch, first=0, skip=0)
