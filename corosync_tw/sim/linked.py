"""
The driver's part between a node's ring and several networks: it hosts a link layer.

As in the daemon, all networks are read before the ring is told of anything, so that a token finds
the messages that were sent before it on another network; and what the layer asks for is carried out
at once, in order.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from zlib import crc32

from corosync_tw.sim.clock import EventQueue
from corosync_tw.sim.link_checks import LinkChecks
from corosync_tw.sim.merging import merged
from corosync_tw.sim.network import Network
from corosync_tw.sim.options import Options
from corosync_tw.sim.recorder import Recorder
from corosync_tw.sim.sealing import Sealing
from corosync_tw.sim.snoop import ORF_TOKEN, TYPE_OFFSET
from corosync_tw.totem.links import Arrival, LinkLayer, LinkSend, PassUp
from corosync_tw.totem.runs import Datagrams, FrameBlob, Received


@dataclass(slots=True)
class LinkSurroundings:
    """
    What the link layers of all nodes share.

    :ivar index_of: where nodeids are found in the networks.
    :ivar knet: datagrams are packets of knet.
    """

    options: Options
    queue: EventQueue
    networks: list[Network]
    recorder: Recorder
    checks: LinkChecks
    index_of: dict[int, int]
    knet: bool


class Linked:
    """
    One node's link layer with its socket buffers, one for each network.

    :ivar inboxes: by network: index of the sender, datagram.
    """

    def __init__(  # noqa: PLR0917 - its collaborators
        self,
        index: int,
        nodeid: int,
        layer: LinkLayer,
        local_now: Callable[[], int],
        around: LinkSurroundings,
        sealing: Sealing | None = None,
    ) -> None:
        """:param sealing: None for datagrams in clear."""
        self.index = index
        self.nodeid = nodeid
        self.layer = layer
        self.local_now = local_now
        self.around = around
        self.sealing = sealing
        self.inboxes: list[list[tuple[int, bytes]]] = [[] for _ in around.networks]
        self.passed_up: list[Received] = []
        self._joined: tuple[Datagrams | None, tuple[bytes, ...]] = (None, ())

    def start(self) -> None:
        """Begin."""
        self.layer.start(self.local_now())
        self._execute()

    # -- input

    def arrive(self, number: int, sender: int, frames: tuple[bytes, ...]) -> None:
        """Take frames into the socket buffer of a network, as far as there is room."""
        inbox = self.inboxes[number]
        room = self.around.options.socket_frames_max - len(inbox)
        if room < len(frames):
            counts = self.around.networks[number].counts
            counts["frames over the socket buffer"] += len(frames) - max(room, 0)
            frames = frames[: max(room, 0)]
        inbox.extend((sender, frame) for frame in frames)

    def has_frames(self) -> bool:
        """Tell whether any socket holds something."""
        return any(self.inboxes)

    def hear(self) -> None:
        """Give the layer what all sockets hold."""
        for number, inbox in enumerate(self.inboxes):
            if inbox:
                self.inboxes[number] = []
                if self.sealing is not None:
                    inbox = self._opened(self.sealing, number, inbox)  # noqa: PLW2901 - in clear
                self.layer.receive(number, self._arrivals(inbox), self.local_now())
        self._execute()

    def _opened(
        self, sealing: Sealing, number: int, inbox: list[tuple[int, bytes]]
    ) -> list[tuple[int, bytes]]:
        opened = sealing.open(number, inbox)
        for letter in sealing.take_letters(number):
            self._unicast(number, letter.nodeid, (letter.datagram,))
        return opened

    def _arrivals(self, inbox: list[tuple[int, bytes]]) -> list[Arrival]:
        """Make of datagrams what a carrier hands over: messages first, merged by the kernel."""
        knet = self.around.knet
        if not knet:
            inbox.sort(key=_is_token)
        if not self.around.options.receive_offload:
            return [Arrival(frame, sender) for sender, frame in inbox]
        arrivals: list[Arrival] = []
        same: list[bytes] = []
        for at, (sender, frame) in enumerate(inbox):
            same.append(frame)
            if at + 1 == len(inbox) or inbox[at + 1][0] != sender:
                arrivals.extend(
                    Arrival(piece, sender) for piece in merged(same, only_mcast=not knet)
                )
                same = []
        return arrivals

    def take(self) -> list[Received]:
        """Give up what is for the ring, messages first."""
        frames, self.passed_up = self.passed_up, []
        frames.sort(key=_is_ring_token)
        return frames

    def ring_advanced(self) -> None:
        """Say that the ring took what it was given."""
        self.layer.ring_advanced(self.local_now())
        self._execute()

    def advance(self) -> None:
        """Fire what is due."""
        self.layer.advance(self.local_now())
        self._execute()

    def is_due(self) -> bool:
        """Tell whether there is something to fire."""
        deadline = self.layer.next_deadline()
        return deadline is not None and deadline <= self.local_now()

    def set_ring_members(self, nodeids: frozenset[int] | None) -> None:
        """Say who is in the ring; None while one forms."""
        self.layer.set_ring_members(nodeids)
        self._execute()

    # -- output

    def send_token(self, target: int, frame: bytes) -> None:
        """Have the layer send a token."""
        self.layer.send_token(target, frame, self.local_now())
        self._execute()

    def send_mcast(self, frames: Datagrams, *, to_members_only: bool) -> None:
        """Have the layer send to all."""
        self.layer.send_mcast(frames, to_members_only, self.local_now())
        self._execute()

    def _execute(self) -> None:
        around = self.around
        while effects := self.layer.poll():
            for effect in effects:
                if isinstance(effect, LinkSend):
                    self._send(effect)
                elif isinstance(effect, PassUp):
                    self.passed_up.extend(effect.frames)
                else:
                    now_ns = around.queue.now_ns
                    values = (effect.kind.name, effect.link, effect.nodeid, effect.values)
                    around.recorder.note(now_ns, self.nodeid, "link", *values)
                    around.recorder.stir(now_ns, effect.kind, effect.link, effect.nodeid)
                    around.checks.event(self.nodeid, effect, now_ns)

    def _send(self, effect: LinkSend) -> None:
        around = self.around
        network = around.networks[effect.link]
        frames = self._bytes_of(effect.frames)
        around.recorder.stir(effect.link, len(frames), crc32(frames[0]))
        if self.sealing is not None:
            frames = self.sealing.seal(effect.link, frames)
        if effect.targets is None:
            network.multicast(self.index, frames)
            return
        for nodeid in effect.targets:
            self._unicast(effect.link, nodeid, frames)

    def _unicast(self, number: int, nodeid: int, frames: tuple[bytes, ...]) -> None:
        target = self.around.index_of.get(nodeid)
        if target is not None:
            self.around.networks[number].unicast(self.index, target, frames)

    def _bytes_of(self, frames: Datagrams) -> tuple[bytes, ...]:
        """Join slices; the same frames often go on one network after the other."""
        if self._joined[0] is not frames:
            self._joined = (frames, tuple(b"".join(slices) for slices in frames))
        return self._joined[1]


def _is_token(arrived: tuple[int, bytes]) -> bool:
    return _is_ring_token(arrived[1])


def _is_ring_token(frame: Received) -> bool:
    if isinstance(frame, FrameBlob):
        return False
    return len(frame) > TYPE_OFFSET and frame[TYPE_OFFSET] == ORF_TOKEN


def unmerged(frames: Sequence[Received]) -> list[bytes]:
    """Give each datagram by itself."""
    single: list[bytes] = []
    for frame in frames:
        if isinstance(frame, FrameBlob):
            single.extend(bytes(part) for part in frame.frames())
        else:
            single.append(bytes(frame))
    return single
