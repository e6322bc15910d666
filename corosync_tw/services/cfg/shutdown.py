"""
The vote on shutting this node down: everybody who tracks is asked, all have to agree.

Source: Corosync exec/cfg.c, message_handler_req_lib_cfg_tryshutdown, check_shutdown_status,
shutdown_timer_fn, remove_ci_from_shutdown.
"""

from enum import Enum, IntEnum


class ShutdownFlag(IntEnum):
    """How strongly a shutdown is wanted (cfg.h, corosync_cfg_shutdown_flags_t)."""

    REQUEST = 0
    REGARDLESS = 1  # ask, but do not mind the answers
    IMMEDIATE = 2  # do not ask


class Opinion(Enum):
    """What a client said so far."""

    UNKNOWN = "unknown"
    YES = "yes"
    NO = "no"


class ShutdownVote:
    """
    One vote under way.

    :ivar requester: the connection that wants the shutdown; it gets the answer.
    :ivar flags: as it gave them; unknown values count as REQUEST.
    :ivar deadline_ns: when those who have not answered count as against it.
    """

    def __init__(self, requester: int, flags: int, asked: list[int], deadline_ns: int) -> None:
        self.requester = requester
        self.flags = flags
        self.deadline_ns = deadline_ns
        self._opinions = dict.fromkeys(asked, Opinion.UNKNOWN)

    def ask(self, conn: int) -> None:
        """Wait for one more opinion."""
        self._opinions[conn] = Opinion.UNKNOWN

    def answer(self, conn: int, *, yes: bool) -> None:
        """
        Take an opinion; only those who were asked count.

        Deviation: each client has one vote, and only if it was asked; Corosync counts every reply,
        whoever sends it and however often.
        """
        if conn in self._opinions:
            self._opinions[conn] = Opinion.YES if yes else Opinion.NO

    def time_out(self) -> None:
        """Take the undecided as against it."""
        for conn, opinion in self._opinions.items():
            if opinion is Opinion.UNKNOWN:
                self._opinions[conn] = Opinion.NO

    def count(self, opinion: Opinion) -> int:
        """Count the clients of an opinion."""
        return sum(one is opinion for one in self._opinions.values())

    @property
    def over(self) -> bool:
        """Whether everybody has answered."""
        return not self.count(Opinion.UNKNOWN)

    @property
    def granted(self) -> bool:
        """Whether the node shuts down, once the vote is over."""
        return not self.count(Opinion.NO) or self.flags == ShutdownFlag.REGARDLESS
