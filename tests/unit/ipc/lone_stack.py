"""A real stack that is its own whole ring, run by a clock of its own, for hubs to stand before."""

from twisted.internet import reactor

from corosync_tw.ipc.pb.local import LocalServices
from corosync_tw.services.effects import SyncDone
from corosync_tw.services.params import ServiceParams
from corosync_tw.services.stack import Stack
from corosync_tw.totem.effects import StoreRingId
from corosync_tw.totem.params import TotemParams

STEPS_MAX = 400


class LoneStack:
    """
    Implements Shell, and routes effects to whoever asked for them.

    :ivar stack: synchronized.
    :ivar effects: those that nobody asked for.
    """

    def __init__(self, **services):
        self._now_ns = 0
        self._pumping = False
        self._routes = {}
        self.effects = []
        self.stack = Stack(TotemParams(my_id=1), ServiceParams(nodeid=1, **services), 0, 0)
        self.local = LocalServices(self.stack, 1, self.now_ns, self.pump)
        self.route(self.local)
        self.stack.start(0)
        self._run(lambda: any(isinstance(e, SyncDone) for e in self.effects))

    def now_ns(self):
        return self._now_ns

    def pump(self):
        if not self._pumping:
            self._pumping = True
            reactor.callLater(0, self._pumped)

    def route(self, hub):
        for kind, handler in hub.effect_handlers().items():
            self._routes.setdefault(kind, []).append(handler)

    def pass_time(self, ns):
        """Let so much time pass, with everything that is due in it."""
        end_ns = self._now_ns + ns
        self._run(lambda: self._now_ns >= end_ns, end_ns)

    def _pumped(self):
        self._pumping = False
        self.pass_time(2_000_000_000)

    def _run(self, done, end_ns=None):
        for _ in range(STEPS_MAX):
            self._poll()
            if done():
                return
            deadline_ns = self.stack.next_deadline()
            due_ns = max(self._now_ns, deadline_ns or 0)
            self._now_ns = due_ns if end_ns is None else min(due_ns, end_ns)
            self.stack.advance(self._now_ns)
        raise AssertionError("the stack does not come to rest")

    def _poll(self):
        while effects := self.stack.poll():
            for effect in effects:
                if isinstance(effect, StoreRingId):
                    continue
                for handler in self._routes.get(type(effect), ()):
                    handler(effect)
                self.effects.append(effect)
