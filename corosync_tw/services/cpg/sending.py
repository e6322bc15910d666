"""
Messages of applications on their way from their client straight into the outgoing queue.

A client's multicast requests are copied out of its memory by one call for many, each behind the
head that it has on the ring. What the ring has no room for stays in the client's memory.

Source: Corosync exec/cpg.c message_handler_req_lib_cpg_mcast.
"""

from array import array
from collections.abc import Callable
from typing import Final

from corosync_tw.corotypes import Guarantee
from corosync_tw.services.bus import StackBus
from corosync_tw.services.cpg.engine import CPG_ATOMIC_LEN_MAX, RUN_HEAD_LEN, CpgEngine
from corosync_tw.services.cpg.wire import MCAST_ID
from corosync_tw.services.lib_runs import RequestRuns, RunsTaken
from corosync_tw.totem.pg import Totempg
from corosync_tw.totem.pg_wire import ITEM_LEN_LEN_BYTES

RUN_MESSAGES_MAX: Final = 4096
# Room for most first messages; a longer one shows when it does not fit.
_WANTED_LEN_BYTES: Final = 4096
_ID: Final = MCAST_ID.to_bytes(4, "little")


class RunSender:
    """The way of one stack's clients."""

    __slots__ = ("_bus", "_cpg", "_lens", "_pg")

    def __init__(self, cpg: CpgEngine, pg: Totempg, bus: StackBus) -> None:
        self._cpg = cpg
        self._pg = pg
        self._bus = bus
        self._lens = array("I", bytes(4 * RUN_MESSAGES_MAX))

    def send(
        self, conn: int, requests: RequestRuns, guarantee_of: Callable[[int], Guarantee]
    ) -> tuple[int, RunsTaken]:
        """
        Send what a connection asks for, as far as there is room.

        :param guarantee_of: makes a guarantee of what the client asks for.
        :return: how many messages, and why no more.
        Raises CsNotExist: in no group.
        """
        head = self._cpg.run_head(conn)
        sent, wanted = 0, _WANTED_LEN_BYTES
        while True:
            room = self._room(wanted)
            if room is None:
                return sent, RunsTaken.UP_TO_FULL
            memory, lens = room
            count, asked, reason = requests.take_mcasts(head, memory, lens)
            if count:
                self._bus.commit(lens[:count], guarantee_of(asked), _ID)
                sent += count
            if reason is RunsTaken.ALL and count < len(lens):
                return sent, reason
            wanted = RUN_HEAD_LEN + min(requests.next_len(), CPG_ATOMIC_LEN_MAX)
            # Without progress it is another's; a client may change what it asked for under us.
            if not count and (reason is RunsTaken.UP_TO_OTHER or wanted <= len(memory)):
                return sent, RunsTaken.UP_TO_OTHER

    def _room(self, wanted: int) -> "tuple[memoryview, array[int]] | None":
        """
        Reserve memory for at least so many bytes of a message.

        :return: memory, and places for as many lengths as messages may be taken.
        """
        room_bytes, messages = self._pg.bulk_room()
        if not messages or wanted + ITEM_LEN_LEN_BYTES > room_bytes:
            return None
        # Every message is longer than its head.
        item_lens_bytes = room_bytes // RUN_HEAD_LEN * ITEM_LEN_LEN_BYTES
        memory = self._pg.reserve(wanted, max(wanted, room_bytes - item_lens_bytes))
        lens = self._lens if messages >= RUN_MESSAGES_MAX else self._lens[:messages]
        return memory, lens
