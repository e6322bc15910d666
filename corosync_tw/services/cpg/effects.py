"""What the cpg service tells its local connections beside CpgDeliver and CpgConfchg."""

from dataclasses import dataclass

from corosync_tw.corotypes import Buffer, RingId
from corosync_tw.services.effects import LocalEffect


@dataclass(slots=True)
class CpgPart(LocalEffect):
    """
    A part of a message that was sent in parts, for a connection that joined with Wants.PARTS.

    :ivar nodeid: of the sender; likewise pid.
    :ivar kind: a PartialType; the parts of one message come in order, and sum up to ``msglen``.
    :ivar data: a view into the receive buffer: copy it if it has to outlive the driver's batch.
    """

    conn: int
    group: bytes
    nodeid: int
    pid: int
    kind: int
    msglen: int
    data: Buffer


@dataclass(slots=True)
class CpgTotemConfchg(LocalEffect):
    """
    The ring that the groups are in step with; comes behind the CpgConfchgs of its synchronization.

    :ivar conn: whom to tell; None for all connections, in a group or not.
    """

    conn: int | None
    ring_id: RingId
    members: tuple[int, ...]
