"""
What of a node goes into its flight recorder, and when a copy of that is kept.

Everything is told to ``FlightLog``, whether there is a recorder or not; a recorder that cannot be
made costs one line in the log, never the node.
"""

import os
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.defer import succeed
from twisted.internet.threads import deferToThreadPool
from twisted.logger import LogEvent, LogPublisher, formatEvent, globalLogPublisher
from twisted.python.failure import Failure

from corosync_tw import __version__
from corosync_tw.corotypes import ConfChangeType
from corosync_tw.daemon.one_at_a_time import OneAtATime
from corosync_tw.logsys.flight.events import LINKS, LISTS, TRACES, Code
from corosync_tw.logsys.flight.keeping import keep_copy, live_path, set_aside
from corosync_tw.logsys.flight.layout import Ending
from corosync_tw.logsys.flight.recorder import FlightRecorder, NoRecorder
from corosync_tw.logsys.flight.table import EVENTS
from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.settings import SUBSYSTEMS
from corosync_tw.logsys.twisted_levels import LEVEL_OF_TWISTED
from corosync_tw.services.cfg.effects import (
    CryptoPhaseReached,
    NodeKilled,
    NodeShutDown,
    ReloadRequested,
    ShutdownDecided,
)
from corosync_tw.services.cmap.effects import ConfigVersionDiffers
from corosync_tw.services.effects import FatalError, QuorumChange, SyncDone, TotemConfchg
from corosync_tw.services.lib_interfaces import LibClient
from corosync_tw.totem.effects import Trace
from corosync_tw.totem.links import LinkEvent
from corosync_tw.totem.trace import TraceCode

# What follows upon the loss of a member belongs to it.
AFTERMATH_S: Final = 5.0
# A ring that loses a member every minute does not fill the disk, nor push out all other incidents.
LOST_INTERVAL_S: Final = 600.0
LOG_LEVEL_MAX: Final = Level.WARNING
LOG_TEXT_LEN_CHARS_MAX: Final = 600
VISIT: Final = TRACES + TraceCode.TOKEN_RECEIVED

_SUBSYS_NUMBERS: Final = {name: number for number, name in enumerate(SUBSYSTEMS)}
_LISTED: Final = frozenset(
    code
    for code, event in EVENTS.items()
    if event.fields and event.fields[-1].kind in LISTS and code < LINKS
)

Say = Callable[[Level, str], None]


class FlightLog:
    """
    Records what happens to one node.

    :ivar recorder: what it is written into; does nothing before ``open``, and without room.
    :ivar visit: records a visit of the token: code VISIT and its four values.
    """

    def __init__(self, publisher: LogPublisher = globalLogPublisher) -> None:
        self._publisher = publisher
        self._observer: Any = self._log_event
        self.recorder = NoRecorder()
        self.visit: Callable[..., None] = self.recorder.writer(VISIT)
        self._directory = ""
        self._nodeid = 0
        self._reactor: Any = None
        self._say: Say = lambda *_: None
        self._lost_call: Any = None
        self._lost_at_s: float | None = None
        self._failed = False
        self._kept_why = ""
        self._copies = OneAtATime(self._begin_copy)
        self._record: dict[type, Callable[[Any], None]] = {
            Trace: self._trace,
            TotemConfchg: self._configuration,
            QuorumChange: self._quorum,
            SyncDone: self._sync_done,
            NodeShutDown: lambda e: self.recorder.record(Code.NODE_SHUT_DOWN, e.nodeid),
            NodeKilled: self._node_killed,
            ReloadRequested: lambda e: self.recorder.record(Code.RELOAD_REQUESTED, e.nodeid),
            CryptoPhaseReached: lambda e: self.recorder.record(Code.CRYPTO_PHASE, e.phase),
            ShutdownDecided: self._shutdown_decided,
            ConfigVersionDiffers: self._config_version_differs,
            FatalError: lambda e: self.failed(e.exit_code, e.text),
        }

    def open(
        self, reactor: Any, directory: str, nodeid: int, say: Say, *, wanted: bool = True
    ) -> None:
        """
        Begin a new recording; that of the process before is kept.

        :param say: writes a line of the subsystem MAIN.
        :param wanted: what ``logging.blackbox`` says.
        """
        self._reactor, self._directory, self._nodeid, self._say = reactor, directory, nodeid, say
        if wanted:
            self._begin()

    def follow(self, *, wanted: bool) -> None:
        """Begin or end as ``logging.blackbox`` says by now."""
        if wanted and self._directory and not self.recorder.records:
            self._begin()
        elif not wanted and self.recorder.records:
            self.end(0)
            self.recorder = NoRecorder()
            self.visit = self.recorder.writer(VISIT)

    def _begin(self) -> None:
        directory, nodeid, say = self._directory, self._nodeid, self._say
        try:
            kept = set_aside(directory, nodeid)
            self.recorder = FlightRecorder(live_path(directory, nodeid), nodeid)
        except OSError as error:
            say(
                Level.WARNING,
                f"No flight recorder: {live_path(directory, nodeid)} cannot be made:"
                f" {error.strerror}. The node runs without it; make room, or name another directory"
                " with system.state_dir, and restart.",
            )
            return
        self.visit = self.recorder.writer(VISIT)
        self.recorder.record_text(Code.NODE_STARTED, (nodeid, os.getpid()), __version__)
        if kept is not None:
            self._kept(kept)
        self._publisher.addObserver(self._observer)

    def end(self, exit_code: int) -> None:
        """Write no more; the process ends in order, or says why it does not."""
        if self._lost_call is not None and self._lost_call.active():
            self._lost_call.cancel()
        self._lost_call = None
        ending = Ending.FATAL if self._failed or exit_code else Ending.ENDED
        self.recorder.end(ending, exit_code)
        self._close()

    def abandon(self) -> None:
        """Undo ``open``: a start that fails again and again pushes no incident out."""
        self.recorder.remove()
        self._close()

    def _close(self) -> None:
        if self.recorder.records:
            self._publisher.removeObserver(self._observer)
        self.recorder.close()

    def keep(self, why: str) -> None:
        """Keep a copy as the record of an incident; the disk is waited for in a thread."""
        if self.recorder.records:
            # Copies that wait are one, which has all that theirs would have.
            self._kept_why = why
            self._copies.order()

    def _begin_copy(self) -> Any:
        if not self.recorder.records:
            return succeed(None)
        data = self.recorder.snapshot()
        pool = self._reactor.getThreadPool()
        what = (self._directory, self._nodeid, data, self._kept_why)
        keeping: Any = deferToThreadPool(self._reactor, pool, keep_copy, *what)
        keeping.addCallbacks(self._kept, self._not_kept)
        return keeping

    def _kept(self, path: str) -> None:
        self.recorder.record_text(Code.KEPT, (), path)
        self._say(Level.INFO, f"The flight recorder's last incident is kept as {path}")

    def _not_kept(self, failure: Failure) -> None:
        failure.trap(OSError)  # type: ignore[no-untyped-call]
        assert isinstance(failure.value, OSError)
        reason = failure.value.strerror
        self._say(
            Level.WARNING,
            f"No copy of the flight recorder can be kept in {self._directory}: {reason}",
        )

    # Effects of the stack

    def effect(self, effect: object) -> None:
        """Record an effect, if it is worth it."""
        record = self._record.get(type(effect))
        if record is not None:
            record(effect)

    def _trace(self, trace: Trace) -> None:
        code = TRACES + trace.code
        if code in _LISTED:
            self.recorder.record_list(code, (), trace.values)
            if trace.code == TraceCode.LEFT_WITHOUT_LEAVE:
                self._lost()
        elif code in EVENTS:
            self.recorder.record(code, *trace.values)

    def _lost(self) -> None:
        """A member is gone without a word: keep what led to it, and what follows."""
        if not self.recorder.records or self._lost_call is not None:
            return
        now_s = self._reactor.seconds()
        if self._lost_at_s is None or now_s - self._lost_at_s >= LOST_INTERVAL_S:
            self._lost_at_s = now_s
            self._lost_call = self._reactor.callLater(AFTERMATH_S, self._keep_lost)

    def _keep_lost(self) -> None:
        self._lost_call = None
        self.keep("lost")

    def _configuration(self, change: TotemConfchg) -> None:
        put, ring = self.recorder.record_list, change.ring_id
        if change.left:
            put(Code.MEMBERS_LEFT, ring, change.left)
        if change.joined:
            put(Code.MEMBERS_JOINED, ring, change.joined)
        regular = change.kind is ConfChangeType.REGULAR
        put(Code.RING_INSTALLED if regular else Code.TRANSITIONAL, ring, change.members)

    def _quorum(self, change: QuorumChange) -> None:
        ints = (int(change.quorate), *change.ring_id)
        self.recorder.record_list(Code.QUORUM_CHANGED, ints, change.members)

    def _sync_done(self, done: SyncDone) -> None:
        ints = (*done.ring_id, int(done.safe_supported))
        self.recorder.record_list(Code.SYNC_DONE, ints, done.members)

    def _node_killed(self, killed: NodeKilled) -> None:
        ints = (killed.nodeid, killed.by_nodeid)
        self.recorder.record_text(Code.NODE_KILLED, ints, killed.reason)

    def _shutdown_decided(self, decided: ShutdownDecided) -> None:
        self.recorder.record(Code.SHUTDOWN_DECIDED, decided.yes, decided.no, decided.flags)

    def _config_version_differs(self, told: ConfigVersionDiffers) -> None:
        self.recorder.record(Code.CONFIG_VERSION_DIFFERS, told.nodeid, told.version, told.ours)

    # What others tell

    def link_event(self, event: LinkEvent) -> None:
        """Record what happens to a link."""
        code = LINKS + event.kind
        if code in EVENTS:
            self.recorder.record(code, event.link, event.nodeid, *event.values)

    def ready(self) -> None:
        """The first ring is synchronized."""
        self.recorder.record(Code.NODE_READY)

    def ending(self, exit_code: int, *, leaves: bool) -> None:
        """The node begins to end."""
        self.recorder.record(Code.NODE_ENDING, exit_code, int(leaves))

    def failed(self, exit_code: int, text: str) -> None:
        """The node cannot go on."""
        self._failed = True
        self.recorder.record_text(Code.NODE_FAILED, (exit_code,), text)

    def member_left(self, nodeid: int, reason: str) -> None:
        """A member is gone, and it is known why."""
        self.recorder.record_text(Code.MEMBER_LEFT, (nodeid,), reason)

    def reload_done(self, error: int) -> None:
        """The configuration was read again, with this cs_error_t."""
        self.recorder.record(Code.RELOAD_DONE, error)

    def directive_set(self, key: str, *, refused: bool) -> None:
        """A client set a directive in the map."""
        self.recorder.record_text(Code.DIRECTIVE_SET, (int(refused),), key)

    def loop_paused(self, gap_ns: int, threshold_ns: int) -> None:
        """The process did not run."""
        self.recorder.record(Code.LOOP_PAUSED, gap_ns, threshold_ns)

    def storage_slow(self, elapsed_ns: int) -> None:
        """The ring waits for the disk."""
        self.recorder.record(Code.STORAGE_SLOW, elapsed_ns)

    def storage_failed(self, exit_code: int, text: str) -> None:
        """The ring id cannot be stored."""
        self.recorder.record_text(Code.STORAGE_FAILED, (exit_code,), text)

    def net_event(self, text: str) -> None:
        """A transport noticed something."""
        self.recorder.record_text(Code.NET_EVENT, (), text)

    def datagram_refused(self, nodeid: int, cause: int) -> None:
        """A datagram was dropped that no node with our key sent."""
        self.recorder.record(Code.DATAGRAM_REFUSED, nodeid, cause)

    def client(self, service_id: int, client: LibClient, came: bool) -> None:
        """A C client came or went."""
        code = Code.CLIENT_CONNECTED if came else Code.CLIENT_GONE
        self.recorder.record_text(code, (service_id, client.pid, client.conn), client.procname)

    def program(self, came: bool, count: int) -> None:
        """A client over Perspective Broker came or went."""
        self.recorder.record(Code.PROGRAM_CONNECTED if came else Code.PROGRAM_GONE, count)

    def _log_event(self, event: LogEvent) -> None:
        """Record warnings and errors in words."""
        level = event.get("corosync_level")
        if level is None:
            level = LEVEL_OF_TWISTED.get(event.get("log_level"), Level.INFO)
        if level > LOG_LEVEL_MAX:
            return
        subsys = _SUBSYS_NUMBERS.get(event.get("corosync_subsys", "MAIN"), 0)
        failure = event.get("log_failure")
        text = formatEvent(event)
        if failure is not None:
            text = f"{text}: {failure.getErrorMessage()}"
        ints = (int(level), subsys)
        self.recorder.record_text(Code.LOG, ints, text[:LOG_TEXT_LEN_CHARS_MAX])
