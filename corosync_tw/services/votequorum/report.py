"""
What votequorum shows of itself.

Source: Corosync exec/votequorum.c message_handler_req_lib_votequorum_getinfo and its calls of
icmap_set; include/corosync/ipc_votequorum.h VOTEQUORUM_INFO_*.
"""

from enum import IntFlag
from typing import NamedTuple

from corosync_tw.services.votequorum.nodes import VotingNode
from corosync_tw.services.votequorum.voting import Voting
from corosync_tw.services.votequorum.wire import NodeFlags


class InfoFlags(IntFlag):
    """What holds in the cluster and at a node, as clients see it."""

    NONE = 0
    TWONODE = 1
    QUORATE = 2
    WAIT_FOR_ALL = 4
    LAST_MAN_STANDING = 8
    AUTO_TIE_BREAKER = 16
    ALLOW_DOWNSCALE = 32
    QDEVICE_REGISTERED = 64
    QDEVICE_ALIVE = 128
    QDEVICE_CAST_VOTE = 256
    QDEVICE_MASTER_WINS = 512


class NodeVotes(NamedTuple):
    """
    A node and the votes of the cluster (struct votequorum_info).

    :ivar highest_expected: of all members.
    :ivar total_votes: of all members, and of the device if this node has its vote.
    """

    nodeid: int
    state: int
    votes: int
    expected_votes: int
    highest_expected: int
    total_votes: int
    quorum: int
    flags: InfoFlags
    qdevice_votes: int
    qdevice_name: bytes


class RuntimeValues(NamedTuple):
    """The keys runtime.votequorum.*; None for one that does not exist."""

    this_node_id: int
    two_node: int
    ev_barrier: int
    wait_for_all_status: int | None
    atb_type: int | None
    lowest_node_id: int | None
    highest_node_id: int | None
    ev_tracking_barrier: int | None
    qdevice_can_operate: int | None
    qdevice_master_wins: int | None


def node_votes(
    voting: Voting, node: VotingNode, qdevice_name: bytes, last_man_standing: bool
) -> NodeVotes:
    """Tell of a node, and of the cluster as it looks from there."""
    members = voting.nodes.members()
    device_votes = voting.nodes.device.votes
    total_votes = sum(n.votes for n in members)
    if node.flags & NodeFlags.QDEVICE_CAST_VOTE:
        total_votes += device_votes
    return NodeVotes(
        node.nodeid,
        node.state,
        node.votes,
        node.expected_votes,
        max((n.expected_votes for n in members), default=0),
        total_votes,
        voting.quorum,
        _info_flags(voting, node, last_man_standing),
        device_votes,
        qdevice_name,
    )


def _info_flags(voting: Voting, node: VotingNode, last_man_standing: bool) -> InfoFlags:
    holds = (
        (InfoFlags.TWONODE, voting.mode.two_node),
        (InfoFlags.QUORATE, voting.quorate),
        (InfoFlags.WAIT_FOR_ALL, voting.mode.wait_for_all),
        (InfoFlags.LAST_MAN_STANDING, last_man_standing),
        (InfoFlags.AUTO_TIE_BREAKER, voting.mode.tie_breaker.kind),
        (InfoFlags.ALLOW_DOWNSCALE, voting.allow_downscale),
        (InfoFlags.QDEVICE_REGISTERED, node.flags & NodeFlags.QDEVICE_REGISTERED),
        (InfoFlags.QDEVICE_ALIVE, node.flags & NodeFlags.QDEVICE_ALIVE),
        (InfoFlags.QDEVICE_CAST_VOTE, node.flags & NodeFlags.QDEVICE_CAST_VOTE),
        (InfoFlags.QDEVICE_MASTER_WINS, node.flags & NodeFlags.QDEVICE_MASTER_WINS),
    )
    flags = InfoFlags.NONE
    for flag, held in holds:
        if held:
            flags |= flag
    return flags
