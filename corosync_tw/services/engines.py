"""The services of one node, made from the configuration and named by the messages they handle."""

from collections.abc import Callable

from corosync_tw.services.bus import StackBus
from corosync_tw.services.cfg.engine import CfgEngine
from corosync_tw.services.cmap.engine import CmapEngine
from corosync_tw.services.cpg.engine import CpgEngine
from corosync_tw.services.exec_wire import exec_id
from corosync_tw.services.inspection.engine import InspectionEngine
from corosync_tw.services.interfaces import ExecHandler, SyncedService, TimedService
from corosync_tw.services.log_line import LogLine
from corosync_tw.services.mon.engine import MonEngine
from corosync_tw.services.params import ServiceParams
from corosync_tw.services.pload.engine import PloadEngine
from corosync_tw.services.quorum.engine import QuorumEngine
from corosync_tw.services.sync.engine import SyncEngine
from corosync_tw.services.votequorum.engine import VotequorumEngine
from corosync_tw.services.wd.engine import WdEngine
from corosync_tw.services.ykd.engine import YkdEngine


class Engines:
    """
    All engines of one node; the stack alone makes and holds one.

    :ivar votequorum: None unless it is the quorum provider; likewise ykd.
    :ivar waiting: send what waits for room in the queue, each time the token was passed on.
    :ivar timed: services that wait for moments.
    :ivar handlers: of executive messages, by message id.
    """

    def __init__(
        self, services: ServiceParams, bus: StackBus, sync_completed: Callable[[], None]
    ) -> None:
        nodeid = services.nodeid
        self.cmap = CmapEngine(nodeid, services.config_version, bus)
        self.cfg = CfgEngine(nodeid, bus)
        self.cpg = CpgEngine(nodeid, bus)
        self.quorum = QuorumEngine(services.votequorum or services.ykd, bus)
        self.pload = PloadEngine(bus)
        self.inspection = InspectionEngine(nodeid, bus)
        self.votequorum: VotequorumEngine | None = None
        self.ykd: YkdEngine | None = None
        synced: list[SyncedService] = [self.cmap, self.cpg, self.quorum]
        by_service = {
            s.service_id: s.exec_handlers() for s in (self.cmap, self.cfg, self.cpg, self.pload)
        }
        if services.votequorum:
            self.votequorum = VotequorumEngine(services.voting(), self.quorum.set_quorum, bus)
            synced.append(self.votequorum)
            by_service[self.votequorum.service_id] = self.votequorum.exec_handlers()
        elif services.ykd:
            self.ykd = YkdEngine(nodeid, self.quorum.set_quorum, bus.ykd_mcast, bus.emit)
        self.mon = MonEngine(self.cmap.store, bus)
        self.wd = WdEngine(self.cmap.store, bus)
        self.waiting: tuple[Callable[[], None], ...] = (
            self.cpg.send_leaves,
            self.pload.send_more,
            self.inspection.send_more,
        )
        if self.votequorum is not None:
            self.waiting += (self.votequorum.token_sent,)
        if self.ykd is not None:
            self.waiting += (self.ykd.send_waiting,)
        self.timed: tuple[TimedService, ...] = (self.cfg, self.mon, self.wd, self.inspection)
        if self.votequorum is not None:
            self.timed += (self.votequorum,)

        def say(text: str) -> None:
            bus.emit(LogLine("SYNC", "debug", text))

        self.sync = SyncEngine(synced, bus.sync_group_mcast, sync_completed, say)
        self.handlers: dict[int, ExecHandler] = {
            exec_id(service, function): handler
            for service, handlers in by_service.items()
            for function, handler in handlers.items()
        }
