"""
The nodes that ever told their votes, the dead remain.

Source: Corosync exec/votequorum.c struct cluster_node, allocate_node, node_add_ordered,
find_node_by_nodeid, get_total_votes.
"""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from corosync_tw.corotypes import PROCESSOR_COUNT_MAX
from corosync_tw.services.votequorum.wire import QDEVICE_NODEID, NodeFlags

_SIGN_BIT: Final = 1 << 31


class NodeState(IntEnum):
    """A node as we know it (nodestate_t); NONE is the quorum device's."""

    NONE = 0
    MEMBER = 1
    DEAD = 2
    LEAVING = 3


@dataclass(slots=True)
class VotingNode:
    """What a node told us last."""

    nodeid: int
    state: NodeState
    votes: int = 0
    expected_votes: int = 0
    flags: NodeFlags = NodeFlags.NONE


def rank(nodeid: int) -> int:
    """
    Give the number by which nodes are lower or higher than others.

    A nodeid is a signed number here, as in Corosync: all nodes must name the same lowest one.
    """
    return (nodeid ^ _SIGN_BIT) - _SIGN_BIT


class NodeTable:
    """
    All known nodes, in the order in which clients see them.

    :ivar us: our own entry; its expected_votes may grow with the cluster.
    :ivar device: the quorum device as the cluster sees it, not in ``by_id``.
    :ivar by_id: ourselves too.
    """

    def __init__(self, us: VotingNode) -> None:
        self.us = us
        self.device = VotingNode(QDEVICE_NODEID, NodeState.NONE)
        self.by_id = {us.nodeid: us}
        self._order = [us]

    def __iter__(self) -> Iterator[VotingNode]:
        """Go through all nodes but the device."""
        return iter(self._order)

    def find(self, nodeid: int) -> VotingNode | None:
        """Find a node, or the device by QDEVICE_NODEID."""
        return self.device if nodeid == QDEVICE_NODEID else self.by_id.get(nodeid)

    def add(self, nodeid: int, needed: Collection[int]) -> VotingNode:
        """
        Add a node that is not there, before the first that is higher.

        One that is higher than all comes before the last, as in Corosync.

        :param needed: nodes that stay when the table is full; the others are forgotten.
        """
        if len(self.by_id) >= PROCESSOR_COUNT_MAX:
            self._forget_all_but(needed)
        node = self.by_id[nodeid] = VotingNode(nodeid, NodeState.DEAD)
        higher = (i for i, other in enumerate(self._order) if rank(nodeid) < rank(other.nodeid))
        self._order.insert(next(higher, len(self._order) - 1), node)
        return node

    def members(self) -> list[VotingNode]:
        """List the nodes that count."""
        return [node for node in self._order if node.state is NodeState.MEMBER]

    def set_expected_votes(self, expected_votes: int) -> None:
        """Have all members expect so many votes, unless it is 0."""
        if expected_votes:
            for node in self.members():
                node.expected_votes = expected_votes

    def _forget_all_but(self, needed: Collection[int]) -> None:
        kept = [node for node in self._order if node.nodeid in needed or node is self.us]
        self._order = kept
        self.by_id = {node.nodeid: node for node in kept}
