"""
Reassembly of messages that a client library sent in parts, because they are larger than one message
may be.

Corosync's daemon hands the parts to the client, and libcpg puts them together; our clients get
whole messages.
Source: Corosync lib/cpg.c cpg_dispatch, MESSAGE_RES_CPG_PARTIAL_DELIVER_CALLBACK.
"""

from dataclasses import dataclass, field
from typing import Final, NamedTuple

from corosync_tw.services.cpg.wire import PartialMcast, PartialType

PARTIAL_MESSAGE_LEN_MAX: Final = 64 * 1024 * 1024
PARTIAL_BYTES_MAX: Final = 256 * 1024 * 1024
# Messages under way at once.
ASSEMBLIES_MAX: Final = 4096


class PartialKey(NamedTuple):
    """A sending connection; ``conn`` is whatever number its node gave it."""

    group: bytes
    nodeid: int
    pid: int
    conn: int


@dataclass(slots=True)
class _Assembly:
    msglen: int
    receivers: tuple[int, ...]
    data: bytearray = field(default_factory=bytearray)


class PartialAssembler:
    """
    Unfinished messages, one a sending connection.

    :ivar dropped: messages given up: too large, too many, or not as long as announced.
    """

    def __init__(self) -> None:
        self._assemblies: dict[PartialKey, _Assembly] = {}
        self._held_bytes = 0
        self.dropped = 0

    def add(
        self, nodeid: int, part: PartialMcast, receivers: tuple[int, ...]
    ) -> tuple[bytearray, tuple[int, ...]] | None:
        """
        Take a part; give the message and its receivers when it was the last one.

        :param receivers: connections in the group now. Who joined after the first part does not get
        the message.
        """
        key = PartialKey(part.group, nodeid, part.pid, part.conn)
        if part.kind == PartialType.FIRST:
            self._discard(key)
            if part.msglen > PARTIAL_MESSAGE_LEN_MAX or len(self._assemblies) >= ASSEMBLIES_MAX:
                self.dropped += 1
                return None
            self._assemblies[key] = _Assembly(part.msglen, receivers)
        assembly = self._assemblies.get(key)
        if assembly is None:
            return None
        length = len(part.data)
        if (
            len(assembly.data) + length > assembly.msglen
            or self._held_bytes + length > PARTIAL_BYTES_MAX
        ):
            self.dropped += 1
            self._discard(key)
            return None
        assembly.data += part.data
        self._held_bytes += length
        if part.kind != PartialType.LAST:
            return None
        self._discard(key)
        if len(assembly.data) != assembly.msglen:
            self.dropped += 1
            return None
        still_there = set(receivers)
        return assembly.data, tuple(c for c in assembly.receivers if c in still_there)

    def forget_process(self, group: bytes, nodeid: int, pid: int) -> None:
        """Drop what a process that left had begun."""
        for key in [k for k in self._assemblies if k[:3] == (group, nodeid, pid)]:
            self._discard(key)

    def _discard(self, key: PartialKey) -> None:
        assembly = self._assemblies.pop(key, None)
        if assembly is not None:
            self._held_bytes -= len(assembly.data)
