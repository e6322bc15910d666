"""Votes for Perspective Broker clients: what nodes have, what is expected, a quorum device."""

from collections.abc import Callable, Mapping

from twisted.internet.defer import Deferred

from corosync_tw.corotypes import CS_OK, RingId, TrackFlags
from corosync_tw.errors import CsBusy, CsInvalidParam, error_of
from corosync_tw.ipc.pb.broker import Method
from corosync_tw.ipc.pb.hubs import Peer, number
from corosync_tw.services.lib_interfaces import EffectHandler, Shell
from corosync_tw.services.votequorum.effects import (
    ExpectedVotesNotification,
    NodelistNotification,
    QdeviceRegistered,
    QuorumNotification,
)
from corosync_tw.services.votequorum.engine import VotequorumEngine

_QUORUM_MAX = 2**64 - 1


class VotequorumHub:
    """
    The votequorum service.

    :ivar desks: of the clients that are connected, by conn.
    """

    def __init__(self, engine: VotequorumEngine, shell: Shell) -> None:
        self.engine = engine
        self.shell = shell
        self.desks: dict[int, VotequorumDesk] = {}

    def open(self, peer: Peer) -> "VotequorumDesk":
        """Welcome a client."""
        desk = VotequorumDesk(peer, self)
        self.desks[peer.conn] = desk
        return desk

    def effect_handlers(self) -> Mapping[type, EffectHandler]:
        """Name the news."""
        return {
            QuorumNotification: self._on_quorum,
            NodelistNotification: self._on_nodelist,
            ExpectedVotesNotification: self._on_expected_votes,
            QdeviceRegistered: self._on_registered,
        }

    def _tell(self, trackers: tuple[tuple[int, int], ...], method: str, *args: object) -> None:
        for conn, _ in trackers:
            desk = self.desks.get(conn)
            if desk is not None:
                desk.peer.event(method, *args)

    def _on_quorum(self, effect: object) -> None:
        assert isinstance(effect, QuorumNotification)
        nodes = [list(node) for node in effect.nodes]
        self._tell(effect.trackers, "votequorum_state", effect.quorate, nodes)

    def _on_nodelist(self, effect: object) -> None:
        assert isinstance(effect, NodelistNotification)
        ring_id, members = list(effect.ring_id), list(effect.members)
        self._tell(effect.trackers, "votequorum_nodelist", ring_id, members)

    def _on_expected_votes(self, effect: object) -> None:
        assert isinstance(effect, ExpectedVotesNotification)
        self._tell(effect.trackers, "votequorum_expected_votes", effect.expected_votes)

    def _on_registered(self, effect: object) -> None:
        assert isinstance(effect, QdeviceRegistered)
        desk = self.desks.get(effect.conn)
        if desk is not None:
            desk.registered(effect.error)


class VotequorumDesk:
    """One client of the votequorum service."""

    def __init__(self, peer: Peer, hub: VotequorumHub) -> None:
        self.peer = peer
        self._hub = hub
        self._engine = hub.engine
        self._registering: Deferred[None] | None = None

    def methods(self) -> Mapping[str, Method]:
        """Name what the client may call."""
        return {
            "votequorum_getinfo": self.getinfo,
            "votequorum_set_expected": self.set_expected,
            "votequorum_set_votes": self.set_votes,
            "votequorum_cancel_wait_for_all": self.cancel_wait_for_all,
            "votequorum_track": self.track,
            "votequorum_untrack": self.untrack,
            "votequorum_qdevice_register": self.qdevice_register,
            "votequorum_qdevice_unregister": self.qdevice_unregister,
            "votequorum_qdevice_update": self.qdevice_update,
            "votequorum_qdevice_poll": self.qdevice_poll,
            "votequorum_qdevice_master_wins": self.qdevice_master_wins,
        }

    def close(self) -> None:
        """Forget the client; its quorum device stays until it has been silent for too long."""
        del self._hub.desks[self.peer.conn]
        self._registering = None
        self._engine.disconnect(self.peer.conn)
        self._hub.shell.pump()

    def registered(self, error: int) -> None:
        """Finish a registration."""
        done, self._registering = self._registering, None
        if done is None:
            return
        if error == CS_OK:
            done.callback(None)
        else:
            done.errback(error_of(error, "the cluster has another quorum device"))

    def getinfo(self, nodeid: object = 0) -> dict[str, object]:
        """Tell of a node and of the cluster, 0 is this node; raises CsNotExist."""
        info = self._engine.getinfo(number(nodeid, "a nodeid"))
        values: dict[str, object] = info._asdict()
        return values | {"state": int(info.state), "flags": int(info.flags)}

    def set_expected(self, expected_votes: object) -> Deferred[object]:
        """Have the whole cluster expect so many votes; raises CsInvalidParam."""
        votes = number(expected_votes, "expected votes")
        return self._send(lambda: self._engine.set_expected(votes))

    def set_votes(self, nodeid: object, votes: object) -> Deferred[object]:
        """Change the votes of a node; raises CsNameNotFound, CsInvalidParam."""
        node, count = number(nodeid, "a nodeid"), number(votes, "votes")
        return self._send(lambda: self._engine.set_votes(node, count))

    def cancel_wait_for_all(self) -> Deferred[object]:
        """Have the whole cluster wait for nobody."""
        return self._send(self._engine.cancel_wait_for_all)

    def track(self) -> None:
        """Have the present state and then its changes told by ``votequorum_*`` events."""
        self._engine.track_start(self.peer.conn, int(TrackFlags.CHANGES), 0)
        present = self._engine.present(self.peer.conn, int(TrackFlags.CHANGES), 0)
        for effect in present or ():
            self._hub.effect_handlers()[type(effect)](effect)

    def untrack(self) -> None:
        """Hear no more; raises CsNotExist."""
        self._engine.track_stop(self.peer.conn)

    def qdevice_register(self, name: object) -> Deferred[object]:
        """Register a quorum device; raises CsAccess, CsExist, CsInvalidParam."""
        if self._registering is not None:
            raise CsBusy("a registration is under way")
        device = _name(name)
        done: Deferred[None] = Deferred()
        self._registering = done

        def begun(there_already: object) -> object:
            if there_already:
                self.registered(CS_OK)
            return done

        def failed(failure: object) -> object:
            self._registering = None
            return failure

        begin = self._send(lambda: self._engine.qdevice_register(self.peer.conn, device))
        return begin.addCallbacks(begun, failed)

    def qdevice_unregister(self, name: object) -> Deferred[object]:
        """Take the device away; raises CsNotExist, CsInvalidParam."""
        device = _name(name)
        return self._send(lambda: self._engine.qdevice_unregister(device))

    def qdevice_update(self, old_name: object, new_name: object) -> Deferred[object]:
        """Rename the device; raises CsNotExist, CsInvalidParam."""
        old, new = _name(old_name), _name(new_name)
        return self._send(lambda: self._engine.qdevice_update(old, new))

    def qdevice_poll(self, name: object, cast_vote: object, ring_id: object) -> Deferred[object]:
        """
        Say that the device lives and whether it votes for us.

        Raises CsAccess, CsNotExist, CsInvalidParam; CsMessageError: another ring.
        """
        device = _name(name)
        if not isinstance(ring_id, list) or len(ring_id) != 2:
            raise CsInvalidParam("a ring id is [rep, seq]")
        ring = RingId(number(ring_id[0], "rep"), number(ring_id[1], "seq", _QUORUM_MAX))
        now_ns = self._hub.shell.now_ns
        return self._send(
            lambda: self._engine.qdevice_poll(device, bool(cast_vote), ring, now_ns())
        )

    def qdevice_master_wins(self, name: object, allow: object) -> Deferred[object]:
        """Let the partition with the device's master be quorate; raises CsAccess, CsNotExist."""
        device, wins = _name(name), int(bool(allow))
        return self._send(lambda: self._engine.qdevice_master_wins(device, wins))

    def _send(self, attempt: Callable[[], object]) -> Deferred[object]:
        def pumped() -> object:
            outcome = attempt()
            self._hub.shell.pump()
            return outcome

        return self.peer.submit(pumped)


def _name(value: object) -> bytes:
    if not isinstance(value, bytes) or not value:
        raise CsInvalidParam("a device's name is bytes, at least one")
    return value
