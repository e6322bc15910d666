"""
The state of the node in readable lines, for SIGUSR2.

Source: Corosync exec/main.c, corosync_state_dump; the content is ours.
"""

from collections.abc import Iterator, Mapping
from dataclasses import fields, is_dataclass
from typing import Any, Final

from corosync_tw.logsys.traces import ring_id_text
from corosync_tw.services.stack import Stack

COUNTERS_PER_LINE: Final = 6
MEMBERS_PER_GROUP_MAX: Final = 128


def state_lines(stack: Stack, more: Mapping[str, object]) -> Iterator[str]:
    """
    Yield the lines.

    :param more: further records of counters by title: dataclasses or mappings.
    """
    yield f"state: {stack.srp.state.name}, ring id {ring_id_text(stack.ring_id)}"
    members = " ".join(str(nodeid) for nodeid in stack.members)
    yield f"members[{len(stack.members)}]: {members}"
    yield (
        f"quorate: {_yes(stack.quorate)}, synchronizing: {_yes(stack.sync_in_progress)},"
        f" send queue {stack.pg.queue_level * 100:.0f} % full"
    )
    for title, record in {"srp": stack.srp.stats, **more}.items():
        yield from _counters(title, record)
    yield from _groups(stack)


def _yes(value: bool) -> str:
    return "yes" if value else "no"


def _counters(title: str, record: object) -> Iterator[str]:
    words = [f"{name} {value}" for name, value in _items(record)]
    for start in range(0, len(words), COUNTERS_PER_LINE):
        yield f"{title}: {', '.join(words[start : start + COUNTERS_PER_LINE])}"


def _items(record: Any) -> list[tuple[str, object]]:
    if is_dataclass(record):
        return [(entry.name, getattr(record, entry.name)) for entry in fields(record)]
    return list(record.items())


def _groups(stack: Stack) -> Iterator[str]:
    for group in stack.cpg_groups():
        members = stack.cpg_membership(group)
        shown = ", ".join(f"{m.nodeid}/{m.pid}" for m in members[:MEMBERS_PER_GROUP_MAX])
        name = group.decode("utf-8", "backslashreplace")
        yield f"group {name}: {len(members)} processes (node/pid): {shown}"
