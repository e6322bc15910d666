"""
What stands between a ring and several networks, as a value: fed and polled like the ring itself.

The ring sends tokens and messages; a link layer says on which networks they go, and which of what
the networks bring the ring is given. The redundant ring protocol (``totem.rrp``) is one, the links
of knet are another; the daemon and the simulator drive both alike:

* ``receive`` takes what one network brought, ``send_token`` and ``send_mcast`` what the ring wants
  sent, ``advance`` the time when ``next_deadline()`` has come. Time never goes back.
* After each input the driver executes what ``poll()`` gives, strictly in order, until it gives
  nothing. A PassUp is fed to the ring, whose own effects come back as sends; then the driver calls
  ``ring_advanced``, and polls again.
* A network is a small number, the same on all nodes (Corosync's ringnumber or linknumber).
* The same parameters and inputs give the same effects, byte for byte.
"""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final, NamedTuple, Protocol

from corosync_tw.totem.runs import Datagrams, Received

# Networks that a node may have, numbered from 0.
LINKS_MAX: Final = 8

# Where a datagram came from, in the driver's words: an address, or a name in the simulator.
Source = Hashable


class Arrival(NamedTuple):
    """
    What a network brought.

    :ivar frame: one datagram, or many of one sender in one piece; never changed afterwards.
    :ivar source: who sent it, as far as the network tells.
    """

    frame: Received
    source: Source


@dataclass(slots=True)
class LinkSend:
    """
    Put datagrams on one network.

    :ivar link: number of the network.
    :ivar targets: nodeids of which each gets all frames by unicast; None for everybody on the
        network, by multicast or by unicast to each.
    :ivar frames: one tuple of slices per datagram, in order; a SentRun is that, too.
    :ivar to_members_only: of interest to the present ring alone.
    """

    link: int
    targets: tuple[int, ...] | None
    frames: Datagrams
    to_members_only: bool


@dataclass(slots=True)
class PassUp:
    """Give frames to the ring: messages before tokens."""

    frames: Sequence[Received]


class LinkEventKind(IntEnum):
    """What happened to a link; the comment gives its values, in order."""

    FAULTY = 1  # LinkFaultCause, count seen, best other network's count, threshold
    RECOVERED = 2  # LinkRecoveryCause, clean tests, ns it was faulty, ns of the next hold-down
    PROBE_REFUSED = 3  # ProbeFault, type byte, generation (or network) in it, the one expected
    ALL_FAULTY = 4  # networks; they are all used again
    HOST_UP = 16  # nodeid is heard on this link
    HOST_DOWN = 17  # nodeid is not heard any more on this link
    HOST_REACHABLE = 18  # links up
    HOST_UNREACHABLE = 19  # no values
    BEST_LINK = 20  # policy, priority, links used; link is the one used first for nodeid
    PACKET_REFUSED = 21  # cause, in the link layer's own numbering
    MTU_CHANGED = 22  # bytes of payload, bytes before; of all links when nodeid is 0
    MTU_DOUBTED = 23  # bytes that the kernel takes and nodeid does not acknowledge


class LinkFaultCause(IntEnum):
    """Why a network was marked faulty."""

    TOKENS_MISSING = 1  # tokens came by other networks, not by this one (active)
    TOKENS_LAG = 2  # tokens come by other networks more often (passive)
    MESSAGES_LAG = 3  # messages of nodeid come by other networks more often (passive)


class LinkRecoveryCause(IntEnum):
    """Why a faulty network is used again."""

    TESTED = 1  # our own probes went round
    TOLD = 2  # nodeid says that its probes went round
    FORCED = 3  # the administrator's wish


class ProbeFault(IntEnum):
    """Why a probe, or word of a recovery, was not believed."""

    MALFORMED = 1
    WRONG_NETWORK = 2  # it names another network than the one that brought it
    UNAUTHENTICATED = 3
    STALE = 4  # of a generation or a time that is over
    STRANGER = 5  # its sender or its activator is not in our ring
    REFLECTED = 6  # it is our own


@dataclass(slots=True)
class LinkEvent:
    """
    Something for the log, cmap, notifications and statistics.

    :ivar link: number of the network.
    :ivar nodeid: the node it is about, 0 for none.
    :ivar values: cause and evidence, their meaning fixed by the kind.
    """

    kind: LinkEventKind
    link: int
    nodeid: int
    values: tuple[int, ...]


LinkEffect = LinkSend | PassUp | LinkEvent


class LinkLayer(Protocol):
    """What drivers ask of it; executing an effect never re-enters ``receive`` or ``advance``."""

    def start(self, now_ns: int) -> None:
        """Begin; once, before anything else."""

    def receive(self, link: int, arrivals: Sequence[Arrival], now_ns: int) -> None:
        """Take what one network brought in one go, messages before tokens."""

    def send_token(self, target: int, frame: bytes, now_ns: int) -> None:
        """Send an orf token or a commit token to one node, never ourselves."""

    def send_mcast(self, frames: Datagrams, to_members_only: bool, now_ns: int) -> None:
        """Send datagrams to every other node, in order."""

    def set_ring_members(self, nodeids: frozenset[int] | None) -> None:
        """Say who is in the ring; None while one forms."""

    def ring_advanced(self, now_ns: int) -> None:
        """Say that the ring took what was passed up: a hole may have closed."""

    def advance(self, now_ns: int) -> None:
        """Fire what is due."""

    def next_deadline(self) -> int | None:
        """Absolute time at which ``advance`` has something to do; None for never."""

    def poll(self) -> list[LinkEffect]:
        """Give up the effects since the last poll."""
