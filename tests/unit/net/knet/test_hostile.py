"""Packets that no good peer sends are counted, told of once, and change nothing."""

from array import array
from dataclasses import replace

import pytest

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.kernels.plain.fragments import cut_frames
from corosync_tw.net.knet import wire
from corosync_tw.net.knet.outbox import REFUSAL_EVENT_INTERVAL_NS
from corosync_tw.net.knet.reassembly import FRAMES_MAX
from corosync_tw.net.knet.stats import Refusal
from corosync_tw.net.knet.wire import PacketType, Ping, Pmtud
from corosync_tw.totem.links import LinkEventKind
from tests.unit.net.knet.knet_mesh import MS, Mesh

GOOD = ("10.0.0.1", 5405)
STRANGER = ("10.9.9.9", 5405)
MCAST = b"\x70\xc0\x03\x01\x02" + bytes(60)


@pytest.fixture(name="mesh")
def connected() -> Mesh:
    mesh = Mesh(2, 2)
    mesh.connect()
    mesh.mcast(1, [MCAST] * 3)
    return mesh


def data(
    seq: int, *, node: int = 1, number: int = 1, total: int = 1, payload: bytes = MCAST
) -> bytes:
    header = wire.DATA_HEADER.pack(1, 0, node, 1, 0, seq, 0, 0, 1, total, number, 0)
    return header + payload


def ping(
    kind: int = PacketType.PING, *, time_ns: int, link: int = 0, seq: int = 0, timed: bool = True
) -> bytes:
    return wire.encode_ping(Ping(kind, 1, link, wire.encode_time(time_ns), seq, timed))


def refusals(mesh: Mesh, nodeid: int = 2) -> list[Refusal]:
    return [
        Refusal(event.values[0])
        for event in mesh.events[nodeid]
        if event.kind is LinkEventKind.PACKET_REFUSED
    ]


def state(mesh: Mesh) -> tuple[object, ...]:
    host = mesh.engines[2].hosts[1]
    return (
        [(link.connected, link.payload_mtu, link.has_valid_mtu) for link in host.links.values()],
        host.reachable,
        host.window.high,
        list(mesh.passed[2]),
        mesh.engines[2].payload_mtu,
    )


@pytest.mark.parametrize(
    ("packet", "source", "cause"),
    [
        (b"", GOOD, Refusal.MALFORMED),
        (b"\1", GOOD, Refusal.MALFORMED),
        (b"\2" + bytes(40), GOOD, Refusal.MALFORMED),
        (b"\1\x81" + bytes(10), GOOD, Refusal.MALFORMED),
        (b"\1\x99" + bytes(30), GOOD, Refusal.MALFORMED),
        (data(9, node=7), GOOD, Refusal.UNKNOWN_NODE),
        (data(9, node=2), GOOD, Refusal.OWN_NODEID),
        (data(9), STRANGER, Refusal.WRONG_ADDRESS),
        (data(9), ("10.0.1.1", 5405), Refusal.SWAPPED_LINKS),
        (ping(time_ns=1, link=1), GOOD, Refusal.SWAPPED_LINKS),
        (ping(time_ns=1 << 60), STRANGER, Refusal.WRONG_ADDRESS),
        (ping(time_ns=5), GOOD, Refusal.PING_REPLAYED),
        (ping(PacketType.PONG, time_ns=5), GOOD, Refusal.PONG_UNASKED),
        (ping(PacketType.PONG, time_ns=1 << 60), GOOD, Refusal.PONG_UNASKED),
        (data(9, number=4, total=3), GOOD, Refusal.MALFORMED),
        (data(9, number=1, total=255, payload=bytes(1400)), GOOD, Refusal.FRAGMENT),
        (data(9)[:13] + b"\5" + MCAST, GOOD, Refusal.CHANNEL),
        (data(9)[:10] + b"\0" + data(9)[11:14] + MCAST[:9] + b"\3" + bytes(30), GOOD, None),
    ],
    ids=lambda value: value.name.lower() if isinstance(value, Refusal) else "",
)
def test_what_no_good_peer_sends(
    mesh: Mesh, packet: bytes, source: tuple[str, int], cause: Refusal | None
) -> None:
    before = state(mesh)
    for _ in range(5):
        mesh.forge(2, 0, packet, source)
    if cause is None:
        assert mesh.engines[2].outbox.refusals[Refusal.NOT_FOR_US] == 1
        assert mesh.passed[2] == before[3]
        return
    if cause is not Refusal.FRAGMENT:  # it has a sequence number that may be right
        assert state(mesh) == before
    assert mesh.passed[2] == before[3]
    assert mesh.engines[2].outbox.refusals[cause] == 5
    assert refusals(mesh) == [cause]
    assert mesh.engines[2].refused_source(cause, mesh.events[2][-1].nodeid) == source
    mesh.run(REFUSAL_EVENT_INTERVAL_NS)
    mesh.forge(2, 0, packet, source)
    assert refusals(mesh) == [cause] * 2
    assert mesh.events[2][-1].values == (cause, 6)


def test_pings_of_strangers_are_heard_without_access_lists_but_not_of_swapped_links() -> None:
    mesh = Mesh(2, 2, options={"access_lists": False})
    mesh.connect()
    mesh.forge(2, 0, ping(time_ns=mesh.now_ns + 1), STRANGER)
    assert not mesh.engines[2].outbox.refusals
    mesh.forge(2, 0, ping(time_ns=mesh.now_ns + 1), ("10.0.1.1", 5405))
    assert mesh.engines[2].outbox.refusals == {Refusal.SWAPPED_LINKS: 1}


def test_a_flood_of_fragments_takes_bounded_memory_and_the_next_frame_arrives(mesh: Mesh) -> None:
    host = mesh.engines[2].hosts[1]
    for seq in range(100, 400):
        mesh.forge(2, 1, data(seq, number=1, total=40, payload=bytes(1446)), ("10.0.1.1", 5405))
        assert len(host.reassembly) <= FRAMES_MAX
    high = host.window.high
    whole = MCAST * 100
    ends = ((0, len(whole)), (0, 0))
    header = wire.data_template(1)
    packets = cut_frames(
        whole, array("I", ends[0]), b"", array("I", ends[1]), header, high + 1, 1446
    )
    for at in range(0, len(packets), 1460):
        mesh.forge(2, 1, packets[at : at + 1460], ("10.0.1.1", 5405))
    assert mesh.passed[2][-1] == whole


def test_replayed_data_is_dropped(mesh: Mesh) -> None:
    before = state(mesh)
    for seq in (1, 2, 3):
        mesh.forge(2, 1, data(seq), ("10.0.1.1", 5405))
    assert state(mesh) == before
    assert mesh.engines[2].outbox.refusals == {Refusal.DUPLICATE: 3}


def test_a_replayed_ping_of_a_start_does_not_clear_the_window(mesh: Mesh) -> None:
    first = next(
        next(iter(sent.frames))[0]
        for by, sent in mesh.sent
        if by == 1 and sent.link == 0 and next(iter(sent.frames))[0][1] == PacketType.PING
    )
    before = state(mesh)
    mesh.forge(2, 0, first, GOOD)
    assert state(mesh) == before
    assert mesh.engines[2].outbox.refusals == {Refusal.PING_REPLAYED: 1}


def test_a_clock_that_went_back_is_believed_when_no_newer_pings_come(mesh: Mesh) -> None:
    mesh.drops = lambda by, *_: by == 1
    mesh.run(5 * NS_PER_S)
    high = mesh.engines[2].hosts[1].links[0].ping_high_ns
    assert high > 5 * MS
    mesh.forge(2, 0, ping(time_ns=5 * MS), GOOD)
    assert mesh.engines[2].hosts[1].links[0].ping_high_ns == 5 * MS
    assert Refusal.PING_REPLAYED not in mesh.engines[2].outbox.refusals


def test_forged_replies_to_probes_change_no_mtu(mesh: Mesh) -> None:
    before = state(mesh)
    for size in (100, 65535):
        reply = wire.encode_pmtud(Pmtud(PacketType.PMTUD_REPLY, 1, 0, wire.encode_size(size)))
        mesh.forge(2, 0, reply, GOOD)
    assert state(mesh) == before
    assert mesh.engines[2].outbox.refusals == {Refusal.PMTUD_UNASKED: 2}


def test_what_does_not_decompress_is_dropped(mesh: Mesh) -> None:
    high = mesh.engines[2].hosts[1].window.high
    for model in range(1, 9):
        packet = bytearray(data(high + model))
        packet[8] = model
        mesh.forge(2, 1, bytes(packet), ("10.0.1.1", 5405))
    assert mesh.engines[2].outbox.refusals == {Refusal.COMPRESSION: 8}
    assert refusals(mesh) == [Refusal.COMPRESSION]


def test_late_pongs_do_not_keep_a_link_up() -> None:
    mesh = Mesh()
    mesh.connect()
    engine = mesh.engines[1]
    params = engine.hosts[2].links[0].params
    engine.change_link(replace(params, pong_timeout_ns=100_000), mesh.now_ns)
    mesh.flush(1)
    mesh.run(20 * NS_PER_S)
    assert engine.outbox.refusals[Refusal.PONG_LATE] > 3
    assert Refusal.PONG_LATE not in refusals(mesh, 1)
