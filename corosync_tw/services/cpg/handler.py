"""
The cpg service for C clients: libcpg's requests, and the events that its callbacks are made of.

MCAST and deliveries are the hot path, see ``traffic``. All else goes through a table.
Source: Corosync exec/cpg.c message_handler_req_lib_cpg_*, exec/ipc_glue.c cs_ipcs_msg_process.
Deviations: a message, or a part of one, that finds the ring's queue full or synchronization under
way waits for it; Corosync drops messages and refuses parts. CPG_TYPE_SAFE is kept if all members
can; Corosync treats it as CPG_TYPE_AGREED. A message longer than a client's buffer comes in parts,
and lists that are longer than the client's arrays are cut or told in several events: libcpg
overflows its own. A handle of an iteration is valid in its connection alone.
"""

from collections.abc import Mapping, Sequence
from operator import is_not
from struct import Struct
from typing import Any, Final, Protocol

from corosync_tw.errors import CsInvalidParam, CsTooBig, CsTryAgain
from corosync_tw.services.cpg.effects import CpgDeliverRun, CpgPart, CpgTotemConfchg
from corosync_tw.services.cpg.engine import CPG_ATOMIC_LEN_MAX
from corosync_tw.services.cpg.groups import Wants
from corosync_tw.services.cpg.iteration import Iterations, IterationType
from corosync_tw.services.cpg.lib_wire import (
    HANDLE,
    HANDLE_RESPONSE_LEN,
    ITERATION_INITIALIZE,
    ITERATION_LEN,
    JOIN,
    LEAVE,
    LOCAL_GET_LEN,
    MCAST,
    MCAST_LEN,
    MEMBERSHIP_LEN,
    NAME,
    PARTIAL_MCAST,
    PARTIAL_MCAST_LEN,
    ZC_ALLOC,
    ZC_FREE,
    ZC_REQUEST_OFFSET,
    CpgRequest,
    CpgResponse,
    encode_confchgs,
    encode_iteration_entry,
    encode_iteration_handle,
    encode_local_get,
    encode_membership,
    encode_totem_confchg,
    group_name,
)
from corosync_tw.services.cpg.traffic import CpgTraffic
from corosync_tw.services.cpg.wire import PartialType
from corosync_tw.services.effects import CpgConfchg, CpgDeliver
from corosync_tw.services.exec_wire import ServiceId
from corosync_tw.services.lib_interfaces import EffectHandler, LibClient, Shell
from corosync_tw.services.lib_requests import (
    REQUEST_HEADER_LEN,
    Request,
    response,
    serve_one,
)
from corosync_tw.services.stack import Stack

# cpg.h, cpg_guarantee_t
CPG_TYPE_SAFE: Final = 3
# Below this a copy of a message's bytes is cheaper than a view of them.
COPY_LEN_MAX: Final = 2048
_ID: Final = Struct("=i").unpack_from
_MCAST: Final = MCAST.unpack_from
_ITERATION_TYPES: Final = frozenset(IterationType)
_PART_KINDS: Final = frozenset(PartialType)


class ZeroCopy(Protocol):
    """Buffers that clients share with us, see ``corosync_tw.ipc.zerocopy``."""

    def open(self, conn: int, uid: int, path: str) -> None:
        """Take a client's new file; raises CsError."""

    def read(self, conn: int, number: int, offset: int, length: int) -> bytes:
        """Copy out of a buffer, fewer bytes when it ends before; raises CsBadHandle."""

    def close(self, conn: int, number: int) -> None:
        """Let go of one buffer; raises CsBadHandle."""

    def close_all(self, conn: int) -> None:
        """Let go of a client's buffers."""


class _QueueFullError(Exception):
    """A request that waits for room in the ring's queue, unanswered until then."""


class CpgHandler:
    """Implements LibHandler and TakesRuns."""

    service_id: int = ServiceId.CPG
    socket_name = "cpg"

    def __init__(self, stack: Stack, shell: Shell, nodeid: int, zero_copy: ZeroCopy) -> None:
        self._stack = stack
        self._shell = shell
        self._nodeid = nodeid
        self._zero_copy = zero_copy
        self._clients: dict[int, LibClient] = {}
        self._traffic = CpgTraffic(stack, shell, self._clients)
        self.take_runs = self._traffic.take_runs
        self._iterations = Iterations(stack.cpg.iterate)
        # The last change of a group, and what clients are sent for them.
        self._change: tuple[object, ...] = (None,) * 4
        self._change_events: list[bytes] = []
        self._table = self._make_table()

    def _make_table(self) -> dict[int, Request]:
        bare = REQUEST_HEADER_LEN
        return {
            CpgRequest.JOIN: Request(JOIN.size, CpgResponse.JOIN, self._join),
            CpgRequest.LEAVE: Request(LEAVE.size, CpgResponse.LEAVE, self._leave),
            CpgRequest.MEMBERSHIP: Request(
                NAME.size, CpgResponse.MEMBERSHIP, self._membership, MEMBERSHIP_LEN
            ),
            CpgRequest.LOCAL_GET: Request(
                bare, CpgResponse.LOCAL_GET, self._local_get, LOCAL_GET_LEN
            ),
            CpgRequest.ITERATION_INITIALIZE: Request(
                ITERATION_INITIALIZE.size,
                CpgResponse.ITERATION_INITIALIZE,
                self._iteration_initialize,
                HANDLE_RESPONSE_LEN,
            ),
            CpgRequest.ITERATION_NEXT: Request(
                HANDLE.size, CpgResponse.ITERATION_NEXT, self._iteration_next, ITERATION_LEN
            ),
            CpgRequest.ITERATION_FINALIZE: Request(
                HANDLE.size, CpgResponse.ITERATION_FINALIZE, self._iteration_finalize
            ),
            CpgRequest.FINALIZE: Request(bare, CpgResponse.FINALIZE, self._finalize),
            # libcpg expects these three under the ids of other responses.
            CpgRequest.ZC_ALLOC: Request(ZC_ALLOC.size, 0, self._zc_alloc),
            CpgRequest.ZC_FREE: Request(ZC_FREE.size, 0, self._zc_free),
            CpgRequest.ZC_EXECUTE: Request(HANDLE.size, CpgResponse.MCAST, self._zc_execute),
            CpgRequest.PARTIAL_MCAST: Request(
                PARTIAL_MCAST_LEN, CpgResponse.PARTIAL_SEND, self._partial_mcast
            ),
        }

    # LibHandler

    def connected(self, client: LibClient) -> None:
        """Tell the client of rings from now on."""
        self._clients[client.conn] = client

    def disconnected(self, client: LibClient) -> None:
        """Tell the group that the process is down."""
        self._forget(client)
        self._iterations.forget(client.conn)
        self._zero_copy.close_all(client.conn)

    def requests(self, client: LibClient, batch: Sequence[bytes]) -> int:
        """Serve requests in order, runs of MCAST together."""
        served, count = 0, len(batch)
        while served < count:
            data = batch[served]
            number = _ID(data)[0]
            if number == CpgRequest.MCAST:
                taken, full = self._traffic.mcast_run(client, batch, served)
                served += taken
                if full:
                    break
                continue
            try:
                serve_one(self._table, client, data)
            except _QueueFullError:
                break
            served += 1
        return served

    def effect_handlers(self) -> Mapping[type, EffectHandler]:
        """Name what concerns clients."""
        return {
            CpgDeliver: self._traffic.on_deliver,
            CpgDeliverRun: self._traffic.on_deliver_run,
            CpgPart: self._traffic.on_part,
            CpgConfchg: self.on_confchg,
            CpgTotemConfchg: self.on_totem_confchg,
        }

    # Effects

    def on_confchg(self, effect: Any) -> None:
        """Write a change of a group's membership to its client."""
        client = self._clients.get(effect.conn)
        if client is None:
            return
        change = (effect.group, effect.members, effect.left, effect.joined)
        # All clients of a group are told of a change by the very same lists.
        if any(map(is_not, change, self._change)):
            self._change = change
            self._change_events = encode_confchgs(*change)
        for event in self._change_events:
            client.event((event,))

    def on_totem_confchg(self, effect: Any) -> None:
        """Write a ring to one client or to all."""
        event = encode_totem_confchg(effect.ring_id, effect.members)
        if effect.conn is None:
            for client in list(self._clients.values()):
                client.event((event,))
        elif effect.conn in self._clients:
            self._clients[effect.conn].event((event,))

    # Requests with an answer; they raise CsError

    def _join(self, client: LibClient, data: bytes) -> bytes:
        length, value, pid, flags = JOIN.unpack_from(data)
        wants = Wants.PARTS | (Wants(flags) & Wants.INITIAL_TOTEM_CONF)
        self._stack.cpg_join(client.conn, group_name(length, value), pid, wants)
        self._shell.pump()
        return response(CpgResponse.JOIN)

    def _leave(self, client: LibClient, data: bytes) -> bytes:
        del data  # the name in it may be any: a connection is in one group
        self._stack.cpg_leave(client.conn)
        self._shell.pump()
        return response(CpgResponse.LEAVE)

    def _finalize(self, client: LibClient, data: bytes) -> bytes:
        del data
        self._forget(client)
        return response(CpgResponse.FINALIZE)

    def _membership(self, client: LibClient, data: bytes) -> bytes:
        del client
        return encode_membership(self._stack.cpg_membership(group_name(*NAME.unpack_from(data))))

    def _local_get(self, client: LibClient, data: bytes) -> bytes:
        del client, data
        return encode_local_get(self._nodeid)

    def _iteration_initialize(self, client: LibClient, data: bytes) -> bytes:
        length, value, kind = ITERATION_INITIALIZE.unpack_from(data)
        if kind not in _ITERATION_TYPES:
            raise CsInvalidParam(f"iteration type {kind}")
        # libcpg leaves the name as it was on its stack when it means none.
        one = kind == IterationType.ONE_GROUP
        name = group_name(length, value) if one else b""
        handle = self._iterations.initialize(client.conn, IterationType(kind), name)
        return encode_iteration_handle(handle)

    def _iteration_next(self, client: LibClient, data: bytes) -> bytes:
        entry = self._iterations.next(client.conn, HANDLE.unpack_from(data)[0])
        return encode_iteration_entry(*entry)

    def _iteration_finalize(self, client: LibClient, data: bytes) -> bytes:
        self._iterations.finalize(client.conn, HANDLE.unpack_from(data)[0])
        return response(CpgResponse.ITERATION_FINALIZE)

    def _partial_mcast(self, client: LibClient, data: bytes) -> bytes:
        _, msglen, fraglen, kind = PARTIAL_MCAST.unpack_from(data)
        end = PARTIAL_MCAST_LEN + fraglen
        if kind not in _PART_KINDS or end > len(data):
            raise CsInvalidParam(f"part of {fraglen} bytes, kind {kind}")
        part = memoryview(data)[PARTIAL_MCAST_LEN:end]
        try:
            self._stack.cpg_partial_mcast(
                client.conn, PartialType(kind), msglen, (part,), self._shell.now_ns()
            )
        except CsTryAgain as full:
            raise _QueueFullError from full
        self._shell.pump()
        return response(CpgResponse.PARTIAL_SEND)

    def _zc_alloc(self, client: LibClient, data: bytes) -> bytes:
        _, path = ZC_ALLOC.unpack_from(data)
        name = path.partition(b"\0")[0].decode("utf-8", "surrogateescape")
        self._zero_copy.open(client.conn, client.uid, name)
        return response(0)

    def _zc_free(self, client: LibClient, data: bytes) -> bytes:
        self._zero_copy.close(client.conn, ZC_FREE.unpack_from(data)[1])
        return response(0)

    def _zc_execute(self, client: LibClient, data: bytes) -> bytes:
        number = HANDLE.unpack_from(data)[0]
        read = self._zero_copy.read
        head = read(client.conn, number, ZC_REQUEST_OFFSET, MCAST_LEN)
        if len(head) < MCAST_LEN:
            raise CsInvalidParam("the zero-copy buffer ends in its header")
        _, guarantee, msglen = _MCAST(head)
        if msglen > CPG_ATOMIC_LEN_MAX:
            raise CsTooBig(f"message of {msglen} bytes")
        message = read(client.conn, number, ZC_REQUEST_OFFSET + MCAST_LEN, msglen)
        if len(message) < msglen:
            raise CsInvalidParam("the zero-copy buffer ends in its message")
        self._stack.cpg_mcast(
            client.conn, [(message,)], self._traffic.guarantee(guarantee), self._shell.now_ns()
        )
        self._shell.pump()
        return response(CpgResponse.MCAST)

    def _forget(self, client: LibClient) -> None:
        if self._clients.pop(client.conn, None) is not None:
            self._stack.cpg_disconnect(client.conn)
            self._shell.pump()
