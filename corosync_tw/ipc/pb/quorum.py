"""Quorum for Perspective Broker clients: the state, and news of it with who came and who went."""

from collections.abc import Mapping

from corosync_tw.ipc.pb.broker import Method
from corosync_tw.ipc.pb.hubs import Peer
from corosync_tw.services.effects import QuorumChange
from corosync_tw.services.lib_interfaces import EffectHandler
from corosync_tw.services.quorum.effects import QuorumNodelist
from corosync_tw.services.quorum.engine import QuorumEngine


class QuorumHub:
    """
    The quorum service.

    :ivar followers: the peers that follow changes, by conn.
    """

    def __init__(self, engine: QuorumEngine) -> None:
        self.engine = engine
        self.followers: dict[int, Peer] = {}

    def open(self, peer: Peer) -> "QuorumDesk":
        """Welcome a client."""
        return QuorumDesk(peer, self)

    def effect_handlers(self) -> Mapping[type, EffectHandler]:
        """Name the news."""
        return {QuorumNodelist: self._on_nodelist, QuorumChange: self._on_change}

    def _on_nodelist(self, effect: object) -> None:
        assert isinstance(effect, QuorumNodelist)
        lists = [list(nodes) for nodes in (effect.members, effect.joined, effect.left)]
        for peer in self.followers.values():
            peer.event("quorum_nodelist", list(effect.ring_id), *lists)

    def _on_change(self, effect: object) -> None:
        assert isinstance(effect, QuorumChange)
        for peer in self.followers.values():
            peer.event("quorum_state", effect.quorate, list(effect.ring_id), list(effect.members))


class QuorumDesk:
    """One client of the quorum service."""

    def __init__(self, peer: Peer, hub: QuorumHub) -> None:
        self._peer = peer
        self._hub = hub

    def methods(self) -> Mapping[str, Method]:
        """Name what the client may call."""
        return {
            "quorum_get": self.get,
            "quorum_track": self.track,
            "quorum_untrack": self.untrack,
        }

    def close(self) -> None:
        """Forget the client."""
        self.untrack()

    def get(self) -> dict[str, object]:
        """Tell the provider's last answer; without a provider a node is always quorate."""
        engine = self._hub.engine
        return {
            "quorate": engine.quorate,
            "provider": engine.provider,
            "ring_id": list(engine.ring_id),
            "members": list(engine.members),
        }

    def track(self) -> dict[str, object]:
        """Have news told by ``quorum_nodelist`` and ``quorum_state``; give what holds now."""
        self._hub.followers[self._peer.conn] = self._peer
        return self.get()

    def untrack(self) -> None:
        """Hear no more."""
        self._hub.followers.pop(self._peer.conn, None)
