"""Engines of some nodes, joined by networks that a test may cut, in virtual time."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from itertools import count

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.net.knet.engine import KnetEngine
from corosync_tw.net.knet.params import KnetParams, LinkParams
from corosync_tw.net.knet.seal import Seal
from corosync_tw.totem.links import Arrival, LinkEvent, LinkEventKind, LinkSend, PassUp, Source
from corosync_tw.totem.runs import FrameBlob, SentBlob

MS = 1_000_000
DELAY_NS = 100_000
IP_UDP_BYTES = 28
INTERVAL_NS = 500 * MS
TIMEOUT_NS = 1000 * MS


def link_params(nodeid: int, link: int) -> LinkParams:
    return LinkParams(
        nodeid,
        link,
        f"10.0.{link}.{nodeid}",
        ping_interval_ns=INTERVAL_NS,
        pong_timeout_ns=TIMEOUT_NS,
        pong_count=2,
        priority=link,
        interface_mtu_bytes=1500,
    )


@dataclass
class Mesh:
    """
    Nodes 1 to ``nodes``, each with ``links`` links to every other.

    :ivar drops: decides of each packet (from, to, link, packet) whether it is lost.
    :ivar passed: of each node the frames it was given, tokens too.
    """

    nodes: int = 2
    links: int = 1
    seals: Callable[[int], Seal | None] = lambda _nodeid: None
    merges: bool = True
    options: dict[str, object] = field(default_factory=dict)
    drops: Callable[[int, int, int, bytes], bool] = lambda *_: False

    def __post_init__(self) -> None:
        self.now_ns = 0
        self.interface_mtu = 65535
        self._queue: list[tuple[int, int, int, int, list[Arrival]]] = []
        self._order = count()
        self._refused: list[tuple[int, int, int]] = []
        self.sent: list[tuple[int, LinkSend]] = []
        self.engines: dict[int, KnetEngine] = {}
        self.passed: dict[int, list[bytes]] = {}
        self.batches: dict[int, list[PassUp]] = {}
        self.events: dict[int, list[LinkEvent]] = {}
        for nodeid in range(1, self.nodes + 1):
            self.restart(nodeid)

    def restart(self, nodeid: int, **options: object) -> KnetEngine:
        others = tuple(
            link_params(other, link)
            for other in range(1, self.nodes + 1)
            if other != nodeid
            for link in range(self.links)
        )
        params = replace(KnetParams(nodeid, others), **(self.options | options))
        engine = self.engines[nodeid] = KnetEngine(params, self.seals(nodeid))
        self.passed[nodeid], self.batches[nodeid], self.events[nodeid] = [], [], []
        engine.start(self.now_ns)
        self.flush(nodeid)
        return engine

    def flush(self, nodeid: int) -> None:
        """Execute what an engine asks for."""
        while effects := self.engines[nodeid].poll():
            for effect in effects:
                if isinstance(effect, LinkSend):
                    self.sent.append((nodeid, effect))
                    self._send(nodeid, effect)
                elif isinstance(effect, PassUp):
                    self.batches[nodeid].append(effect)
                    for frame in effect.frames:
                        whole = isinstance(frame, FrameBlob)
                        frames = frame.frames() if isinstance(frame, FrameBlob) else [frame]
                        assert not whole or len(frames) > 1
                        self.passed[nodeid].extend(map(bytes, frames))
                else:
                    self.events[nodeid].append(effect)
            refused, self._refused = self._refused, []
            for link, target, length in refused:
                self.engines[nodeid].too_long(link, target, length, self.now_ns)

    def _send(self, nodeid: int, effect: LinkSend) -> None:
        assert effect.targets is not None
        packets = [b"".join(pieces) for pieces in effect.frames]
        for length in [len(packet) for packet in packets if not self._fits(packet)]:
            for target in effect.targets:
                self._refused.append((effect.link, target, length))
        packets = [packet for packet in packets if self._fits(packet)]
        source = (f"10.0.{effect.link}.{nodeid}", 5405)
        for target in effect.targets:
            kept = [p for p in packets if not self.drops(nodeid, target, effect.link, p)]
            if self.merges and len(kept) == len(packets) > 1 and len(set(map(len, kept[:-1]))) < 2:
                blob = memoryview(bytearray(b"".join(kept)))
                arrivals = [Arrival(FrameBlob(blob, len(kept[0])), source)]
            else:
                arrivals = [Arrival(packet, source) for packet in kept]
            self.inject(target, effect.link, arrivals)

    def _fits(self, packet: bytes) -> bool:
        return len(packet) + IP_UDP_BYTES <= self.interface_mtu

    def inject(self, target: int, link: int, arrivals: list[Arrival]) -> None:
        if arrivals:
            at = self.now_ns + DELAY_NS
            heapq.heappush(self._queue, (at, next(self._order), target, link, arrivals))

    def forge(self, target: int, link: int, packet: bytes, source: Source) -> None:
        """Let a stranger send a packet, and let it arrive."""
        self.inject(target, link, [Arrival(packet, source)])
        self.run(2 * DELAY_NS)

    def run(self, duration_ns: int = 0, until: Callable[[], bool] = lambda: False) -> None:
        """Let time pass."""
        end_ns = self.now_ns + duration_ns
        while not until():
            deadlines = [
                (engine.next_deadline(), nodeid) for nodeid, engine in self.engines.items()
            ]
            due = min((ns, nodeid) for ns, nodeid in deadlines if ns is not None)
            if self._queue and self._queue[0][0] <= min(due[0], end_ns):
                self.now_ns, _, target, link, arrivals = heapq.heappop(self._queue)
                self.engines[target].receive(link, arrivals, self.now_ns)
                self.flush(target)
            elif due[0] <= end_ns:
                self.now_ns = max(self.now_ns, due[0])
                self.engines[due[1]].advance(self.now_ns)
                self.flush(due[1])
            else:
                self.now_ns = end_ns
                return

    def connect(self) -> None:
        """Let all links come up and find their MTUs."""
        self.run(10 * NS_PER_S)
        for engine in self.engines.values():
            for _, link in engine.table.links():
                assert link.connected

    def mcast(self, nodeid: int, frames: list[bytes], *, to_members_only: bool = False) -> None:
        self.engines[nodeid].send_mcast(
            [(frame,) for frame in frames], to_members_only, self.now_ns
        )
        self.flush(nodeid)
        self.run(50 * DELAY_NS)

    def token(self, nodeid: int, target: int, frame: bytes) -> None:
        self.engines[nodeid].send_token(target, frame, self.now_ns)
        self.flush(nodeid)
        self.run(50 * DELAY_NS)

    def kinds(self, nodeid: int) -> list[LinkEventKind]:
        return [event.kind for event in self.events[nodeid]]


def packets_of(sent: LinkSend) -> int:
    return len(sent.frames)


def is_blob(sent: LinkSend) -> bool:
    return isinstance(sent.frames, SentBlob)
