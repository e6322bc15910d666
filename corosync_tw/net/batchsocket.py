"""
A UDP socket that moves datagrams by the batch: the only place where datagrams meet system calls.

Receiving drains the socket into slab memory; sending passes slices to the kernel as they are. No
call blocks, and no error of the network is an exception: a lost datagram is what Totem is for.
Sockets are never connected, so that an ICMP error of one peer is no error of the socket.
"""

import errno
import os
import socket
from collections.abc import Callable
from typing import Final

from twisted.internet.interfaces import IReactorFDSet, IReadDescriptor, IWriteDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

from corosync_tw.corotypes import Buffer
from corosync_tw.kernels.framing import only_mcasts
from corosync_tw.kernels.sending import send
from corosync_tw.net.interfaces import INetObserver, NetEvent, NetEventKind
from corosync_tw.net.offload import (
    GRO_ANCILLARY_BYTES,
    PAYLOAD_BYTES_MAX,
    Run,
    enable_gro,
    gro_segment_bytes,
    probe_gso,
)
from corosync_tw.net.slab import SlabPool
from corosync_tw.net.stats import TransportStats
from corosync_tw.totem.const import MessageType
from corosync_tw.totem.links import Arrival
from corosync_tw.totem.runs import FrameBlob, Received

# Receive calls of one socket in one reactor turn; with GRO each may bring 64 datagrams.
RECEIVE_CALLS_MAX: Final = 32

# Plain integers: compared with a byte of every datagram.
TOKEN_TYPES: Final = (int(MessageType.ORF_TOKEN), int(MessageType.MEMB_COMMIT_TOKEN))
_MCAST: Final = int(MessageType.MCAST)
_TYPE_OFFSET: Final = 3

# A plain integer: it is looked at for every datagram.
_TRUNCATED: Final = int(socket.MSG_TRUNC)
# No room in the socket's buffer now.
_BLOCKED: Final = frozenset({errno.EAGAIN, errno.EWOULDBLOCK})
# The network's word that nobody is there; EINVAL comes when our own address is gone.
_UNREACHABLE: Final = frozenset(
    {
        errno.ECONNREFUSED,
        errno.ENETUNREACH,
        errno.EHOSTUNREACH,
        errno.ENETDOWN,
        errno.EHOSTDOWN,
        errno.EPERM,
        errno.EADDRNOTAVAIL,
        errno.ENODEV,
        errno.EINVAL,
    }
)
# Datagrams of this length cannot be cut on the way to this peer; shorter ones may.
_LENGTH_REFUSED: Final = frozenset({errno.EINVAL, errno.EMSGSIZE})
# Several datagrams a call may be the fault: one at a time tells.
_OFFLOAD_REFUSED: Final = _LENGTH_REFUSED | {errno.EIO, errno.EOPNOTSUPP, errno.ENOPROTOOPT}

Address = tuple[str, int] | tuple[str, int, int, int]


class SourceFilter:
    """
    Decides by its source whether a datagram is heard.

    :ivar listed: addresses that are heard, or None for all (totem.block_unlisted_ips: no).
    :ivar own: where our own multicasts come from, to be dropped.
    :ivar learn: shown each datagram that is not a mcast message, with its source address.
    """

    __slots__ = ("learn", "listed", "own")

    def __init__(self) -> None:
        self.listed: set[str] | None = None
        self.own: tuple[str, int] | None = None
        self.learn: Callable[[Buffer, str], None] | None = None


@implementer(IReadDescriptor, IWriteDescriptor)
class BatchSocket:
    """
    One bound socket.

    :ivar segment_bytes_max: longest datagram that is sent many at a time; 0 without GSO.
    :ivar gro: whether the kernel merges what we receive.
    """

    def __init__(
        self,
        reactor: IReactorFDSet,
        sock: socket.socket,
        pool: SlabPool,
        stats: TransportStats,
        observer: INetObserver,
        *,
        offload: bool = True,
        on_too_long: Callable[[Address, int], None] | None = None,
    ) -> None:
        """
        Take over ``sock``, which is bound and does not block.

        :param offload: probe for GSO and GRO; False leaves both off.
        :param on_too_long: told where datagrams could not be sent, and their length, because
            they are too long for our interface; for an owner who sends ever longer ones, that is
            an answer and no error.
        """
        assert not sock.getblocking()
        self._reactor = reactor
        self._sock = sock
        self._pool = pool
        self._stats = stats
        self._observer = observer
        self._on_too_long = on_too_long
        self._closed = False
        self._on_readable: Callable[[], None] | None = None
        self._on_writable: Callable[[], None] | None = None
        self.gro = offload and enable_gro(sock)
        self.segment_bytes_max = PAYLOAD_BYTES_MAX if offload and probe_gso(sock) else 0

    def watch(self, on_readable: Callable[[], None]) -> None:
        """Call ``on_readable`` whenever datagrams wait."""
        self._on_readable = on_readable
        self._reactor.addReader(self)

    def unwatch(self) -> None:
        """Be read without being told."""
        self._reactor.removeReader(self)

    def watch_room(self, on_writable: Callable[[], None]) -> None:
        """Call ``on_writable`` once, as soon as the kernel takes datagrams again."""
        self._on_writable = on_writable
        self._reactor.addWriter(self)

    def close(self) -> None:
        """Close the socket; nothing is called afterwards."""
        if not self._closed:
            self._reactor.removeReader(self)
            self._reactor.removeWriter(self)
            self._closed = True
            self._sock.close()

    def receive(
        self, source_filter: SourceFilter, messages: list[Received], tokens: list[Received]
    ) -> bool:
        """
        Read datagrams until none is left, the limit of calls is reached, or a token came first: on
        a quiet ring nothing is behind it, and if there is, the reactor tells.

        :param messages: datagrams are appended here, but tokens to ``tokens``; mcast messages that
            arrived together stay together.
        :return: whether the socket is known to be empty.
        """
        stats = self._stats
        pool = self._pool
        listed = source_filter.listed
        own = source_filter.own
        learn = source_filter.learn
        receive = self._sock.recvmsg_into
        for _ in range(RECEIVE_CALLS_MAX):
            if self._closed:
                return True
            try:
                length, ancillary, flags, source = receive((pool.window(),), GRO_ANCILLARY_BYTES)
            except BlockingIOError:
                return True
            except OSError:
                stats.rx_errors += 1
                continue
            if flags & _TRUNCATED:
                stats.rx_truncated += 1
                continue
            if not length:
                # Somebody looks whether we listen, as a diagnosis does.
                continue
            host = source[0]
            if listed is not None and host not in listed:
                stats.rx_rejected += 1
                continue
            if own is not None and host == own[0] and source[1] == own[1]:
                stats.rx_own += 1
                continue
            blob = pool.take(length)
            segment = gro_segment_bytes(ancillary, length) if ancillary else length
            stats.rx_calls += 1
            stats.rx_bytes += length
            if segment >= length:
                stats.rx_frames += 1
                if learn is not None and _is_no_mcast(blob):
                    learn(blob, host)
                if not is_token(blob):
                    messages.append(blob)
                    continue
                tokens.append(blob)
                if not messages:
                    return False
                continue
            together = FrameBlob(blob, segment)
            stats.rx_frames += -(-length // segment)
            if only_mcasts(blob, segment):
                messages.append(together)
                continue
            for frame in together.frames():
                _file(frame, messages, tokens)
                if learn is not None and _is_no_mcast(frame):
                    learn(frame, host)
        return False

    def receive_from(self, arrivals: list[Arrival]) -> bool:
        """
        Read datagrams of any kind until none is left or the limit of calls is reached.

        :param arrivals: what came, and from which address and port, is appended here; what came
            together stays together.
        :return: whether the socket is known to be empty.
        """
        stats = self._stats
        pool = self._pool
        receive = self._sock.recvmsg_into
        for _ in range(RECEIVE_CALLS_MAX):
            if self._closed:
                return True
            try:
                length, ancillary, flags, source = receive((pool.window(),), GRO_ANCILLARY_BYTES)
            except BlockingIOError:
                return True
            except OSError:
                stats.rx_errors += 1
                continue
            if flags & _TRUNCATED:
                stats.rx_truncated += 1
                continue
            if not length:
                # Somebody looks whether we listen, as a diagnosis does.
                continue
            blob = pool.take(length)
            segment = gro_segment_bytes(ancillary, length) if ancillary else length
            stats.rx_calls += 1
            stats.rx_bytes += length
            if segment >= length:
                stats.rx_frames += 1
                arrivals.append(Arrival(blob, source[:2]))
            else:
                stats.rx_frames += -(-length // segment)
                arrivals.append(Arrival(FrameBlob(blob, segment), source[:2]))
        return False

    def send(self, run: Run, address: Address) -> Run | None:
        """
        Send one run to one address.

        :return: None when it is sent, or lost by an error that is counted; otherwise what is left
            of it because the kernel has no room now.
        """
        stats = self._stats
        try:
            send(self._sock, run.buffers, run.ancillary, address)
        except OSError as error:
            return self._send_failed(run, address, error.errno or 0)
        stats.tx_calls += 1
        stats.tx_frames += run.frame_count
        stats.tx_bytes += run.len_bytes
        if run.frame_count > 1:
            stats.tx_gso_calls += 1
        return None

    def send_one(self, frame: bytes, address: Address) -> bool:
        """
        Send one datagram.

        :return: False when the kernel has no room for it now.
        """
        stats = self._stats
        try:
            stats.tx_bytes += self._sock.sendto(frame, address)
        except OSError as error:
            number = error.errno or 0
            if number in _BLOCKED:
                return False
            self._count_lost(1, number, address, len(frame))
            return True
        stats.tx_calls += 1
        stats.tx_frames += 1
        return True

    def _send_failed(self, run: Run, address: Address, number: int) -> Run | None:
        if number in _BLOCKED:
            return run
        if run.frame_count > 1 and number in _OFFLOAD_REFUSED:
            return self._send_singly(run, address, number)
        self._count_lost(run.frame_count, number, address, run.segment_bytes)
        return None

    def _count_lost(self, frame_count: int, number: int, address: Address, len_bytes: int) -> None:
        if number in _UNREACHABLE:
            self._stats.tx_unreachable += frame_count
        elif self._on_too_long is not None and number == errno.EMSGSIZE:
            self._stats.tx_too_long += frame_count
            self._on_too_long(address, len_bytes)
        else:
            self._stats.tx_errors += frame_count

    def _send_singly(self, run: Run, address: Address, refusal: int) -> Run | None:
        """Send a refused run one datagram a call; if that works, offload is not tried again."""
        frames = run.frames
        for sent, frame in enumerate(frames):
            length = sum(map(len, frame))
            try:
                self._sock.sendmsg(frame, (), 0, address)
            except OSError as error:
                number = error.errno or 0
                left = frames[sent:]
                if number in _BLOCKED:
                    len_bytes = sum(len(piece) for frame in left for piece in frame)
                    return Run(left, 0, len(left), run.segment_bytes, len_bytes)
                self._count_lost(len(left), number, address, length)
                return None
            if sent == 0:
                self._limit_offload(run.segment_bytes, address, refusal)
            self._stats.tx_calls += 1
            self._stats.tx_frames += 1
            self._stats.tx_bytes += length
        return None

    def _limit_offload(self, segment_bytes: int, address: Address, refusal: int) -> None:
        limit = segment_bytes - 1 if refusal in _LENGTH_REFUSED else 0
        if limit < self.segment_bytes_max:
            self.segment_bytes_max = limit
            self._observer.net_event(
                NetEvent(
                    NetEventKind.OFFLOAD_OFF,
                    f"Segmentation offload of {segment_bytes} byte datagrams to {address[0]} "
                    f"failed: {os.strerror(refusal)}; sending them one by one",
                )
            )

    def doRead(self) -> None:
        """Tell our owner, who drains all its sockets. Called by the reactor."""
        if self._on_readable is not None:
            self._on_readable()

    def doWrite(self) -> None:
        """Tell our owner that there is room. Called by the reactor."""
        self._reactor.removeWriter(self)
        if self._on_writable is not None:
            self._on_writable()

    def fileno(self) -> int:
        """Give the descriptor, -1 once closed."""
        return self._sock.fileno()

    def logPrefix(self) -> str:
        """Name us in log lines of the reactor."""
        return "corosync.net"

    def connectionLost(self, reason: Failure) -> None:
        """
        Go on after an error was pending on the socket: UDP has no connection to lose.

        Called by the reactor, which has stopped to watch us.
        """
        del reason
        if self._closed:
            return
        self._stats.rx_errors += 1
        # Reading the error clears it; otherwise the reactor would report it for ever.
        self._sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR)
        if self._on_readable is not None:
            self._reactor.addReader(self)
        if self._on_writable is not None:
            self._reactor.addWriter(self)


def is_token(frame: Buffer) -> bool:
    """Tell whether a datagram is an orf token or a commit token."""
    return len(frame) > _TYPE_OFFSET and frame[_TYPE_OFFSET] in TOKEN_TYPES


def _file(frame: memoryview, messages: list[Received], tokens: list[Received]) -> None:
    if len(frame) > _TYPE_OFFSET and frame[_TYPE_OFFSET] in TOKEN_TYPES:
        tokens.append(frame)
    else:
        messages.append(frame)


def _is_no_mcast(frame: memoryview) -> bool:
    return len(frame) > _TYPE_OFFSET and frame[_TYPE_OFFSET] != _MCAST
