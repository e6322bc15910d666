"""
The decision: are we quorate.

More than half of what is expected and of what is there makes a cluster quorate; two_node,
wait_for_all, auto_tie_breaker and a quorum device's master change that. No message and no clock.

Source: Corosync exec/votequorum.c calculate_quorum, are_we_quorate, recalculate_quorum,
check_auto_tie_breaker, check_qdevice_master; man votequorum(5).
Deviation: the quorum is not cut to eight bits, and sums of votes do not wrap at 32.
"""

from typing import Final, Protocol

from corosync_tw.services.votequorum.nodes import NodeState, NodeTable, VotingNode, rank
from corosync_tw.services.votequorum.params import TieBreaker, TieBreakerRule, VotingMode
from corosync_tw.services.votequorum.wire import NodeFlags

# The largest number that fits the wire.
VOTES_MAX: Final = 0xFFFFFFFF


def quorum_needed(
    highest_expected: int, total_votes: int, total_nodes: int, two_node: bool, at_least: int
) -> int:
    """
    Work out how many votes make a cluster quorate.

    The formula of OpenVMS: more than half of what is expected and of what is there.

    :param at_least: quorum never falls below this; 0 when a decrease is allowed.
    Source: votequorum.c calculate_quorum.
    """
    if two_node and total_nodes <= 2:
        return 1
    return max((highest_expected + 2) // 2, (total_votes + 2) // 2, at_least)


def list_breaks_tie(
    nodes: tuple[int, ...], members: tuple[int, ...], previous: tuple[int, ...]
) -> bool:
    """
    Decide a tie by a list of nodes.

    The first node of the list that is here decides for us, unless one before it was in the
    partition before: that one may live on the other side.

    :param previous: members before the last change.
    """
    for index, nodeid in enumerate(nodes):
        if nodeid in members:
            return not any(earlier in previous for earlier in nodes[:index])
    return False


class VotingObserver(Protocol):
    """Who is told what follows from a count."""

    def votes_counted(self, total_votes: int) -> None:
        """So many votes are there, before anything follows from it."""

    def expected_votes_changed(self) -> None:
        """More votes came than were expected."""

    def barrier_raised(self, ev_tracking_barrier: int) -> None:
        """Expected votes are higher than ever."""

    def quorum_changed(self) -> None:
        """The answer is another one."""

    def waiting_for_all(self, total_votes: int) -> None:
        """Votes are missing to the first quorum."""


class Voting:
    """
    Votes of all known nodes and the quorum made of them.

    :ivar quorum: votes needed; only an allowed decrease lowers it.
    :ivar mode: which rules hold.
    :ivar wait_for_all_status: still waiting to see all nodes at once; None while the rule never
        was looked at.
    :ivar lowest: lowest node of the last partition that had enough votes; None before that;
        likewise highest.
    :ivar ev_barrier: expected votes as configured, below which downscaling does not go.
    :ivar ev_tracking_barrier: highest expected votes ever seen; None when they are not tracked.
    :ivar master_wins: a partition with the master of a quorum device is quorate.
    :ivar members: of the ring; likewise previous_members of the one before.
    """

    def __init__(
        self,
        us: VotingNode,
        mode: VotingMode,
        observer: VotingObserver,
        *,
        allow_downscale: bool,
        ev_tracking_barrier: int | None,
    ) -> None:
        self.nodes = NodeTable(us)
        self.mode = mode
        self._observer = observer
        self.allow_downscale = allow_downscale
        self.ev_tracking_barrier = ev_tracking_barrier
        self.ev_barrier = us.expected_votes
        self.quorum = 0
        self.quorate = False
        self.wait_for_all_status: bool | None = None
        self.lowest: int | None = None
        self.highest: int | None = None
        self.master_wins = False
        self.members: tuple[int, ...] = ()
        self.previous_members: tuple[int, ...] = ()

    @property
    def us(self) -> VotingNode:
        """Our own entry."""
        return self.nodes.us

    def mark_lost(self, members: tuple[int, ...]) -> bool:
        """Mark those dead who are not in a new ring; tell whether there are any."""
        lost = [nodeid for nodeid in self.members if nodeid not in members]
        for nodeid in lost:
            node = self.nodes.find(nodeid)
            if node is not None:
                node.state = NodeState.DEAD
        return bool(lost)

    def set_members(self, members: tuple[int, ...]) -> None:
        """Take the members of a new ring."""
        self.previous_members, self.members = self.members, members

    def set_wait_for_all_status(self, waiting: bool) -> None:
        """Begin to wait for all nodes, or end it."""
        self.wait_for_all_status = waiting
        if waiting:
            self.us.flags |= NodeFlags.WFASTATUS
        else:
            self.us.flags &= ~NodeFlags.WFASTATUS

    def recalculate(self, *, allow_decrease: bool = False, by_current_nodes: bool = False) -> None:
        """
        Count and decide.

        :param allow_decrease: quorum may fall.
        :param by_current_nodes: expect as many votes as there are nodes.
        """
        nodes = self.nodes
        us = nodes.us
        members = nodes.members()
        device_votes = nodes.device.votes
        votes_there = min(sum(n.votes for n in members) + device_votes, VOTES_MAX)
        self._observer.votes_counted(votes_there)
        if votes_there > us.expected_votes:
            us.expected_votes = votes_there
            self._observer.expected_votes_changed()
        self._track_expected_votes()
        node_count = len(members) + (device_votes > 0) if by_current_nodes else 0
        self.quorum, total_votes = self.needed(
            allow_decrease, node_count, downscale=self.allow_downscale
        )
        nodes.set_expected_votes(node_count)
        self._decide(total_votes)

    def needed(
        self, allow_decrease: bool, expected_votes: int, *, downscale: bool
    ) -> tuple[int, int]:
        """
        Work out the votes needed and the votes there are.

        :param expected_votes: instead of what the nodes expect, unless 0.
        :param downscale: expected_votes may fall to what is configured, not below.
        """
        if downscale and allow_decrease and expected_votes:
            expected_votes = max(self.ev_barrier, expected_votes)
        members = self.nodes.members()
        total_votes = sum(n.votes for n in members)
        total_nodes = len(members)
        if self.us.flags & NodeFlags.QDEVICE_CAST_VOTE:
            total_votes += self.nodes.device.votes
            total_nodes += 1
        highest_expected = expected_votes or max((n.expected_votes for n in members), default=0)
        at_least = 0 if allow_decrease else self.quorum
        two_node = self.mode.two_node
        quorum = quorum_needed(highest_expected, total_votes, total_nodes, two_node, at_least)
        return quorum, total_votes

    @property
    def lowest_is_here(self) -> bool:
        """Whether the lowest node of the last quorate partition is still a member."""
        return self._is_member(self.lowest)

    def _is_member(self, nodeid: int | None) -> bool:
        node = None if nodeid is None else self.nodes.by_id.get(nodeid)
        return node is not None and node.state is NodeState.MEMBER

    def _track_expected_votes(self) -> None:
        barrier = self.ev_tracking_barrier
        if barrier is not None and self.us.expected_votes > barrier:
            self.ev_tracking_barrier = self.us.expected_votes
            self._observer.barrier_raised(self.us.expected_votes)

    def _decide(self, total_votes: int) -> None:
        us = self.us
        if self.mode.wait_for_all and self.wait_for_all_status:
            if total_votes != us.expected_votes:
                self._observer.waiting_for_all(total_votes)
                return
            self.set_wait_for_all_status(False)
        quorate = total_votes >= self.quorum
        if quorate:
            self._note_ends()
        quorate = quorate or self._breaks_tie(total_votes) or self._has_master()
        changed = quorate != self.quorate
        self.quorate = quorate
        if quorate:
            us.flags |= NodeFlags.QUORATE
        else:
            us.flags &= ~NodeFlags.QUORATE
        if self.mode.wait_for_all:
            self.set_wait_for_all_status(not quorate)
        if changed:
            self._observer.quorum_changed()

    def _note_ends(self) -> None:
        nodeids = [n.nodeid for n in self.nodes.members()] + [self.us.nodeid]
        self.lowest = min(nodeids, key=rank)
        self.highest = max(nodeids, key=rank)

    def _breaks_tie(self, total_votes: int) -> bool:
        """
        Decide for exactly half of the expected votes, rounded down.

        Not when those who went may have quorum by themselves.
        """
        rule: TieBreakerRule = self.mode.tie_breaker
        if (
            rule.kind is TieBreaker.NONE
            or total_votes != self.us.expected_votes // 2
            or len(self.previous_members) - len(self.members) >= self.quorum
        ):
            return False
        if rule.kind is TieBreaker.LOWEST:
            return self.lowest_is_here
        if rule.kind is TieBreaker.HIGHEST:
            return self._is_member(self.highest)
        return list_breaks_tie(rule.nodes, self.members, self.previous_members)

    def _has_master(self) -> bool:
        wanted = NodeFlags.QDEVICE_MASTER_WINS | NodeFlags.QDEVICE_CAST_VOTE
        return self.master_wins and any(n.flags & wanted == wanted for n in self.nodes.members())
