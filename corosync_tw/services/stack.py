"""
The whole node without its shell: ring, totempg, synchronization and services in one value.

Fed and polled like the ring itself; the daemon and the simulator both run it. The stack takes the
ring's effects, gives messages and configuration changes to the services in order, and passes on
what is for the driver. Executing an effect never re-enters the stack's receive or advance.

Clients of this node are known by a number that the caller chooses, ``conn``; see the cpg methods.
They raise CsError subclasses alone.

Source: Corosync exec/main.c deliver_fn, confchg_fn, corosync_sync_completed,
corosync_sending_allowed.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Final

from corosync_tw.corotypes import Buffer, ConfChangeType, Guarantee, RingId, Slices
from corosync_tw.errors import CsNotSupported, CsTryAgain
from corosync_tw.services.announcing import Announcing
from corosync_tw.services.bus import StackBus
from corosync_tw.services.changeover import Changeover
from corosync_tw.services.cpg.groups import Wants
from corosync_tw.services.cpg.sending import RunSender
from corosync_tw.services.cpg.wire import PartialType
from corosync_tw.services.delivering import Delivering
from corosync_tw.services.effects import CpgMember, StackEffect, SyncDone, TotemConfchg
from corosync_tw.services.engines import Engines
from corosync_tw.services.exec_wire import SYNC_GROUP
from corosync_tw.services.flow import QueueLevel, next_level
from corosync_tw.services.hello import HELLO_GROUP, Features
from corosync_tw.services.inspection.wire import INSPECTION_GROUP
from corosync_tw.services.interfaces import TimedService
from corosync_tw.services.lib_runs import RequestRuns, RunsTaken
from corosync_tw.services.log_line import LogLine
from corosync_tw.services.params import ServiceParams
from corosync_tw.services.ring_effects import RingEffects
from corosync_tw.services.stats.counters import StackStats
from corosync_tw.services.ykd.wire import YKD_GROUP
from corosync_tw.totem.effects import ConfigurationChange, Deliver, TokenSent
from corosync_tw.totem.params import TotemParams
from corosync_tw.totem.pg import Totempg
from corosync_tw.totem.pg_pack import BULK_SHARE_MAX
from corosync_tw.totem.runs import Received
from corosync_tw.totem.srp import Srp

# A leave that is announced first waits for so many visits of the token that leave no queue behind.
LEAVE_TOKEN_VISITS: Final = 2
# Numbers of connections wrap at 31 bits: they stay plain integers of banana and of C clients.
CONN_MAX: Final = 0x7FFFFFFF


class Stack:
    """
    One node.

    :ivar srp: the ring; its stats and state are for observers.
    :ivar pg: totempg; its queue_level is for observers.
    :ivar meter: what is counted and timed.
    :ivar cfg: cluster-wide administration; likewise cmap, quorum, votequorum (None without it).
    :ivar pload: floods the ring when it is told to.
    :ivar inspection: what nodes of ours ask each other for a diagnosis.
    :ivar announcing: what the members announced that they can do.
    :ivar mon: monitors, idle until ``mon.start()``; likewise the watchdog, wd, after it.
    :ivar ring_id: of the last regular configuration that was delivered; likewise members.
    """

    def __init__(
        self, params: TotemParams, services: ServiceParams, ring_seq: int, now_ns: int
    ) -> None:
        """
        Prepare a node; nothing is sent before start().

        :param ring_seq: last stored ring sequence number, 0 on the first start.
        """
        assert params.my_id == services.nodeid, "one node, two nodeids"
        self.params = params
        self.pg = Totempg(params.frame_len_bytes_max)
        self.srp = Srp(params, self.pg, ring_seq, now_ns)
        self._changeover = Changeover(self.srp)
        self.stats = StackStats()
        self.ring_id = RingId(services.nodeid, ring_seq)
        self.members: tuple[int, ...] = ()
        self._out: list[StackEffect] = []
        self._bus = StackBus(self.pg, self._out.append, now_ns)
        self.meter = self._bus.meter
        self._last_conn = 0
        self._level = QueueLevel.LOW
        self.announcing = Announcing(self.srp, self.pg, services.receive_msgs_max)
        self._leave_visits = 0
        self._leave_deadline_ns: int | None = None
        self._make_services(services)

    def _make_services(self, services: ServiceParams) -> None:
        engines = Engines(services, self._bus, self._on_sync_completed)
        self.cmap, self.cfg, self.cpg = engines.cmap, engines.cfg, engines.cpg
        self.quorum, self.votequorum, self._ykd = engines.quorum, engines.votequorum, engines.ykd
        self.mon, self.wd, self.pload = engines.mon, engines.wd, engines.pload
        self.sync, self.inspection = engines.sync, engines.inspection
        self._waiting = engines.waiting
        self._timed: tuple[TimedService, ...] = (*engines.timed, self._changeover)
        self._with_deadlines = (self.srp, *self._timed)
        delivering = Delivering(
            self.pg,
            self.cpg,
            engines.handlers,
            self._on_other_group,
            stats=self.stats,
            received=self.meter.received,
        )
        self._ring_effects = RingEffects(
            self.srp,
            self._out,
            {
                Deliver: delivering.deliver,
                TokenSent: self._on_token_sent,
                ConfigurationChange: self._on_configuration_change,
            },
        )
        self._send_run = RunSender(self.cpg, self.pg, self._bus).send
        self._announce_leave = services.votequorum and services.allow_downscale

    # Feeding and polling

    def start(self, now_ns: int) -> None:
        """Begin to look for others."""
        self._bus.now_ns = now_ns
        self.srp.start(now_ns)

    def receive(self, frames: Sequence[Received], now_ns: int) -> None:
        """Take datagrams, messages before tokens."""
        self._bus.now_ns = now_ns
        self.srp.receive(frames, now_ns)

    def may_overtake(self, token: Buffer) -> bool:
        """Tell whether a token may be fed before messages that arrived earlier."""
        return self.srp.may_overtake(token)

    def advance(self, now_ns: int) -> None:
        """Fire what is due."""
        self._bus.now_ns = now_ns
        if self._leave_deadline_ns is not None and now_ns >= self._leave_deadline_ns:
            self._leave_now()
        for service in self._timed:
            service.advance(now_ns)
        self.srp.advance(now_ns)

    def next_deadline(self) -> int | None:
        """Tell when advance() has something to do, absolute, in nanoseconds."""
        next_ns = self._leave_deadline_ns
        for part in self._with_deadlines:
            due_ns = part.next_deadline()
            if due_ns is not None and (next_ns is None or due_ns < next_ns):
                next_ns = due_ns
        return next_ns

    def poll(self) -> list[StackEffect]:
        """
        Collect what happened, to be executed in order; to be repeated until nothing comes.

        What the ring sends comes by itself, before what it delivers is looked at.
        """
        bus = self._bus
        while not self._ring_effects.take() and bus.sent:
            bus.sent = False
            self.srp.wake(bus.now_ns)
        out = self._out[:]
        self._out.clear()
        return out

    def reconfigure(self, params: TotemParams, now_ns: int) -> None:
        """Go over to other parameters of the ring, at about the time at which all members do."""
        self._bus.now_ns = now_ns
        self.params = params
        self._changeover.begin(params, now_ns)
        self.announcing.announce(params, trans=self.sync.in_progress)
        self._bus.sent = True

    def force_gather(self, now_ns: int) -> None:
        """Form the ring anew."""
        self._bus.now_ns = now_ns
        self._bus.emit(LogLine("MAIN", "error", "Forcing into GATHER state"))
        self.srp.force_gather(now_ns)

    def leave(self, now_ns: int) -> None:
        """
        Leave the ring cleanly; the stack is silent afterwards.

        With quorum.allow_downscale the others are told first, in a message that needs the token:
        then ``leaving`` stays True until it was carried or the token timeout is over.
        """
        self._bus.now_ns = now_ns
        if self._announce_leave and self.votequorum is not None and len(self.members) > 1:
            with suppress(CsTryAgain):
                self.votequorum.announce_leave()
                self._leave_visits = LEAVE_TOKEN_VISITS
                self._leave_deadline_ns = now_ns + self.params.token_timeout_ns
                return
        self.srp.leave(now_ns)

    @property
    def leaving(self) -> bool:
        """Whether a leave is announced and not yet done."""
        return self._leave_deadline_ns is not None

    # Observing

    @property
    def quorate(self) -> bool:
        """Whether this node is in the primary component."""
        return self.quorum.quorate

    @property
    def sync_in_progress(self) -> bool:
        """Whether the services are not yet in step in this ring, and clients have to wait."""
        return self.sync.in_progress

    def queue_level(self) -> QueueLevel:
        """Look how full the outgoing queue is."""
        self._level = next_level(self._level, self.pg.queue_level * 100)
        return self._level

    @property
    def resting(self) -> bool:
        """Whether the ring rests here, and has to be polled for what is queued to be sent soon."""
        return self.srp.resting

    @property
    def bulk_room(self) -> bool:
        """Whether messages of clients find room now."""
        return not self.sync.in_progress and self.pg.queue_level < BULK_SHARE_MAX

    @property
    def safe_supported(self) -> bool:
        """Whether all members deliver SAFE messages."""
        return not self.announcing.lacking(Features.SAFE_DELIVERY)

    # Closed process groups for local clients

    def new_conn(self) -> int:
        """Number a client; a number comes back only after CONN_MAX others."""
        self._last_conn = self._last_conn % CONN_MAX + 1
        return self._last_conn

    def cpg_join(self, conn: int, group: bytes, pid: int, wants: Wants = Wants.NOTHING) -> None:
        """
        Start joining a group; done when a CpgConfchg with ourselves in ``joined`` is delivered.

        Raises CsTryAgain, CsExist, CsBusy, CsNameTooLong, CsInvalidParam.
        """
        self.check_sending()
        self.cpg.join(conn, group, pid, wants)

    def cpg_leave(self, conn: int) -> None:
        """
        Start leaving; done when a CpgConfchg with ourselves in ``left`` is delivered.

        Raises CsTryAgain, CsNotExist, CsBusy.
        """
        self.check_sending()
        self.cpg.leave(conn)

    def cpg_disconnect(self, conn: int) -> None:
        """Forget a connection that is gone; never raises."""
        self.cpg.disconnect(conn)

    def cpg_mcast(
        self, conn: int, messages: Sequence[Slices], guarantee: Guarantee, now_ns: int
    ) -> None:
        """
        Send messages to the group of a connection; their buffers must not change afterwards.

        Raises CsTryAgain: synchronization or a full queue; ``accepted`` messages are on their way,
        repeat the rest. CsNotSupported: SAFE, and a member cannot. CsTooBig: a message is longer
        than CPG_ATOMIC_LEN_MAX, none is sent. CsNotExist: not in a group.
        """
        self._bus.now_ns = now_ns
        if guarantee is Guarantee.SAFE:
            self._check_safe()
        self.check_sending()
        self.cpg.mcast(conn, messages, guarantee)

    def cpg_mcast_run(
        self,
        conn: int,
        requests: RequestRuns,
        guarantee_of: Callable[[int], Guarantee],
        now_ns: int,
    ) -> tuple[int, RunsTaken]:
        """
        Send messages to the group of a connection, straight from where its client left them.

        :param guarantee_of: makes a guarantee of what the client asks for, one that all can keep.
        :return: how many messages, and why no more.
        Raises CsNotExist: not in a group.
        """
        self._bus.now_ns = now_ns
        # The share of the queue that is for applications ends below the critical level.
        if self.sync.in_progress:
            return 0, RunsTaken.UP_TO_FULL
        return self._send_run(conn, requests, guarantee_of)

    def cpg_partial_mcast(
        self, conn: int, kind: PartialType, msglen: int, slices: Slices, now_ns: int
    ) -> None:
        """
        Send one part of a message that is too large for one, as libcpg does.

        Raises CsTryAgain: repeat this part. CsInterrupt: begin anew. CsTooBig, CsNotExist.
        """
        self._bus.now_ns = now_ns
        self.check_sending()
        self.cpg.partial_mcast(conn, kind, msglen, slices)

    def cpg_membership(self, group: bytes) -> list[CpgMember]:
        """List the members of a group by (nodeid, pid)."""
        return self.cpg.membership(group)

    def cpg_groups(self) -> list[bytes]:
        """List the groups of the cluster that have members, by name."""
        return self.cpg.groups()

    def check_sending(self) -> None:
        """Raise CsTryAgain when clients may not send now: synchronization or a full queue."""
        if self.sync.in_progress:
            raise CsTryAgain("the services are being synchronized")
        if self.queue_level() is QueueLevel.CRITICAL:
            raise CsTryAgain("the message queue is at a critical level")

    def _check_safe(self) -> None:
        lacking = self.announcing.lacking(Features.SAFE_DELIVERY)
        if lacking and not self.sync.in_progress:
            nodes = ", ".join(map(str, lacking))
            raise CsNotSupported(
                f"SAFE delivery needs corosync_tw on every member; these have not announced it: "
                f"{nodes}"
            )

    # What the ring says

    def _on_other_group(self, nodeid: int, group: bytes, data: Buffer, big_endian: bool) -> None:
        if group == SYNC_GROUP:
            self.sync.deliver(nodeid, data, big_endian)
        elif group == YKD_GROUP and self._ykd is not None:
            self._ykd.deliver(nodeid, data, big_endian)
        elif group == HELLO_GROUP:
            self.announcing.deliver(nodeid, data, big_endian)
        elif group == INSPECTION_GROUP:
            self.inspection.deliver(nodeid, data, big_endian)
        else:
            self.stats.messages_unknown += 1

    def _on_token_sent(self, _effect: TokenSent) -> None:
        meter, srp = self.meter, self.srp
        meter.token_visit(srp.stats.token_rotation_ns, srp.backlog_frames)
        if meter.probing:
            meter.follow_probe(self._bus.now_ns, self.pg.waiting_msgs, srp.marks)
        self.sync.token_sent()
        for send in self._waiting:
            send()
        if self._leave_visits and not self.sync.in_progress and not self.pg.queue_level:
            self._leave_visits -= 1
            if not self._leave_visits:
                self._leave_now()

    def _on_configuration_change(self, change: ConfigurationChange) -> None:
        self.meter.sync_began(self._bus.now_ns)
        self.pg.configuration_change(change, stock_peers=not self.safe_supported)
        if change.kind is ConfChangeType.REGULAR:
            self.ring_id = change.ring_id
            self.members = change.members
        self.cfg.configuration_change(change.members)
        self.inspection.configuration_change(change.members)
        self._out.append(
            TotemConfchg(change.kind, change.ring_id, change.members, change.left, change.joined)
        )
        if change.kind is ConfChangeType.TRANSITIONAL:
            self.sync.transitional(change.members)
            return
        self.announcing.begin(change.ring_id, change.members, self.params)
        self.sync.regular(change.members, change.ring_id)
        if self._ykd is not None:
            self._ykd.configuration_change(change.members, change.ring_id)

    def _on_sync_completed(self) -> None:
        self.meter.sync_done(self._bus.now_ns)
        self.pg.trans_ack()
        self._bus.sent = True
        if self._ykd is not None:
            self._ykd.sync_completed()
        self._out.append(SyncDone(self.ring_id, self.members, self.safe_supported))

    def _leave_now(self) -> None:
        self._leave_visits = 0
        self._leave_deadline_ns = None
        self.srp.leave(self._bus.now_ns)
