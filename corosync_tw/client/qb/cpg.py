"""
What libcpg offers to look at groups; to take part in them is for the client over PB.

Source: Corosync lib/cpg.c.
"""

from collections.abc import Iterator
from enum import IntEnum
from typing import Final, NamedTuple

from corosync_tw.client.qb.connection import Connection, connect
from corosync_tw.client.qb.faults import ForeignBytes
from corosync_tw.corotypes import CPG_MAX_NAME_LENGTH
from corosync_tw.errors import CsNoSections
from corosync_tw.services.cpg.lib_wire import (
    COUNT,
    HANDLE,
    HANDLE_BODY,
    HANDLE_RESPONSE_LEN,
    ITERATION,
    ITERATION_INITIALIZE,
    ITERATION_LEN,
    LOCAL_GET_LEN,
    CpgRequest,
)
from corosync_tw.services.lib_requests import RESPONSE_HEADER_LEN

ENTRIES_MAX: Final = 1_000_000


class Listing(IntEnum):
    """What an iteration lists (cpg_iteration_type_t)."""

    NAME_ONLY = 1
    ONE_GROUP = 2
    ALL = 3


class Entry(NamedTuple):
    """A process in a group; in a listing of names nodeid and pid are 0."""

    group: bytes
    nodeid: int
    pid: int


class Cpg:
    """A connection to the service; methods raise CsError."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection

    def close(self) -> None:
        """Hang up."""
        self._connection.close()

    def local_nodeid(self) -> int:
        """Ask for this node's id."""
        answer = self._connection.request(CpgRequest.LOCAL_GET, least_len=LOCAL_GET_LEN)
        nodeid: int = COUNT.unpack_from(answer, RESPONSE_HEADER_LEN)[0]
        return nodeid

    def iterate(self, listing: Listing, group: bytes = b"") -> Iterator[Entry]:
        """
        List groups or their members, in the daemon's order.

        :param group: for Listing.ONE_GROUP.
        Raises: CsError before the first entry or after any.
        """
        answer = self._connection.request(
            CpgRequest.ITERATION_INITIALIZE,
            ITERATION_INITIALIZE.pack(len(group), group, listing),
            HANDLE_RESPONSE_LEN,
        )
        handle = HANDLE.pack(HANDLE_BODY.unpack_from(answer, RESPONSE_HEADER_LEN)[0])
        return self._entries(handle)

    def _entries(self, handle: bytes) -> Iterator[Entry]:
        for _ in range(ENTRIES_MAX):
            try:
                answer = self._connection.request(CpgRequest.ITERATION_NEXT, handle, ITERATION_LEN)
            except CsNoSections:
                break
            length, name, nodeid, pid = ITERATION.unpack_from(answer, RESPONSE_HEADER_LEN)
            if length > CPG_MAX_NAME_LENGTH:
                raise ForeignBytes(f"a group name of {length} bytes")
            yield Entry(name[:length], nodeid, pid)
        self._connection.request(CpgRequest.ITERATION_FINALIZE, handle)


def connect_cpg(timeout_s: float | None = None) -> Cpg:
    """Connect to this machine's daemon. Raises: CsError."""
    return Cpg(connect("cpg", timeout_s))
