"""
What a count of votes was made of, in Corosync's words, for somebody who looks for a fault.

Source: Corosync exec/votequorum.c, decode_flags, message_handler_req_exec_votequorum_nodeinfo,
recalculate_quorum.
"""

from collections.abc import Iterator
from typing import Final

from corosync_tw.services.votequorum.wire import NodeFlags, NodeInfo

_FLAGS: Final = (
    ("quorate", NodeFlags.QUORATE),
    ("Leaving", NodeFlags.LEAVING),
    ("WFA Status", NodeFlags.WFASTATUS),
    ("First", NodeFlags.FIRST),
    ("Qdevice", NodeFlags.QDEVICE_REGISTERED),
    ("QdeviceAlive", NodeFlags.QDEVICE_ALIVE),
    ("QdeviceCastVote", NodeFlags.QDEVICE_CAST_VOTE),
    ("QdeviceMasterWins", NodeFlags.QDEVICE_MASTER_WINS),
)


def nodeinfo_texts(sender: int, info: NodeInfo) -> Iterator[str]:
    """Say what a node tells of its votes, or of its quorum device's."""
    yield f"got nodeinfo message from cluster node {sender}"
    votes = f"votes: {info.votes}, expected: {info.expected_votes} flags: {info.flags}"
    yield f"nodeinfo message[{info.nodeid}]: {votes}"
    if info.nodeid:
        said = (f"{name}: {'Yes' if info.flags & flag else 'No'}" for name, flag in _FLAGS)
        yield f"flags: {' '.join(said)}"


def count_text(total_votes: int, expected_votes: int) -> str:
    """Say how many votes there are."""
    return f"total_votes={total_votes}, expected_votes={expected_votes}"


def quorum_text(*, quorate: bool) -> str:
    """Say that quorum was won or lost."""
    return "quorum regained, resuming activity" if quorate else "quorum lost, blocking activity"
