"""
What libvotequorum offers: votes, how many are expected, the quorum device.

Source: Corosync lib/votequorum.c.
"""

from struct import Struct
from typing import Final, NamedTuple

from corosync_tw.client.qb.connection import Connection, connect
from corosync_tw.client.qb.faults import ForeignBytes
from corosync_tw.corotypes import RingId, TrackFlags
from corosync_tw.services.lib_requests import RESPONSE_HEADER, RESPONSE_HEADER_LEN
from corosync_tw.services.votequorum.lib_wire import (
    GETINFO,
    GETINFO_RESPONSE_LEN,
    NAME,
    NODELIST,
    NUMBER,
    SETVOTES,
    TRACKSTART,
    VotequorumRequest,
    VotequorumResponse,
)
from corosync_tw.services.votequorum.report import InfoFlags, NodeVotes

_NODEIDS_AT: Final = RESPONSE_HEADER_LEN + NODELIST.size


class NodeList(NamedTuple):
    """A ring and its members."""

    ring_id: RingId
    nodeids: tuple[int, ...]


class Votequorum:
    """A connection to the service; methods raise CsError."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def info(self, nodeid: int) -> NodeVotes:
        """Ask for a node's votes and the cluster's. Raises: CsNotExist."""
        answer = self._connection.request(
            VotequorumRequest.GETINFO, NUMBER.pack(nodeid), GETINFO_RESPONSE_LEN
        )
        info = NodeVotes._make(GETINFO.unpack_from(answer, RESPONSE_HEADER_LEN))
        return info._replace(
            flags=InfoFlags(info.flags), qdevice_name=info.qdevice_name.partition(b"\0")[0]
        )

    def set_votes(self, nodeid: int, votes: int) -> None:
        """Give a node this many votes."""
        self._connection.request(VotequorumRequest.SETVOTES, SETVOTES.pack(votes, nodeid))

    def set_expected(self, votes: int) -> None:
        """Expect this many votes of the whole cluster."""
        self._connection.request(VotequorumRequest.SETEXPECTED, NUMBER.pack(votes))

    def unregister_qdevice(self, name: bytes) -> None:
        """End the registration of the quorum device of this name."""
        self._connection.request(VotequorumRequest.QDEVICE_UNREGISTER, NAME.pack(name))

    def track(self, flags: TrackFlags) -> None:
        """Ask to be told; of the present state, of changes, or both."""
        self._connection.request(VotequorumRequest.TRACKSTART, TRACKSTART.pack(0, flags))

    def node_list(self) -> NodeList:
        """Wait for the next list of members; other notifications are thrown away."""
        while True:
            event = self._connection.event()
            if event is not None and _is_node_list(event):
                return _node_list(event)


def _is_node_list(event: bytes) -> bool:
    kind: int = RESPONSE_HEADER.unpack_from(event)[0]
    return kind == VotequorumResponse.NODELIST_NOTIFICATION


def _node_list(event: bytes) -> NodeList:
    if len(event) < _NODEIDS_AT:
        raise ForeignBytes(f"a list of nodes of {len(event)} bytes")
    _, rep, seq, count = NODELIST.unpack_from(event, RESPONSE_HEADER_LEN)
    if _NODEIDS_AT + count * 4 > len(event):
        raise ForeignBytes(f"{count} nodes in {len(event)} bytes")
    nodeids = Struct(f"={count}I").unpack_from(event, _NODEIDS_AT)
    return NodeList(RingId(rep, seq), nodeids)


def connect_votequorum(timeout_s: float | None = None) -> Votequorum:
    """Connect to this machine's daemon. Raises: CsError."""
    return Votequorum(connect("votequorum", timeout_s))
