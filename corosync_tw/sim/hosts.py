"""
What runs on a node: the ring alone with a trivial source, or the whole production stack.

Both look the same to the node: fed, polled, and able to take a message from the workload.
"""

from collections import deque
from collections.abc import Callable, Sequence
from contextlib import suppress
from random import Random
from typing import Final, Protocol

from corosync_tw.corotypes import ConfChangeType, CpgReason, Guarantee, RingId
from corosync_tw.errors import CsError, CsNotSupported, CsTryAgain
from corosync_tw.services.cpg.effects import CpgDeliverRun
from corosync_tw.services.effects import (
    CpgConfchg,
    CpgDeliver,
    FatalError,
    LocalEffect,
    QuorumChange,
    ServiceEffect,
    StackEffect,
    SyncDone,
    TotemConfchg,
)
from corosync_tw.services.params import ServiceParams
from corosync_tw.services.stack import Stack
from corosync_tw.sim.app_record import AppLog
from corosync_tw.sim.payload_runs import payload_runs
from corosync_tw.totem.const import MembState
from corosync_tw.totem.effects import (
    ConfigurationChange,
    Effect,
    SendMcast,
    SendToken,
    StoreRingId,
    Trace,
)
from corosync_tw.totem.params import TotemParams
from corosync_tw.totem.runs import Received, SentRun
from corosync_tw.totem.srp import Srp
from corosync_tw.totem.window import Agreement

HostEffect = Effect | ServiceEffect

# What may wait in the trivial source; more is refused, as totempg does.
SOURCE_MESSAGES_MAX: Final = 500
GROUPS: Final = (b"alpha", b"beta")


class Host(Protocol):
    """A core and whatever is on top of it."""

    srp: Srp

    def start(self, now_ns: int) -> None:
        """Begin."""

    def receive(self, frames: Sequence[Received], now_ns: int) -> None:
        """Take a batch of frames."""

    def advance(self, now_ns: int) -> None:
        """Fire what is due."""

    def next_deadline(self) -> int | None:
        """Tell when ``advance`` has something to do."""

    def poll(self) -> list[HostEffect]:
        """Give up effects in order."""

    def leave(self, now_ns: int) -> None:
        """Leave cleanly."""

    def wake(self, now_ns: int) -> None:
        """Say that there may be something to send."""

    def submit(self, len_bytes: int, guarantee: Guarantee, now_ns: int) -> bool:
        """Send a message; False when it cannot be taken now."""

    def backlog(self) -> int:
        """Count the frames that wait for the token."""

    def ring_id(self) -> RingId:
        """Id of the installed ring."""

    def observe(self, effect: HostEffect, time_ns: int) -> None:
        """Write down an effect of the services."""

    def settle(self, now_ns: int) -> bool:
        """Do what clients would repeat until it works; True when nothing is left to repeat."""

    def churn(self, rng: Random) -> None:
        """Let one process leave its group or die, to join again later."""

    def resting_state(self) -> tuple[object, ...]:
        """Give what must be equal on all nodes at rest."""

    def unfinished(self) -> str:
        """Say what this node still owes its clients at rest; empty when nothing."""


class FrameSource:
    """Payloads one frame long, first in, first out."""

    def __init__(self) -> None:
        self.waiting: deque[tuple[Guarantee, bytes]] = deque()

    def backlog_frames(self) -> int:
        """Count what waits."""
        return len(self.waiting)

    def take(self, frames_max: int, header: bytes) -> list[SentRun]:
        """Give up the oldest."""
        count = min(frames_max, len(self.waiting))
        return payload_runs(header, [self.waiting.popleft() for _ in range(count)])

    def hold_ordinary(self) -> None:
        """Nothing here needs synchronisation."""


class RingHost:
    """The ring alone."""

    def __init__(
        self,
        params: TotemParams,
        log: AppLog,
        ring_seq: int,
        now_ns: int,
        agreement: Callable[[tuple[int, ...], TotemParams], Agreement],
    ) -> None:
        self.agreement = agreement
        self.source = FrameSource()
        self.srp = Srp(params, self.source, ring_seq, now_ns)
        self.log = log
        self.payload_max = params.frame_len_bytes_max - 100
        self.start = self.srp.start
        self.receive = self.srp.receive
        self.advance = self.srp.advance
        self.next_deadline = self.srp.next_deadline
        self.leave = self.srp.leave
        self.wake = self.srp.wake

    def poll(self) -> list[HostEffect]:
        """Give up effects in order."""
        effects = self.srp.poll()
        for effect in effects:
            if isinstance(effect, ConfigurationChange) and effect.kind is ConfChangeType.REGULAR:
                # What the stack finds out by its hello: there are no stock nodes here.
                self.srp.ring_of_ours()
                self.srp.agree(self.agreement(effect.members, self.srp.params))
        return effects  # type: ignore[return-value]

    def submit(self, len_bytes: int, guarantee: Guarantee, now_ns: int) -> bool:
        """Let a message wait."""
        del now_ns
        if len(self.source.waiting) >= SOURCE_MESSAGES_MAX:
            return False
        header, body = self.log.new_message(min(len_bytes, self.payload_max))
        self.source.waiting.append((guarantee, header + body))
        return True

    def backlog(self) -> int:
        """Count the frames that wait for the token."""
        return len(self.source.waiting)

    def ring_id(self) -> RingId:
        """Id of the installed ring."""
        return self.srp.ring_id

    def observe(self, effect: HostEffect, time_ns: int) -> None:
        """There are no services here."""

    def settle(self, now_ns: int) -> bool:
        """There is nothing to repeat."""
        del now_ns
        return True

    def churn(self, rng: Random) -> None:
        """There are no processes."""

    def resting_state(self) -> tuple[object, ...]:
        """Nothing but the ring."""
        return (self.srp.ring_id,)

    def unfinished(self) -> str:
        """Own messages are delivered with the ring's: there is no second promise."""
        return ""


class StackHost:
    """The production stack: sync, cpg, quorum and the rest, with one client process a group."""

    def __init__(
        self,
        params: TotemParams,
        services: ServiceParams,
        log: AppLog,
        ring_seq: int,
        now_ns: int,
        *,
        simulated_now_ns: Callable[[], int],
    ) -> None:
        self.now_ns = simulated_now_ns
        self.stack = Stack(params, services, ring_seq, now_ns)
        self.srp = self.stack.srp
        self.log = log
        self.raw: list[Effect] = []
        # By number of the group; each join of a process is a connection of its own.
        self.conns = list(range(len(GROUPS)))
        self.next_conn = len(GROUPS)
        self.to_join = set(self.conns)
        self.joined: set[int] = set()
        self.safe_refused = 0
        self._tap()
        self.start = self.stack.start
        self.receive = self.stack.receive
        self.advance = self.stack.advance
        self.next_deadline = self.stack.next_deadline
        self.leave = self.stack.leave

    def wake(self, now_ns: int) -> None:
        """The stack notices by itself what its clients have asked for."""

    def _tap(self) -> None:
        """Keep a copy of what the ring says; the stack consumes deliveries and configurations."""
        poll, raw = self.srp.poll, self.raw

        def tapped() -> list[Effect]:
            effects = poll()
            raw.extend(effects)
            return effects

        self.srp.poll = tapped  # type: ignore[method-assign]

    def poll(self) -> list[HostEffect]:
        """Give up the ring's effects in order, then those of the services."""
        effects: list[StackEffect] = self.stack.poll()
        result: list[HostEffect] = list(self.raw)
        self.raw.clear()
        for effect in effects:
            if isinstance(effect, CpgDeliverRun):
                result.extend(effect.expand())
            elif not isinstance(effect, (SendToken, SendMcast, StoreRingId, Trace)):
                result.append(effect)
        return result

    def submit(self, len_bytes: int, guarantee: Guarantee, now_ns: int) -> bool:
        """Send to a group that this node's process has joined."""
        if not self.joined:
            return False
        number = min(self.joined, key=lambda g: (self.log.next_index + g) % len(GROUPS))
        conn = self.conns[number]
        header, body = self.log.peek_message(len_bytes, GROUPS[number])
        try:
            self.stack.cpg_mcast(conn, [(header, body)], guarantee, now_ns)
        except CsTryAgain:
            return False
        except CsNotSupported:
            self.safe_refused += 1
            return False
        self.log.accept_message(GROUPS[number])
        return True

    def backlog(self) -> int:
        """Count the frames that wait for the token."""
        return self.stack.pg.backlog_frames()

    def ring_id(self) -> RingId:
        """Id of the installed ring."""
        return self.srp.ring_id

    def observe(self, effect: HostEffect, time_ns: int) -> None:
        """Write down an effect of the services."""
        log = self.log
        if isinstance(effect, (CpgDeliver, CpgConfchg)) and effect.conn not in self.conns:
            # On its way while the driver wrote a ring id, and the client went.
            return
        if isinstance(effect, CpgDeliver):
            log.deliver(time_ns, effect)
        elif isinstance(effect, CpgConfchg):
            self._observe_view(effect, time_ns)
        elif isinstance(effect, TotemConfchg):
            log.ring(time_ns, effect)
        elif isinstance(effect, SyncDone):
            log.sync_done(time_ns, effect)
        elif isinstance(effect, QuorumChange):
            log.quorum(time_ns, effect)
        elif isinstance(effect, FatalError):
            log.fatal(time_ns, effect)
        else:
            # For clients and the disk of a daemon, which a simulated node has not.
            assert isinstance(effect, LocalEffect), f"{effect!r} has no meaning here"

    def settle(self, now_ns: int) -> bool:
        """Join the groups that are not joined yet."""
        del now_ns
        for number in sorted(self.to_join):
            conn = self.conns[number]
            try:
                self.stack.cpg_join(conn, GROUPS[number], 1000 + conn)
                self.to_join.discard(number)
            except CsTryAgain:
                return False
            except CsError as error:
                raise AssertionError(f"join of {GROUPS[number]!r}: {error!r}") from error
        if len(self.joined) < len(GROUPS):
            return False
        return self.srp.state is MembState.OPERATIONAL and not self.stack.sync_in_progress

    def _observe_view(self, effect: CpgConfchg, time_ns: int) -> None:
        number = self.conns.index(effect.conn)
        me = (self.log.nodeid, 1000 + effect.conn)
        self.log.view(time_ns, effect)
        if any((m.nodeid, m.pid) == me for m in effect.joined):
            self.joined.add(number)
        if any((m.nodeid, m.pid) == me and m.reason == CpgReason.LEAVE for m in effect.left):
            self._part(number, time_ns)

    def _part(self, number: int, time_ns: int) -> None:
        self.log.part(time_ns, GROUPS[number])
        self.joined.discard(number)
        self.conns[number] = self.next_conn
        self.next_conn += 1
        self.to_join.add(number)

    def churn(self, rng: Random) -> None:
        """Let one process leave its group or die; ``settle`` joins it again."""
        if not self.joined:
            return
        number = rng.choice(sorted(self.joined))
        if rng.random() < 0.5:
            self.stack.cpg_disconnect(self.conns[number])
            self._part(number, self.now_ns())
            return
        with suppress(CsTryAgain):
            self.stack.cpg_leave(self.conns[number])
            # From now on it sends nothing; it has left when it is told so.
            self.joined.discard(number)

    def resting_state(self) -> tuple[object, ...]:
        """The ring, the groups with their members, and quorum."""
        groups = tuple(self.stack.cpg_groups())
        members = tuple(
            (group, tuple((m.nodeid, m.pid) for m in self.stack.cpg_membership(group)))
            for group in groups
        )
        return self.srp.ring_id, groups, members, self.stack.quorate

    def unfinished(self) -> str:
        """Every message that was accepted comes back, and a complete cluster is quorate."""
        if not self.stack.quorate:
            return "not quorate though every node is there"
        if len(self.joined) != len(GROUPS):
            return f"joined {len(self.joined)} groups of {len(GROUPS)}"
        own = self.log.own_deliveries()
        if own != self.log.next_index and not self.log.parted:
            return f"{self.log.next_index} messages accepted, {own} of them delivered here"
        return ""
