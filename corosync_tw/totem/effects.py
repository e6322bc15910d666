"""
What the protocol core asks its driver to do, and what the core asks of the layer above.

The driver executes the effects of one ``poll()`` strictly in order. Executing an effect never
re-enters the core's ``receive`` or ``advance``; a StoreRingId must be durable before any send that
follows it in the list.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Protocol

from corosync_tw.corotypes import ConfChangeType, RingId
from corosync_tw.totem.runs import Datagrams, Delivered, DeliveredFrame, SentRun


@dataclass(slots=True)
class SendToken:
    """
    Send one datagram to one node (orf token, commit token).

    :ivar target: nodeid of the receiver, never our own.
    :ivar frame: the whole datagram.
    """

    target: int
    frame: bytes


@dataclass(slots=True)
class SendMcast:
    """
    Send datagrams to every other node of the transport, in order (mcast, join, merge detect, hold
    cancel).

    The core hears its own multicasts by itself: a transport must not loop them back, and a frame
    that bears our own nodeid is ignored when it comes in.

    :ivar frames: one tuple of slices per datagram, at most a frame's length in total; a SentRun is
        that, too.
    :ivar to_members_only: ring traffic, of interest to the present ring alone; False for frames
        that seek strangers.
    """

    frames: Datagrams
    to_members_only: bool


@dataclass(slots=True)
class Deliver:
    """Ordered messages of one ring, one by one or in runs."""

    ring_id: RingId
    frames: Sequence[Delivered]

    def expand(self) -> Iterator[DeliveredFrame]:
        """Give each message by itself."""
        for frame in self.frames:
            if isinstance(frame, DeliveredFrame):
                yield frame
            else:
                yield from map(frame.delivered, range(frame.count))


@dataclass(slots=True)
class ConfigurationChange:
    """
    A configuration begins (extended virtual synchrony).

    Every regular change is preceded by a transitional one, which lists who comes along from the old
    ring.

    :ivar members: nodeids, ascending; likewise left and joined.
    :ivar ring_id: of the ring being installed, for both kinds (as Corosync passes it).
    :ivar old_ring_id: of the ring we come from; together with ring_id it names a transitional
        configuration.
    """

    kind: ConfChangeType
    members: tuple[int, ...]
    left: tuple[int, ...]
    joined: tuple[int, ...]
    ring_id: RingId
    old_ring_id: RingId


@dataclass(slots=True)
class StoreRingId:
    """Make the ring sequence number durable before anything after it is sent."""

    ring_seq: int


@dataclass(slots=True)
class Trace:
    """
    Something worth recording happened.

    :ivar code: a name of ``corosync_tw.totem.trace.TraceCode``.
    :ivar values: integers, their meaning fixed by the code.
    """

    code: int
    values: tuple[int, ...]


@dataclass(slots=True)
class TokenSent:
    """The token was passed on; services that wait for it to speak (sync) are called now."""


Effect = SendToken | SendMcast | Deliver | ConfigurationChange | StoreRingId | Trace | TokenSent


class MessageSource(Protocol):
    """The layer above (totempg), from which the core takes payloads when it holds the token."""

    def backlog_frames(self) -> int:
        """Count the frames that would be sent now if flow control allowed all."""

    def take(self, frames_max: int, header: bytes) -> list[SentRun]:
        """
        Pack and give up at most ``frames_max`` frames, oldest first, in runs of one guarantee.

        :param header: mcast header of the first one, AGREED; the numbers of the others follow, and
            each bears the guarantee that it needs.
        """

    def hold_ordinary(self) -> None:
        """
        Give up nothing of the applications until the services have synchronised the ring that
        begins now.

        The ring says so when it becomes operational, before it takes anything; the layer above ends
        it by itself.
        """
