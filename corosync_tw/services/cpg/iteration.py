"""
The lists that cpg_iteration_next walks: a copy of who is in which group, sorted as Corosync does.

Corosync puts a process of a group that it has already behind the first of that group, and a new
group before all others; cpgtool prints that order.
Source: Corosync exec/cpg.c message_handler_req_lib_cpg_iteration_initialize.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from corosync_tw.errors import CsError, CsNoMemory, CsNoSections

# Of one connection: open iterations, and entries in all of them.
ITERATIONS_MAX: Final = 1024
ENTRIES_MAX: Final = 1_000_000

# (nodeid, pid, group)
Entry = tuple[int, int, bytes]


class IterationType(IntEnum):
    """What is listed (cpg.h, cpg_iteration_type_t)."""

    NAME_ONLY = 1
    ONE_GROUP = 2
    ALL = 3


def snapshot(processes: Iterable[Entry], kind: IterationType, name: bytes) -> tuple[Entry, ...]:
    """
    List (nodeid, pid, group); both numbers are 0 in a list of names.

    :param processes: of all nodes, ascending.
    :param name: the one group, for ONE_GROUP.
    """
    by_group: dict[bytes, list[Entry]] = {}
    for entry in processes:
        if kind is not IterationType.ONE_GROUP or entry[2] == name:
            by_group.setdefault(entry[2], []).append(entry)
    groups = reversed(by_group.items())
    if kind is IterationType.NAME_ONLY:
        return tuple((0, 0, group) for group, _ in groups)
    return tuple(e for _, entries in groups for e in (entries[0], *reversed(entries[1:])))


@dataclass(slots=True)
class _Walk:
    entries: tuple[Entry, ...]
    position: int = 0


class Iterations:
    """
    The iterations of local connections.

    :param take: makes a list as it is now.
    """

    def __init__(self, take: Callable[[IterationType, bytes], tuple[Entry, ...]]) -> None:
        self._take = take
        self._walks: dict[int, dict[int, _Walk]] = {}
        self._last_handle = 0

    def initialize(self, conn: int, kind: IterationType, name: bytes) -> int:
        """
        Begin an iteration and give its handle, which is valid in this connection.

        Raises CsNoMemory: ITERATIONS_MAX or ENTRIES_MAX is reached.
        """
        walks = self._walks.setdefault(conn, {})
        entries = self._take(kind, name)
        held = sum(len(walk.entries) for walk in walks.values()) if entries else 0
        if len(walks) >= ITERATIONS_MAX or held + len(entries) > ENTRIES_MAX:
            raise CsNoMemory(f"{len(walks)} iterations over {held} entries")
        self._last_handle += 1
        walks[self._last_handle] = _Walk(entries)
        return self._last_handle

    def next(self, conn: int, handle: int) -> Entry:
        """
        Give the next entry.

        Raises CsError: no such handle. CsNoSections: there is none; the call after that begins
        anew, as with Corosync.
        """
        walk = self._walks.get(conn, {}).get(handle)
        if walk is None:
            raise CsError(f"no iteration {handle}")
        if walk.position == len(walk.entries):
            walk.position = 0
            raise CsNoSections("the end of the iteration")
        walk.position += 1
        return walk.entries[walk.position - 1]

    def finalize(self, conn: int, handle: int) -> None:
        """
        End an iteration.

        Raises CsError: no such handle.
        """
        if self._walks.get(conn, {}).pop(handle, None) is None:
            raise CsError(f"no iteration {handle}")

    def forget(self, conn: int) -> None:
        """End all iterations of a connection that is gone."""
        self._walks.pop(conn, None)
