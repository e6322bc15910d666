"""libquorum's requests and the events of both models, in Corosync's order."""

from struct import pack, unpack_from

import pytest

from corosync_tw.corotypes import RingId
from corosync_tw.services.quorum.engine import QuorumEngine
from corosync_tw.services.quorum.handler import QuorumHandler
from tests.unit.services.lib_clients import FakeClient, request
from tests.unit.services.ordered_bus import FakeBus

OK, INVALID_PARAM, EXIST = 1, 7, 14
NOTIFICATION, V1_QUORUM, V1_NODELIST = 3, 6, 7
CURRENT, CHANGES, CHANGES_ONLY = 1, 2, 4


class World:
    def __init__(self, provider=True):
        self.bus = FakeBus()
        self.engine = QuorumEngine(provider, self.bus)
        self.handler = QuorumHandler(self.engine)
        self.conns = 0

    def connect(self, model=None):
        self.conns += 1
        client = FakeClient(self.conns)
        self.handler.connected(client)
        if model is not None:
            assert self.ask(client, 4, model)[:2] == (5, OK)
        return client

    def ask(self, client, number, word=None):
        body = b"" if word is None else pack("=I4x", word)
        assert self.handler.requests(client, [request(number, body)]) == 1
        return client.answer()

    def sync(self, trans, members, seq):
        self.engine.sync_init(trans, members, RingId(members[0], seq))
        self.engine.sync_activate()
        self.give()

    def decide(self, quorate):
        self.engine.set_quorum(quorate, self.engine.members, self.engine.ring_id)
        self.give()

    def give(self):
        routes = self.handler.effect_handlers()
        for effect in self.bus.effects:
            routes[type(effect)](effect)
        self.bus.effects.clear()


@pytest.fixture
def world():
    world = World()
    world.sync((1,), (1,), 4)
    world.decide(False)
    return world


def words(count, body, offset):
    return list(unpack_from(f"={count}I", body, offset))


def notification(body):
    """Read an event of model V0: quorate, ring seq, nodeids."""
    quorate, seq, count = unpack_from("=i4xQI", body)
    assert len(body) == 24 + 4 * count
    return quorate, seq, words(count, body, 20)


def v1_quorum(body):
    quorate, rep, seq, count = unpack_from("=i4xI4xQI", body)
    assert len(body) == 32 + 4 * count
    return quorate, (rep, seq), words(count, body, 28)


def v1_nodelist(body):
    rep, seq, members, joined, left = unpack_from("=I4xQI4xI4xI", body)
    assert len(body) == 40 + 4 * (members + joined + left)
    rows = words(members + joined + left, body, 36)
    return (rep, seq), rows[:members], rows[members : members + joined], rows[members + joined :]


def test_quorate_and_type(world):
    client = world.connect()
    assert world.ask(client, 0) == (0, OK, pack("=I4x", 0))
    world.decide(True)
    assert world.ask(client, 0) == (0, OK, pack("=I4x", 1))
    assert world.ask(client, 3) == (4, OK, pack("=I4x", 1))
    assert world.ask(client, 4, 0) == (5, OK, pack("=I4x", 1))
    assert world.ask(client, 4, 2) == (5, INVALID_PARAM, pack("=I4x", 1))


def test_without_a_provider_all_is_free_and_nothing_is_told():
    world = World(provider=False)
    client = world.connect(0)
    assert world.ask(client, 0)[2] == pack("=I4x", 1)
    assert world.ask(client, 3)[2] == pack("=I4x", 0)
    assert world.ask(client, 1, CHANGES) == (1, OK, b"")
    assert [notification(b) for _, b in client.take_events()] == [(1, 0, [])]
    world.sync((), (1, 2), 8)
    assert client.events == []
    newer = world.connect(1)
    world.ask(newer, 1, CHANGES_ONLY)
    world.sync((1, 2), (1, 2), 12)
    assert [number for number, _ in newer.take_events()] == [V1_NODELIST]


def test_the_old_model(world):
    client = world.connect()
    assert world.ask(client, 1, CURRENT) == (1, OK, b"")
    assert [(n, notification(b)) for n, b in client.take_events()] == [(NOTIFICATION, (0, 4, [1]))]
    world.decide(True)
    assert client.events == []  # the present state alone was asked for
    assert world.ask(client, 1, CHANGES) == (1, OK, b"")
    client.events.clear()
    world.sync((1,), (1, 2), 8)
    assert client.events == []
    world.decide(True)
    assert [(n, notification(b)) for n, b in client.take_events()] == [
        (NOTIFICATION, (1, 8, [1, 2]))
    ]


def test_the_new_model(world):
    client = world.connect(1)
    assert world.ask(client, 1, CHANGES) == (1, OK, b"")
    (first, nodelist), (second, view) = client.take_events()
    assert (first, second) == (V1_NODELIST, V1_QUORUM)
    assert v1_nodelist(nodelist) == ((1, 4), [1], [], [])
    assert v1_quorum(view) == (0, (1, 4), [1])
    world.sync((1,), (1, 2, 3), 8)
    [(number, nodelist)] = client.take_events()
    assert number == V1_NODELIST
    assert v1_nodelist(nodelist) == ((1, 8), [1, 2, 3], [2, 3], [])
    world.decide(True)
    [(number, view)] = client.take_events()
    assert (number, v1_quorum(view)) == (V1_QUORUM, (1, (1, 8), [1, 2, 3]))
    world.sync((1, 3), (1, 3), 12)
    [(_, nodelist)] = client.take_events()
    assert v1_nodelist(nodelist) == ((1, 12), [1, 3], [], [2])
    # Both in the old ring and in the new, but not together on the way.
    world.sync((1,), (1, 3), 16)
    [(_, nodelist)] = client.take_events()
    assert v1_nodelist(nodelist) == ((1, 16), [1, 3], [3], [3])


def test_changes_only_begins_in_silence(world):
    client = world.connect(1)
    assert world.ask(client, 1, CHANGES_ONLY) == (1, OK, b"")
    assert client.events == []
    world.decide(True)
    assert len(client.take_events()) == 1


def test_tracking_twice_is_refused_but_the_state_is_told(world):
    client = world.connect()
    world.ask(client, 1, CHANGES)
    client.events.clear()
    assert world.ask(client, 1, CHANGES) == (1, EXIST, b"")
    assert len(client.take_events()) == 1
    assert world.ask(client, 1, CHANGES_ONLY) == (1, EXIST, b"")
    assert client.events == []


def test_stop_is_always_fine(world):
    client = world.connect()
    assert world.ask(client, 2) == (2, OK, b"")
    world.ask(client, 1, CHANGES)
    client.events.clear()
    assert world.ask(client, 2) == (2, OK, b"")
    world.decide(True)
    assert client.events == []


def test_no_flags_track_nothing(world):
    client = world.connect()
    for flags in (0, 8, 0xFFFFFFF8):
        assert world.ask(client, 1, flags) == (1, OK, b"")
    world.decide(True)
    assert client.events == []


def test_a_client_that_is_gone_is_told_nothing(world):
    client, other = world.connect(), world.connect()
    world.ask(client, 1, CHANGES)
    world.ask(other, 1, CHANGES)
    client.events.clear()
    other.events.clear()
    world.handler.disconnected(client)
    world.decide(True)
    assert (len(client.events), len(other.events)) == (0, 1)


@pytest.mark.parametrize("number", [-3, -1, 1, 4, 5, 99])
def test_short_and_unknown_requests(world, number):
    client = world.connect()
    assert world.ask(client, number) == (0, INVALID_PARAM, b"")
    assert client.stats.invalid_request == 1
