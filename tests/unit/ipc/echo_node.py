"""A node that is its own whole cluster: total order without a ring, for tests of what is above."""

from collections import deque

from zope.interface import implementer

from corosync_tw.corotypes import ConfChangeType, CpgReason, RingId
from corosync_tw.errors import CsBadHandle, CsTryAgain
from corosync_tw.ipc.pb.interfaces import ILocalServices
from corosync_tw.services.effects import (
    CpgConfchg,
    CpgDeliver,
    CpgMember,
    QuorumChange,
    TotemConfchg,
)


@implementer(ILocalServices)
class EchoNode:
    """
    Delivers to all members of a group whatever is sent to it.

    :ivar capacity: messages that `rotate` has not delivered yet; above, senders try again.
    :ivar joins_refused: how many joins still get CsTryAgain.
    """

    def __init__(self, clock, *, nodeid=7, capacity=1000, automatic=True):
        self.nodeid = nodeid
        self.capacity = capacity
        self.joins_refused = 0
        self.groups = {}
        self.listeners = {}
        self.observers = []
        self.seq = 0
        self.gone = []
        self.accepted_sizes = []
        self._clock = clock
        self._automatic = automatic
        self._queue = deque()
        self._last_conn = 100
        self.clients = 0

    def attach(self, listener):
        self.observers.append(listener)

    def detach(self, listener):
        if listener in self.observers:
            self.observers.remove(listener)

    def new_conn(self):
        self.clients += 1
        return 9000 + self.clients

    def cpg_open(self, listener):
        self._last_conn += 1
        self.listeners[self._last_conn] = listener
        return self._last_conn

    def cpg_join(self, conn, group, pid):
        if self.joins_refused:
            self.joins_refused -= 1
            raise CsTryAgain("synchronizing")
        self._enter(("join", conn, group, pid))

    def cpg_leave(self, conn):
        self._enter(("leave", conn, CpgReason.LEAVE))

    def cpg_disconnect(self, conn):
        listener = self.listeners.pop(conn, None)
        if listener is not None:
            self.gone.append(conn)
            self._enter(("leave", conn, CpgReason.PROCDOWN))

    def cpg_mcast(self, conn, messages, guarantee):
        group = self._group_of(conn)
        if group is None:
            raise CsBadHandle("not joined")
        free = self.capacity - len(self._queue)
        for slices in messages[:free]:
            self._enter(("mcast", conn, group, b"".join(slices)))
        self.accepted_sizes.append(min(free, len(messages)))
        if free < len(messages):
            raise CsTryAgain("full", accepted=max(free, 0))

    def cpg_membership(self, group):
        return self._members(group)

    def cpg_groups(self):
        return [(group, self._members(group)) for group in sorted(self.groups)]

    def status(self):
        return {
            "nodeid": self.nodeid,
            "ring_rep": self.nodeid,
            "ring_seq": 4,
            "members": [self.nodeid],
            "quorate": True,
            "state": "operational",
            "sync_in_progress": False,
            "queue_level": len(self._queue) / self.capacity,
            "token_rotation_us": 250,
            "counters": {"orf_token_tx": 5, "mcast_tx": self.seq},
        }

    def new_ring(self, seq):
        ring_id = RingId(self.nodeid, seq)
        for listener in self.observers:
            for kind in (ConfChangeType.TRANSITIONAL, ConfChangeType.REGULAR):
                listener.totem_confchg(TotemConfchg(kind, ring_id, (self.nodeid,), (), ()))
            listener.quorum_change(QuorumChange(True, (self.nodeid,), ring_id))

    def rotate(self):
        """Deliver everything that is queued, as one visit of the token would."""
        while self._queue:
            kind, conn, *rest = self._queue.popleft()
            getattr(self, f"_{kind}")(conn, *rest)

    def _enter(self, entry):
        if not self._queue and self._automatic:
            self._clock.callLater(0, self.rotate)
        self._queue.append(entry)

    def _join(self, conn, group, pid):
        if conn in self.listeners:
            self.groups.setdefault(group, {})[conn] = pid
            self._changed(group, joined=((conn, pid, CpgReason.JOIN),))

    def _leave(self, conn, reason):
        group = self._group_of(conn)
        if group is not None:
            pid = self.groups[group].pop(conn)
            self._changed(group, left=((conn, pid, reason),))

    def _mcast(self, conn, group, data):
        self.seq += 1
        pid = self.groups.get(group, {}).get(conn, 0)
        for member in self.groups.get(group, {}):
            view = memoryview(data)
            effect = CpgDeliver(member, group, self.nodeid, pid, self.seq, view)
            if member in self.listeners:
                self.listeners[member].cpg_deliver(effect)

    def _changed(self, group, left=(), joined=()):
        concerned = [*self.groups[group], *(conn for conn, *_ in left)]
        lists = [
            tuple(CpgMember(self.nodeid, pid, reason) for _, pid, reason in part)
            for part in (left, joined)
        ]
        for conn in concerned:
            if conn in self.listeners:
                self.listeners[conn].cpg_confchg(
                    CpgConfchg(conn, group, tuple(self._members(group)), *lists)
                )

    def _members(self, group):
        pids = sorted(self.groups.get(group, {}).values())
        return [CpgMember(self.nodeid, pid, 0) for pid in pids]

    def _group_of(self, conn):
        return next((group for group, conns in self.groups.items() if conn in conns), None)
