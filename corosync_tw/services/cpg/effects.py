"""What the cpg service tells its local connections beside CpgDeliver and CpgConfchg."""

from collections.abc import Iterator
from dataclasses import dataclass

from corosync_tw.corotypes import Buffer, RingId
from corosync_tw.services.effects import CpgDeliver, LocalEffect
from corosync_tw.totem.batch import MessageBatch


@dataclass(slots=True)
class CpgDeliverRun(LocalEffect):
    """
    Messages of one process to a group that follow each other in the total order.

    :ivar conns: local connections, each of which gets all of them; never empty.
    :ivar nodeid: of the sender; likewise pid.
    :ivar first: of the batch's messages; ``count`` of them are meant.
    :ivar skip: bytes of each message before what the application sent.
    """

    conns: tuple[int, ...]
    group: bytes
    nodeid: int
    pid: int
    batch: MessageBatch
    first: int
    count: int
    skip: int

    def expand(self) -> Iterator[CpgDeliver]:
        """Give each message for each connection by itself, in order."""
        batch, skip = self.batch, self.skip
        group, nodeid, pid = self.group, self.nodeid, self.pid
        for i in range(self.first, self.first + self.count):
            data = batch.whole(i)[skip:]
            seq = batch.seq(i)
            for conn in self.conns:
                yield CpgDeliver(conn, group, nodeid, pid, seq, data)


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
