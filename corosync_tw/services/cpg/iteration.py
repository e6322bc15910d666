"""
The lists that cpg_iteration_next walks: a copy of who is in which group, sorted as Corosync does.

Corosync puts a process of a group that it has already behind the first of that group, and a new
group before all others; cpgtool prints that order.
Source: Corosync exec/cpg.c message_handler_req_lib_cpg_iteration_initialize.
"""

from collections.abc import Iterable
from enum import IntEnum


class IterationType(IntEnum):
    """What is listed (cpg.h, cpg_iteration_type_t)."""

    NAME_ONLY = 1
    ONE_GROUP = 2
    ALL = 3


def snapshot(
    processes: Iterable[tuple[int, int, bytes]], kind: IterationType, name: bytes
) -> tuple[tuple[int, int, bytes], ...]:
    """
    List (nodeid, pid, group); both numbers are 0 in a list of names.

    :param processes: of all nodes, ascending.
    :param name: the one group, for ONE_GROUP.
    """
    by_group: dict[bytes, list[tuple[int, int, bytes]]] = {}
    for entry in processes:
        if kind is not IterationType.ONE_GROUP or entry[2] == name:
            by_group.setdefault(entry[2], []).append(entry)
    groups = reversed(by_group.items())
    if kind is IterationType.NAME_ONLY:
        return tuple((0, 0, group) for group, _ in groups)
    return tuple(e for _, entries in groups for e in (entries[0], *reversed(entries[1:])))
