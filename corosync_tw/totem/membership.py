"""
Who is in the ring, who should be, and whether everybody agrees.

Source: Totem95 section 6.2 (Join messages, consensus); Corosync exec/totemsrp.c memb_join_process,
memb_consensus_*.
Deviation: as in Corosync, a fail_set is taken over only from members of our own last ring. Unlike
Corosync, a Join of which nothing is taken over does not begin Gather anew: two strangers who fail
different nodes would answer each other's Joins for ever, and their consensus timeouts never expire.
A stranger who fails us or another of our candidates is ignored, not failed in return: after a
partition of many nodes the answer would make us a ring of one at once, and our next Join would keep
the others from agreeing. So a sender may think otherwise than before while we do not: a Join that
differs from our sets takes its agreement back, else we would form a ring with nodes that have gone.
The consensus timeout counts from the time when one more agreed than ever did in this Gather: nodes
that begin anew one after the other would otherwise give each other up in turns, for ever.
"""

from collections.abc import Iterable
from enum import Enum, auto

from corosync_tw.totem.const import PROCESSOR_COUNT_MAX
from corosync_tw.totem.wire import MembJoin


class JoinVerdict(Enum):
    """What a Join message did to our sets."""

    AGREES = auto()  # its sets are ours
    IGNORED = auto()  # it knows less than we do, or we gave up on its sender
    MERGED = auto()  # we learned of somebody: Gather begins anew
    TOO_MANY = auto()  # it would make more processors than a ring can have


class Membership:
    """
    The sets of the membership protocol; all are sets of nodeids.

    :ivar proc_set: processors we consider for the next ring, failed ones included; only grows until
        a ring is installed.
    :ivar fail_set: those of proc_set we gave up on.
    :ivar consensus: those whose last Join had our sets.
    :ivar ever_agreed: all that consensus has held since Gather began.
    :ivar memb: members of the installed ring, ascending; empty before the first.
    :ivar new_memb: members of the ring being formed, ascending.
    :ivar trans_memb: members of new_memb that come from our old ring.
    :ivar deliver_memb: the obligation set: members whose messages we owe delivery behind a hole.
    :ivar said_leave: who announced its leave since the last ring was installed.
    :ivar failed_to_recv: we told the others to go on without us.
    """

    __slots__ = (
        "consensus",
        "deliver_memb",
        "ever_agreed",
        "fail_set",
        "failed_to_recv",
        "memb",
        "my_id",
        "new_memb",
        "proc_set",
        "said_leave",
        "trans_memb",
    )

    def __init__(self, my_id: int) -> None:
        self.my_id = my_id
        self.proc_set: set[int] = {my_id}
        self.fail_set: set[int] = set()
        self.consensus: set[int] = set()
        self.ever_agreed: set[int] = set()
        self.memb: tuple[int, ...] = ()
        self.new_memb: tuple[int, ...] = ()
        self.trans_memb: tuple[int, ...] = ()
        self.deliver_memb: tuple[int, ...] = ()
        self.said_leave: set[int] = set()
        self.failed_to_recv = False

    def candidates(self) -> list[int]:
        """List proc_set without fail_set, ascending: the ring we want."""
        return sorted(self.proc_set - self.fail_set)

    def reset_consensus(self) -> None:
        """Forget who agreed; we always agree with ourselves."""
        self.consensus = {self.my_id}
        self.ever_agreed = {self.my_id}

    def agreed(self) -> bool:
        """Tell whether every candidate has our sets (memb_consensus_agreed)."""
        candidates = self.proc_set - self.fail_set
        agreed = candidates <= self.consensus
        assert candidates or (agreed and self.failed_to_recv), "nobody left to form a ring with"
        return agreed

    def agrees_more_than_ever(self) -> bool:
        """Tell, once each time, whether somebody agrees who never did since Gather began."""
        if self.consensus <= self.ever_agreed:
            return False
        self.ever_agreed |= self.consensus
        return True

    def am_lowest(self) -> bool:
        """Tell whether we are to be the representative (memb_lowest_in_config)."""
        return min(self.proc_set - self.fail_set) == self.my_id

    def fail_silent(self) -> list[int]:
        """
        Give up on everybody who did not reach consensus.

        Post: fail_set contains proc_set - consensus.
        """
        silent = sorted(self.proc_set - self.consensus - self.fail_set)
        self.fail_set |= self.proc_set - self.consensus
        return silent

    def fail(self, nodeids: set[int]) -> list[int]:
        """
        Give up on some that we consider.

        :return: those that we had not given up on yet, ascending.
        """
        newly = sorted(nodeids - self.fail_set)
        self.fail_set |= nodeids
        return newly

    def learn(self, nodeid: int) -> bool:
        """
        Consider one more processor.

        :return: False when it was known, or when there is no room for it.
        """
        if nodeid in self.proc_set or len(self.proc_set) >= PROCESSOR_COUNT_MAX:
            return False
        self.proc_set.add(nodeid)
        return True

    def receive_join(self, join: MembJoin) -> JoinVerdict:
        """
        Apply the Join rules to our sets.

        Source: Totem95 Fig. 4; memb_join_process.
        """
        proc_set = set(join.proc_list)
        fail_set = set(join.failed_list)
        sender = join.system_from
        if proc_set == self.proc_set and fail_set == self.fail_set:
            if join.nodeid:
                self.consensus.add(sender)
            return JoinVerdict.AGREES
        if sender != self.my_id:
            # Where fail_sets are not taken over, a sender may change its mind and we not ours.
            self.consensus.discard(sender)
        if proc_set <= self.proc_set and fail_set <= self.fail_set:
            return JoinVerdict.IGNORED
        if sender in self.fail_set:
            return JoinVerdict.IGNORED
        if sender not in self.memb and not fail_set.isdisjoint(self.candidates()):
            # Made before we met: it is no verdict on us, and ends with its sender's next ring.
            return JoinVerdict.IGNORED
        return self._merge(sender, proc_set, fail_set)

    def _merge(self, sender: int, proc_set: set[int], fail_set: set[int]) -> JoinVerdict:
        # Whoever is failed must be known, else sets would never become equal.
        mentioned = self.proc_set | self.fail_set | proc_set | fail_set | {sender}
        if len(mentioned) > PROCESSOR_COUNT_MAX:
            return JoinVerdict.TOO_MANY
        known = len(self.proc_set) + len(self.fail_set)
        self.proc_set |= proc_set
        if self.my_id in fail_set:
            self.fail_set.add(sender)
        elif sender in self.memb:
            self.fail_set |= fail_set
        learned = len(self.proc_set) + len(self.fail_set) > known
        return JoinVerdict.MERGED if learned else JoinVerdict.IGNORED

    def alone(self) -> None:
        """Want a ring of ourselves only, as after failing to receive."""
        self.failed_to_recv = False
        self.proc_set = {self.my_id}
        self.fail_set = set()

    def install(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """
        Make new_memb the membership.

        :return: who left and who joined, ascending.
        """
        left = tuple(sorted(set(self.memb) - set(self.trans_memb)))
        joined = tuple(sorted(set(self.new_memb) - set(self.trans_memb)))
        self.memb = self.new_memb
        self.proc_set = set(self.new_memb)
        self.fail_set = set()
        self.consensus = set()
        return left, joined

    def left_without_leave(self, left: Iterable[int]) -> list[int]:
        """List those of ``left`` that did not say good-bye; forgets the good-byes."""
        failed = [nodeid for nodeid in left if nodeid not in self.said_leave]
        self.said_leave = set()
        return failed
