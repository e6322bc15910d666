"""
What the votes of nodes and quorum device come to.

Source: Corosync exec/votequorum.c votequorum_readconfig, votequorum_qdevice_is_configured.
"""

from collections.abc import Sequence
from typing import Final

from corosync_tw.config.schema_services import QuorumConfig

# What the nodes have to have of the expected votes beside a quorum device.
NODE_VOTES_MIN: Final = 2


def device_votes(quorum: QuorumConfig, node_votes: Sequence[int]) -> int | None:
    """
    Work out the quorum device's votes: one less than the nodes', when all of these are 1.

    :param node_votes: of the nodelist.
    :return: None when there is no device, or no way to know its votes.
    """
    device = quorum.device
    if device is None or not device.model:
        return None
    expected_votes = quorum.expected_votes
    if device.votes is None:
        known = node_votes and not expected_votes and all(votes == 1 for votes in node_votes)
        return len(node_votes) - 1 if known else None
    if device.votes and expected_votes and expected_votes - device.votes < NODE_VOTES_MIN:
        return None
    return device.votes


def expected_votes(quorum: QuorumConfig, node_votes: Sequence[int]) -> int:
    """
    Work out what is expected: as written, or all votes of the nodelist.

    The device's votes come to those of the nodelist when they are worked out, not when written.
    With expected votes tracked, what is written counts only without a nodelist.

    :return: 0 when nothing says it.
    """
    tracked = quorum.expected_votes_tracking or quorum.allow_downscale
    if not node_votes or (quorum.expected_votes and not tracked):
        return quorum.expected_votes
    worked_out = quorum.device is not None and quorum.device.votes is None
    return sum(node_votes) + ((device_votes(quorum, node_votes) or 0) if worked_out else 0)
