"""
All servers of one node's local clients, made of the engines in its stack.

The order of the handlers is the order in which Corosync loads its services.
Source: Corosync exec/service.c, default_services; exec/ipc_glue.c, cs_ipcs_service_init.
"""

from collections.abc import Callable, Sequence
from typing import Any, Literal

from corosync_tw.config.schema import Config
from corosync_tw.daemon.access import Access
from corosync_tw.daemon.clients import Clients
from corosync_tw.daemon.facts import NodeFacts
from corosync_tw.daemon.maps import Maps
from corosync_tw.ipc.pb.cfg import CfgHub
from corosync_tw.ipc.pb.cmap import CmapHub
from corosync_tw.ipc.pb.hubs import Hub
from corosync_tw.ipc.pb.inspection import InspectionHub
from corosync_tw.ipc.pb.local import LocalServices
from corosync_tw.ipc.pb.quorum import QuorumHub
from corosync_tw.ipc.pb.server import PbServer
from corosync_tw.ipc.pb.votequorum import VotequorumHub
from corosync_tw.ipc.qb.server import QbServer
from corosync_tw.ipc.qb.system import why_no_clients
from corosync_tw.ipc.zerocopy import ZeroCopyFiles
from corosync_tw.services.cfg.handler import CfgHandler
from corosync_tw.services.cmap.handler import CmapHandler
from corosync_tw.services.cpg.handler import CpgHandler
from corosync_tw.services.exec_wire import ServiceId
from corosync_tw.services.lib_interfaces import LibHandler, Shell
from corosync_tw.services.quorum.handler import QuorumHandler
from corosync_tw.services.stack import Stack
from corosync_tw.services.votequorum.handler import VotequorumHandler


class Serving:
    """
    Everybody who serves clients.

    :ivar pb: the Perspective Broker server, ``qb`` that of C clients; neither listens yet.
    :ivar clients: routes effects to both.
    :ivar facts: what clients of cfg are told about the links.
    :ivar ready: whether C clients are let in; set when the first ring is synchronized.
    """

    def __init__(
        self,
        reactor: Any,
        config: Callable[[], Config],
        stack: Stack,
        shell: Shell,
        maps: Maps,
        *,
        facts: NodeFacts,
        log: Callable[[str, str], None],
    ) -> None:
        """
        Put the servers together.

        :param config: gives the configuration in force.
        :param facts: what clients of cfg are told about the links.
        :param log: takes lines of the server of C clients: level, text.
        """
        self.ready = False
        nodeid = config().nodeid
        self.facts = facts
        handlers = self._handlers(stack, shell, maps, facts, nodeid)
        access = Access(maps.icmap)
        served = self._handlers_for_programs(handlers, config(), log)
        self.qb = QbServer(
            reactor,
            served,
            ipc_type=ipc_type(config()),
            allowed=access.allowed,
            ready=lambda: self.ready,
            new_conn=stack.new_conn,
            log=log,
        )
        maps.connections.server = self.qb
        self.qb.on_connection = maps.stats.connection
        self.local = LocalServices(stack, nodeid, shell.now_ns, shell.pump)
        hubs = self._hubs(stack, shell, maps, facts)
        self.pb = PbServer(reactor, self.local, access, hubs=hubs)
        self.clients = Clients(stack, self.qb, handlers)
        for routes in (self.local.effect_handlers(), *(hub.effect_handlers() for hub in hubs)):
            for kind, route in routes.items():
                self.clients.route(kind, route)
        self._served = served
        self._stack = stack

    @staticmethod
    def _handlers(
        stack: Stack, shell: Shell, maps: Maps, facts: NodeFacts, nodeid: int
    ) -> Sequence[LibHandler]:
        handlers: list[LibHandler] = [
            CmapHandler(maps.sessions, shell),
            CfgHandler(stack, shell, facts),
            CpgHandler(stack, shell, nodeid, ZeroCopyFiles()),
            QuorumHandler(stack.quorum),
        ]
        if stack.votequorum is not None:
            handlers.append(VotequorumHandler(stack.votequorum, shell))
        return handlers

    @staticmethod
    def _handlers_for_programs(
        handlers: Sequence[LibHandler], config: Config, log: Callable[[str, str], None]
    ) -> Sequence[LibHandler]:
        # Their sockets have one name each, so one node of a machine can have them.
        if config.system.qb_ipc_type == "none":
            return ()
        lacking = why_no_clients()
        if lacking:
            log(
                "warning",
                f"No client of the C libraries is served, such as Pacemaker: {lacking}. Say"
                " system.qb_ipc_type: none if there is none.",
            )
            return ()
        return handlers

    @staticmethod
    def _hubs(stack: Stack, shell: Shell, maps: Maps, facts: NodeFacts) -> Sequence[Hub]:
        hubs: list[Hub] = [
            CmapHub(maps.sessions),
            CfgHub(stack, shell, facts),
            QuorumHub(stack.quorum),
            InspectionHub(stack, shell),
        ]
        if stack.votequorum is not None:
            hubs.append(VotequorumHub(stack.votequorum, shell))
        return hubs

    def leaving_engines(self) -> list[tuple[str, int, str | None]]:
        """Name the services in the order in which Corosync unloads them, as ``engines`` does."""
        # By falling priority, which is that of votequorum alone, then by number.
        return sorted(
            self.engines(), key=lambda engine: (engine[1] != ServiceId.VOTEQUORUM, engine[1])
        )

    def engines(self) -> list[tuple[str, int, str | None]]:
        """
        Name the services in the order in which Corosync loads them.

        :return: title, service id, and the name of the socket of those that have clients.
        """
        stack = self._stack
        sockets = {handler.service_id: handler.socket_name for handler in self._served}
        loaded = (
            *(stack.cmap, stack.cfg, stack.cpg, stack.pload, stack.mon, stack.wd),
            *(stack.votequorum, stack.quorum),
        )
        return [
            (engine.name, engine.service_id, sockets.get(engine.service_id))
            for engine in loaded
            if engine is not None
        ]


def ipc_type(config: Config) -> Literal["shm", "socket"]:
    """Choose libqb's transport; ``native`` is shared memory, as in libqb."""
    return "socket" if config.system.qb_ipc_type == "socket" else "shm"
