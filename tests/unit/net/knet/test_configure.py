"""Links, hosts and settings change while the engine runs."""

from dataclasses import replace

import pytest

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.net.knet.compression import CompressionError
from corosync_tw.net.knet.params import CompressParams, KnetParams, LinkPolicy
from corosync_tw.totem.links import LINKS_MAX, LinkEventKind
from tests.unit.net.knet.knet_mesh import Mesh, link_params

MCAST = b"\x70\xc0\x03\x01\x02" + bytes(60)


def params(nodeid: int, links: int, nodes: int = 2, **options: object) -> KnetParams:
    others = tuple(
        link_params(other, link)
        for other in range(1, nodes + 1)
        if other != nodeid
        for link in range(links)
    )
    return replace(KnetParams(nodeid, others), **options)


def configure(mesh: Mesh, links: int, nodes: int = 2, **options: object) -> None:
    for nodeid, engine in mesh.engines.items():
        engine.configure(params(nodeid, links, nodes, **options), mesh.now_ns)
        mesh.flush(nodeid)


def test_links_are_added_up_to_the_most_there_may_be() -> None:
    mesh = Mesh(2, 1)
    mesh.connect()
    configure(mesh, LINKS_MAX)
    mesh.connect()
    assert len(mesh.engines[1].hosts[2].links) == LINKS_MAX
    assert mesh.kinds(1).count(LinkEventKind.HOST_UP) == LINKS_MAX
    assert LinkEventKind.HOST_DOWN not in mesh.kinds(1)
    mesh.mcast(1, [MCAST])
    assert mesh.passed[2] == [MCAST]


def test_the_link_in_use_is_removed_and_traffic_goes_on() -> None:
    mesh = Mesh(2, 3)
    mesh.connect()
    mesh.mcast(1, [MCAST])
    configure(mesh, 1)
    mesh.mcast(1, [MCAST])
    mesh.run(5 * NS_PER_S)
    mesh.mcast(1, [MCAST])
    assert mesh.passed[2] == [MCAST] * 3
    assert list(mesh.engines[1].hosts[2].links) == [0]
    assert LinkEventKind.HOST_UNREACHABLE not in mesh.kinds(1)


def test_hosts_come_and_go() -> None:
    mesh = Mesh(3, 1)
    mesh.connect()
    configure(mesh, 1, nodes=2)
    assert list(mesh.engines[1].hosts) == [2]
    mesh.mcast(1, [MCAST])
    assert (mesh.passed[2], mesh.passed[3]) == ([MCAST], [])
    configure(mesh, 1, nodes=3)
    mesh.connect()
    mesh.mcast(1, [MCAST])
    assert mesh.passed[3] == [MCAST]


def test_other_times_and_priorities_are_taken_over_with_links_up() -> None:
    mesh = Mesh(2, 2)
    mesh.connect()
    engine = mesh.engines[1]
    before = params(1, 2)
    links = tuple(
        replace(link, priority=9 - link.link, ping_interval_ns=NS_PER_S, pong_timeout_ns=NS_PER_S)
        for link in before.links
    )
    engine.configure(replace(before, links=links), mesh.now_ns)
    mesh.flush(1)
    assert engine.hosts[2].active_links == [0]
    mesh.run(20 * NS_PER_S)
    assert engine.hosts[2].links[0].pong_timeout_ns < 2 * NS_PER_S
    assert LinkEventKind.HOST_DOWN not in mesh.kinds(1)


def test_a_link_with_another_address_begins_anew() -> None:
    mesh = Mesh(2, 1)
    mesh.connect()
    engine = mesh.engines[1]
    moved = replace(link_params(2, 0), address="10.1.1.1")
    engine.configure(replace(params(1, 1), links=(moved,)), mesh.now_ns)
    mesh.flush(1)
    assert not engine.hosts[2].reachable
    assert LinkEventKind.HOST_UNREACHABLE in mesh.kinds(1)


def test_policy_mtu_and_compression_change() -> None:
    mesh = Mesh(2, 2)
    mesh.connect()
    compress = CompressParams("zlib", 1)
    configure(mesh, 2, policy=LinkPolicy.ACTIVE, mtu_bytes=1000, compress=compress)
    engine = mesh.engines[1]
    assert engine.hosts[2].active_links == [0, 1]
    assert engine.payload_mtu == 1000 - 28 - 26
    mesh.mcast(1, [MCAST * 50])
    assert engine.stats.tx_compressed_packets == 1
    assert mesh.passed[2] == [MCAST * 50]


def test_a_model_that_cannot_be_used_changes_nothing() -> None:
    mesh = Mesh(2, 2)
    mesh.connect()
    with pytest.raises(CompressionError):
        configure(mesh, 1, compress=CompressParams("lzo2"))
    assert len(mesh.engines[1].hosts[2].links) == 2
    mesh.mcast(1, [MCAST])
    assert mesh.passed[2] == [MCAST]


def test_the_kernels_word_about_a_link_that_is_not_there_is_ignored() -> None:
    mesh = Mesh(2, 1)
    mesh.engines[1].too_long(3, 2, 1400, 0)
    mesh.engines[1].too_long(0, 9, 1400, 0)
    mesh.flush(1)
