"""
Messages between C clients and the ring: the hot path of the cpg service, both ways.

Runs are moved by one call each where the transport of a client can, others one by one.
Source: Corosync exec/cpg.c message_handler_req_lib_cpg_mcast, message_handler_req_exec_cpg_mcast.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import lru_cache
from typing import Any, Final

from corosync_tw.corotypes import Buffer, Guarantee
from corosync_tw.errors import CsError, CsNotExist, CsTryAgain
from corosync_tw.services.cpg.engine import CPG_ATOMIC_LEN_MAX
from corosync_tw.services.cpg.lib_wire import (
    DELIVER_LEN,
    DELIVER_MSGLEN_AT,
    EVENT_LEN_MAX,
    MCAST,
    MCAST_LEN,
    WHOLE,
    CpgRequest,
    Part,
    encode_deliver,
    encode_parts,
)
from corosync_tw.services.lib_interfaces import LibClient, Shell
from corosync_tw.services.lib_runs import EventRun, RequestRuns, RunsTaken
from corosync_tw.services.stack import Stack

# cpg.h, cpg_guarantee_t
CPG_TYPE_SAFE: Final = 3
# Below this a copy of a message's bytes is cheaper than a view of them.
COPY_LEN_MAX: Final = 2048
_MCAST: Final = MCAST.unpack_from

_run_head: Final = lru_cache(maxsize=256)(encode_deliver)


class CpgTraffic:
    """
    The messages of one node's clients.

    :param clients: by connection, kept by the handler.
    """

    def __init__(self, stack: Stack, shell: Shell, clients: Mapping[int, LibClient]) -> None:
        self._stack = stack
        self._shell = shell
        self._clients = clients
        # The head of the last delivery, for the next one that differs in its bytes alone.
        self._head_of: tuple[bytes, int, int, int] | None = None
        self._head = b""

    def take_runs(self, client: LibClient, requests: RequestRuns) -> RunsTaken:
        """Send what can be sent of a client's requests."""
        try:
            count, taken = self._stack.cpg_mcast_run(
                client.conn, requests, self.guarantee, self._shell.now_ns()
            )
        except CsNotExist:
            return RunsTaken.UP_TO_OTHER
        if count:
            client.stats.requests += count
            # Otherwise the token that is on its way takes them along.
            if self._stack.resting:
                self._shell.pump()
        return taken

    def mcast_run(self, client: LibClient, batch: Sequence[bytes], first: int) -> tuple[int, bool]:
        """
        Send the run of messages that begins at ``first``.

        :return: how many requests were taken, and whether the ring takes no more now.
        """
        if not self._stack.bulk_room:
            return 0, True
        messages: list[tuple[Buffer]] = []
        asked = -1
        for data in batch[first:]:
            if len(data) < MCAST_LEN:
                break
            number, guarantee, msglen = _MCAST(data)
            end = MCAST_LEN + msglen
            if number != CpgRequest.MCAST or end > len(data) or msglen > CPG_ATOMIC_LEN_MAX:
                break
            if guarantee != asked:
                if messages:
                    break
                asked = guarantee
            if msglen > COPY_LEN_MAX:
                messages.append((memoryview(data)[MCAST_LEN:end],))
            else:
                messages.append((data[MCAST_LEN:end],))
        if not messages:
            # This request has no answer, not even a bad one.
            client.stats.invalid_request += 1
            return 1, False
        try:
            self._stack.cpg_mcast(
                client.conn, messages, self.guarantee(asked), self._shell.now_ns()
            )
        except CsTryAgain as full:
            if full.accepted:
                self._shell.pump()
            return full.accepted, True
        except CsError:
            return len(messages), False
        self._shell.pump()
        return len(messages), False

    def guarantee(self, asked: int) -> Guarantee:
        """Give the guarantee that is kept: SAFE, where it is asked for and all members can."""
        if asked == CPG_TYPE_SAFE and self._stack.safe_supported:
            return Guarantee.SAFE
        return Guarantee.AGREED

    def on_deliver(self, effect: Any) -> None:
        """Write a message to its client."""
        client = self._clients.get(effect.conn)
        if client is None:
            return
        data = effect.data
        key = (effect.group, effect.nodeid, effect.pid, len(data))
        if key[3] > EVENT_LEN_MAX - DELIVER_LEN:
            part = Part(effect.nodeid, effect.pid, key[3], WHOLE)
            for slices in encode_parts(effect.group, part, data):
                client.event(slices)
            return
        if key != self._head_of:
            self._head_of = key
            self._head = encode_deliver(*key)
        client.event((self._head, data))

    def on_deliver_run(self, effect: Any) -> None:
        """Write messages to their clients, each client's by one call."""
        head = _run_head(effect.group, effect.nodeid, effect.pid, 0)
        run = EventRun(
            head,
            DELIVER_MSGLEN_AT,
            EVENT_LEN_MAX,
            effect.batch,
            effect.first,
            effect.count,
            effect.skip,
        )
        for conn in effect.conns:
            client = self._clients.get(conn)
            if client is not None:
                done = client.event_run(run)
                if done < effect.count:
                    # A message is too long for one event.
                    rest = replace(
                        effect,
                        conns=(conn,),
                        first=effect.first + done,
                        count=effect.count - done,
                    )
                    for single in rest.expand():
                        self.on_deliver(single)

    def on_part(self, effect: Any) -> None:
        """Write a part of a message to its client."""
        client = self._clients.get(effect.conn)
        if client is None:
            return
        part = Part(effect.nodeid, effect.pid, effect.msglen, effect.kind)
        for slices in encode_parts(effect.group, part, effect.data):
            client.event(slices)
