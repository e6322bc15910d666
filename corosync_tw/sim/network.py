"""
The packet network: directed links, each with its own faults, all drawn from one seeded generator.
A run may have several, which know nothing of each other.

A frame is joined once when it is sent and is immutable from then on; all receivers share it. What
one send effect
carries to one receiver is a single event unless some of its frames meet a fate of their own.
"""

from collections import Counter
from collections.abc import Callable, Sequence
from operator import itemgetter
from random import Random
from typing import Final

from corosync_tw.sim.clock import ARRIVE, LINK_ARRIVE, EventQueue
from corosync_tw.sim.options import Options
from corosync_tw.sim.snoop import TYPE_OFFSET

FRAME_BYTES_MAX: Final = 65_507
REPLAY_DELAY_SHARE: Final = 0.1  # of duplicates come much later than the frame, as replays
REPLAY_DELAY_FACTOR: Final = 20


class Link:
    """
    One direction between two nodes.

    :ivar sender: index of the node that sends.
    :ivar cuts: reasons why nothing passes; 0 for an open link.
    :ivar loss: probability of losing a frame, besides that of the network.
    :ivar clogged_until_ns: frames wait in front of the link until then.
    :ivar last_arrival_ns: on an orderly link nothing arrives before this.
    """

    __slots__ = ("clogged_until_ns", "cuts", "last_arrival_ns", "loss", "sender")

    def __init__(self, sender: int) -> None:
        self.sender = sender
        self.cuts = 0
        self.loss = 0.0
        self.clogged_until_ns = 0
        self.last_arrival_ns = 0


class Network:
    """
    Carries frames between node indices.

    :ivar number: among several networks; None for the only one of nodes without a link layer.
    :ivar kind_of: tells the kind of the ring's frame in a datagram.
    :ivar frame_bytes_max: longer datagrams do not pass.
    :ivar delay_ns: least time that a frame is under way.
    :ivar tap: sees the index of the sender and the datagrams of every sending, if there is one.
    """

    def __init__(
        self,
        queue: EventQueue,
        rng: Random,
        options: Options,
        is_malformed: Callable[[bytes], bool],
        number: int | None = None,
    ) -> None:
        self.number = number
        self.kind_of: Callable[[bytes], int] = itemgetter(TYPE_OFFSET)
        self.frame_bytes_max = FRAME_BYTES_MAX
        self.delay_ns = options.delay_ns
        self.tap: Callable[[int, tuple[bytes, ...]], None] | None = None
        self.queue = queue
        self.rng = rng
        self.options = options
        self.is_malformed = is_malformed
        self.links = [[Link(own) for _ in range(options.nodes)] for own in range(options.nodes)]
        self.counts: Counter[str] = Counter()
        self.frames_sent = 0
        self.token_loss = 0.0  # of tokens alone, while a storm lasts
        self.receivers = [
            [node for node in range(options.nodes) if node != own] for own in range(options.nodes)
        ]
        self._fates = self._has_fates()

    def _has_fates(self) -> bool:
        options = self.options
        return bool(
            options.loss
            or options.kind_loss
            or options.duplication
            or options.reorder
            or options.corruption
            or options.truncation
        )

    def is_cut(self, nodes: Sequence[int]) -> bool:
        """Tell whether nothing passes somewhere between these nodes."""
        return any(self.links[a][b].cuts for a in nodes for b in nodes)

    def mend(self) -> None:
        """End every fault of single links, and storms."""
        self.token_loss = 0.0
        for row in self.links:
            for link in row:
                link.cuts = 0
                link.loss = 0.0
                link.clogged_until_ns = 0
                # What is still stuck behind a clog arrives late; what is sent from now on is not.
                link.last_arrival_ns = 0

    def heal(self) -> None:
        """End every fault of every link, and what all links suffer from."""
        self.mend()
        options = self.options
        options.loss = options.duplication = options.reorder = 0.0
        options.corruption = options.truncation = 0.0
        options.kind_loss = {}
        self._fates = False

    def multicast(self, sender: int, frames: tuple[bytes, ...]) -> None:
        """Send frames from one node to all others."""
        for receiver in self.receivers[sender]:
            self.unicast(sender, receiver, frames)

    def unicast(self, sender: int, receiver: int, frames: tuple[bytes, ...]) -> None:
        """Send frames over one link."""
        self.frames_sent += len(frames)
        if self.tap is not None:
            self.tap(sender, frames)
        if self.frame_bytes_max < FRAME_BYTES_MAX:
            frames = tuple(frame for frame in frames if len(frame) <= self.frame_bytes_max)
        link = self.links[sender][receiver]
        if link.cuts:
            self.counts["frames cut off"] += len(frames)
            return
        if self._fates or self.token_loss or link.loss:
            frames = self._apply_fates(link, receiver, frames)
            if not frames:
                return
        self._send(link, receiver, frames)

    def _send(self, link: Link, receiver: int, frames: tuple[bytes, ...]) -> None:
        queue, options = self.queue, self.options
        arrival = queue.now_ns + self.delay_ns
        if options.jitter_ns:
            arrival += int(self.rng.random() * options.jitter_ns)
        if link.clogged_until_ns > queue.now_ns:
            arrival = max(arrival, link.clogged_until_ns)
        if options.links_fifo:
            arrival = max(arrival, link.last_arrival_ns)
            link.last_arrival_ns = arrival
        self._push(arrival, link.sender, receiver, frames)

    def _push(self, arrival: int, sender: int, receiver: int, frames: tuple[bytes, ...]) -> None:
        if self.number is None:
            self.queue.push(arrival, ARRIVE, receiver, frames)
        else:
            self.queue.push(arrival, LINK_ARRIVE, receiver, (self.number, sender, frames))

    def _apply_fates(self, link: Link, receiver: int, frames: Sequence[bytes]) -> tuple[bytes, ...]:
        """Decide each frame's fate; return those that travel on as usual."""
        options, random, counts = self.options, self.rng.random, self.counts
        kept: list[bytes] = []
        for frame in frames:
            kind = self.kind_of(frame)
            loss = options.loss + link.loss + options.kind_loss.get(kind, 0.0)
            if kind == 0:
                loss += self.token_loss
            if loss and random() < loss:
                counts["frames lost" if kind else "tokens lost"] += 1
                continue
            if options.duplication and random() < options.duplication:
                counts["frames duplicated"] += 1
                self._send_late(link, receiver, frame, replay=random() < REPLAY_DELAY_SHARE)
            if options.corruption and random() < options.corruption:
                self._send_damaged(link, receiver, self._corrupt(frame), "corrupted")
            elif options.truncation and random() < options.truncation:
                cut = frame[: int(random() * len(frame))]
                self._send_damaged(link, receiver, cut, "truncated")
            elif options.reorder and random() < options.reorder:
                counts["frames reordered"] += 1
                self._send_late(link, receiver, frame, replay=False)
            else:
                kept.append(frame)
        return tuple(kept)

    def _send_late(self, link: Link, receiver: int, frame: bytes, *, replay: bool) -> None:
        late = self.options.late_ns * (REPLAY_DELAY_FACTOR if replay else 1)
        arrival = self.queue.now_ns + self.delay_ns + int(self.rng.random() * late)
        self._push(arrival, link.sender, receiver, (frame,))

    def _corrupt(self, frame: bytes) -> bytes:
        damaged = bytearray(frame)
        # Mostly the header, where the fields are.
        reach = len(damaged) if self.rng.random() < 0.3 else min(len(damaged), 60)
        for _ in range(1 + int(self.rng.random() * 4)):
            place = int(self.rng.random() * reach)
            damaged[place] ^= 1 << int(self.rng.random() * 8)
        return bytes(damaged)

    def _send_damaged(self, link: Link, receiver: int, frame: bytes, what: str) -> None:
        """
        Hand over a damaged frame if the decoder can know that it is one.

        Other damage is what checksums of UDP or the transport's authentication catch: there the
        frame is lost.
        """
        if self.is_malformed(frame):
            self.counts[f"frames {what}, delivered"] += 1
            self._send(link, receiver, (frame,))
        else:
            self.counts[f"frames {what}, caught by checksum"] += 1
