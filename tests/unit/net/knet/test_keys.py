"""Sealed links: keys that change under way, wrong keys, replayed and reflected packets."""

import os

import pytest

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.net.crypto.settings import CLEAR, CryptoSettings
from corosync_tw.net.crypto.slots import CryptoSlots
from corosync_tw.net.knet.stats import Refusal
from corosync_tw.totem.links import LinkEventKind
from tests.unit.net.knet.knet_mesh import Mesh

OLD = CryptoSettings("aes256", "sha256", bytes(range(128)))
NEW = CryptoSettings("aes128", "sha512", bytes(range(100, 250)))
HASH_ONLY = CryptoSettings("none", "sha1", bytes(range(50, 200)))


def frame(number: int, length: int = 200) -> bytes:
    return b"\x70\xc0\x03\x01\x02" + bytes([number]) * (length - 5)


def sealed_mesh(*settings: CryptoSettings) -> Mesh:
    nodes = len(settings)
    return Mesh(nodes, 2, seals=lambda nodeid: CryptoSlots(settings[nodeid - 1], os.urandom))


def slots(mesh: Mesh, nodeid: int) -> CryptoSlots:
    seal = mesh.engines[nodeid].outbox.seal
    assert isinstance(seal, CryptoSlots)
    return seal


def refusals(mesh: Mesh, nodeid: int) -> list[Refusal]:
    return [
        Refusal(event.values[0])
        for event in mesh.events[nodeid]
        if event.kind is LinkEventKind.PACKET_REFUSED
    ]


@pytest.mark.parametrize(
    ("old", "new"),
    [(OLD, NEW), (NEW, HASH_ONLY), (OLD, CLEAR), (CLEAR, OLD)],
    ids=["key", "hash-only", "off", "on"],
)
def test_keys_change_node_by_node_and_nothing_is_lost(old, new):
    mesh = sealed_mesh(old, old, old)
    mesh.connect()
    sent = []
    for step in (lambda s: s.prepare(new), CryptoSlots.activate, CryptoSlots.clean_up):
        for nodeid in (3, 1, 2):
            step(slots(mesh, nodeid))
            mesh.engines[nodeid].set_seal(slots(mesh, nodeid), mesh.now_ns)
            for sender in (1, 2, 3):
                sent.append((sender, frame(len(sent), 200 + 61 * len(sent))))
                mesh.mcast(sender, [sent[-1][1]])
            mesh.run(NS_PER_S)
    for nodeid in (1, 2, 3):
        assert mesh.passed[nodeid] == [data for sender, data in sent if sender != nodeid]
        assert LinkEventKind.HOST_DOWN not in mesh.kinds(nodeid)
        mtus = {link.payload_mtu for _, link in mesh.engines[nodeid].table.links()}
        assert mtus == {mesh.engines[nodeid].payload_mtu}


@pytest.mark.parametrize(
    "wrong",
    [
        CryptoSettings("aes256", "sha256", bytes(128)),
        CryptoSettings("aes192", "sha256", OLD.key),
        CryptoSettings("aes256", "md5", OLD.key),
        HASH_ONLY,
        CLEAR,
    ],
    ids=["key", "cipher", "hash", "no cipher", "clear"],
)
def test_a_node_with_other_settings_is_told_of_once_and_changes_nothing(wrong):
    mesh = sealed_mesh(OLD, OLD, wrong)
    mesh.run(20 * NS_PER_S)
    mesh.mcast(1, [frame(1)])
    assert mesh.passed[2] == [frame(1)]
    for nodeid in (1, 2):
        table = mesh.engines[nodeid].table
        assert not table.hosts[3].reachable
        assert table.hosts[3 - nodeid].reachable
        told = refusals(mesh, nodeid)
        # Of what another cipher makes of a packet, one in 256 ends like a padding.
        assert sorted({*told, Refusal.MALFORMED}) == [Refusal.MALFORMED, Refusal.UNSEALED]
        assert len(told) == len(set(told))
        assert mesh.engines[nodeid].outbox.refusals[Refusal.UNSEALED] > 10
    assert mesh.passed[3] == []


def test_each_node_without_the_key_is_named_by_its_address():
    mesh = sealed_mesh(OLD, NEW, NEW)
    mesh.run(5 * NS_PER_S)
    told = [
        event.nodeid
        for event in mesh.events[1]
        if event.kind is LinkEventKind.PACKET_REFUSED and event.values[0] == Refusal.UNSEALED
    ]
    assert sorted(told) == [2, 3]
    assert mesh.engines[1].refused_source(Refusal.UNSEALED, 3)[0].endswith(".3")
    mesh.engines[1].table.remove(3, 0)
    assert mesh.engines[1].table.nodeid_at(0, ("10.0.0.3", 5405)) == 0


def packets_of(mesh: Mesh, nodeid: int, link: int) -> list[bytes]:
    return [
        b"".join(pieces)
        for by, sent in mesh.sent
        if by == nodeid and sent.link == link
        for pieces in sent.frames
    ]


def test_replayed_and_reflected_packets_change_nothing():
    mesh = sealed_mesh(OLD, OLD)
    mesh.connect()
    mesh.mcast(1, [frame(at, 1000) for at in range(8)])
    host = mesh.engines[2].hosts[1]
    before = (list(mesh.passed[2]), host.reachable, host.window.high)
    sent = {(by, link): packets_of(mesh, by, link) for by in (1, 2) for link in (0, 1)}
    for (_, link), packets in sent.items():
        for packet in packets:
            mesh.forge(2, link, packet, (f"10.0.{link}.1", 5405))
    assert (list(mesh.passed[2]), host.reachable, host.window.high) == before
    counted = mesh.engines[2].outbox.refusals
    assert counted[Refusal.OWN_NODEID] == len(sent[2, 0]) + len(sent[2, 1])
    assert counted[Refusal.DUPLICATE] == 8
    assert counted[Refusal.PING_REPLAYED]
    assert Refusal.UNSEALED not in counted


def test_a_flood_without_the_key_costs_one_event():
    mesh = sealed_mesh(OLD, OLD)
    mesh.connect()
    for length in (0, 1, 16, 47, 48, 64, 80, 1456, 1457):
        mesh.forge(2, 0, os.urandom(length), ("10.0.0.1", 5405))
    assert refusals(mesh, 2) == [Refusal.UNSEALED]
    mesh.mcast(1, [frame(1)])
    assert mesh.passed[2] == [frame(1)]
