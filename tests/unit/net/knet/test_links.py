"""Links come up, go down and come back; data goes by those that the policy names."""

import pytest

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.net.knet.params import LinkPolicy
from corosync_tw.net.knet.wire import PacketType
from corosync_tw.totem.links import LinkEventKind, LinkSend
from tests.unit.net.knet.knet_mesh import MS, TIMEOUT_NS, Mesh

MCAST = b"\x70\xc0\x03\x01\x02" + bytes(60)
TOKEN = b"\x70\xc0\x03\x00\x02" + bytes(70)


def data_sent(mesh: Mesh, nodeid: int) -> list[LinkSend]:
    return [sent for by, sent in mesh.sent if by == nodeid and not next(iter(sent.frames))[0][1]]


def test_a_link_is_up_after_the_pongs_it_wants_and_one_more() -> None:
    mesh = Mesh()
    mesh.run(until=lambda: LinkEventKind.HOST_UP in mesh.kinds(1), duration_ns=20 * NS_PER_S)
    # Pings at 0, 500 and 1000 ms; their pongs take 2 x 100 us.
    assert mesh.now_ns == 1000 * MS + 200_000
    assert mesh.kinds(1)[-2:] == [LinkEventKind.BEST_LINK, LinkEventKind.HOST_REACHABLE]


def test_data_before_a_link_is_up_is_dropped() -> None:
    mesh = Mesh()
    mesh.mcast(1, [MCAST])
    assert not data_sent(mesh, 1)
    mesh.connect()
    mesh.mcast(1, [MCAST])
    assert mesh.passed[2] == [MCAST]


@pytest.mark.parametrize("policy", list(LinkPolicy))
def test_every_policy_delivers_each_frame_once(policy: LinkPolicy) -> None:
    mesh = Mesh(3, 3, options={"policy": policy})
    mesh.connect()
    frames = [MCAST + bytes([i]) * 3000 * (i % 3) for i in range(30)]
    for frame in frames:
        mesh.mcast(1, [frame])
    assert mesh.passed[2] == mesh.passed[3] == frames


def test_passive_uses_the_highest_priority_and_the_next_when_it_is_cut() -> None:
    mesh = Mesh(2, 2)
    mesh.connect()
    mesh.mcast(1, [MCAST])
    assert {sent.link for sent in data_sent(mesh, 1)} == {1}
    mesh.drops = lambda _by, _to, link, _packet: link == 1
    mesh.run(10 * NS_PER_S)
    assert LinkEventKind.HOST_DOWN in mesh.kinds(1)
    assert LinkEventKind.HOST_UNREACHABLE not in mesh.kinds(1)
    mesh.sent.clear()
    mesh.mcast(1, [MCAST])
    assert {sent.link for sent in data_sent(mesh, 1)} == {0}
    assert mesh.passed[2] == [MCAST] * 2
    mesh.drops = lambda *_: False
    mesh.run(10 * NS_PER_S)
    mesh.sent.clear()
    mesh.mcast(1, [MCAST])
    assert {sent.link for sent in data_sent(mesh, 1)} == {1}


def test_round_robin_takes_the_links_in_turn() -> None:
    mesh = Mesh(2, 3, options={"policy": LinkPolicy.RR})
    mesh.connect()
    for _ in range(6):
        mesh.mcast(1, [MCAST])
    links = [sent.link for sent in data_sent(mesh, 1)]
    assert sorted(links[:3]) == [0, 1, 2]
    assert links[:3] == links[3:]


def test_a_cut_link_is_down_within_the_timeout_and_an_interval() -> None:
    mesh = Mesh()
    # Until the timeout is no longer the long one of the beginning.
    mesh.run(15 * NS_PER_S)
    cut_ns = mesh.now_ns
    mesh.drops = lambda *_: True
    mesh.run(10 * NS_PER_S, until=lambda: LinkEventKind.HOST_DOWN in mesh.kinds(1))
    assert mesh.now_ns - cut_ns <= TIMEOUT_NS + MS


def test_pongs_that_come_when_the_link_is_down_already_are_no_strangers() -> None:
    mesh = Mesh()
    mesh.connect()
    held: list[bytes] = []

    def hold(by: int, _target: int, _link: int, packet: bytes) -> bool:
        if by == 2 and packet[1] == PacketType.PONG:
            held.append(packet)
        return by == 2

    mesh.drops = hold
    mesh.run(until=lambda: LinkEventKind.HOST_DOWN in mesh.kinds(1), duration_ns=20 * NS_PER_S)
    for packet in held:
        mesh.forge(1, 0, packet, ("10.0.0.2", 5405))
    assert held
    assert LinkEventKind.PACKET_REFUSED not in mesh.kinds(1)


def test_one_of_two_links_that_is_cut_soon_after_it_came_up_is_down_soon() -> None:
    mesh = Mesh(2, 2)
    mesh.run(1500 * MS)
    assert mesh.kinds(1).count(LinkEventKind.HOST_UP) == 2
    cut_ns = mesh.now_ns
    mesh.drops = lambda _by, _to, link, _packet: link == 1
    mesh.run(10 * NS_PER_S, until=lambda: LinkEventKind.HOST_DOWN in mesh.kinds(1))
    assert mesh.now_ns - cut_ns <= TIMEOUT_NS + MS
    # The other one is all there is now, and is given more time.
    cut_ns = mesh.now_ns
    mesh.drops = lambda *_: True
    mesh.run(20 * NS_PER_S, until=lambda: LinkEventKind.HOST_UNREACHABLE in mesh.kinds(1))
    assert mesh.now_ns - cut_ns > 3 * TIMEOUT_NS


def test_a_restarted_host_is_heard_from_its_first_frame() -> None:
    mesh = Mesh()
    mesh.connect()
    for i in range(100):
        mesh.mcast(1, [MCAST + bytes([i])])
    assert len(mesh.passed[2]) == 100
    mesh.restart(1)
    mesh.connect()
    mesh.mcast(1, [MCAST])
    assert len(mesh.passed[2]) == 101


def test_a_token_goes_to_one_node_and_names_it() -> None:
    mesh = Mesh(3)
    mesh.connect()
    mesh.token(1, 3, TOKEN)
    assert not mesh.passed[2]
    assert mesh.passed[3] == [TOKEN[:9] + b"\3\0\0\0" + TOKEN[13:]]


def test_members_alone_get_what_is_for_members() -> None:
    mesh = Mesh(3)
    mesh.connect()
    mesh.engines[1].set_ring_members(frozenset({1, 2}))
    mesh.mcast(1, [MCAST], to_members_only=True)
    assert (mesh.passed[2], mesh.passed[3]) == ([MCAST], [])
    mesh.mcast(1, [MCAST], to_members_only=False)
    assert (len(mesh.passed[2]), len(mesh.passed[3])) == (2, 1)
