"""What the quorum service tells its local clients beside QuorumChange."""

from dataclasses import dataclass

from corosync_tw.corotypes import RingId
from corosync_tw.services.effects import LocalEffect


@dataclass(slots=True)
class QuorumNodelist(LocalEffect):
    """
    The members of a synchronized ring, with the changes since the last one that was synchronized.

    Comes before the QuorumChange of a provider that is synchronized behind this service.
    """

    ring_id: RingId
    members: tuple[int, ...]
    joined: tuple[int, ...]
    left: tuple[int, ...]
