"""
What the processes on a node see: messages with their groups, views of the groups, rings, quorum.

Every message names its sender, the sender's incarnation and a running number, and its body follows
from these, so that a
swapped, cut or repeated byte is seen where it is delivered.
"""

from dataclasses import dataclass, field
from struct import Struct
from typing import Final, NamedTuple

from corosync_tw.corotypes import Buffer, RingId
from corosync_tw.prng import generator
from corosync_tw.services.effects import (
    CpgConfchg,
    CpgDeliver,
    CpgMember,
    QuorumChange,
    SyncDone,
    TotemConfchg,
)
from corosync_tw.sim.history import Violation

# nodeid, incarnation, index, index in its group, length of the body
_HEADER: Final = Struct("<IIIII")
_BLOB_LEN: Final = 1 << 18
_BLOB: Final = memoryview(generator(0, "message bodies").randbytes(2 * _BLOB_LEN))

AppMessageId = tuple[int, int, int]  # nodeid, incarnation, index


def message_body(index: int, len_bytes: int) -> memoryview:
    """The body of the message with this number."""
    start = index * 7919 % _BLOB_LEN
    return _BLOB[start : start + len_bytes]


class AppDelivery(NamedTuple):
    """A message that a group's process got; ``place`` counts its sender's messages to the group."""

    time_ns: int
    group: bytes
    message: AppMessageId
    place: int


class AppView(NamedTuple):
    """A membership that a group's process was told."""

    time_ns: int
    group: bytes
    members: tuple[tuple[int, int], ...]
    left: tuple[CpgMember, ...]
    joined: tuple[CpgMember, ...]


class AppRing(NamedTuple):
    """A configuration of the ring; regular ones begin a synchronization."""

    time_ns: int
    regular: bool
    ring_id: RingId
    members: tuple[int, ...]


class AppSync(NamedTuple):
    """The end of a synchronization."""

    time_ns: int
    ring_id: RingId
    members: tuple[int, ...]


class AppQuorum(NamedTuple):
    """A quorum view."""

    time_ns: int
    quorate: bool
    members: tuple[int, ...]
    ring_id: RingId


class AppPart(NamedTuple):
    """A process is out of its group, by leaving or by dying."""

    time_ns: int
    group: bytes


AppEvent = AppDelivery | AppView | AppPart | AppRing | AppSync | AppQuorum


@dataclass(slots=True)
class AppLog:
    """
    One incarnation of one node, seen from its processes.

    :ivar next_index: number of the next message of ours; those below it were accepted.
    :ivar places: how many of them each group got.
    :ivar parted: a process was out of its group for a while.
    :ivar violations: what a delivery alone showed to be wrong.
    """

    nodeid: int
    incarnation: int
    next_index: int = 0
    places: dict[bytes, int] = field(default_factory=dict)
    failed_at_ns: int | None = None
    parted: bool = False
    events: list[AppEvent] = field(default_factory=list)
    violations: list[Violation] = field(default_factory=list)

    def peek_message(self, len_bytes: int, group: bytes = b"") -> tuple[bytes, memoryview]:
        """Make the next message without counting it as sent."""
        body_len = max(0, len_bytes - _HEADER.size)
        index, place = self.next_index, self.places.get(group, 0)
        header = _HEADER.pack(self.nodeid, self.incarnation, index, place, body_len)
        return header, message_body(index, body_len)

    def accept_message(self, group: bytes = b"") -> None:
        """Count the message last made as sent."""
        self.next_index += 1
        self.places[group] = self.places.get(group, 0) + 1

    def new_message(self, len_bytes: int) -> tuple[bytes, memoryview]:
        """Make the next message and count it as sent."""
        message = self.peek_message(len_bytes)
        self.accept_message()
        return message

    def deliver(self, time_ns: int, effect: CpgDeliver) -> None:
        """Write down a delivery after a look at every byte."""
        found = read_message(effect.data)
        if found is None or found[0][0] != effect.nodeid:
            text = f"{len(effect.data)} bytes from {effect.nodeid} in {effect.group!r} are damaged"
            self.violations.append(Violation("content", time_ns, (self.nodeid,), text))
        else:
            self.events.append(AppDelivery(time_ns, effect.group, *found))

    def own_deliveries(self) -> int:
        """Count the messages of this incarnation that it got back."""
        own = (self.nodeid, self.incarnation)
        return sum(isinstance(e, AppDelivery) and e.message[:2] == own for e in self.events)

    def view(self, time_ns: int, effect: CpgConfchg) -> None:
        """Write down a view of a group."""
        members = tuple((m.nodeid, m.pid) for m in effect.members)
        self.events.append(AppView(time_ns, effect.group, members, effect.left, effect.joined))

    def part(self, time_ns: int, group: bytes) -> None:
        """Write down that a process is out of its group."""
        self.parted = True
        self.events.append(AppPart(time_ns, group))

    def ring(self, time_ns: int, effect: TotemConfchg) -> None:
        """Write down a configuration of the ring."""
        self.events.append(AppRing(time_ns, effect.kind == 0, effect.ring_id, effect.members))

    def sync_done(self, time_ns: int, effect: SyncDone) -> None:
        """Write down the end of a synchronization."""
        self.events.append(AppSync(time_ns, effect.ring_id, effect.members))

    def quorum(self, time_ns: int, effect: QuorumChange) -> None:
        """Write down a quorum view."""
        self.events.append(AppQuorum(time_ns, effect.quorate, effect.members, effect.ring_id))

    def fatal(self, time_ns: int, effect: object) -> None:
        """A node of the simulator has no reason to end by itself."""
        self.violations.append(Violation("no fatal error", time_ns, (self.nodeid,), repr(effect)))


def read_message(data: Buffer) -> tuple[AppMessageId, int] | None:
    """Tell which message this is, and its place; None if any byte is not as it was sent."""
    if len(data) < _HEADER.size:
        return None
    nodeid, incarnation, index, place, body_len = _HEADER.unpack_from(data)
    if len(data) - _HEADER.size != body_len:
        return None
    if memoryview(data)[_HEADER.size :] != message_body(index, body_len):
        return None
    return (nodeid, incarnation, index), place
