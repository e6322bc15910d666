"""Frames of all lengths over lossy, doubled, sealed and compressed ways."""

import os
from array import array
from itertools import accumulate, count
from random import Random

import pytest

from corosync_tw.net.crypto.settings import CryptoSettings
from corosync_tw.net.crypto.slots import CryptoSlots
from corosync_tw.net.knet.params import CompressParams, LinkPolicy
from corosync_tw.net.knet.sending import PING_EVERY_PACKETS
from corosync_tw.net.knet.stats import Refusal
from corosync_tw.net.knet.wire import SEQ_MAX, PacketType
from corosync_tw.totem.links import LinkSend
from corosync_tw.totem.runs import FrameBlob, SentBlob, SentRun
from tests.unit.net.knet.knet_mesh import MS, Mesh

HEAD = b"\x70\xc0\x03\x01\x02"
TOKEN = b"\x70\xc0\x03\x00\x02" + bytes(70)
LENGTHS = [6, 60, 1446, 1447, 2892, 9000, 65536]


def frame(length: int, mark: int = 0) -> bytes:
    return HEAD + bytes((mark + i) % 251 for i in range(length - len(HEAD)))


def run_of(frames: list[bytes], head: int = 50) -> SentRun:
    heads, bodies = [each[:head] for each in frames], [each[head:] for each in frames]

    def ends(parts: list[bytes]) -> "array[int]":
        return array("I", accumulate(map(len, parts), initial=0))

    body = memoryview(b"".join(bodies))
    return SentRun(1, 1, len(frames), False, b"".join(heads), ends(heads), body, ends(bodies))


def data_of(mesh: Mesh) -> list[LinkSend]:
    return [send for by, send in mesh.sent if by == 1 and isinstance(send.frames, SentBlob)]


def test_frames_of_all_lengths_arrive_alone_and_together() -> None:
    mesh = Mesh()
    mesh.connect()
    frames = [frame(length, i) for i, length in enumerate(LENGTHS)]
    for each in frames:
        mesh.mcast(1, [each])
    mesh.mcast(1, frames)
    assert mesh.passed[2] == frames * 2


def test_a_run_of_equal_frames_is_one_send_and_one_blob() -> None:
    mesh = Mesh()
    mesh.connect()
    mesh.sent.clear()
    frames = [frame(1000, i) for i in range(30)] + [frame(500)]
    mesh.engines[1].send_mcast(run_of(frames), True, mesh.now_ns)
    mesh.flush(1)
    mesh.run(MS)
    (sent,) = data_of(mesh)
    assert isinstance(sent.frames, SentBlob)
    assert (len(sent.frames), sent.frames.stride) == (31, 1014)
    assert mesh.passed[2][:1] == frames[:1]
    # The first frame of a host begins its window; those behind it come one by one.
    mesh.engines[1].send_mcast(run_of(frames), True, mesh.now_ns)
    mesh.flush(1)
    mesh.run(MS)
    (blob,) = mesh.batches[2][-1].frames
    assert isinstance(blob, FrameBlob)
    assert mesh.passed[2] == frames * 2


def test_a_frame_of_fragments_is_one_send_and_arrives_without_a_copy() -> None:
    mesh = Mesh()
    mesh.connect()
    mesh.sent.clear()
    frames = [frame(60000, i) for i in range(3)]
    mesh.engines[1].send_mcast(run_of(frames), True, mesh.now_ns)
    mesh.flush(1)
    mesh.run(MS)
    sends = data_of(mesh)
    assert [len(send.frames) for send in sends] == [42] * 3
    assert mesh.passed[2] == frames
    assert not mesh.engines[2].hosts[1].reassembly


def test_a_token_behind_messages_in_one_piece_is_passed_up_last() -> None:
    mesh = Mesh()
    mesh.connect()
    for _ in range(2):
        mesh.mcast(1, [frame(100), TOKEN, frame(60)])
    assert [bytes(each)[3] for each in mesh.batches[2][-2].frames][-1] == 0


@pytest.mark.parametrize("policy", list(LinkPolicy))
@pytest.mark.parametrize("merges", [False, True])
def test_loss_costs_whole_frames_and_nothing_else(policy: LinkPolicy, merges: bool) -> None:
    random = Random(7)
    mesh = Mesh(3, 2, merges=merges, options={"policy": policy})
    mesh.connect()
    mesh.drops = lambda _by, _to, _link, packet: packet[1] == 0 and random.random() < 0.02
    frames = [frame(random.choice(LENGTHS[1:]), i) for i in range(60)]
    for i in range(0, 60, 4):
        mesh.mcast(1, frames[i : i + 4])
    for nodeid in (2, 3):
        arrived = mesh.passed[nodeid]
        assert len(arrived) > 20
        rest = iter(frames)
        assert all(any(each == other for other in rest) for each in sorted_like(arrived, frames))


def sorted_like(arrived: list[bytes], frames: list[bytes]) -> list[bytes]:
    return sorted(arrived, key=frames.index)


def test_active_over_two_lossy_links_loses_less_than_either() -> None:
    random = Random(3)
    mesh = Mesh(2, 2, options={"policy": LinkPolicy.ACTIVE})
    mesh.connect()
    mesh.drops = lambda _by, _to, _link, packet: packet[1] == 0 and random.random() < 0.3
    frames = [frame(100, i) for i in range(200)]
    for each in frames:
        mesh.mcast(1, [each])
    assert len(set(mesh.passed[2])) == len(mesh.passed[2]) > 150


@pytest.mark.parametrize("seq", [4094, 8190, 16383, 32766, 65534])
@pytest.mark.parametrize("policy", list(LinkPolicy))
def test_sequence_numbers_go_over_every_edge(seq: int, policy: LinkPolicy) -> None:
    mesh = Mesh(3, 2, options={"policy": policy, "seq": seq})
    mesh.connect()
    frames = [frame(LENGTHS[i % 4], i) for i in range(20)]
    for each in frames:
        mesh.mcast(1, [each, TOKEN])
    assert [each for each in mesh.passed[3] if each[3] == 1] == frames
    assert mesh.engines[1].seq == (seq + 40 - 1) % SEQ_MAX + 1


def test_all_hosts_are_pinged_when_many_packets_were_sent() -> None:
    mesh = Mesh(3, options={"seq": PING_EVERY_PACKETS - 3})
    mesh.connect()
    mesh.sent.clear()
    mesh.mcast(1, [frame(60, i) for i in range(5)])
    sent = [(next(iter(send.frames))[0], send.targets) for by, send in mesh.sent if by == 1]
    pings = [(packet[25], targets) for packet, targets in sent if packet[1] == PacketType.PING]
    assert sorted(pings)[:2] == [(0, (2,)), (0, (3,))]
    assert len(mesh.passed[2]) == len(mesh.passed[3]) == 5


def test_a_host_that_gets_no_data_keeps_up_by_pings() -> None:
    mesh = Mesh(3, options={"seq": 60000})
    mesh.connect()
    mesh.mcast(1, [frame(60)])
    mesh.engines[1].set_ring_members(frozenset({1, 2}))
    for _ in range(1000):
        mesh.engines[1].send_mcast([(frame(60),)] * 70, True, mesh.now_ns)
        mesh.flush(1)
        mesh.run(MS)
    mesh.engines[1].set_ring_members(None)
    mesh.mcast(1, [frame(60, 9)])
    assert len(mesh.passed[2]) == 70002
    assert mesh.passed[3] == [frame(60), frame(60, 9)]


@pytest.mark.parametrize("cipher", ["none", "aes256"])
def test_sealed_frames_arrive_and_strangers_do_not(cipher: str) -> None:
    settings = CryptoSettings(cipher, "sha256", bytes(range(256)))

    def entropy(count: int) -> bytes:
        return os.urandom(count)

    mesh = Mesh(2, 2, seals=lambda _nodeid: CryptoSlots(settings, entropy))
    mesh.connect()
    mtu = 1397 if cipher == "aes256" else 1414
    assert mesh.engines[1].payload_mtu == mtu
    frames = [frame(length, i) for i, length in enumerate(LENGTHS)] + [frame(90)] * 9
    mesh.mcast(1, frames)
    assert mesh.passed[2] == frames
    mesh.token(1, 2, TOKEN)
    assert len(mesh.passed[2]) == len(frames) + 1
    mesh.forge(2, 0, b"\1\0" + bytes(98), ("10.0.0.1", 5405))
    assert mesh.engines[2].outbox.refusals == {Refusal.UNSEALED: 1}


@pytest.mark.parametrize("cipher", ["none", "aes256"])
@pytest.mark.parametrize("hash_name", ["sha1", "sha256"])
@pytest.mark.parametrize("merges", [False, True])
def test_sealed_data_is_counted_with_its_time(cipher: str, hash_name: str, merges: bool) -> None:
    settings = CryptoSettings(cipher, hash_name, bytes(range(256)))
    mesh = Mesh(merges=merges, seals=lambda _nodeid: CryptoSlots(settings, os.urandom))
    mesh.connect()
    for engine in mesh.engines.values():
        # Each look at the clock comes 6 us after the one before.
        engine.outbox.clock_ns = count(0, 6000).__next__
    before = mesh.engines[1].stats.tx_crypt_packets
    assert before == mesh.engines[2].stats.rx_crypt_packets == 0
    mesh.mcast(1, [frame(60000)])
    mesh.token(1, 2, TOKEN)
    sent, received = mesh.engines[1].stats, mesh.engines[2].stats
    packets = mesh.engines[2].hosts[1].links[0].stats.rx_data_packets
    assert sent.tx_crypt_packets == received.rx_crypt_packets == packets > 40
    assert (sent.tx_crypt_time.min, sent.tx_crypt_time.max) == (6000 // (packets - 1), 6000)
    each_ns = 6000 // (packets - 1) if merges else 6000
    assert (received.rx_crypt_time.min, received.rx_crypt_time.max) == (each_ns, 6000)
    assert sent.tx_crypt_time.count == received.rx_crypt_time.count == packets
    assert each_ns <= received.rx_crypt_time.ave <= 6000


@pytest.mark.parametrize(
    "model",
    [
        "zlib",
        pytest.param("lz4", marks=pytest.mark.needs("lz4")),
        pytest.param("lz4hc", marks=pytest.mark.needs("lz4")),
        "lzma",
        "bzip2",
        pytest.param("zstd", marks=pytest.mark.needs("zstd")),
    ],
)
def test_compressed_frames_arrive(model: str) -> None:
    mesh = Mesh(options={"compress": CompressParams(model, 3)})
    mesh.connect()
    frames = [frame(length) for length in LENGTHS] + [HEAD + Random(1).randbytes(3000)]
    mesh.mcast(1, frames)
    mesh.token(1, 2, TOKEN * 3)
    assert mesh.passed[2][:-1] == frames
    assert len(mesh.passed[2][-1]) == len(TOKEN * 3)
    stats = mesh.engines[1].stats
    assert stats.tx_compressed_size_bytes < stats.tx_compressed_original_bytes
    received = mesh.engines[2].stats
    assert received.rx_compressed_packets >= 5
    assert received.rx_compress_time.count == received.rx_compressed_packets
    assert stats.tx_compress_time.count == stats.tx_compressed_packets
    assert not mesh.engines[2].outbox.refusals


def test_data_is_counted_on_the_links_it_takes() -> None:
    mesh = Mesh(2, 2, options={"policy": LinkPolicy.ACTIVE})
    mesh.connect()
    mesh.mcast(1, [frame(60000)])
    packets, length = 42, 60000 + 42 * 14
    for link in (0, 1):
        sent = mesh.engines[1].hosts[2].links[link].stats
        assert (sent.tx_data_packets, sent.tx_data_bytes) == (packets, length)
        received = mesh.engines[2].hosts[1].links[link].stats
        assert (received.rx_data_packets, received.rx_data_bytes) == (packets, length)
    assert mesh.engines[1].loopback_stats.tx_data_packets == 1
    assert mesh.engines[2].outbox.refusals == {Refusal.DUPLICATE: packets}


def test_nothing_that_was_sent_changes_when_it_is_received() -> None:
    mesh = Mesh(3)
    mesh.connect()
    sends: list[LinkSend] = []
    mesh.engines[1].send_mcast(run_of([frame(1000, i) for i in range(5)]), False, mesh.now_ns)
    sends = [effect for effect in mesh.engines[1].poll() if isinstance(effect, LinkSend)]
    (sent,) = sends
    assert isinstance(sent.frames, SentBlob)
    assert memoryview(sent.frames.blob).readonly
