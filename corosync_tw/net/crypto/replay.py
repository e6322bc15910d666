"""
Which datagrams of one process came already.

Source: RFC 6479, section 2, with numbers in place of bits: nothing is ever shifted.
"""

from typing import Final

# Datagrams that may overtake each other: four full runs of the largest send window.
WINDOW_MSGS: Final = 4096


class ReplayWindow:
    """
    Remembers the counters of the last WINDOW_MSGS datagrams.

    :ivar highest: largest counter taken, 0 for none; counters begin at 1.
    """

    __slots__ = ("_taken", "highest")

    def __init__(self) -> None:
        self.highest = 0
        # By remainder: the last counter that was taken there.
        self._taken = [0] * WINDOW_MSGS

    def is_fresh(self, counter: int) -> bool:
        """Tell whether a datagram is new, and young enough to know that."""
        return counter > self.highest or (
            counter > self.highest - WINDOW_MSGS and self._taken[counter % WINDOW_MSGS] < counter
        )

    def take(self, counter: int) -> None:
        """Take note of a datagram whose tag was right."""
        self._taken[counter % WINDOW_MSGS] = counter
        self.highest = max(self.highest, counter)
