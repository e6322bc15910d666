"""
The parts of one running node, wired together here and nowhere else.

Acquired in order: lock, ring id, transport, clients' socket. A step that fails releases those
before it.
Source: Corosync exec/main.c, main, from corosync_flock on.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from dataclasses import replace
from typing import Any, Final

from twisted.internet.defer import inlineCallbacks
from twisted.internet.task import deferLater
from twisted.python.failure import Failure
from zope.interface import implementer

from corosync_tw.config.load import service_params, totem_params
from corosync_tw.config.schema import Config
from corosync_tw.corotypes import NS_PER_MS
from corosync_tw.daemon.announcing import interface_lines, member_lines, totem_lines
from corosync_tw.daemon.blackbox import LINK_KEY, BlackboxStore
from corosync_tw.daemon.errands import Errands, with_stored_barrier
from corosync_tw.daemon.ev_tracking import EvTrackingFile
from corosync_tw.daemon.exitcodes import DaemonError, ExitCode
from corosync_tw.daemon.flight_clock import FlightClock
from corosync_tw.daemon.inspector import Inspector
from corosync_tw.daemon.journal import Journal
from corosync_tw.daemon.listening import listen_for_clients, listen_for_programs
from corosync_tw.daemon.lockfile import LockFile
from corosync_tw.daemon.log_files import LogOpener
from corosync_tw.daemon.log_keeper import PREFIX as LOG_PREFIX
from corosync_tw.daemon.log_keeper import LogKeeper, log_table
from corosync_tw.daemon.map_keeper import MapKeeper
from corosync_tw.daemon.maps import Maps
from corosync_tw.daemon.network import make_carriage, receive_msgs_max
from corosync_tw.daemon.running import Parts, Running
from corosync_tw.daemon.serving import Serving
from corosync_tw.daemon.settings import Settings
from corosync_tw.daemon.upkeep import Upkeep
from corosync_tw.daemon.watch import Watch
from corosync_tw.errors import CsTryAgain
from corosync_tw.logsys.qb_blackbox import BlackboxEntry
from corosync_tw.logsys.qb_flight import by_time, flight_entries
from corosync_tw.logsys.system import Logsys
from corosync_tw.net.driver import Driver
from corosync_tw.net.errors import NetError, StorageError
from corosync_tw.net.interfaces import IDriverObserver, INetObserver, NetEvent, NetEventKind
from corosync_tw.net.reactor import time_callbacks
from corosync_tw.net.ringid_store import FileRingIdStore
from corosync_tw.services.cfg.effects import KeysKnown, KeysSettled, RingsReenabled
from corosync_tw.services.cpg.effects import CpgDeliverRun, CpgPart
from corosync_tw.services.effects import CpgConfchg, CpgDeliver, FatalError, SyncDone
from corosync_tw.services.exec_wire import ServiceId
from corosync_tw.services.lib_interfaces import LibClient
from corosync_tw.services.stack import Stack

LEAVE_CHECK_INTERVAL_S: Final = 0.02
LEAVE_CHECKS_MAX: Final = 40

# Called with the exit code, the text, and whether to leave the ring first.
OnFatal = Callable[[ExitCode, str, bool], None]

# Effects for clients alone, of which there are many.
_UNLOGGED: Final = frozenset((CpgConfchg, CpgDeliver, CpgDeliverRun, CpgPart))


@implementer(INetObserver, IDriverObserver)
class Node:
    """
    One node of the cluster.

    :param reread: reads and checks the file again; called in a thread, raises ConfigError.
    :param on_fatal: the node cannot go on; called outside the driver's own calls.
    :param on_ready: called once, when the first ring is synchronized.
    """

    def __init__(
        self,
        reactor: Any,
        config: Config,
        settings: Settings,
        journal: Journal,
        logsys: Logsys,
        *,
        reread: Callable[[], Config],
        on_fatal: OnFatal,
        on_ready: Callable[[], None],
    ) -> None:
        self._reactor = reactor
        self._config = config
        self._settings = settings
        self._journal = journal
        self._logsys = logsys
        self._reread = reread
        self._on_fatal = on_fatal
        self._on_ready: Callable[[], None] | None = on_ready
        self._lock = LockFile(settings.lock_file)

    def open(self) -> None:
        """
        Acquire everything and begin to look for the others.

        Raises: DaemonError, with nothing left open.
        """
        try:
            with ExitStack() as held:
                self._acquire(held)
                held.pop_all()
        except (NetError, StorageError) as error:
            raise DaemonError(ExitCode(error.exit_code), str(error)) from error

    def _acquire(self, held: ExitStack) -> None:
        config, reactor = self._config, self._reactor
        self._lock.acquire()
        held.callback(self._lock.release)
        flight = self._journal.flight
        wanted, say = config.logging.blackbox, self._journal.main_line
        flight.open(reactor, self._settings.state_dir, config.nodeid, say, wanted=wanted)
        held.callback(flight.abandon)
        self.carriage = make_carriage(reactor, config, self)
        self._journal.totem.notice("Initializing transport ({title}).", title=self.carriage.title)
        self._journal.write_all(totem_lines(config))
        self._make_ring()
        held.callback(self.driver.stop)
        self._make_company()
        for each in self._company:
            held.callback(each.stop)
        for each in self._company:
            each.start()
        self.driver.start()
        self._journal.write_all(interface_lines(config))
        provider = config.quorum.provider
        for title, service_id, socket_name in self.serving.engines():
            if service_id in {ServiceId.QUORUM, ServiceId.VOTEQUORUM} and provider:
                self._journal.using_provider(provider)
                provider = ""
            self._journal.engine_loaded(title, service_id, socket_name)
        self._journal.write_all(member_lines(config))
        listen_for_programs(self.serving.qb)
        held.callback(self.serving.qb.stop)
        held.callback(self.serving.pb.stop)
        listen_for_clients(reactor, self.serving.pb, self._settings)

    def _make_ring(self) -> None:
        """Make the stack and its driver, with what the disk knows."""
        config, reactor, state_dir = self._config, self._reactor, self._settings.state_dir
        threads = reactor.getThreadPool()
        store = FileRingIdStore(reactor, threads, state_dir, config.nodeid)
        barrier_file = EvTrackingFile(reactor, threads, state_dir)
        self.stack = Stack(
            totem_params(config, config.nodeid),
            replace(
                with_stored_barrier(service_params(config), barrier_file),
                receive_msgs_max=receive_msgs_max(config),
            ),
            store.load(),
            Driver.now_ns(),
        )
        self.stack.srp.trace_visits(self._journal.traces_visits)
        time_callbacks(reactor, self.stack.meter.callback_time)
        self.carriage.attach(self.stack, self._journal, self.core_failed)
        self.driver = Driver(reactor, self.stack, self.carriage.transport, store, self)
        self._blackbox = BlackboxStore(reactor, state_dir, self._journal, self._history)
        self.driver.visited = self._journal.visit
        self._opener = LogOpener(reactor)
        self._errands = Errands(
            self.stack,
            self.driver,
            self._journal,
            self._logsys,
            opener=self._opener,
            barrier_file=barrier_file,
            blackbox=self._blackbox,
            more={"transport": self.carriage.stats, "stack": self.stack.stats},
        )

    def _history(self) -> Iterator[BlackboxEntry]:
        """Give the last log lines and what was recorded, by time; called in a thread."""
        recorded = flight_entries(self._journal.flight.recorder.snapshot())
        return by_time(self._logsys.history.entries(), recorded)

    def _make_company(self) -> None:
        """Make what stands around the ring: maps, clients, watchers."""
        config, reactor, stack, carriage = self._config, self._reactor, self.stack, self.carriage
        self.maps = Maps(config, stack, Driver.now_ns, carriage.stats)
        self.maps.show(LINK_KEY, self._blackbox.link)
        for prefix, provider in carriage.stats_providers().items():
            self.maps.stats.provide(prefix, provider)
        self.maps.stats.provide(LOG_PREFIX, log_table(self._logsys))
        logs = (self._logsys, self._opener, self._journal)
        parts = Parts(stack, carriage, *logs, Driver.now_ns, self.driver.pump)
        running = Running(config, parts)
        map_keeper = MapKeeper(reactor, running, self.maps.stats, self._errands, load=self._reread)
        self._journal.name_members(map_keeper.addresses)
        self.serving = Serving(
            reactor,
            lambda: running.config,
            stack,
            self._errands,
            self.maps,
            facts=carriage.facts(lambda: running.config, stack, self.maps.icmap),
            log=self._journal.qb_line,
        )
        inspector = Inspector(
            reactor,
            lambda: running.config,
            stack,
            self.maps,
            self.serving.facts,
            complaints=self._journal.complaints,
            directory=self._settings.state_dir,
            pump=self.driver.pump,
        )
        told, record = self.serving.qb.on_connection, self._journal.flight.client

        def on_connection(service_id: int, client: LibClient, came: bool) -> None:
            told(service_id, client, came)
            record(service_id, client, came)

        self.serving.qb.on_connection = on_connection
        self.serving.pb.on_program = self._journal.flight.program
        upkeep = Upkeep(reactor, stack, self.driver, self._journal.wd_line)
        watch = Watch(reactor, self._journal.troubles, stack.srp.stats, carriage.stats)
        clock = FlightClock(reactor, self._journal, stack)
        log_keeper = LogKeeper(reactor, self._logsys)
        # The map is filled before upkeep reads it.
        self._company = (watch, map_keeper, upkeep, clock, log_keeper)
        self._routes: dict[type, tuple[Callable[[Any], None], ...]] = {}
        every = (
            *(map_keeper.routes(), self._errands.routes()),
            *(upkeep.effect_handlers(), inspector.routes()),
        )
        networks = {
            RingsReenabled: lambda _: carriage.reenable(),
            KeysKnown: lambda _: carriage.use_keys(),
            KeysSettled: lambda _: carriage.forget_keys(),
        }
        for routes in (*every, networks):
            for kind, route in routes.items():
                self._routes[kind] = (*self._routes.get(kind, ()), route)

    @inlineCallbacks
    def close(self, *, leave: bool) -> Any:
        """
        Hang up on the clients, leave the ring, if so asked, and release everything.

        :param leave: say good-bye to the others, after they were told that our processes are down.
        """
        self._journal.unloading()
        try:
            for each in self._company:
                each.stop()
            yield self.serving.qb.stop()
            yield self.serving.pb.stop()
            for title, _, socket_name in self.serving.leaving_engines():
                self._journal.engine_unloaded(title, socket_name)
            if leave:
                yield self._wait_while(lambda: self.stack.pg.waiting_msgs > 0)
                self.driver.leave()
                yield self._wait_while(lambda: self.stack.leaving)
        finally:
            # The services of a node that ends may be broken.
            yield self.driver.stop()
            self._lock.release()

    @inlineCallbacks
    def _wait_while(self, condition: Callable[[], bool]) -> Any:
        for _ in range(LEAVE_CHECKS_MAX):
            if not condition():
                break
            yield deferLater(self._reactor, LEAVE_CHECK_INTERVAL_S)

    def dump_state(self) -> None:
        """Write the state of the node to the log."""
        self._errands.dump_state()

    def reload(self) -> None:
        """Have all members read their configuration again, as a client would ask."""
        try:
            self.stack.check_sending()
            self.stack.cfg.reload_config(self.stack.new_conn())
        except CsTryAgain:
            self._journal.cfg.warning(
                "The ring is busy, the configuration was not read again; repeat the request."
            )
        self.driver.pump()

    # INetObserver

    def net_event(self, event: NetEvent) -> None:
        """Print what the transport noticed, and have clients see it."""
        self.serving.facts.net_event(event)
        if event.kind is NetEventKind.DATAGRAM_REFUSED:
            self._journal.flight.datagram_refused(event.nodeid, event.cause)
            self._journal.complaints.add(event.text)
        else:
            self._journal.flight.net_event(event.text)
        self._journal.totem.notice("{text}", text=event.text)

    # IDriverObserver

    def effects_emitted(self, effects: Sequence[Any]) -> None:
        """Hand a run of effects to the maps, to the clients and to the log, in order."""
        routes = self._routes
        for effect in effects:
            for route in routes.get(type(effect), ()):
                route(effect)
        self.serving.clients.execute(effects)
        for effect in effects:
            kind = type(effect)
            if kind in _UNLOGGED:
                continue
            self._journal.effect(effect)
            if kind is SyncDone and self._on_ready is not None:
                ready, self._on_ready = self._on_ready, None
                self.serving.ready = True
                ready()
            elif kind is FatalError:
                # The journal has its words already.
                self._later(ExitCode(effect.exit_code), "", effect.leave_first)

    def turn_ended(self) -> None:
        """Let those send who waited for room in the ring's queue."""
        self.serving.clients.turn_ended()

    def storage_failed(self, error: StorageError) -> None:
        """End: the ring's name cannot be kept."""
        self._journal.flight.storage_failed(error.exit_code, str(error))
        self._later(ExitCode(error.exit_code), str(error), False)

    def storage_slow(self, elapsed_ns: int) -> None:
        """Warn that the ring waits for the disk."""
        self._journal.flight.storage_slow(elapsed_ns)
        self._journal.main.warning(
            "Storing the ring id takes {elapsed_ms:.0f} ms by now; the ring waits for the disk.",
            elapsed_ms=elapsed_ns / NS_PER_MS,
        )

    def core_failed(self, failure: Failure) -> None:
        """End: the others form a ring without a node that does not know its own state."""
        text = f"A broken invariant: {failure.getTraceback()}"
        self._later(ExitCode.FATAL_ERR, text, False)

    def loop_paused(self, gap_ns: int, threshold_ns: int) -> None:
        """Warn that the process did not run."""
        self._journal.flight.loop_paused(gap_ns, threshold_ns)
        self._journal.main.warning(
            "Corosync main process was not scheduled (@{stamp_ms}) for {gap_ms:.4f} ms"
            " (threshold is {threshold_ms:.4f} ms). Consider token timeout increase.",
            stamp_ms=int(time.time() * 1000),
            gap_ms=gap_ns / NS_PER_MS,
            threshold_ms=threshold_ns / NS_PER_MS,
        )
        self.maps.stats.schedmiss.add(int(time.time() * 1000), gap_ns / NS_PER_MS)

    def _later(self, code: ExitCode, text: str, leave: bool) -> None:
        self._reactor.callLater(0, self._on_fatal, code, text, leave)
