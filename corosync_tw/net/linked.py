"""
A transport over several networks: hosts a link layer, which decides what goes where.

The layer is a value (``totem.links``); its networks are carriers, and what it passes up goes to the
driver as if one network had brought it. All carriers are read before the ring is told of anything,
so that a token finds the messages that were sent before it on another network.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Final, Protocol

from twisted.internet.defer import Deferred, gatherResults
from twisted.internet.interfaces import IDelayedCall, IReactorTime
from twisted.python.failure import Failure
from zope.interface import implementer

from corosync_tw.net.batchsocket import is_token
from corosync_tw.net.interfaces import IFrameReceiver, ILinkReceiver, ITransport
from corosync_tw.net.reactor import turn_end_of
from corosync_tw.net.stats import TransportStats
from corosync_tw.timers.clock import seconds_of
from corosync_tw.totem.links import Arrival, LinkEvent, LinkLayer, LinkSend, PassUp
from corosync_tw.totem.runs import Datagrams, FrameBlob, Received

# Called by a carrier with all that it found in one go, messages before tokens.
Hear = Callable[[Sequence[Arrival]], None]


class Carrier(Protocol):
    """One network of a node: sockets and addresses."""

    def start(self, hear: Hear) -> None:
        """
        Open the sockets and begin to hear.

        :raises corosync_tw.net.errors.NetError: nothing is open then.
        """

    def drain(self) -> None:
        """Hear at once what the sockets hold."""

    def send(
        self, frames: Datagrams, targets: tuple[int, ...] | None, to_members_only: bool
    ) -> None:
        """Send datagrams, in order; the parameters are those of ``LinkSend``."""

    def set_ring_members(self, nodeids: frozenset[int] | None) -> None:
        """Name the nodes that need what is for members alone; None: every node."""

    def stop(self) -> Deferred[None]:
        """Close the sockets; nothing is heard or sent afterwards. Repeated calls do nothing."""


class LinkObserver(Protocol):
    """Whoever acts on what happens to links."""

    def link_event(self, event: LinkEvent) -> None:
        """Take note; never call the transport from here."""

    def links_failed(self, failure: Failure) -> None:
        """Stop the daemon: an invariant of the link layer is broken."""


@implementer(ITransport)
class LinkedTransport:
    """
    Drives one link layer.

    :ivar layer: to be asked for its state.
    :ivar carriers: the networks by number.
    :ivar stats: counters of all networks together.
    """

    stats: TransportStats

    def __init__(
        self,
        reactor: IReactorTime,
        layer: LinkLayer,
        carriers: Mapping[int, Carrier],
        observer: LinkObserver,
        stats: TransportStats,
        *,
        now_ns: Callable[[], int],
    ) -> None:
        """
        Put the parts together; no socket is opened yet.

        :param stats: what the carriers count in.
        :param now_ns: monotonic clock; the same as the reactor's.
        """
        self.layer: Final = layer
        self.carriers: dict[int, Carrier] = dict(carriers)
        self.stats = stats
        self._reactor = reactor
        self._observer = observer
        self._now_ns = now_ns
        self._at_turn_end = turn_end_of(reactor)
        self._receiver: ILinkReceiver | None = None
        self._passed_up: list[Sequence[Received]] = []
        self._busy = False
        self._timer: IDelayedCall | None = None
        self._timer_ns = 0

    # ITransport

    def start(self, receiver: IFrameReceiver) -> None:
        """Open all networks. Raises NetError with nothing left open."""
        assert self._receiver is None
        started = []
        try:
            for link, carrier in sorted(self.carriers.items()):
                carrier.start(self._hear_on(link))
                started.append(carrier)
        except Exception:
            for carrier in started:
                carrier.stop()
            raise
        self._receiver = ILinkReceiver(receiver)
        self.layer.start(self._now_ns())
        self._execute()
        self._arm()

    def drain(self) -> None:
        """Hand over what the sockets hold."""
        if self._receiver is not None and not self._busy:
            self._guarded(self._drain_all)

    def send_token(self, target_nodeid: int, frame: bytes) -> None:
        """Have the layer send one frame to one node."""
        if self._receiver is not None:
            self.layer.send_token(target_nodeid, frame, self._now_ns())
            self._sent()

    def send_mcast(self, frames: Datagrams, to_members_only: bool) -> None:
        """Have the layer send frames to every other node."""
        if self._receiver is not None:
            self.layer.send_mcast(frames, to_members_only, self._now_ns())
            self._sent()

    def set_ring_members(self, nodeids: frozenset[int] | None) -> None:
        """Name the nodes of the ring; None while one forms."""
        for carrier in self.carriers.values():
            carrier.set_ring_members(nodeids)
        self.layer.set_ring_members(nodeids)
        self._sent()

    def stop(self) -> Deferred[None]:
        """Close all networks."""
        self._receiver = None
        self._passed_up.clear()
        if self._timer is not None and self._timer.active():
            self._timer.cancel()
        self._timer = None
        return gatherResults([c.stop() for c in self.carriers.values()]).addCallback(_nothing)

    # For the daemon

    def order(self, step: Callable[[int], None]) -> None:
        """
        Do something to the layer that is no matter of the ring, and carry out what follows.

        :param step: is given the time.
        """
        if self._receiver is not None:
            step(self._now_ns())
            self._sent()

    def add_carrier(self, link: int, carrier: Carrier) -> None:
        """
        Open one more network; the layer is to be told by ``order``.

        :raises corosync_tw.net.errors.NetError: it is not there then.
        """
        assert link not in self.carriers
        if self._receiver is not None:
            carrier.start(self._hear_on(link))
        self.carriers[link] = carrier

    def remove_carrier(self, link: int) -> Deferred[None]:
        """Close a network, of which the layer was told before by ``order``."""
        return self.carriers.pop(link).stop()

    # Turns

    def _hear_on(self, link: int) -> Hear:
        def hear(arrivals: Sequence[Arrival]) -> None:
            if self._receiver is None or link not in self.carriers:
                return
            if self._busy:
                self.layer.receive(link, arrivals, self._now_ns())
            else:
                self._guarded(lambda: self._take(link, arrivals))

        return hear

    def _take(self, link: int, arrivals: Sequence[Arrival]) -> None:
        """Take what came, and what the other networks hold."""
        self.layer.receive(link, arrivals, self._now_ns())
        for other, carrier in self.carriers.items():
            if other != link:
                carrier.drain()
        self._feed()

    def _drain_all(self) -> None:
        for carrier in self.carriers.values():
            carrier.drain()
        self._feed()

    def _guarded(self, step: Callable[[], None]) -> None:
        """Make one step of the layer; a broken invariant ends the node, not the socket."""
        self._busy = True
        try:
            step()
        except Exception:  # noqa: BLE001 - reported, and the end of this node
            self._observer.links_failed(Failure())  # type: ignore[no-untyped-call]
        finally:
            self._busy = False
        self._arm()

    def _feed(self) -> None:
        """Execute effects, and give the ring what is for it, until there is nothing more."""
        self._execute()
        while self._passed_up and self._receiver is not None:
            self._receiver.links_received(self._gathered(), self._released)
            self._execute()

    def _released(self) -> Sequence[Received]:
        """Give what the ring may have now that it has taken the rest."""
        self.layer.ring_advanced(self._now_ns())
        self._execute()
        return self._gathered() if self._passed_up else ()

    def _gathered(self) -> Sequence[Received]:
        """Give all that was passed up as one batch, messages first."""
        passed_up, self._passed_up = self._passed_up, []
        if len(passed_up) == 1:
            return passed_up[0]
        messages: list[Received] = []
        tokens: list[Received] = []
        for frames in passed_up:
            for frame in frames:
                if isinstance(frame, FrameBlob) or not is_token(frame):
                    messages.append(frame)
                else:
                    tokens.append(frame)
        return messages + tokens

    def _sent(self) -> None:
        """Carry out what follows from a send: never a step of the ring, which is at one now."""
        self._execute()
        if not self._busy:
            self._arm()
            if self._passed_up:
                self._at_turn_end(self._feed_later)

    def _feed_later(self) -> None:
        if self._receiver is not None and not self._busy:
            self._guarded(self._feed)

    def _execute(self) -> None:
        poll = self.layer.poll
        carriers = self.carriers
        while effects := poll():
            for effect in effects:
                if isinstance(effect, LinkSend):
                    carrier = carriers.get(effect.link)
                    if carrier is not None:
                        carrier.send(effect.frames, effect.targets, effect.to_members_only)
                elif isinstance(effect, PassUp):
                    self._passed_up.append(effect.frames)
                else:
                    self._observer.link_event(effect)

    # Time

    def _arm(self) -> None:
        """See to it that the delayed call comes not later than the layer's next deadline."""
        deadline_ns = self.layer.next_deadline()
        if deadline_ns is None or self._receiver is None:
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
        if self._receiver is not None:
            self._guarded(self._advance)

    def _advance(self) -> None:
        """Fire what is due, if it still is when all that has arrived in time was read."""
        if self._is_due():
            self._drain_all()
        if self._receiver is not None and self._is_due():
            self.layer.advance(self._now_ns())
            self._feed()

    def _is_due(self) -> bool:
        deadline_ns = self.layer.next_deadline()
        return deadline_ns is not None and deadline_ns <= self._now_ns()


def _nothing(_results: object) -> None:
    """Make the result of a Deferred None."""
