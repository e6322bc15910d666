"""
Datagrams that the kernel had no room for, in order, over all sockets of a transport.

While anything waits here, later sends wait behind it: a token must not overtake the messages sent
before it, or its receiver would ask for all of them again.
"""

from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from corosync_tw.net.batchsocket import Address, BatchSocket
from corosync_tw.net.interfaces import INetObserver, NetEvent, NetEventKind
from corosync_tw.net.offload import Run, single
from corosync_tw.net.stats import TransportStats
from corosync_tw.timers.interludes import Interludes

# About 6 MB of full frames; by then the oldest are worth nothing to anybody.
SEND_QUEUE_FRAMES_MAX: Final = 4096


class SendQueue:
    """
    Sends at once, or keeps order until the kernel has room.

    :ivar frames: datagrams that wait.
    """

    def __init__(
        self,
        stats: TransportStats,
        observer: INetObserver,
        interlude: Callable[[], None] | None = None,
    ) -> None:
        """
        Begin with nothing.

        :param interlude: called between the runs of one sending.
        """
        self._interlude = interlude or Interludes()
        self._stats = stats
        self._observer = observer
        self._waiting: deque[tuple[BatchSocket, Run, Address]] = deque()
        self._blocked = False
        self._reported = False
        self.frames = 0

    def send(self, sock: BatchSocket, runs: Sequence[Run], addresses: Sequence[Address]) -> None:
        """Send every run to every address, run by run."""
        for number, run in enumerate(runs):
            if number:
                self._interlude()
            for address in addresses:
                if self._waiting:
                    self._append(sock, run, address)
                    continue
                left = sock.send(run, address)
                if left is not None:
                    self._append(sock, left, address)
                    self._block_on(sock)

    def send_one(self, sock: BatchSocket, frame: bytes, address: Address) -> None:
        """Send one datagram to one address: the token, for which everybody waits."""
        if self._waiting or not sock.send_one(frame, address):
            self.send(sock, (single(frame),), (address,))

    def flush(self) -> None:
        """Send what waits, as far as the kernel takes it."""
        self._blocked = False
        waiting = self._waiting
        while waiting:
            sock, run, address = waiting[0]
            left = sock.send(run, address)
            self.frames -= run.frame_count
            if left is None:
                waiting.popleft()
                continue
            waiting[0] = (sock, left, address)
            self.frames += left.frame_count
            self._block_on(sock)
            return
        self._reported = False

    def clear(self) -> None:
        """Drop what waits."""
        self._stats.tx_dropped += self.frames
        self._waiting.clear()
        self.frames = 0

    def _block_on(self, sock: BatchSocket) -> None:
        if not self._blocked:
            self._blocked = True
            self._stats.tx_blocked += 1
            sock.watch_room(self.flush)

    def _append(self, sock: BatchSocket, run: Run, address: Address) -> None:
        self._waiting.append((sock, run, address))
        self.frames += run.frame_count
        while self.frames > SEND_QUEUE_FRAMES_MAX:
            dropped = self._waiting.popleft()[1].frame_count
            self.frames -= dropped
            self._stats.tx_dropped += dropped
            if not self._reported:
                self._reported = True
                self._observer.net_event(
                    NetEvent(
                        NetEventKind.SEND_QUEUE_FULL,
                        f"{SEND_QUEUE_FRAMES_MAX} datagrams wait for the network; "
                        "dropping the oldest",
                    )
                )
