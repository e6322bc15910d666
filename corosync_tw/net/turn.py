"""
One batch a reactor turn: all sockets of a transport drained, messages first, tokens last.

A token tells what was sent before it, so tokens are read first and handed over last: what its
sender multicast before has arrived by the time the message sockets are read.
"""

from collections.abc import Sequence
from typing import Final

from corosync_tw.net.batchsocket import BatchSocket, SourceFilter
from corosync_tw.net.interfaces import IFrameReceiver
from corosync_tw.net.stats import TransportStats
from corosync_tw.totem.runs import Received

# A token waits while more messages are in the socket than one turn reads, but not for ever.
TOKEN_HELD_TURNS_MAX: Final = 4


class Turn:
    """Collects what the sockets of one transport received and hands it over in one call."""

    def __init__(
        self,
        receiver: IFrameReceiver,
        token_sockets: Sequence[BatchSocket],
        message_sockets: Sequence[BatchSocket],
        source_filter: SourceFilter,
        stats: TransportStats,
    ) -> None:
        """
        Begin to watch the sockets.

        :param token_sockets: read first.
        :param message_sockets: read next; a socket for both is listed here.
        """
        self._receiver = receiver
        self._token_sockets = token_sockets
        self._message_sockets = message_sockets
        self._filter = source_filter
        self._stats = stats
        self._held_tokens: list[Received] = []
        self._held_turns = 0
        for sock in (*token_sockets, *message_sockets):
            sock.watch(self.drain)

    def drain(self) -> None:
        """Read the sockets and hand over what came."""
        messages: list[Received] = []
        tokens = self._held_tokens
        self._held_tokens = []
        for sock in self._token_sockets:
            sock.receive(self._filter, messages, tokens)
        emptied = True
        for sock in self._message_sockets:
            emptied = sock.receive(self._filter, messages, tokens) and emptied
        if emptied or not self._token_sockets or self._held_turns >= TOKEN_HELD_TURNS_MAX:
            self._held_turns = 0
            messages += tokens
        elif tokens:
            self._held_turns += 1
            self._held_tokens = tokens
        if messages:
            self._stats.rx_batches += 1
            self._receiver.frames_received(messages)
