"""
What a stack asks of its driver, beyond the effects of the protocol core.

A driver executes the effects of one poll in order. The effects of the core that pass through
unchanged are SendToken, SendMcast, StoreRingId and Trace.
"""

from dataclasses import dataclass
from typing import NamedTuple

from corosync_tw.corotypes import Buffer, ConfChangeType, RingId
from corosync_tw.totem.effects import SendMcast, SendToken, StoreRingId, Trace


class CpgMember(NamedTuple):
    """
    A process of a group.

    :ivar reason: a CpgReason, why it joined or left; 0 in lists of members.
    """

    nodeid: int
    pid: int
    reason: int


@dataclass(slots=True)
class CpgDeliver:
    """
    A message of a group for one local connection.

    :ivar nodeid: of the sender; likewise pid.
    :ivar seq: sequence number of the totem message that completed it, in the ring that ordered it.
    :ivar data: a view into the receive buffer: copy it if it has to outlive the driver's batch.
    """

    conn: int
    group: bytes
    nodeid: int
    pid: int
    seq: int
    data: Buffer


@dataclass(slots=True)
class CpgConfchg:
    """
    A group's membership changed, for one local connection.

    :ivar members: the new membership by ascending (nodeid, pid).
    :ivar left: who left since the last change, with the reason.
    :ivar joined: who joined, with the reason; ourselves too.
    """

    conn: int
    group: bytes
    members: tuple[CpgMember, ...]
    left: tuple[CpgMember, ...]
    joined: tuple[CpgMember, ...]


@dataclass(slots=True)
class TotemConfchg:
    """
    A configuration of the ring begins; synchronization starts with a REGULAR one and ends with
    SyncDone.
    """

    kind: ConfChangeType
    ring_id: RingId
    members: tuple[int, ...]
    left: tuple[int, ...]
    joined: tuple[int, ...]


@dataclass(slots=True)
class QuorumChange:
    """The quorum view, after every synchronization and whenever the answer changes."""

    quorate: bool
    members: tuple[int, ...]
    ring_id: RingId


@dataclass(slots=True)
class SyncDone:
    """
    All services are synchronized in this ring: clients may send again.

    :ivar safe_supported: every member delivers SAFE messages.
    """

    ring_id: RingId
    members: tuple[int, ...]
    safe_supported: bool


@dataclass(slots=True)
class FatalError:
    """
    This node must end.

    :ivar text: for the log, as Corosync words it.
    :ivar exit_code: of the process.
    :ivar leave_first: leave the ring cleanly before ending.
    :ivar subsys: whose line the text is; ``level`` is the lower-case name of its priority.
    """

    text: str
    exit_code: int
    leave_first: bool
    subsys: str = "MAIN"
    level: str = "error"


class LocalEffect:
    """
    Base of effects that one service defines for its own clients, in its own package.

    The daemon routes an effect by its class to the handlers that ask for it.
    """

    __slots__ = ()


ServiceEffect = (
    LocalEffect | CpgDeliver | CpgConfchg | TotemConfchg | QuorumChange | SyncDone | FatalError
)
StackEffect = SendToken | SendMcast | StoreRingId | Trace | ServiceEffect
