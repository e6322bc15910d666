"""Our links of knet against Debian's libknet: links, fragments, policies, MTUs, compression."""

import contextlib
import os
import select
import socket
import time
from collections.abc import Callable, Iterator

import pytest

from corosync_tw.net.crypto.settings import CryptoSettings
from corosync_tw.net.crypto.slots import CryptoSlots
from corosync_tw.net.knet.compression import MODELS
from corosync_tw.net.knet.engine import KnetEngine
from corosync_tw.net.knet.params import CompressParams, KnetParams, LinkParams, LinkPolicy
from corosync_tw.totem.links import Arrival, LinkEvent, LinkSend, PassUp
from corosync_tw.totem.runs import FrameBlob
from tests.interop.libknet import Libknet

PATIENCE_S = 15
MS = 1_000_000
SO_RCVBUFFORCE = 33
HOST = "127.0.0.1"
LIBKNET, OURS = 1, 2
# Frames as Totem's headers begin, so that they count as messages.
FRAMES = [b"\x70\xc0\x03\x01\x02" + os.urandom(1) * length for length in (1, 60, 1400, 9000, 65531)]


class Node:
    """Our end: an engine over plain sockets."""

    def __init__(self, links: int, **options: object) -> None:
        seal = options.pop("seal", None)
        self.socks = [self._bound() for _ in range(links)]
        self.ports = [sock.getsockname()[1] for sock in self.socks]
        self.peer_ports = [_free_port() for _ in range(links)]
        self.cut: set[int] = set()
        self.frames: list[bytes] = []
        self.events: list[LinkEvent] = []
        params = tuple(
            LinkParams(LIBKNET, link, HOST, False, 20 * MS, 2000 * MS, 2048, 1, 0)
            for link in range(links)
        )
        self.engine = KnetEngine(KnetParams(OURS, params, **options), seal)  # type: ignore[arg-type]
        self.engine.start(time.monotonic_ns())

    @staticmethod
    def _bound() -> socket.socket:
        sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        sock.setsockopt(socket.SOL_SOCKET, SO_RCVBUFFORCE, 8 * 1024 * 1024)
        sock.bind((HOST, 0))
        return sock

    def turn(self) -> None:
        readable, _, _ = select.select(self.socks, [], [], 0.005)
        for sock in readable:
            packet, source = sock.recvfrom(65536)
            link = self.socks.index(sock)
            if link not in self.cut:
                arrivals = [Arrival(memoryview(bytearray(packet)), source)]
                self.engine.receive(link, arrivals, time.monotonic_ns())
        self.engine.advance(time.monotonic_ns())
        for effect in self.engine.poll():
            if isinstance(effect, LinkSend):
                self._send(effect)
            elif isinstance(effect, PassUp):
                for frame in effect.frames:
                    each = frame.frames() if isinstance(frame, FrameBlob) else [frame]
                    self.frames.extend(map(bytes, each))
            else:
                self.events.append(effect)

    def _send(self, effect: LinkSend) -> None:
        for pieces in effect.frames:
            if effect.link not in self.cut:
                try:
                    self.socks[effect.link].sendmsg(
                        pieces, (), 0, (HOST, self.peer_ports[effect.link])
                    )
                except OSError:
                    self.engine.too_long(
                        effect.link, LIBKNET, sum(map(len, pieces)), time.monotonic_ns()
                    )

    def mcast(self, frames: list[bytes]) -> None:
        self.engine.send_mcast([(frame,) for frame in frames], False, time.monotonic_ns())

    def until(self, condition: Callable[[], bool]) -> None:
        end = time.monotonic() + PATIENCE_S
        while not condition():
            assert time.monotonic() < end, (
                [len(frame) for frame in self.frames],
                self.engine.outbox.refusals,
                self.events,
            )
            self.turn()


def _free_port() -> int:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.bind((HOST, 0))
        port: int = sock.getsockname()[1]
        return port


@contextlib.contextmanager
def joined(
    links: int = 1,
    prepare: Callable[[Libknet], None] = lambda _knet: None,
    **options: object,
) -> Iterator[tuple[Node, Libknet]]:
    """Give both ends, connected."""
    node = Node(links, **options)
    knet = Libknet(LIBKNET, OURS, node.peer_ports[0], node.ports[0])
    try:
        for link in range(1, links):
            knet.add_link(node.peer_ports[link], node.ports[link])
        prepare(knet)
        knet.start()
        node.until(knet.reaches_peer)
        node.until(lambda: len(_up(node)) == links)
        yield node, knet
    finally:
        knet.close()
        for sock in node.socks:
            sock.close()


def _up(node: Node) -> list[int]:
    return [n for n, link in node.engine.hosts[LIBKNET].links.items() if link.connected]


def exchange(node: Node, knet: Libknet, frames: list[bytes]) -> None:
    """Send frames both ways, and see that each arrives once; over several links in any order."""
    frames = sorted(frames)
    node.frames.clear()
    for frame in frames:
        knet.data.send(frame)
    node.until(lambda: sorted(node.frames) == frames)
    node.mcast(frames)
    arrived: list[bytes] = []
    knet.data.settimeout(0.01)

    def all_arrived() -> bool:
        with contextlib.suppress(TimeoutError):
            arrived.append(knet.data.recv(65536))
        return sorted(arrived) == frames

    node.until(all_arrived)


@pytest.mark.parametrize("mtu_bytes", [0, 1500, 576])
def test_frames_of_any_length_arrive_whole(mtu_bytes: int) -> None:
    with joined(prepare=lambda knet: knet.set_mtu(mtu_bytes), mtu_bytes=mtu_bytes) as ends:
        exchange(*ends, FRAMES)


@pytest.mark.parametrize("policy", list(LinkPolicy))
def test_every_policy_speaks_to_every_other(policy: LinkPolicy) -> None:
    for theirs in LinkPolicy:
        with joined(2, prepare=lambda knet, p=theirs: knet.set_policy(p), policy=policy) as ends:
            exchange(*ends, FRAMES * 5)


@pytest.mark.parametrize("model", [name for name in MODELS if name != "lzo2"])
def test_models_of_compression_are_the_same(model: str) -> None:
    level = 3

    def prepare(knet: Libknet) -> None:
        knet.set_mtu(1500)
        knet.compress(model, level, 100)

    compress = CompressParams(model, level)
    with joined(prepare=prepare, mtu_bytes=1500, compress=compress) as (node, knet):
        exchange(node, knet, [*FRAMES, os.urandom(5000)])
        stats = node.engine.stats
        assert stats.rx_compressed_packets >= 3
        assert stats.tx_compressed_size_bytes < stats.tx_compressed_original_bytes


def test_sealed_frames_in_fragments() -> None:
    settings = CryptoSettings("aes256", "sha256", os.urandom(1024))

    def prepare(knet: Libknet) -> None:
        knet.set_mtu(1500)
        knet.set_config(1, settings)
        knet.use_config(1)
        knet.refuse_clear()

    seal = CryptoSlots(settings, os.urandom)
    with joined(prepare=prepare, mtu_bytes=1500, seal=seal) as (node, knet):
        assert node.engine.payload_mtu == 1397
        exchange(node, knet, FRAMES)


def test_one_of_two_links_is_cut_and_comes_back() -> None:
    with joined(2) as (node, knet):
        exchange(node, knet, FRAMES)
        node.cut.add(0)
        node.until(lambda: _up(node) == [1])
        # libknet waits for pongs as long as it did at the beginning.
        end = time.monotonic() + 25
        while time.monotonic() < end and not _arrives(node, knet):
            node.turn()
        exchange(node, knet, FRAMES)
        node.cut.clear()
        node.until(lambda: _up(node) == [0, 1])
        exchange(node, knet, FRAMES)


def _arrives(node: Node, knet: Libknet) -> bool:
    node.frames.clear()
    knet.data.send(FRAMES[1])
    for _ in range(20):
        node.turn()
    return bool(node.frames)
