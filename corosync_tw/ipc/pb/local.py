"""
Joins local clients to a Stack: hands out conns, routes the stack's effects, runs the driver.

The daemon makes one, gives it to every server of local clients, and gives it the effects that its
``effect_handlers`` name.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from zope.interface import implementer

from corosync_tw.corotypes import NS_PER_US, Guarantee, Slices
from corosync_tw.errors import CsBadHandle
from corosync_tw.ipc.pb.interfaces import ILocalListener, ILocalServices
from corosync_tw.services.cmap.runtime_keys import RINGS_PREFIX
from corosync_tw.services.cpg.effects import CpgDeliverRun
from corosync_tw.services.effects import (
    CpgConfchg,
    CpgDeliver,
    CpgMember,
    QuorumChange,
    TotemConfchg,
)
from corosync_tw.services.stack import Stack


@implementer(ILocalServices)
class LocalServices:
    """
    The local clients' view of one node.

    :ivar stack: whose engines answer.
    :ivar nodeid: of this node.
    """

    def __init__(
        self,
        stack: Stack,
        nodeid: int,
        now_ns: Callable[[], int],
        run_effects: Callable[[], object],
    ) -> None:
        """
        Stand between clients and ``stack``.

        :param now_ns: the driver's monotonic clock.
        :param run_effects: makes the driver poll the stack; called after each request, never from
            inside an effect's handler.
        """
        self.stack = stack
        self.nodeid = nodeid
        self._now_ns = now_ns
        self._run_effects = run_effects
        self._listeners: dict[int, ILocalListener] = {}
        self._observers: list[ILocalListener] = []

    def effect_handlers(self) -> dict[type, Callable[[Any], None]]:
        """Name the effects that concern clients, with what gives them to those clients."""
        return {
            CpgDeliver: self._on_deliver,
            CpgDeliverRun: self._on_deliver_run,
            CpgConfchg: self._on_confchg,
            TotemConfchg: self._on_totem_confchg,
            QuorumChange: self._on_quorum_change,
        }

    def _on_deliver(self, effect: CpgDeliver) -> None:
        listener = self._listeners.get(effect.conn)
        if listener is not None:
            listener.cpg_deliver(effect)

    def _on_deliver_run(self, effect: CpgDeliverRun) -> None:
        if not self._listeners.keys().isdisjoint(effect.conns):
            for single in effect.expand():
                self._on_deliver(single)

    def _on_confchg(self, effect: CpgConfchg) -> None:
        listener = self._listeners.get(effect.conn)
        if listener is not None:
            listener.cpg_confchg(effect)

    def _on_totem_confchg(self, effect: TotemConfchg) -> None:
        for listener in self._observers:
            listener.totem_confchg(effect)

    def _on_quorum_change(self, effect: QuorumChange) -> None:
        for listener in self._observers:
            listener.quorum_change(effect)

    def new_conn(self) -> int:
        """Number a client, unique among all clients of this node."""
        return self.stack.new_conn()

    def attach(self, listener: ILocalListener) -> None:
        """Tell ``listener`` of rings and quorum from now on."""
        self._observers.append(listener)

    def detach(self, listener: ILocalListener) -> None:
        """Stop telling ``listener``; unknown ones are ignored."""
        if listener in self._observers:
            self._observers.remove(listener)

    def cpg_open(self, listener: ILocalListener) -> int:
        """Make a conn whose deliveries and changes go to ``listener``."""
        conn = self.stack.new_conn()
        self._listeners[conn] = listener
        return conn

    def cpg_join(self, conn: int, group: bytes, pid: int) -> None:
        """Ask for membership; it begins with the first cpg_confchg that names us."""
        self._check(conn)
        self.stack.cpg_join(conn, group, pid)
        self._run_effects()

    def cpg_leave(self, conn: int) -> None:
        """Ask to leave; it is done with the cpg_confchg in which we have left."""
        self._check(conn)
        self.stack.cpg_leave(conn)
        self._run_effects()

    def cpg_disconnect(self, conn: int) -> None:
        """Forget ``conn``; its group sees the process go down. Never raises."""
        if self._listeners.pop(conn, None) is not None:
            self.stack.cpg_disconnect(conn)
            self._run_effects()

    def cpg_mcast(self, conn: int, messages: Sequence[Slices], guarantee: Guarantee) -> None:
        """
        Queue messages for the ring, in order.

        Raises: CsTryAgain, whose ``accepted`` counts the messages that went in.
        """
        self._check(conn)
        try:
            self.stack.cpg_mcast(conn, messages, guarantee, self._now_ns())
        finally:
            self._run_effects()

    def cpg_membership(self, group: bytes) -> Sequence[CpgMember]:
        """List the members of a group."""
        return self.stack.cpg_membership(group)

    def cpg_groups(self) -> Sequence[tuple[bytes, Sequence[CpgMember]]]:
        """List all groups of the cluster with their members."""
        return [(group, self.stack.cpg_membership(group)) for group in self.stack.cpg_groups()]

    def status(self) -> dict[str, object]:
        """Describe the node with plain types alone."""
        stack = self.stack
        counters = asdict(stack.srp.stats) | asdict(stack.stats)
        rotation_ns = counters.pop("token_rotation_ns")
        del counters["token_last_received_ns"]  # a moment, not a count
        return {
            "nodeid": self.nodeid,
            "ring_rep": stack.ring_id.rep,
            "ring_seq": stack.ring_id.seq,
            "members": list(stack.members),
            "quorate": stack.quorate,
            "bad_links": [list(link) for link in sorted(stack.srp.bad_links)],
            "faulty_rings": self._faulty_rings(),
            "state": stack.srp.state.name.lower(),
            "sync_in_progress": stack.sync_in_progress,
            "queue_level": stack.pg.queue_level,
            "token_rotation_us": rotation_ns / NS_PER_US if rotation_ns else None,
            "counters": counters,
        }

    def _faulty_rings(self) -> list[int]:
        store = self.stack.cmap.store
        faulty = (key for key in store.keys(RINGS_PREFIX) if store.get(key).value)
        return sorted(int(key.removeprefix(RINGS_PREFIX).partition(".")[0]) for key in faulty)

    def _check(self, conn: int) -> None:
        if conn not in self._listeners:
            raise CsBadHandle(f"connection {conn} is not open")
