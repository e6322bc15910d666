"""
One batch a reactor turn: all sockets of a transport drained, messages first, tokens last.

A token tells what was sent before it, so tokens are read first and handed over last: what its
sender multicast before has arrived by the time the message sockets are read. On a busy ring whose
members send behind the token it is handed over before the messages are read, if it tells of nothing
that we lack.
"""

from collections.abc import Sequence
from typing import Final

from twisted.internet.interfaces import IReactorTime

from corosync_tw.net.batchsocket import BatchSocket, SourceFilter
from corosync_tw.net.interfaces import IFrameReceiver
from corosync_tw.net.moderation import Moderation
from corosync_tw.net.stats import TransportStats
from corosync_tw.totem.runs import FrameBlob, Received

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
        *,
        clock: IReactorTime | None = None,
    ) -> None:
        """
        Begin to watch the sockets.

        :param token_sockets: read first.
        :param message_sockets: read next; a socket for both is listed here.
        :param clock: moderate the message sockets; only where tokens have sockets of their own.
        """
        self._receiver = receiver
        self._token_sockets = token_sockets
        self._message_sockets = message_sockets
        self._filter = source_filter
        self._stats = stats
        self._held_tokens: list[Received] = []
        self._held_turns = 0
        self._frames_at_token = 0
        self._moderation: Moderation | None = None
        for sock in token_sockets:
            sock.watch(self.drain)
        if clock is not None:
            assert token_sockets
            self._moderation = Moderation(clock, message_sockets, self.drain)
        else:
            for sock in message_sockets:
                sock.watch(self.drain)

    def stop(self) -> None:
        """Read nothing more by the clock."""
        if self._moderation is not None:
            self._moderation.stop()

    def drain(self) -> None:
        """Read the sockets and hand over what came."""
        messages: list[Received] = []
        tokens = self._held_tokens
        self._held_tokens = []
        for sock in self._token_sockets:
            sock.receive(self._filter, messages, tokens)
        moderation = self._moderation
        if moderation is not None and tokens:
            frames = self._stats.rx_frames
            moderation.token_came(frames - self._frames_at_token)
            self._frames_at_token = frames
            if moderation.active and not messages and self._may_overtake(tokens):
                self._stats.rx_batches += 1
                self._receiver.frames_received(tokens)
                tokens = []
        self._drain_messages(messages, tokens)

    def _may_overtake(self, tokens: list[Received]) -> bool:
        token = tokens[0]
        return (
            len(tokens) == 1
            and not isinstance(token, FrameBlob)
            and self._receiver.may_overtake(token)
        )

    def _drain_messages(self, messages: list[Received], tokens: list[Received]) -> None:
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
