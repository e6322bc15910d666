"""
What one node's client heard in the demonstration, and whether that can be right.

Every message begins with its sender's name and a number that grows by one. Lost, doubled and
swapped messages of a sender show there; the order among senders shows in the digest.
"""

from collections.abc import Iterable
from hashlib import sha256

from corosync_tw.client.cpg import Message


def numbered(sender: str, number: int, line: bytes) -> bytes:
    """Make a message."""
    return b"%s %d %s" % (sender.encode(), number, line)


class Tally:
    """
    Count of what was delivered, in order.

    :ivar delivered_msgs: messages heard.
    :ivar delivered_len_bytes: their bytes.
    :ivar last: number of the last message of each sender, from 1.
    :ivar faults: messages that were not the next of their sender.
    """

    def __init__(self) -> None:
        self.delivered_msgs = 0
        self.delivered_len_bytes = 0
        self.last: dict[str, int] = {}
        self.faults = 0
        self._digest = sha256()
        self._part = sha256()

    def hear(self, messages: Iterable[Message]) -> None:
        """Add messages; a digest depends on their order, not on how they were grouped."""
        last = self.last
        bodies = [message.data for message in messages]
        for body in bodies:
            name, number_text, _line = body.split(b" ", 2)
            sender, number = name.decode(), int(number_text)
            if number != last.get(sender, 0) + 1:
                self.faults += 1
            last[sender] = number
        joined = b"\n".join([*bodies, b""])
        self._digest.update(joined)
        self._part.update(joined)
        self.delivered_msgs += len(bodies)
        self.delivered_len_bytes += len(joined)

    def begin_part(self) -> None:
        """Begin the partial digest anew, at a point that all nodes have in common."""
        self._part = sha256()

    @property
    def digest(self) -> str:
        """Of the whole sequence, hexadecimal."""
        return self._digest.hexdigest()

    @property
    def part_digest(self) -> str:
        """Of the sequence since `begin_part`."""
        return self._part.hexdigest()
