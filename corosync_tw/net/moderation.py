"""
Read the message sockets by the token and by the clock, not at each datagram, while many come.

A burst of a visit is several datagrams for the kernel, and to be woken for each costs the receiver,
and the sender who wakes it, more than the burst itself. Network cards moderate their interrupts for
the same reason. A ring that carries few messages is not moderated: each is read as it comes.
"""

from collections.abc import Callable, Sequence
from typing import Final

from twisted.internet.interfaces import IDelayedCall, IReactorTime

from corosync_tw.net.batchsocket import BatchSocket

# Messages between two tokens from which on sockets are moderated: more than one burst.
BUSY_FRAMES_MIN: Final = 64
# A datagram waits at most about so long; rotations of a busy ring take as long or longer.
READ_INTERVAL_S: Final = 0.001


class Moderation:
    """
    Watches the message sockets of one transport, or reads them now and then.

    :ivar active: the sockets are not watched.
    """

    def __init__(
        self, clock: IReactorTime, sockets: Sequence[BatchSocket], read: Callable[[], None]
    ) -> None:
        """
        Begin to watch.

        :param read: reads the sockets.
        """
        self._clock = clock
        self._sockets = sockets
        self._read = read
        self._call: IDelayedCall | None = None
        self._busy = False
        self.active = False
        self._watch()

    def token_came(self, frame_count: int) -> None:
        """
        Go by how busy the ring is.

        :param frame_count: datagrams read since the token before.
        """
        if frame_count < BUSY_FRAMES_MIN:
            return
        self._busy = True
        if not self.active:
            self.active = True
            for sock in self._sockets:
                sock.unwatch()
            self._call = self._clock.callLater(READ_INTERVAL_S, self._read_now)

    def stop(self) -> None:
        """Do nothing more; repeated calls are harmless."""
        if self._call is not None and self._call.active():
            self._call.cancel()
        self._call = None

    def _read_now(self) -> None:
        if self._busy:
            self._busy = False
            self._call = self._clock.callLater(READ_INTERVAL_S, self._read_now)
        else:
            self._call = None
            self.active = False
            self._watch()
        self._read()

    def _watch(self) -> None:
        for sock in self._sockets:
            sock.watch(self._read)
