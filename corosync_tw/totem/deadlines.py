"""
The named deadlines of a ring: when the core wants to be woken, and why.

Source: Corosync exec/totemsrp.c, the timer_* and memb_timer_* members of struct totemsrp_instance.
"""

from enum import IntEnum
from typing import Final

NEVER: Final = 1 << 62


class Deadline(IntEnum):
    """Each fires at most once per ``advance``, in this order."""

    SELF_FRAMES = 0  # frames that we address to ourselves
    TOKEN_LOSS = 1
    HEARTBEAT = 2
    TOKEN_RETRANSMIT = 3
    TOKEN_HOLD = 4
    TOKEN_WARNING = 5
    MERGE_DETECT = 6
    JOIN = 7
    SEND_JOIN = 8
    CONSENSUS = 9
    PAUSE = 10
    PROBE = 11


class Deadlines:
    """One absolute time per name, nanoseconds; unset ones are NEVER."""

    __slots__ = ("_at",)

    def __init__(self) -> None:
        self._at = [NEVER] * len(Deadline)

    def set(self, which: Deadline, at_ns: int) -> None:
        """Arm or re-arm."""
        self._at[which] = at_ns

    def cancel(self, which: Deadline) -> None:
        """Disarm; harmless when not armed."""
        self._at[which] = NEVER

    def cancel_all(self) -> None:
        """Disarm everything."""
        self._at = [NEVER] * len(Deadline)

    def is_set(self, which: Deadline) -> bool:
        """Tell whether it is armed."""
        return self._at[which] != NEVER

    def at(self, which: Deadline) -> int:
        """Give the time it is armed for, NEVER when it is not."""
        return self._at[which]

    def next(self) -> int | None:
        """Give the earliest armed time."""
        earliest = min(self._at)
        return None if earliest == NEVER else earliest

    def take(self, which: Deadline, now_ns: int) -> bool:
        """Tell whether its time has come; disarms it then."""
        if self._at[which] > now_ns:
            return False
        self._at[which] = NEVER
        return True
