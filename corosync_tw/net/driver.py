"""
Runs a protocol core on real time, sockets and disk: the thin shell around the value.

Feeds what the transport receives and what is due to the core, then executes its effects strictly
in order. A ring id is durable before anything that follows it is sent: while a thread writes it,
effects are held back and the core goes on hearing. One delayed call serves all deadlines of the
core, and it is moved only when a deadline comes nearer; before a deadline counts as missed, the
sockets are read, so that a busy loop does not take a token for lost that has arrived.
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from twisted.internet.defer import Deferred
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from corosync_tw.corotypes import Buffer, ConfChangeType
from corosync_tw.net.errors import StorageError
from corosync_tw.net.interfaces import (
    IDriverObserver,
    ILinkReceiver,
    IRingIdStore,
    ITransport,
)
from corosync_tw.net.reactor import turn_end_of
from corosync_tw.services.effects import TotemConfchg
from corosync_tw.timers.clock import seconds_of
from corosync_tw.timers.pause import PauseDetector
from corosync_tw.totem.effects import (
    ConfigurationChange,
    SendMcast,
    SendToken,
    StoreRingId,
    Trace,
)
from corosync_tw.totem.params import TotemParams
from corosync_tw.totem.runs import Received
from corosync_tw.totem.trace import TraceCode

# Effects kept while the disk is busy; sends beyond that are lost, as on a network.
HELD_EFFECTS_MAX: Final = 10_000
# A disk this slow is worth a word in the log.
STORE_SLOW_S: Final = 2.0

_DISPENSABLE: Final = (SendMcast, SendToken, Trace)
_SHELL_EFFECTS: Final = frozenset({SendMcast, SendToken, StoreRingId})


class Core(Protocol):
    """A ring (``totem.srp.Srp``) or a whole node (``services.stack.Stack``)."""

    @property
    def params(self) -> TotemParams:
        """Parameters of the ring."""

    def start(self, now_ns: int) -> None:
        """Begin."""

    def receive(self, frames: Sequence[Received], now_ns: int) -> None:
        """Take datagrams."""

    def advance(self, now_ns: int) -> None:
        """Fire what is due."""

    def may_overtake(self, token: Buffer) -> bool:
        """Tell whether a token may be fed before messages that arrived earlier."""

    def next_deadline(self) -> int | None:
        """Tell when something is due."""

    def poll(self) -> Sequence[object]:
        """Give effects to be executed before the next poll; none when there are no more."""

    def leave(self, now_ns: int) -> None:
        """Leave the ring."""


@dataclass(slots=True)
class DriverStats:
    """
    All counters start at 0 and only grow.

    :ivar timer_fired: firings of the delayed call; some only find that nothing is due any more.
    :ivar stores: ring ids stored.
    :ivar held_dropped: effects lost because the disk was busy for too long.
    """

    timer_fired: int = 0
    stores: int = 0
    held_dropped: int = 0


@implementer(ILinkReceiver)
class Driver:
    """
    One node's shell.

    :ivar stats: counters.
    :ivar visited: given each visit of the token, of which there are too many to stop for before the
        token is sent on; None: they are effects as any other.
    """

    #: The clock that cores are to be made with, nanoseconds.
    now_ns = staticmethod(time.monotonic_ns)

    def __init__(
        self,
        reactor: IReactorTime,
        core: Core,
        transport: ITransport,
        storage: IRingIdStore,
        observer: IDriverObserver,
        *,
        now_ns: Callable[[], int] = time.monotonic_ns,
    ) -> None:
        """
        Put the parts together; nothing happens before ``start``.

        :param observer: gets all effects that are neither sends nor storage.
        :param now_ns: monotonic clock; the same as the reactor's.
        """
        self.stats = DriverStats()
        self._reactor = reactor
        self._core = core
        self._transport = transport
        self._storage = storage
        self._observer = observer
        self._now_ns = now_ns
        self._pause = PauseDetector(
            reactor, now_ns, lambda: core.params.token_timeout_ns, observer.loop_paused
        )
        self.visited: Callable[[Trace], None] | None = None
        self._running = False
        self._timer: IDelayedCall | None = None
        self._timer_ns = 0
        self._at_turn_end = turn_end_of(reactor)
        self._pumping = False
        self._held: deque[object] = deque()
        self._slow_call: IDelayedCall | None = None
        self._store_began_ns = 0
        self._storing = False
        self._executing = False

    def start(self) -> None:
        """
        Open the transport and let the core begin.

        :raises corosync_tw.net.errors.NetError: the transport cannot start.
        """
        assert not self._running
        self._transport.start(self)
        self._running = True
        self._pause.start()
        self._feed(self._core.start)

    def pump(self) -> None:
        """Execute, later in this turn of the loop, what the application asked the core for."""
        if self._running and not self._pumping:
            self._pumping = True
            self._at_turn_end(self._pump_now)

    def leave(self) -> None:
        """Leave the ring: the good-bye is sent before this returns, unless the disk is busy."""
        if self._running:
            self._feed(self._core.leave)

    def stop(self) -> Deferred[None]:
        """Stop timers and transport; the core is not asked again. Repeated calls do nothing."""
        self._halt()
        return self._transport.stop()

    @property
    def storing(self) -> bool:
        """Whether a ring id is on its way to the disk, and the ring waits for it."""
        return self._storing

    def frames_received(self, frames: Sequence[Received]) -> None:
        """Feed a batch to the core. Called by the transport."""
        if not self._running:
            return
        assert not self._executing, "an effect's execution fed the core"
        try:
            self._core.receive(frames, self._now_ns())
            self._finish_step()
        except Exception:  # noqa: BLE001 - reported, and the end of this driver
            self._give_up(Failure())  # type: ignore[no-untyped-call]

    def links_received(
        self, frames: Sequence[Received], released: Callable[[], Sequence[Received]]
    ) -> None:
        """Feed a batch to the core, and what was kept until the core had it."""

        def take(_now_ns: int) -> None:
            more = frames
            while more:
                self._core.receive(more, self._now_ns())
                more = released()

        if self._running:
            self._feed(take)

    def may_overtake(self, token: Buffer) -> bool:
        """Ask the core. Called by the transport."""
        return self._running and self._core.may_overtake(token)

    def _pump_now(self) -> None:
        self._pumping = False
        if self._running:
            self._feed(_do_nothing)

    def _feed(self, step: Callable[[int], None]) -> None:
        """
        Let the core take one step, and execute what it asks for.

        A broken invariant ends the node, so that the others form a ring without it: a core in an
        unknown state must not go on sending.

        :param step: is given the time.
        """
        assert not self._executing, "an effect's execution fed the core"
        try:
            step(self._now_ns())
            self._finish_step()
        except Exception:  # noqa: BLE001 - reported, and the end of this driver
            self._give_up(Failure())  # type: ignore[no-untyped-call]

    def _finish_step(self) -> None:
        """Execute what the core asks for: what it sends before it looks at what it delivers."""
        poll = self._core.poll
        while effects := poll():
            if self._storing:
                self._hold(effects)
            else:
                self._execute(effects)
        if self._running:
            self._arm()
            self._observer.turn_ended()

    def _give_up(self, failure: Failure) -> None:
        self._halt()
        self._transport.stop()
        if isinstance(failure.value, StorageError):
            self._observer.storage_failed(failure.value)
        else:
            self._observer.core_failed(failure)

    def _halt(self) -> None:
        self._running = False
        self._pause.stop()
        self._held.clear()
        for call in (self._timer, self._slow_call):
            if call is not None and call.active():
                call.cancel()
        self._timer = self._slow_call = None

    def _arm(self) -> None:
        """See to it that the delayed call comes not later than the core's next deadline."""
        deadline_ns = self._core.next_deadline()
        if deadline_ns is None or not self._running:
            return
        timer = self._timer
        if timer is None:
            self._timer_ns = deadline_ns
            delay_s = seconds_of(deadline_ns - self._now_ns())
            self._timer = self._reactor.callLater(delay_s, self._timer_fired)
        elif deadline_ns < self._timer_ns:
            self._timer_ns = deadline_ns
            timer.reset(seconds_of(deadline_ns - self._now_ns()))

    def _timer_fired(self) -> None:
        self._timer = None
        self.stats.timer_fired += 1
        if self._is_due():
            # What has arrived in time counts, even if we come to read it late.
            self._transport.drain()
        if not self._running:
            return
        if self._is_due():
            self._feed(self._core.advance)
        else:
            self._arm()

    def _is_due(self) -> bool:
        deadline_ns = self._core.next_deadline()
        return deadline_ns is not None and deadline_ns <= self._now_ns()

    def _hold(self, effects: Sequence[object]) -> None:
        for effect in effects:
            if len(self._held) < HELD_EFFECTS_MAX or not isinstance(effect, _DISPENSABLE):
                self._held.append(effect)
            else:
                self.stats.held_dropped += 1

    def _execute(self, effects: Sequence[object]) -> None:
        """Execute effects in order, up to one that has to wait; those behind it are held."""
        run: list[object] = []
        transport = self._transport
        self._executing = True
        try:
            for at, effect in enumerate(effects):
                kind = type(effect)
                if kind in _SHELL_EFFECTS:
                    if run:
                        self._observer.effects_emitted(run)
                        run = []
                    if isinstance(effect, SendToken):
                        transport.send_token(effect.target, effect.frame)
                    elif isinstance(effect, SendMcast):
                        transport.send_mcast(effect.frames, effect.to_members_only)
                    elif isinstance(effect, StoreRingId) and not self._store(effect.ring_seq):
                        self._held.extend(effects[at + 1 :])
                        return
                    continue
                if kind is Trace and self._is_visit(effect):
                    continue
                if isinstance(effect, (ConfigurationChange, TotemConfchg)):
                    self._aim(effect)
                run.append(effect)
            if run:
                self._observer.effects_emitted(run)
        finally:
            self._executing = False

    def _is_visit(self, trace: Any) -> bool:
        """Hand over a visit of the token; tell whether it was one that is wanted so."""
        if trace.code != TraceCode.TOKEN_RECEIVED or self.visited is None:
            return False
        self.visited(trace)
        return True

    def _aim(self, change: ConfigurationChange | TotemConfchg) -> None:
        """Spare the nodes outside a new ring its traffic."""
        if change.kind is ConfChangeType.REGULAR:
            self._transport.set_ring_members(frozenset(change.members))

    def _store(self, ring_seq: int) -> bool:
        """
        Begin to make a ring id durable; the ring that forms is not the one we last aimed at.

        :return: whether it is durable already.
        """
        self._transport.set_ring_members(None)
        self._storing = True
        self._store_began_ns = self._now_ns()
        self._slow_call = self._reactor.callLater(STORE_SLOW_S, self._store_is_slow)
        self._storage.store(ring_seq).addCallbacks(self._stored, self._store_failed)
        return not self._storing

    def _store_ended(self) -> None:
        self._storing = False
        if self._slow_call is not None and self._slow_call.active():
            self._slow_call.cancel()
        self._slow_call = None

    def _stored(self, _result: None) -> None:
        self._store_ended()
        self.stats.stores += 1
        # Done within the call that began it: the loop in _execute goes on by itself.
        if self._running and not self._executing:
            self._feed(self._release_held)

    def _release_held(self, _now_ns: int) -> None:
        held = list(self._held)
        self._held.clear()
        self._execute(held)

    def _store_failed(self, failure: Failure) -> None:
        self._store_ended()
        if self._running:
            # Without a durable ring id nothing may be sent any more, not even a good-bye.
            self._storing = True
            self._give_up(failure)

    def _store_is_slow(self) -> None:
        self._slow_call = self._reactor.callLater(STORE_SLOW_S, self._store_is_slow)
        self._observer.storage_slow(self._now_ns() - self._store_began_ns)


def _do_nothing(_now_ns: int) -> None:
    """Stand for a step: what there is to do was asked for already."""
