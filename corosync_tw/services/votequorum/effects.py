"""What votequorum tells its clients, the log and the disk."""

from dataclasses import dataclass

from corosync_tw.corotypes import RingId
from corosync_tw.services.effects import LocalEffect

# A client that asked for news, by its connection, and the number it gave with it.
Tracker = tuple[int, int]


@dataclass(slots=True)
class QuorumNotification(LocalEffect):
    """
    The quorum state, after every synchronization and when it changes.

    :ivar trackers: who is to be told.
    :ivar nodes: nodeid and NodeState of all known nodes; the quorum device last, if registered.
    """

    trackers: tuple[Tracker, ...]
    quorate: bool
    nodes: tuple[tuple[int, int], ...]


@dataclass(slots=True)
class NodelistNotification(LocalEffect):
    """The members of a new ring, when its synchronization begins."""

    trackers: tuple[Tracker, ...]
    ring_id: RingId
    members: tuple[int, ...]


@dataclass(slots=True)
class ExpectedVotesNotification(LocalEffect):
    """The expected votes changed."""

    trackers: tuple[Tracker, ...]
    expected_votes: int


@dataclass(slots=True)
class QdeviceRegistered(LocalEffect):
    """
    The answer to a registration of a quorum device.

    :ivar error: a cs_error_t, CS_OK or CS_ERR_EXIST.
    """

    conn: int
    error: int


@dataclass(slots=True)
class StoreEvTracking(LocalEffect):
    """The highest expected votes ever seen, to be kept over restarts (file ev_tracking)."""

    ev_tracking_barrier: int
