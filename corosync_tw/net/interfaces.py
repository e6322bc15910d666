"""
What the parts of the network shell ask of each other.

Everything is a batch: a transport hands over all datagrams of one reactor turn in one call,
messages before tokens, and is handed lists of datagrams as slices, which it passes to the kernel
without joining them.
"""

# ruff: noqa: N805 - methods of zope interfaces name no self

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from twisted.internet.defer import Deferred
from twisted.python.failure import Failure
from zope.interface import Attribute, Interface

from corosync_tw.corotypes import Buffer
from corosync_tw.net.errors import StorageError
from corosync_tw.net.stats import TransportStats
from corosync_tw.totem.runs import Datagrams, Received


class NetEventKind(Enum):
    """What a transport noticed about the network around it."""

    INTERFACE_UP = "interface up"
    INTERFACE_DOWN = "interface down"
    GROUP_REJOINED = "multicast group rejoined"
    GROUP_LOST = "multicast group lost"
    OFFLOAD_OFF = "segmentation offload switched off"
    SEND_QUEUE_FULL = "send queue full"
    ADDRESS_LEARNT = "address of a node learnt"
    DATAGRAM_REFUSED = "datagram refused"


@dataclass(frozen=True, slots=True)
class NetEvent:
    """
    One remark for the log; never an error that needs handling.

    :ivar text: Corosync's words where it has any.
    :ivar nodeid: of the sender of a datagram that was refused, as far as it is known; else 0.
    :ivar cause: why it was refused, a number of ``net.crypto.guard.Refused``.
    """

    kind: NetEventKind
    text: str
    nodeid: int = 0
    cause: int = 0


class INetObserver(Interface):
    """Whoever writes the log."""

    def net_event(event: NetEvent) -> None:
        """Take note of ``event``."""


class IFrameReceiver(Interface):
    """Whoever takes received datagrams: the driver."""

    def frames_received(frames: Sequence[Received]) -> None:
        """
        Process one batch: at most one call a reactor turn and transport, never from within a send.

        :param frames: messages first, orf and commit tokens last; views into receive buffers,
            which stay valid for as long as they are referred to. Messages that arrived
            together may be handed over uncut.
        """

    def may_overtake(token: Buffer) -> bool:
        """Tell whether a token may be handed over before messages that arrived earlier."""


class ILinkReceiver(IFrameReceiver):
    """A receiver behind a link layer, which may keep a token until the ring has taken messages."""

    def links_received(
        frames: Sequence[Received], released: Callable[[], Sequence[Received]]
    ) -> None:
        """
        Process one batch as ``frames_received`` does.

        :param released: asked for more when the ring has taken the frames, and before anything
            that follows from them is done; again after those.
        """


class ITransport(Interface):
    """Carries datagrams between the nodes of a ring; loses, repeats, reorders as networks do."""

    stats: TransportStats = Attribute("Counters of this transport.")

    def start(receiver: IFrameReceiver) -> None:
        """
        Open the sockets and begin to receive.

        :raises corosync_tw.net.errors.NetError: nothing is open then.
        """

    def drain() -> None:
        """Hand over at once what the sockets hold, as if the reactor had found them readable."""

    def send_token(target_nodeid: int, frame: bytes) -> None:
        """Send one datagram to one node; an unknown node is counted and ignored."""

    def send_mcast(frames: Datagrams, to_members_only: bool) -> None:
        """
        Send datagrams to every other node, in order; never to ourselves.

        :param to_members_only: spare the nodes outside the ring set by ``set_ring_members``.
        """

    def set_ring_members(nodeids: frozenset[int] | None) -> None:
        """Name the nodes that need ring traffic; None: every node (while a ring forms)."""

    def stop() -> Deferred[None]:
        """Close the sockets; nothing is received or sent afterwards. Repeated calls do nothing."""


class IMemberTable(Interface):
    """A transport whose peers are listed and change while it runs."""

    def members() -> Mapping[int, str]:
        """Give the address of every other node."""

    def add_member(nodeid: int, address: str) -> None:
        """List a node, or give a listed one a new address."""

    def remove_member(nodeid: int) -> None:
        """Forget a node; an unknown one is ignored."""

    def block_unlisted(block: bool) -> None:
        """Drop what comes from addresses of no member (totem.block_unlisted_ips), or take it."""


class IRingIdStore(Interface):
    """Keeps the ring sequence number over restarts."""

    def load() -> int:
        """
        Read the number stored last, 0 if there is none; blocks, for use before the reactor runs.

        :raises StorageError: it cannot be read, or is not what was stored.
        """

    def store(ring_seq: int) -> Deferred[None]:
        """
        Make the number durable without blocking the caller.

        The Deferred fails with StorageError and nothing else.
        """


class IDriverObserver(Interface):
    """Whoever acts on what the core says that is not network or storage."""

    def effects_emitted(effects: Sequence[object]) -> None:
        """
        Act on a run of effects, in order; never call the core's receive or advance from here.

        Sends that stood before the run in the core's list have been made, later ones not yet.
        """

    def turn_ended() -> None:
        """
        Look at the core after it was fed and its effects were executed.

        Unlike in ``effects_emitted``, the core may be asked for more; it is polled later.
        """

    def storage_failed(error: StorageError) -> None:
        """Stop the daemon with ``error.exit_code``: nothing is sent any more. Called once."""

    def storage_slow(elapsed_ns: int) -> None:
        """Report that storing the ring id takes this long; said again while it goes on."""

    def core_failed(failure: Failure) -> None:
        """Stop the daemon: an invariant is broken; nothing is sent any more. Called once."""

    def loop_paused(gap_ns: int, threshold_ns: int) -> None:
        """Report that the process did not run for ``gap_ns``."""
