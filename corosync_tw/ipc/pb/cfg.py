"""Administration of the node and the cluster for Perspective Broker clients."""

from collections.abc import Callable, Mapping
from typing import Final

from twisted.internet.defer import Deferred

from corosync_tw.corotypes import CS_OK
from corosync_tw.errors import CsBusy, CsInvalidParam, CsNotExist, CsNotSupported, error_of
from corosync_tw.ipc.pb.broker import Method
from corosync_tw.ipc.pb.hubs import Peer, number, text
from corosync_tw.services.cfg.effects import (
    LogsReopened,
    ReloadAnswered,
    RingsReenabled,
    ShutdownAnswered,
    TestShutdown,
)
from corosync_tw.services.cfg.facts import CfgFacts
from corosync_tw.services.lib_interfaces import EffectHandler, Shell
from corosync_tw.services.stack import Stack

REASON_LEN_BYTES_MAX = 255
_REFUSALS: Final[dict[type, str]] = {
    LogsReopened: "a log file could not be opened again, the daemon's log names it and says why",
}


class CfgHub:
    """
    The cfg service.

    :ivar desks: of the clients that are connected, by conn.
    """

    def __init__(self, stack: Stack, shell: Shell, facts: CfgFacts) -> None:
        self.stack = stack
        self.shell = shell
        self.facts = facts
        self.desks: dict[int, CfgDesk] = {}

    def open(self, peer: Peer) -> "CfgDesk":
        """Welcome a client."""
        desk = CfgDesk(peer, self)
        self.desks[peer.conn] = desk
        return desk

    def effect_handlers(self) -> Mapping[type, EffectHandler]:
        """Name the effects that answer or ask clients."""
        return {
            TestShutdown: self._on_test_shutdown,
            ShutdownAnswered: self._on_answer,
            ReloadAnswered: self._on_answer,
            RingsReenabled: self._on_answer,
            LogsReopened: self._on_answer,
        }

    def _on_test_shutdown(self, effect: object) -> None:
        assert isinstance(effect, TestShutdown)
        desk = self.desks.get(effect.conn)
        if desk is not None:
            desk.peer.event("cfg_test_shutdown", effect.flags, effect.error)

    def _on_answer(self, effect: object) -> None:
        answers = ShutdownAnswered | ReloadAnswered | RingsReenabled | LogsReopened
        assert isinstance(effect, answers)
        desk = self.desks.get(effect.conn)
        if desk is not None:
            error = CS_OK if isinstance(effect, RingsReenabled) else effect.error
            desk.answered(type(effect), error)


class CfgDesk:
    """One client of the cfg service."""

    def __init__(self, peer: Peer, hub: CfgHub) -> None:
        self.peer = peer
        self._hub = hub
        self._cfg = hub.stack.cfg
        self._waiting: dict[type, Deferred[None]] = {}

    def methods(self) -> Mapping[str, Method]:
        """Name what the client may call."""
        return {
            "cfg_links": self.links,
            "cfg_node_status": self.node_status,
            "cfg_node_addresses": self.node_addresses,
            "cfg_kill_node": self.kill_node,
            "cfg_try_shutdown": self.try_shutdown,
            "cfg_reply_to_shutdown": self.reply_to_shutdown,
            "cfg_track": self.track,
            "cfg_untrack": self.untrack,
            "cfg_reload": self.reload,
            "cfg_reopen_logs": self.reopen_logs,
            "cfg_reenable_rings": self.reenable_rings,
        }

    def close(self) -> None:
        """Forget the client; a vote it took part in may be over."""
        del self._hub.desks[self.peer.conn]
        self._waiting.clear()
        self._cfg.disconnect(self.peer.conn)
        self._hub.shell.pump()

    def answered(self, kind: type, error: int) -> None:
        """Finish the request of a kind that is under way."""
        waiting = self._waiting.pop(kind, None)
        if waiting is None:
            return
        if error == CS_OK:
            waiting.callback(None)
        else:
            waiting.errback(error_of(error, _REFUSALS.get(kind, "the cluster refused")))

    def links(self) -> list[list[object]]:
        """List our own links as [number, address, status]."""
        return [[i.number, i.address, i.status] for i in self._hub.facts.interfaces()]

    def node_status(self, nodeid: object) -> dict[str, object]:
        """Describe a node as we see it; one that is not configured has no links."""
        state = self._hub.facts.node_state(number(nodeid, "a nodeid"))
        links = [
            {
                "enabled": link.enabled,
                "connected": link.connected,
                "mtu_bytes": link.mtu_bytes,
                "src_address": link.src_address,
                "dst_address": link.dst_address,
            }
            for link in state.links
        ]
        return {"reachable": state.reachable, "links": links}

    def node_addresses(self, nodeid: object) -> list[str]:
        """List a node's addresses; raises CsNotExist."""
        addresses = self._hub.facts.node_addresses(number(nodeid, "a nodeid"))
        if not addresses:
            raise CsNotExist(f"node {nodeid} is not configured")
        return [str(address) for address in addresses]

    def kill_node(self, nodeid: object, reason: object) -> Deferred[object]:
        """Order a member to die; raises CsNotExist."""
        target = number(nodeid, "a nodeid")
        said = text(reason, "a reason").encode()
        if len(said) > REASON_LEN_BYTES_MAX:
            raise CsInvalidParam(f"a reason has at most {REASON_LEN_BYTES_MAX} bytes")
        return self._send(lambda: self._cfg.kill_node(target, said))

    def try_shutdown(self, flags: object) -> Deferred[object]:
        """Shut this node down if nobody objects; raises CsBusy when somebody did, CsExist."""
        wanted = number(flags, "flags")
        hub, conn = self._hub, self.peer.conn
        timeout_ms = hub.facts.shutdown_timeout_ms()

        def ask() -> bool:
            return self._cfg.try_shutdown(conn, wanted, timeout_ms, hub.shell.now_ns())

        done = self._wait_for(ShutdownAnswered)

        def asked(granted: object) -> object:
            if granted:
                self.answered(ShutdownAnswered, CS_OK)
            return done

        return self._begin(ShutdownAnswered, ask).addCallback(asked)

    def reply_to_shutdown(self, yes: object) -> None:
        """Give an opinion on the shutdown under way; raises CsAccess."""
        self._cfg.reply_to_shutdown(self.peer.conn, yes=bool(yes))
        self._hub.shell.pump()

    def track(self) -> None:
        """Have shutdowns asked for by ``cfg_test_shutdown``."""
        self._cfg.track_start(self.peer.conn)
        self._hub.shell.pump()

    def untrack(self) -> None:
        """Be asked no more."""
        self._cfg.track_stop(self.peer.conn)
        self._hub.shell.pump()

    def reload(self) -> Deferred[object]:
        """Have all members read their configuration again; raises what this node made of it."""
        done = self._wait_for(ReloadAnswered)
        begun = self._begin(ReloadAnswered, lambda: self._cfg.reload_config(self.peer.conn))
        return begun.addCallback(lambda _: done)

    def reenable_rings(self) -> Deferred[object]:
        """Have all members use all of their networks again; raises CsNotSupported."""
        if not self._hub.facts.redundant():
            raise CsNotSupported("there are no redundant rings (totem.rrp_mode)")
        done = self._wait_for(RingsReenabled)
        begun = self._begin(RingsReenabled, lambda: self._cfg.reenable_rings(self.peer.conn))
        return begun.addCallback(lambda _: done)

    def reopen_logs(self) -> Deferred[None]:
        """Have this node open its log files anew; raises what became of it."""
        done = self._wait_for(LogsReopened)
        self._cfg.reopen_log_files(self.peer.conn)
        self._hub.shell.pump()
        return done

    def _wait_for(self, kind: type) -> Deferred[None]:
        if kind in self._waiting:
            raise CsBusy("a request of this kind is under way")
        done: Deferred[None] = Deferred()
        self._waiting[kind] = done
        return done

    def _begin(self, kind: type, attempt: Callable[[], object]) -> Deferred[object]:
        def failed(failure: object) -> object:
            self._waiting.pop(kind, None)
            return failure

        return self._send(attempt).addErrback(failed)

    def _send(self, attempt: Callable[[], object]) -> Deferred[object]:
        def checked() -> object:
            self._hub.stack.check_sending()
            outcome = attempt()
            self._hub.shell.pump()
            return outcome

        return self.peer.submit(checked)
