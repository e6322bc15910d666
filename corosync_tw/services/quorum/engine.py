"""
The quorum service: who is in the primary component, as a provider such as votequorum says.

Source: Corosync exec/vsf_quorum.c quorum_sync_init, quorum_api_set_quorum.
Deviation: a node counts as come along only if it did so in every configuration since the last
activation; Corosync looks at the last transitional configuration alone.
"""

from corosync_tw.corotypes import RingId
from corosync_tw.services.effects import QuorumChange
from corosync_tw.services.exec_wire import ServiceId
from corosync_tw.services.interfaces import ServiceBus
from corosync_tw.services.quorum.effects import QuorumNodelist


class QuorumEngine:
    """
    The node's answer to "are we quorate".

    :ivar provider: whether somebody decides.
    :ivar quorate: True from the start when there is no provider.
    :ivar view: the provider's last answer; without a provider as it was at the start.
    :ivar ring_id: of the round under way or the last one; likewise members.
    :ivar left: nodes lost at the last activation or in the round under way; likewise joined.
    """

    service_id: int = ServiceId.QUORUM
    name = "corosync cluster quorum service v0.1"

    def __init__(self, provider: bool, bus: ServiceBus) -> None:
        self.provider = provider
        self._bus = bus
        self.quorate = not provider
        self.view = QuorumChange(self.quorate, (), RingId(0, 0))
        self.members: tuple[int, ...] = ()
        self.left: tuple[int, ...] = ()
        self.joined: tuple[int, ...] = ()
        self._old_members: tuple[int, ...] = ()
        self._came_along: set[int] = set()
        self.ring_id = RingId(0, 0)

    def sync_init(
        self, trans_members: tuple[int, ...], members: tuple[int, ...], ring_id: RingId
    ) -> None:
        """Work out who left and who joined since the last activation."""
        self._came_along.intersection_update(trans_members)
        self.ring_id = ring_id
        self.members = members
        self.left = tuple(n for n in self._old_members if n not in self._came_along)
        self.joined = tuple(n for n in members if n not in self._came_along)

    def sync_process(self) -> bool:
        """Nothing to tell."""
        return True

    def sync_activate(self) -> None:
        """Make the new membership the old one and tell of it."""
        self._old_members = self.members
        self._came_along = set(self.members)
        self._bus.emit(QuorumNodelist(self.ring_id, self.members, self.joined, self.left))
        if not self.provider:
            self._bus.emit(QuorumChange(True, self.members, self.ring_id))

    def sync_abort(self) -> None:
        """Nothing is held."""

    def set_quorum(self, quorate: bool, members: tuple[int, ...], ring_id: RingId) -> None:
        """Take the provider's answer."""
        self.quorate = quorate
        self.view = QuorumChange(quorate, members, ring_id)
        self._bus.emit(self.view)
