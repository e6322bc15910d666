"""
Whole messages as the packets of one run completed them: places in buffers, not objects.

A message is one piece or several: it was cut where a frame ended, or began in a run before. Nothing
is joined or copied until somebody asks for one message alone.

Made by totem.pg_assembly; read by services.stack and by whoever writes messages to clients.
"""

from array import array
from collections.abc import Iterator
from typing import Final

from corosync_tw.corotypes import Buffer, Slices

# Words of one entry of ``pieces`` (index of the buffer, offset, length) and of ``messages`` (first
# piece, number of pieces, length, seq).
PIECE_WORDS: Final = 3
MESSAGE_WORDS: Final = 4


class MessageBatch:
    """
    Messages of one sender, little-endian, in order.

    A message starts with the group names (see totem.pg_wire).

    :ivar nodeid: of the sender.
    :ivar buffers: where the pieces lie.
    :ivar pieces: array('I') of (index of the buffer, offset, length in bytes); it may hold more
        behind the last message's.
    :ivar messages: array('I') of (first piece, number of pieces, length in bytes, seq); ``seq`` is
        the sequence number of the frame that completed it. A message's pieces follow each other.
    """

    __slots__ = ("buffers", "messages", "nodeid", "pieces")

    def __init__(
        self, nodeid: int, buffers: list[Buffer], pieces: "array[int]", messages: "array[int]"
    ) -> None:
        self.nodeid = nodeid
        self.buffers = buffers
        self.pieces = pieces
        self.messages = messages

    def __len__(self) -> int:
        return len(self.messages) // MESSAGE_WORDS

    def len_bytes(self, i: int) -> int:
        """Give the length of a message, group names included."""
        return self.messages[i * MESSAGE_WORDS + 2]

    def seq(self, i: int) -> int:
        """Give the sequence number of the frame that completed a message."""
        return self.messages[i * MESSAGE_WORDS + 3]

    def slices(self, i: int) -> Slices:
        """Give the pieces of a message as views."""
        at = i * MESSAGE_WORDS
        first, count = self.messages[at : at + 2]
        pieces = self.pieces[first * PIECE_WORDS : (first + count) * PIECE_WORDS]
        return tuple(views(self.buffers, pieces))

    def whole(self, i: int) -> memoryview:
        """Give a message in one piece, joined if it is in several."""
        slices = self.slices(i)
        if len(slices) == 1:
            return memoryview(slices[0])
        return memoryview(b"".join(slices))


def views(buffers: list[Buffer], pieces: "array[int]") -> Iterator[memoryview]:
    """Give pieces as views of their buffers."""
    words = iter(pieces)
    for index, offset, length in zip(words, words, words, strict=True):
        yield memoryview(buffers[index])[offset : offset + length]
