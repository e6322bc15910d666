"""
Local clients of one node: C programs over libqb and Perspective Broker, side by side.

Routes the stack's effects by their class to whoever serves the clients they concern, and tells the
C clients when they may send. Source: Corosync exec/ipc_glue.c cs_ipcs_check_for_flow_control.
"""

from collections.abc import Callable, Iterable, Sequence
from typing import Final, Protocol

from corosync_tw.corotypes import MESSAGE_SIZE_MAX
from corosync_tw.services.effects import StackEffect
from corosync_tw.services.exec_wire import ServiceId
from corosync_tw.services.flow import QueueLevel
from corosync_tw.services.lib_interfaces import LibHandler
from corosync_tw.services.stack import Stack
from corosync_tw.totem.pg_pack import BULK_SHARE_MAX, QUEUE_LEN_BYTES_MAX

# Flow control as libqb's clients read it: all may send; nobody but the exempt may.
SEND: Final = 0
HOLD: Final = 2
# Queue critical, flow control: what clients were told last when nothing holds them up.
_AT_REST: Final = (False, SEND)
# Messages that found no room are offered again when the queue is this empty: then the longest one
# fits, and it pays to look at them.
RESUME_LEVEL: Final = 0.4

assert RESUME_LEVEL + MESSAGE_SIZE_MAX / QUEUE_LEN_BYTES_MAX < BULK_SHARE_MAX


class QbSide(Protocol):
    """The part of ``ipc.qb.server.QbServer`` that is driven from here."""

    def flush(self) -> None:
        """Wake the clients that got events."""

    def resume(self) -> None:
        """Offer again what the handlers did not take."""

    def set_flow_control(self, level_of: dict[int, int], /) -> None:
        """Tell the clients of each service whether they may send."""


class Clients:
    """Everybody who is served by this node."""

    def __init__(
        self,
        stack: Stack,
        server: QbSide,
        handlers: Sequence[LibHandler],
    ) -> None:
        """Stand between the stack and its clients."""
        self._stack = stack
        self._server = server
        self._services = tuple(handler.service_id for handler in handlers)
        self._routes: dict[type, tuple[Callable[[object], None], ...]] = {}
        for handler in handlers:
            for kind, route in handler.effect_handlers().items():
                self.route(kind, route)
        self._state: tuple[bool, int] | None = None

    def route(self, kind: type, handler: Callable[[object], None]) -> None:
        """Give effects of a class to one more handler, after those that asked before."""
        self._routes[kind] = (*self._routes.get(kind, ()), handler)

    def execute(self, effects: Iterable[StackEffect]) -> None:
        """Hand a run of effects to the clients, in order, and wake those who got something."""
        routes = self._routes
        for effect in effects:
            for route in routes.get(type(effect), ()):
                route(effect)
        self._server.flush()

    def turn_ended(self) -> None:
        """
        Follow the ring's queue and synchronization; give those who waited another try, and wake all
        who were told something without an effect, as by the map.
        """
        stack = self._stack
        if self._state == _AT_REST and not (stack.pg.waiting_msgs or stack.sync_in_progress):
            self._server.resume()
            self._server.flush()
            return
        critical = stack.queue_level() is QueueLevel.CRITICAL
        held = HOLD if critical or stack.sync_in_progress else SEND
        state = (critical, held)
        if state != self._state:
            self._state = state
            levels = dict.fromkeys(self._services, held)
            if not critical and ServiceId.VOTEQUORUM in levels:
                levels[ServiceId.VOTEQUORUM] = SEND
            self._server.set_flow_control(levels)
        if held == SEND and stack.pg.queue_level < RESUME_LEVEL:
            self._server.resume()
        self._server.flush()
