"""
The way of ordered messages from totempg to the engines, runs of one process's messages together.

A message of an application (cpg MCAST) is handed on with those of the same process and group that
follow it, as places in a batch. Every other message is handed to the engine that its id names, by
itself and in its place in the order.

Source: Corosync exec/main.c deliver_fn.
"""

from collections.abc import Callable, Iterable, Mapping
from struct import Struct
from typing import Final

from corosync_tw.corotypes import Buffer
from corosync_tw.errors import MalformedFrame
from corosync_tw.kernels.unpacking import cpg_run
from corosync_tw.services.cpg.engine import CpgEngine
from corosync_tw.services.cpg.wire import MCAST_ID
from corosync_tw.services.exec_wire import EXEC_GROUP, HEADER_LEN
from corosync_tw.services.interfaces import ExecHandler
from corosync_tw.services.stats.counters import StackStats
from corosync_tw.totem.batch import MessageBatch
from corosync_tw.totem.effects import Deliver
from corosync_tw.totem.pg import PgMessage, Totempg
from corosync_tw.totem.pg_wire import group_prefix

# What each message of an application begins with.
_CPG_START: Final = group_prefix(EXEC_GROUP) + MCAST_ID.to_bytes(4, "little")
_ID_LITTLE: Final = Struct("<I").unpack_from
_ID_BIG: Final = Struct(">I").unpack_from


class Delivering:
    """Routes what one stack is delivered."""

    __slots__ = ("_cpg", "_handlers", "_other_group", "_pg", "_received", "_stats")

    def __init__(
        self,
        pg: Totempg,
        cpg: CpgEngine,
        handlers: Mapping[int, ExecHandler],
        other_group: Callable[[int, bytes, Buffer, bool], None],
        *,
        stats: StackStats,
        received: dict[int, int],
    ) -> None:
        """
        Stand between totempg and the engines.

        :param handlers: by message id.
        :param other_group: gets (nodeid, group, data, big_endian) of what is not for the services.
        :param received: counts messages by their ids.
        """
        self._pg = pg
        self._cpg = cpg
        self._handlers = handlers
        self._other_group = other_group
        self._stats = stats
        self._received = received

    def deliver(self, effect: Deliver) -> None:
        """Hand messages on, each before the next is unpacked: one may end the synchronization."""
        for messages in self._pg.deliver(effect):
            if isinstance(messages, MessageBatch):
                self._batch(messages)
            else:
                self._one_by_one(messages)

    def _batch(self, batch: MessageBatch) -> None:
        buffers, pieces, messages = batch.buffers, batch.pieces, batch.messages
        at, end, of_applications = 0, len(batch), 0
        while at < end:
            run = cpg_run(buffers, pieces, messages, at, _CPG_START)
            if run is None:
                self._one_by_one(self._pg.alone(batch, at))
                at += 1
                continue
            count, group, pid = run
            self._cpg.on_mcast_run(group, pid, batch, at, count)
            of_applications += count
            at += count
        if of_applications:
            received = self._received
            received[MCAST_ID] = received.get(MCAST_ID, 0) + of_applications
            self._stats.messages_delivered += of_applications

    def _one_by_one(self, messages: Iterable[PgMessage]) -> None:
        handlers, received, stats = self._handlers, self._received, self._stats
        count = run = 0
        kind, handler = -1, None
        for nodeid, seq, group, data, big_endian in messages:
            count += 1
            try:
                if group != EXEC_GROUP:
                    self._other_group(nodeid, group, data, big_endian)
                    continue
                if len(data) < HEADER_LEN:
                    stats.messages_malformed += 1
                    continue
                number = (_ID_BIG if big_endian else _ID_LITTLE)(data)[0]
                if number != kind:
                    received[kind] = received.get(kind, 0) + run
                    kind, run, handler = number, 0, handlers.get(number)
                run += 1
                if handler is None:
                    stats.messages_unknown += 1
                else:
                    handler(nodeid, seq, data, big_endian)
            except MalformedFrame:
                stats.messages_malformed += 1
        received[kind] = received.get(kind, 0) + run
        stats.messages_delivered += count
