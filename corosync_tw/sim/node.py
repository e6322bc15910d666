"""
One node: a core with its clock, its socket buffer, its durable ring number, and the ways it can
suffer.

The node plays the driver's part: it executes effects in order, holds them back while a ring number
is being written,
hands frames over messages first and tokens last, and keeps one timer.
"""

from typing import Final
from zlib import crc32

from corosync_tw.corotypes import ConfChangeType
from corosync_tw.sim.clock import PROCESS, TIMER, NodeClock
from corosync_tw.sim.hosts import Host, HostEffect
from corosync_tw.sim.linked import Linked, unmerged
from corosync_tw.sim.merging import merged
from corosync_tw.sim.snoop import ORF_TOKEN, TYPE_OFFSET
from corosync_tw.sim.surroundings import Surroundings
from corosync_tw.totem.const import GatherFrom, MembState
from corosync_tw.totem.effects import (
    ConfigurationChange,
    Deliver,
    SendMcast,
    SendToken,
    StoreRingId,
    TokenSent,
    Trace,
)
from corosync_tw.totem.runs import Received
from corosync_tw.totem.trace import TraceCode

BATCH_FRAMES_MAX: Final = 64


class SimNode:
    """
    A node of the cluster.

    :ivar index: place in the network.
    :ivar host: the running core, None while the node is down.
    :ivar links: what lies between it and several networks.
    :ivar stored_ring_seq: what survives a crash.
    :ivar crash_countdown: effects still to be executed before the node crashes amid them; None for
        no such plan.
    """

    def __init__(self, index: int, nodeid: int, clock: NodeClock, around: Surroundings) -> None:
        self.index = index
        self.nodeid = nodeid
        self.clock = clock
        self.around = around
        self.host: Host | None = None
        self.links: Linked | None = None
        self.incarnation = 0
        self.stored_ring_seq = around.options.ring_seq_start
        self.paused = False
        self.inbox: list[bytes] = []
        self.process_planned = False
        self.timer_at_ns: int | None = None
        self.waiting_effects: list[HostEffect] = []
        self.storing = False
        self.crash_countdown: int | None = None
        self._feeding = False
        self._plain = clock.offset_ns == 0 and clock.drift_ppm == 0

    # -- life

    def start(self) -> None:
        """Start, or start again with the ring number on disk."""
        assert self.host is None
        around = self.around
        self.incarnation += 1
        around.recorder.begin(self.nodeid, self.incarnation, around.queue.now_ns)
        now_ns = self.local_now()
        self.host = around.make_host(self, self.stored_ring_seq, now_ns)
        self.links = around.make_links(self)
        if self.links is not None:
            self.links.start()
        self.host.start(now_ns)
        self._after_input()

    def start_if_down(self) -> None:
        """Start, unless healing has started it already."""
        if self.host is None:
            self.start()

    def crash(self, how: str = "crash") -> None:
        """Stop at once; only the stored ring number remains."""
        assert self.host is not None
        self.around.recorder.fail(self.nodeid, self.around.queue.now_ns, how)
        self.around.ring_checks.forget(self.nodeid)
        self.around.turn_checks.forget(self.nodeid)
        self.around.link_checks.forget(self.nodeid)
        self.host = self.links = None
        self.inbox = []
        self.paused = self.process_planned = self.storing = False
        self.timer_at_ns = None
        self.waiting_effects = []
        self.crash_countdown = None

    def leave(self) -> None:
        """Leave the ring cleanly and stop."""
        assert self.host is not None
        self.host.leave(self.local_now())
        self._after_input()
        if self.host is not None:
            self.crash("leave")

    def pause(self) -> None:
        """Stop processing; frames pile up in the socket buffer."""
        self.paused = True
        self.around.recorder.note(self.around.queue.now_ns, self.nodeid, "pause")

    def resume(self) -> None:
        """Process again: whatever is due and whatever is queued, in either order."""
        if self.host is None or not self.paused:
            return
        self.paused = False
        around = self.around
        around.recorder.note(around.queue.now_ns, self.nodeid, "resume", len(self.inbox))
        timers_first = around.rng.random() < 0.5
        if timers_first:
            self._fire_timers()
        self.drain()
        if not timers_first:
            self._fire_timers()

    # -- input

    def local_now(self) -> int:
        """Read the node's own clock."""
        now_ns = self.around.queue.now_ns
        return now_ns if self._plain else self.clock.local(now_ns)

    def arrive(self, frames: tuple[bytes, ...]) -> None:
        """Take frames from the network into the socket buffer, or straight into the core."""
        if self.host is None:
            return
        options = self.around.options
        if not self.paused and options.processing_ns == 0:
            self._receive(list(frames))
            return
        room = options.socket_frames_max - len(self.inbox)
        if room < len(frames):
            self.around.networks[0].counts["frames over the socket buffer"] += len(frames) - room
            frames = frames[: max(room, 0)]
        self.inbox.extend(frames)
        self._plan_processing()

    def arrive_on(self, number: int, sender: int, frames: tuple[bytes, ...]) -> None:
        """Take frames from one of several networks."""
        if self.links is None:
            return
        self.links.arrive(number, sender, frames)
        if not self.paused and self.around.options.processing_ns == 0:
            self.drain()
        else:
            self._plan_processing()

    def _plan_processing(self) -> None:
        if not self.paused and not self.process_planned:
            self.process_planned = True
            around = self.around
            delay_ns = int(around.rng.random() * around.options.processing_ns)
            later = around.queue.now_ns + delay_ns
            around.queue.push(later, PROCESS, self.index, self.incarnation)

    def on_process(self, incarnation: int) -> None:
        """Read the socket."""
        if incarnation == self.incarnation and self.host is not None:
            self.process_planned = False
            if not self.paused:
                self.drain()

    def drain(self) -> None:
        """Hand all queued frames to the core, a batch at a time."""
        if self.links is not None and self.links.has_frames():
            self.links.hear()
            self._after_input()
        while self.inbox and self.host is not None:
            batch = self.inbox[:BATCH_FRAMES_MAX]
            del self.inbox[:BATCH_FRAMES_MAX]
            self._receive(batch)

    def _receive(self, frames: list[bytes]) -> None:
        assert self.host is not None
        if len(frames) > 1:
            # Stable: messages first, tokens last, as drivers do.
            frames.sort(key=_is_token)
        self.around.recorder.handed(self.nodeid, frames)
        offload = self.around.options.receive_offload
        self.host.receive(merged(frames) if offload else frames, self.local_now())
        self._after_input()

    def _take_passed_up(self) -> None:
        """Give the ring what its link layer has for it, until there is nothing more."""
        if self._feeding:
            return
        self._feeding = True
        while self.links is not None and (frames := self.links.take()):
            self._receive_passed_up(frames)
            if self.links is not None:
                self.links.ring_advanced()
        self._feeding = False

    def _receive_passed_up(self, frames: list[Received]) -> None:
        assert self.host is not None
        self.around.recorder.handed(self.nodeid, unmerged(frames))
        self.host.receive(frames, self.local_now())
        self._after_input()

    def on_timer(self, incarnation: int) -> None:
        """Fire what is due, or plan anew if the deadline has moved."""
        if incarnation != self.incarnation or self.host is None:
            return
        if self.timer_at_ns != self.around.queue.now_ns:
            return
        self.timer_at_ns = None
        if self.paused:
            return
        self._fire_timers()

    def _fire_timers(self) -> None:
        if self.links is not None and self.links.is_due():
            # As the daemon does: what came in time is read before it is judged missing.
            self.drain()
            if self.links is not None and self.links.is_due():
                self.links.advance()
                self._after_input()
        if self.host is None:
            return
        now_ns = self.local_now()
        deadline = self.host.next_deadline()
        if deadline is not None and deadline <= now_ns:
            self.host.advance(now_ns)
            self._after_input()
        else:
            self._plan_timers()

    def wake(self) -> None:
        """Tell the core that there is something to send."""
        if self.host is not None:
            self.host.wake(self.local_now())
            self._after_input()

    # -- output

    def _after_input(self) -> None:
        assert self.host is not None
        while self.host is not None and (effects := self.host.poll()):
            if self.storing:
                self.waiting_effects.extend(effects)
            else:
                self._execute(effects)
        if self.links is not None:
            self._take_passed_up()
        self._plan_timers()

    def _plan_timers(self) -> None:
        if self.host is not None:
            self._plan_timer(self.host.next_deadline())
        if self.links is not None:
            self._plan_timer(self.links.layer.next_deadline())

    def _plan_timer(self, deadline: int | None) -> None:
        if deadline is None:
            return
        queue = self.around.queue
        at_ns = deadline if self._plain else self.clock.simulated(deadline)
        at_ns = max(at_ns, queue.now_ns)
        if self.timer_at_ns is None or at_ns < self.timer_at_ns:
            self.timer_at_ns = at_ns
            queue.push(at_ns, TIMER, self.index, self.incarnation)

    def _execute(self, effects: list[HostEffect]) -> None:
        around = self.around
        around.turn_checks.begin(self.nodeid)
        for place, effect in enumerate(effects):
            if self.crash_countdown is not None:
                self.crash_countdown -= 1
                if self.crash_countdown < 0:
                    self.crash("crash amid effects")
                    return
            if type(effect) is StoreRingId and around.options.storage_delay_ns:
                self._begin_storing(effect.ring_seq, effects[place + 1 :])
                return
            self._execute_one(effect)

    def _begin_storing(self, ring_seq: int, later: list[HostEffect]) -> None:
        self.storing = True
        self.waiting_effects = later
        around, incarnation = self.around, self.incarnation
        delay = int(around.rng.random() * around.options.storage_delay_ns)

        def stored() -> None:
            if self.incarnation == incarnation and self.host is not None:
                self._stored(ring_seq)
                self.storing = False
                waiting, self.waiting_effects = self.waiting_effects, []
                self._execute(waiting)
                if self.links is not None:
                    self._after_input()

        around.queue.call_at(around.queue.now_ns + delay, stored)

    def _stored(self, ring_seq: int) -> None:
        self.stored_ring_seq = ring_seq
        if self.links is not None:
            # Another ring forms than the one we last aimed at.
            self.links.set_ring_members(None)

    def _look_at_trace(self, effect: Trace) -> None:
        checks, now_ns = self.around.link_checks, self.around.queue.now_ns
        if effect.code == TraceCode.STATE_ENTERED and effect.values[1] == MembState.GATHER:
            checks.ring_lost(self.nodeid, GatherFrom(effect.values[2]).name, now_ns)
        elif effect.code == TraceCode.RETRANSMIT_LIST:
            checks.asked(self.nodeid, effect.values, now_ns)

    def _execute_one(self, effect: HostEffect) -> None:
        around = self.around
        now_ns = around.queue.now_ns
        if type(effect) is SendToken:
            self._send_token(effect)
        elif type(effect) is SendMcast:
            self._send_mcast(effect)
        elif type(effect) is Deliver:
            around.recorder.deliver(self.nodeid, effect, now_ns)
        elif type(effect) is TokenSent:
            assert self.host is not None, "an effect of a node that is down"
            # In recovery the backlog has to wait.
            operational = self.host.srp.state is MembState.OPERATIONAL
            backlog = self.host.backlog if operational else _nothing
            around.ring_checks.passed_token(self.nodeid, backlog, now_ns)
            around.turn_checks.passed_token(self.nodeid, now_ns)
        elif type(effect) is Trace:
            around.recorder.note(now_ns, self.nodeid, "trace", effect.code, effect.values)
            self._look_at_trace(effect)
        elif type(effect) is ConfigurationChange:
            around.recorder.configuration(self.nodeid, effect, now_ns)
            if effect.kind is ConfChangeType.REGULAR:
                around.ring_checks.installed(effect.ring_id, effect.members)
                if self.links is not None:
                    self.links.set_ring_members(frozenset(effect.members))
        elif type(effect) is StoreRingId:
            self._stored(effect.ring_seq)
        elif self.host is not None:
            self.host.observe(effect, now_ns)

    def _send_token(self, effect: SendToken) -> None:
        around, frame = self.around, effect.frame
        now_ns = around.queue.now_ns
        around.recorder.stir(now_ns, crc32(frame))
        if frame[TYPE_OFFSET] == ORF_TOKEN:
            around.ring_checks.sent_token(self.nodeid, frame, now_ns)
            around.turn_checks.sent_token(self.nodeid, frame, now_ns)
        if self.links is not None:
            self.links.send_token(effect.target, frame)
            return
        target = around.index_of.get(effect.target)
        if target is not None:
            around.networks[0].unicast(self.index, target, (frame,))

    def _send_mcast(self, effect: SendMcast) -> None:
        frames = tuple(
            bytes(slices[0]) if len(slices) == 1 else b"".join(slices) for slices in effect.frames
        )
        around = self.around
        now_ns = around.queue.now_ns
        fresh, ring_id = around.recorder.sent_frames(self.nodeid, frames, now_ns)
        around.turn_checks.sent_frames(self.nodeid, frames, fresh, now_ns)
        if fresh and ring_id is not None:
            around.ring_checks.sent_messages(self.nodeid, fresh, ring_id)
            around.recorder.note(now_ns, self.nodeid, "send", fresh)
        if self.links is None:
            around.networks[0].multicast(self.index, frames)
        else:
            self.links.send_mcast(effect.frames, to_members_only=effect.to_members_only)


def _nothing() -> int:
    return 0


def _is_token(frame: bytes) -> bool:
    return len(frame) > TYPE_OFFSET and frame[TYPE_OFFSET] == ORF_TOKEN
