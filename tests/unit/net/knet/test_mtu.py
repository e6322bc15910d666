"""The longest packet that arrives is found, whatever the kernel knows and the network loses."""

from dataclasses import replace
from random import Random

import pytest

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.net.crypto.settings import CryptoSettings
from corosync_tw.net.crypto.slots import CryptoSlots
from corosync_tw.net.knet import mtu
from corosync_tw.totem.links import LinkEventKind, LinkSend
from tests.unit.net.knet.knet_mesh import Mesh, link_params

AES = CryptoSettings("aes256", "sha256", bytes(range(256)))
IP_UDP = 28


def seal() -> CryptoSlots:
    return CryptoSlots(AES, lambda count: b"\xa5" * count)


def limited(mesh: Mesh, path_mtu: int) -> None:
    mesh.drops = lambda _by, _to, _link, packet: len(packet) + IP_UDP > path_mtu


def test_lengths_are_those_of_libknet() -> None:
    assert mtu.payload_bytes(None, 1500, ipv6=False) == 1446
    assert mtu.payload_bytes(seal(), 1500, ipv6=False) == 1397
    assert mtu.payload_bytes_min(None) == 576 - 68 - 26
    assert mtu.onwire_bytes(seal(), 1397, ipv6=False) == 1500
    assert mtu.overhead_bytes(seal(), ipv6=True) == 48 + 26 + 16 + 32


@pytest.mark.parametrize("path_mtu", [576, 577, 1280, 1400, 1499, 1500])
@pytest.mark.parametrize("sealed", [False, True])
def test_a_path_narrower_than_the_interface_is_found(path_mtu: int, sealed: bool) -> None:
    mesh = Mesh(seals=lambda _: seal() if sealed else None)
    limited(mesh, path_mtu)
    mesh.run(60 * NS_PER_S)
    best = mtu.payload_bytes(seal() if sealed else None, path_mtu, ipv6=False)
    assert mesh.engines[1].payload_mtu == best
    kinds = mesh.kinds(1)
    assert (LinkEventKind.MTU_DOUBTED in kinds) == (path_mtu < 1500)


def test_a_wider_path_is_found_when_the_interface_is_unknown() -> None:
    mesh = Mesh()
    engine = mesh.engines[1]
    engine.configure(
        replace(engine._params, links=(replace(link_params(2, 0), interface_mtu_bytes=0),)), 0
    )
    limited(mesh, 9000)
    mesh.run(90 * NS_PER_S)
    assert engine.payload_mtu == 9000 - IP_UDP - 26


@pytest.mark.parametrize("sealed", [False, True])
def test_the_word_of_the_kernel_is_taken(sealed: bool) -> None:
    mesh = Mesh(seals=lambda _: seal() if sealed else None)
    mesh.connect()
    mesh.interface_mtu = 1400
    frames = [b"\x70\xc0\x03\x01\x02" + bytes([i]) * 20000 for i in range(20)]
    mesh.mcast(1, frames)
    assert not mesh.passed[2]
    mesh.mcast(1, frames)
    assert mesh.passed[2] == frames
    best = mtu.payload_bytes(seal() if sealed else None, 1400, ipv6=False)
    assert mesh.engines[1].payload_mtu == best
    assert LinkEventKind.HOST_DOWN not in mesh.kinds(1)
    mesh.interface_mtu = 1500
    mesh.run(61 * NS_PER_S)
    assert mesh.engines[1].payload_mtu > best


def test_loss_is_not_taken_for_a_narrow_path() -> None:
    random = Random(5)
    mesh = Mesh(3, options={"pmtud_interval_ns": NS_PER_S})
    mesh.connect()
    mesh.drops = lambda *_: random.random() < 0.1
    mesh.run(60 * NS_PER_S)
    mesh.drops = lambda *_: False
    mesh.run(5 * NS_PER_S)
    assert mesh.engines[1].payload_mtu == 1446


def test_discovery_begins_again_after_its_interval() -> None:
    mesh = Mesh(options={"pmtud_interval_ns": 30 * NS_PER_S})
    mesh.connect()
    limited(mesh, 1300)
    mesh.run(40 * NS_PER_S)
    assert mesh.engines[1].payload_mtu == 1300 - IP_UDP - 26
    mesh.drops = lambda *_: False
    mesh.run(31 * NS_PER_S)
    assert mesh.engines[1].payload_mtu == 1446


def test_a_fixed_mtu_is_not_probed() -> None:
    mesh = Mesh(options={"mtu_bytes": 1000})
    mesh.connect()
    assert mesh.engines[1].payload_mtu == 1000 - IP_UDP - 26
    assert not [by for by, sent in mesh.sent if isinstance(sent, LinkSend) and _is_probe(sent)]


def _is_probe(sent: LinkSend) -> bool:
    return next(iter(sent.frames))[0][1] in {0x83, 0x84}


def test_the_lowest_mtu_of_all_links_counts() -> None:
    mesh = Mesh(3, 2)
    mesh.drops = lambda _by, to, link, packet: (to, link) == (3, 1) and len(packet) > 1000
    mesh.connect()
    assert mesh.engines[1].payload_mtu == 1000 - 26
    mesh.engines[1].remove_link(3, 1, mesh.now_ns)
    mesh.flush(1)
    assert mesh.engines[1].payload_mtu == 1446


def test_a_path_too_narrow_for_anything_takes_the_link_out() -> None:
    mesh = Mesh()
    limited(mesh, 400)
    mesh.run(60 * NS_PER_S)
    link = mesh.engines[1].hosts[2].links[0]
    assert link.connected
    assert not link.has_valid_mtu
    assert not mesh.engines[1].hosts[2].reachable


def test_another_seal_changes_the_lengths() -> None:
    mesh = Mesh()
    mesh.connect()
    for nodeid in (1, 2):
        mesh.engines[nodeid].set_seal(seal(), mesh.now_ns)
    for nodeid in (1, 2):
        mesh.flush(nodeid)
    mesh.run(NS_PER_S)
    assert mesh.engines[1].payload_mtu == 1397
