"""
Writes down what happens to the node: effects of the stack become log lines.

One line per event that a person can act on; what a hostile or misconfigured neighbour can repeat
without end is limited by ``Troubles``.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final

from twisted.logger import LogPublisher, globalLogPublisher

from corosync_tw.corotypes import ConfChangeType
from corosync_tw.daemon.complaints import Complaints
from corosync_tw.daemon.flight import VISIT, FlightLog
from corosync_tw.daemon.troubles import Troubles
from corosync_tw.logsys.levels import LEVEL_BY_NAME, Level
from corosync_tw.logsys.logger import SubsysLogger
from corosync_tw.logsys.settings import SUBSYSTEMS
from corosync_tw.logsys.system import Logsys
from corosync_tw.logsys.traces import (
    SYNC_COMPLETED,
    Message,
    describe_trace,
    member_moved,
    new_membership,
    primary_component,
    trace_level,
    view_list,
    waiting_trans_ack,
)
from corosync_tw.services.cfg.effects import CryptoPhaseReached, NodeShutDown, ShutdownDecided
from corosync_tw.services.effects import (
    FatalError,
    QuorumChange,
    StackEffect,
    SyncDone,
    TotemConfchg,
)
from corosync_tw.services.log_line import LogLine
from corosync_tw.totem.effects import Trace
from corosync_tw.totem.trace import TraceCode

# What is worth a warning when neighbours cause it; ``{0}`` ... are the trace's values.
_TROUBLES: Final[dict[int, str]] = {
    TraceCode.FRAME_MALFORMED: (
        "Datagrams arrive that are no Totem messages of this cluster (type {0}, {1} bytes);"
        " they are dropped. A node with other transport or crypto settings, or another program,"
        " sends to our port: compare totem.transport, crypto_cipher, crypto_hash and mcastport"
        " on all nodes."
    ),
    TraceCode.NODEID_IN_USE: (
        "Another node uses our node id {nodeid}; the ring cannot work with both. Give every node"
        " a nodeid of its own in the nodelist of corosync.conf and restart the wrong one."
    ),
    TraceCode.TOKEN_REFUSED: (
        "A token that contradicts the ring was refused (seq {0:x}, aru {1:x}); two clusters may"
        " share address and port, or a node id is used twice: compare cluster_name, mcastport and"
        " nodeid on all nodes."
    ),
}


class Journal:
    """
    Log lines for one node.

    :ivar flight: records the same events, in numbers.
    :ivar complaints: what neighbours do wrong, for who asks.
    :param logsys: asked for the levels that anybody prints; None prints all.
    """

    def __init__(
        self,
        nodeid: int,
        now_ns: Callable[[], int],
        logsys: Logsys | None = None,
        publisher: LogPublisher = globalLogPublisher,
        *,
        with_place: bool = False,
    ) -> None:
        self._loggers = {
            subsys: SubsysLogger(
                subsys,
                logsys.level_max(subsys) if logsys is not None else Level.TRACE,
                publisher=publisher,
                with_place=with_place,
            )
            for subsys in SUBSYSTEMS
        }
        self.flight = FlightLog(publisher)
        self.main = self._loggers["MAIN"]
        self.totem = self._loggers["TOTEM"]
        self.serv = self._loggers["SERV"]
        self.cfg = self._loggers["CFG"]
        self.troubles = Troubles(lambda text: self.trouble("TOTEM", text), now_ns)
        self.complaints = Complaints()
        self._nodeid = nodeid
        self._addresses: Callable[[int], Sequence[str]] = lambda _: ()
        self._left: tuple[int, ...] = ()
        self._quorate = False

    def name_members(self, addresses: Callable[[int], Sequence[str]]) -> None:
        """Learn how to find the addresses of a node, by link."""
        self._addresses = addresses

    def reconfigure(self, logsys: Logsys, *, with_place: bool) -> None:
        """Make as many events as the log system prints by now."""
        for subsys, logger in self._loggers.items():
            logger.level_max = logsys.level_max(subsys)
            logger.with_place = with_place

    @property
    def traces_visits(self) -> bool:
        """Whether anybody records or prints each visit of the token."""
        return self.flight.recorder.records or self._prints_visits

    @property
    def _prints_visits(self) -> bool:
        return self.totem.level_max >= trace_level(TraceCode.TOKEN_RECEIVED)

    def visit(self, trace: Trace) -> None:
        """Write down a visit of the token, of which there are many."""
        self.flight.visit(VISIT, *trace.values)
        if self._prints_visits:
            self._trace(trace.code, trace.values)

    def write(self, message: Message) -> None:
        """Print one line."""
        self._loggers[message.subsys].emit(
            message.level, "{text}", text=message.text, corosync_kind=message.kind
        )

    def trouble(self, subsys: str, text: str) -> None:
        """Warn of what neighbours do, and keep it for who asks."""
        self.complaints.add(text)
        self.write(Message(subsys, Level.WARNING, text))

    def write_all(self, messages: Iterable[Message]) -> None:
        """Print lines."""
        for message in messages:
            self.write(message)

    def main_line(self, level: Level, text: str) -> None:
        """Print a line of the daemon itself."""
        self.write(Message("MAIN", level, text))

    def qb_line(self, level: str, text: str) -> None:
        """Print what the server of C clients has to say."""
        self.write(Message("QB", LEVEL_BY_NAME[level], text))

    def wd_line(self, level: str, text: str) -> None:
        """Print what the watchdog has to say."""
        self.write(Message("WD", LEVEL_BY_NAME[level], text))

    def pload_warning(self, text: str) -> None:
        """Print a warning of pload."""
        self.write(Message("PLOAD", Level.WARNING, text))

    def using_provider(self, name: str) -> None:
        """Print who decides on quorum (vsf_quorum.c quorum_exec_init_fn)."""
        self.write(Message("QUORUM", Level.NOTICE, f"Using quorum provider {name}"))

    def engine_loaded(self, title: str, service_id: int, socket_name: str | None) -> None:
        """Print that a service is there (service.c corosync_service_link_and_init)."""
        self.serv.notice(
            "Service engine loaded: {title} [{number}]", title=title, number=service_id
        )
        if socket_name is not None:
            self.qb_line("info", f"server name: {socket_name}")

    def unloading(self) -> None:
        """Print that no service is there for long (service.c service_exit_schedwrk_handler)."""
        self.serv.notice("Unloading all Corosync service engines.")

    def engine_unloaded(self, title: str, socket_name: str | None) -> None:
        """Print that a service is gone, and before that its socket."""
        if socket_name is not None:
            self.qb_line("info", "withdrawing server sockets")
        self.serv.notice("Service engine unloaded: {title}", title=title)

    def effect(self, effect: StackEffect) -> None:
        """Record it, and print what it is worth."""
        self.flight.effect(effect)
        match effect:
            case Trace(code, values):
                self._trace(code, values)
            case TotemConfchg():
                self._configuration(effect)
            case QuorumChange():
                self._quorum(effect)
            case SyncDone():
                self.write(SYNC_COMPLETED)
                self.write(waiting_trans_ack(waits=False))
            case LogLine(subsys, level, text) | FatalError(text, _, _, subsys, level):
                self.write(Message(subsys, LEVEL_BY_NAME[level], text))
            case NodeShutDown(nodeid):
                text = f"Node {nodeid} was shut down by sysadmin"
                self.write(Message("CFG", Level.NOTICE, text))
            case CryptoPhaseReached(phase):
                text = f"Crypto reconfiguration phase {phase}"
                self.write(Message("CFG", Level.DEBUG, text))
            case ShutdownDecided(yes, no, flags):
                counts = f"(yes count: {yes}, no count: {no}) flags={flags:x}"
                self.write(Message("CFG", Level.DEBUG, f"shutdown decision is: {counts}"))

    def _trace(self, code: int, values: tuple[int, ...]) -> None:
        trouble = _TROUBLES.get(code)
        if trouble is not None:
            self.troubles.add(str(code), trouble.format(*values, nodeid=self._nodeid))
        if trace_level(code) > self.totem.level_max:
            return
        for message in describe_trace(code, values):
            self.write(message)

    def _configuration(self, change: TotemConfchg) -> None:
        if change.kind is ConfChangeType.TRANSITIONAL:
            self._left = change.left
            for nodeid in change.left:
                self.write(member_moved("left", self._addresses(nodeid)))
            self.write(waiting_trans_ack(waits=True))
            return
        for nodeid in change.joined:
            self.write(member_moved("joined", self._addresses(nodeid)))
        left, self._left = change.left or self._left, ()
        messages = view_list("Sync members", change.members)
        if change.joined:
            messages += view_list("Sync joined", change.joined)
        if left:
            messages += view_list("Sync left", left)
        for message in [*messages, new_membership(change.ring_id, change.joined, left)]:
            self.write(message)

    def _quorum(self, change: QuorumChange) -> None:
        if change.quorate != self._quorate:
            self._quorate = change.quorate
            self.write(primary_component(change.quorate))
        for message in view_list("Members", change.members):
            self.write(message)
