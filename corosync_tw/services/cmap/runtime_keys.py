"""
The keys by which a running node shows itself, and those by which it is told to do something.

Fed with effects of the stack; what is counted per message is computed when somebody looks.

Source: Corosync exec/main.c member_object_joined, member_object_left, corosync_fplay_control_init,
corosync_force_gather_init; exec/service.c corosync_service_link_and_init; exec/votequorum.c, the
calls of icmap_set and votequorum_refresh_config.
"""

from collections.abc import Callable, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final, Protocol

from corosync_tw.corotypes import ConfChangeType
from corosync_tw.errors import CsNotExist, CsTryAgain
from corosync_tw.kernels import choice
from corosync_tw.services.cmap.store import CmapStore
from corosync_tw.services.cmap.trackers import Track
from corosync_tw.services.cmap.values import TypedValue
from corosync_tw.services.cmap.wire import ValueType
from corosync_tw.services.effects import QuorumChange, SyncDone, TotemConfchg
from corosync_tw.services.exec_wire import exec_id
from corosync_tw.services.service_table import listed_services
from corosync_tw.services.stack import Stack
from corosync_tw.services.stats.left import LeaveReasons
from corosync_tw.services.stats.meter import StackMeter
from corosync_tw.totem.effects import Trace
from corosync_tw.totem.trace import TraceCode

DUMP_FLIGHT_DATA: Final = "runtime.blackbox.dump_flight_data"
DUMP_STATE: Final = "runtime.blackbox.dump_state"
FORCE_GATHER: Final = "runtime.force_gather"
CANCEL_WAIT_FOR_ALL: Final = "quorum.cancel_wait_for_all"
OUR_PREFIX: Final = "runtime.corosync_tw."
KERNELS: Final = f"{OUR_PREFIX}kernels"
# Links that do not work, as "speaker>deaf listener"; there only once a link has failed.
# Of redundant rings: number, then ".faulty".
RINGS_PREFIX: Final = "runtime.totem.pg.mrp.rrp."
BAD_LINKS: Final = f"{OUR_PREFIX}bad_links"
_NO: Final = TypedValue.string("no")
_ANY_EVENT: Final = Track.ADD | Track.DELETE | Track.MODIFY
_SERVICES: Final = "runtime.services."
# What votequorum shows as an u8; the rest is u32.
_VOTEQUORUM_U8: Final = frozenset(
    {"two_node", "wait_for_all_status", "qdevice_can_operate", "qdevice_master_wins"}
)


class Actions(Protocol):
    """What the daemon does when a client sets a key."""

    def dump_flight_data(self) -> None:
        """Write the flight recorder to a file."""

    def dump_state(self) -> None:
        """Print the state of the node."""

    def now_ns(self) -> int:
        """Read the monotonic clock."""

    def wall_ms(self) -> int:
        """Read the wall clock, milliseconds since the epoch, for people."""

    def pump(self) -> None:
        """Have the stack polled, later in this turn of the loop."""


class ServiceCounters:
    """A Provider of cmap: ``runtime.services.*``."""

    def __init__(self, meter: StackMeter, *, votequorum: bool) -> None:
        self._getters: dict[str, Callable[[], int]] = {}
        self._fixed: dict[str, TypedValue] = {}
        for service in listed_services(votequorum=votequorum):
            prefix = f"{_SERVICES}{service.name}"
            self._fixed[f"{prefix}.service_id"] = TypedValue.u16(int(service.service_id))
            for function in range(service.functions):
                number = exec_id(service.service_id, function)
                self._getters[f"{prefix}.{function}.rx"] = partial(meter.got, number)
                self._getters[f"{prefix}.{function}.tx"] = partial(meter.sent, number)
        self._keys = (*self._fixed, *self._getters)

    def keys(self) -> Sequence[str]:
        """List the keys."""
        return self._keys

    def get(self, key: str) -> TypedValue:
        """Compute a value; raises CsNotExist."""
        if key in self._getters:
            return TypedValue.u64(self._getters[key]())
        if key in self._fixed:
            return self._fixed[key]
        raise CsNotExist(f"key {key!r}")


class RuntimeKeys:
    """
    Keeps the keys of one node up to date.

    :ivar reasons: why nodes leave; whoever knows more than the ring tells it.
    """

    def __init__(
        self,
        stack: Stack,
        addresses: Callable[[int], Sequence[str]],
        actions: Actions,
        on_left: Callable[[int, str], None],
    ) -> None:
        """
        Make the keys of a node that just starts.

        :param addresses: of a node, one for each link.
        :param on_left: told of a node that left, and why.
        """
        self._stack = stack
        self._store: CmapStore = stack.cmap.store
        self._addresses = addresses
        self._actions = actions
        self._on_left = on_left
        self.reasons = LeaveReasons()
        votequorum = stack.votequorum is not None
        self._store.provide(_SERVICES, ServiceCounters(stack.meter, votequorum=votequorum))
        for service in listed_services(votequorum=votequorum):
            prefix = f"internal_configuration.service.{service.service_id}"
            self._store.set(f"{prefix}.name", TypedValue.string(f"corosync_{service.name}"))
            self._store.set(f"{prefix}.ver", TypedValue.u32(0))
        self._store.set(KERNELS, TypedValue.string(choice.description()))
        self._store.set_readonly(KERNELS)
        self._orders = {
            DUMP_FLIGHT_DATA: actions.dump_flight_data,
            DUMP_STATE: actions.dump_state,
        }
        for key in (*self._orders, FORCE_GATHER):
            self._store.set(key, _NO)
        for key in self._orders:
            self._store.track_add(key, _ANY_EVENT, self._on_order)
        self._store.track_add(FORCE_GATHER, _ANY_EVENT, self._on_force_gather)
        if votequorum:
            self._store.track_add(CANCEL_WAIT_FOR_ALL, _ANY_EVENT, self._on_cancel_wait_for_all)
        self.refresh()

    def routes(self) -> dict[type, Callable[[Any], None]]:
        """Name the effects of the stack that change keys; to be routed before clients hear."""
        return {
            TotemConfchg: self._on_configuration,
            QuorumChange: lambda _: self.refresh(),
            SyncDone: lambda _: self.refresh(),
            Trace: self._on_trace,
        }

    def _on_trace(self, trace: Trace) -> None:
        self.reasons.trace(trace.code, trace.values)
        if trace.code in (TraceCode.LINK_FAILED, TraceCode.LINK_WORKS):
            links = (f"{speaker}>{deaf}" for speaker, deaf in sorted(self._stack.srp.bad_links))
            self._store.set(BAD_LINKS, TypedValue.string(" ".join(links)))

    def refresh(self) -> None:
        """Show what votequorum has come to; also once in a while, for changes without effects."""
        votequorum = self._stack.votequorum
        if votequorum is None:
            return
        for name, value in votequorum.runtime()._asdict().items():
            if value is not None:
                kind = ValueType.UINT8 if name in _VOTEQUORUM_U8 else ValueType.UINT32
                self._store.set(f"runtime.votequorum.{name}", TypedValue(kind, int(value)))

    def _on_configuration(self, change: TotemConfchg) -> None:
        """
        Tell who left and who joined.

        Both lists come once: who left with the transitional configuration, who joined with the
        regular one.
        """
        if change.left:
            for nodeid, reason in self.reasons.take(change.left).items():
                self._left(nodeid, reason)
        for nodeid in change.joined:
            self._joined(nodeid)
        if change.kind is ConfChangeType.REGULAR:
            self.reasons.take(())

    def _left(self, nodeid: int, reason: str) -> None:
        self._set(nodeid, "status", "left")
        prefix = f"{OUR_PREFIX}members.{nodeid}"
        self._store.set(f"{prefix}.left_reason", TypedValue.string(reason))
        self._store.set(f"{prefix}.left_time_ms", TypedValue.u64(self._actions.wall_ms()))
        self._on_left(nodeid, reason)

    def _joined(self, nodeid: int) -> None:
        count = f"runtime.members.{nodeid}.join_count"
        if f"runtime.members.{nodeid}.ip" in self._store:
            with suppress(CsNotExist):
                self._store.adjust(count, 1)
        else:
            texts = (f"r({n}) ip({text}) " for n, text in enumerate(self._addresses(nodeid)))
            self._set(nodeid, "ip", "".join(texts))
            self._store.set(count, TypedValue.u32(1))
        self._set(nodeid, "status", "joined")

    def _set(self, nodeid: int, name: str, text: str) -> None:
        self._store.set(f"runtime.members.{nodeid}.{name}", TypedValue.string(text))

    def _on_order(self, event: Track, key: str, *change: object) -> None:
        """Whatever happens to the key is an order; tools first set it to something else."""
        del event, change
        self._orders[key]()

    def _on_force_gather(
        self, event: Track, key: str, new: TypedValue | None, old: TypedValue | None
    ) -> None:
        del event, old
        if new == _NO:
            return
        self._store.set(key, _NO)
        self._stack.force_gather(self._actions.now_ns())
        self._actions.pump()

    def _on_cancel_wait_for_all(
        self, event: Track, key: str, new: TypedValue | None, old: TypedValue | None
    ) -> None:
        del event, old
        votequorum = self._stack.votequorum
        if votequorum is None or new is None or new.kind is not ValueType.UINT8 or not new.value:
            return
        self._store.set(key, TypedValue.u8(0))
        with suppress(CsTryAgain):
            votequorum.cancel_wait_for_all()
        self._actions.pump()
