"""libvotequorum's requests and events as bytes, and what hostile ones do not do."""

import random
from struct import pack, unpack_from

import pytest

from corosync_tw.services.params import ServiceParams
from corosync_tw.services.votequorum.handler import VotequorumHandler
from tests.unit.services.lib_clients import FakeClient, RingShell, give_effects, request
from tests.unit.services.memory_ring import MemoryRing

OK, TRY_AGAIN, INVALID_PARAM, NOT_EXIST, EXIST = 1, 6, 7, 12, 14
NAME_NOT_FOUND, MESSAGE_ERROR, BUSY = 17, 22, 10
STATUS, GETINFO, QUORUM, EXPECTEDVOTES, NODELIST = 0, 1, 3, 4, 5
CHANGES = 2
CONTEXT = 0x1122334455667788


class Bench:
    """A ring, and the clients of its first node."""

    def __init__(self):
        self.ring = MemoryRing((1, 2, 3), lambda n: ServiceParams(nodeid=n, expected_votes=3))
        self.ring.form()
        self.shell = RingShell(self.ring)
        self.engine = self.ring.nodes[1].votequorum
        self.handler = VotequorumHandler(self.engine, self.shell)
        self.client = self.connect(7)
        self.ring.log[1].clear()

    def connect(self, conn):
        client = FakeClient(conn)
        self.handler.connected(client)
        return client

    def ask(self, number, body=b"", client=None):
        client = client or self.client
        self.handler.requests(client, [request(number, body)])
        return client.answer()

    def error(self, number, body=b"", client=None):
        return self.ask(number, body, client)[1]

    def run(self):
        self.ring.run_for(1500)
        give_effects(self.ring, 1, self.handler)


@pytest.fixture
def bench():
    return Bench()


def name(text=b"net"):
    return pack("=255sx", text)


def poll(bench, text=b"net", cast_vote=1, seq_step=0):
    rep, seq = bench.engine.ring_id
    return name(text) + pack("=i4xI4xQ", cast_vote, rep, seq + seq_step)


def register(bench, client=None):
    client = client or bench.client
    bench.handler.requests(client, [request(5, name())])
    bench.run()
    return client.answer()


def test_information_of_a_node(bench):
    number, error, body = bench.ask(0, pack("=I4x", 0))
    assert (number, error, len(body)) == (GETINFO, OK, 320 - 24)
    assert unpack_from("=9I", body) == (1, 1, 1, 3, 3, 3, 2, 2, 0)
    assert not any(body[36:])
    assert unpack_from("=I", bench.ask(0, pack("=I4x", 3))[2]) == (3,)


def test_information_of_nobody_is_as_long(bench):
    number, error, body = bench.ask(0, pack("=I4x", 99))
    assert (number, error, len(body)) == (GETINFO, NOT_EXIST, 320 - 24)


def test_changes_of_votes(bench):
    assert bench.ask(1, pack("=I4x", 5)) == (STATUS, OK, b"")
    assert bench.error(1, pack("=I4x", 2)) == INVALID_PARAM
    assert bench.error(2, pack("=II", 2, 3)) == OK
    assert bench.error(2, pack("=II", 2, 99)) == NAME_NOT_FOUND
    bench.run()
    assert bench.ring.nodes[2].votequorum.us.expected_votes == 5
    assert bench.ring.nodes[2].votequorum.nodes[3].votes == 2
    assert bench.shell.pumps


def test_the_present_state_is_there_before_the_answer(bench):
    bench.handler.requests(bench.client, [request(3, pack("=QI4x", CONTEXT, CHANGES))])
    (nodelist_id, nodelist), (quorum_id, quorum) = bench.client.take_events()
    assert bench.client.answer() == (STATUS, OK, b"")
    assert (nodelist_id, quorum_id) == (NODELIST, QUORUM)
    rep, seq = bench.engine.ring_id
    assert unpack_from("=QI4xQI4x3I", nodelist) == (CONTEXT, rep, seq, 3, 1, 2, 3)
    quorate, context, count = unpack_from("=I4xQI4x", quorum)
    assert (quorate, context, count) == (1, CONTEXT, 3)
    nodes = dict(unpack_from("=II", quorum, 24 + 8 * i) for i in range(3))
    assert nodes == {1: 1, 2: 1, 3: 1}


def test_changes_are_told(bench):
    assert bench.error(3, pack("=QI4x", CONTEXT, CHANGES)) == OK
    assert bench.error(3, pack("=QI4x", 5, CHANGES)) == EXIST
    assert [number for number, _ in bench.client.take_events()] == [NODELIST, QUORUM] * 2
    bench.error(1, pack("=I4x", 5))
    bench.run()
    ((number, body),) = bench.client.take_events()
    assert (number, unpack_from("=QI4x", body), len(body)) == (EXPECTEDVOTES, (CONTEXT, 5), 16)
    bench.ring.crash(3)
    bench.ring.form((1, 2))
    bench.run()
    assert [number for number, _ in bench.client.take_events()] == [NODELIST, QUORUM]
    assert bench.error(4) == OK
    assert bench.error(4) == NOT_EXIST


def test_a_client_that_is_gone_is_told_nothing(bench):
    bench.error(3, pack("=QI4x", CONTEXT, CHANGES))
    bench.client.take_events()
    bench.handler.disconnected(bench.client)
    bench.handler.disconnected(bench.client)
    bench.error(1, pack("=I4x", 5), bench.connect(8))
    bench.run()
    assert bench.client.events == []


def test_the_life_of_a_device(bench):
    assert bench.error(8, poll(bench)) == NOT_EXIST
    assert register(bench) == (STATUS, OK, b"")
    assert bench.error(5, name()) == OK
    assert bench.error(5, name(b"other")) == EXIST
    assert bench.error(8, poll(bench, seq_step=4)) == MESSAGE_ERROR
    assert bench.error(8, poll(bench)) == OK
    assert bench.error(9, name() + pack("=I4x", 1)) == OK
    body = bench.ask(0, pack("=I4x", 0))[2]
    assert unpack_from("=I", body, 28)[0] == 2 | 64 | 128 | 256 | 512
    assert body[36:40] == b"net\0"
    assert bench.error(7, pack("=255s255s2x", b"net", b"new")) == OK
    bench.run()
    assert bench.error(6, name()) == INVALID_PARAM
    assert bench.error(6, name(b"new")) == OK
    assert bench.error(6, name(b"new")) == NOT_EXIST


def test_a_registration_answers_its_own_client_once(bench):
    second = bench.connect(8)
    bench.handler.requests(bench.client, [request(5, name())] * 2)
    assert bench.client.answer()[1] == BUSY
    assert bench.error(5, name(), second) == TRY_AGAIN
    bench.run()
    assert bench.client.answer()[1] == OK
    assert bench.client.responses == []
    assert register_by_going(bench) == []


def register_by_going(bench):
    """Register and go at once."""
    third = bench.connect(9)
    bench.error(6, name())
    bench.run()
    bench.handler.requests(third, [request(5, name())])
    bench.handler.disconnected(third)
    bench.run()
    return third.responses


def test_a_device_may_poll_while_services_synchronize(bench):
    register(bench)
    assert bench.error(8, poll(bench)) == OK
    bench.run()
    bench.ring.crash(3)
    stack = bench.ring.nodes[1]
    bench.ring.run_until(lambda: stack.members == (1, 2) and bench.engine.device.holds_sync)
    bench.ring.run_for(2000)
    assert stack.sync_in_progress
    assert bench.error(8, poll(bench)) == OK
    bench.ring.form((1, 2))


def test_nobody_waits_for_a_device_for_ever(bench):
    register(bench)
    bench.error(8, poll(bench))
    bench.run()
    bench.ring.crash(3)
    begun = bench.ring.now_ns
    bench.ring.form((1, 2))
    waited_ms = (bench.ring.now_ns - begun) // 1_000_000
    assert 30_000 <= waited_ms < 40_000


def test_the_last_man_standing_window_closes_by_the_stack_s_clock():
    def services(nodeid):
        return ServiceParams(nodeid=nodeid, expected_votes=4, last_man_standing=True)

    ring = MemoryRing((1, 2, 3, 4), services)
    ring.form()
    ring.crash(4)
    ring.form((1, 2, 3))
    engine = ring.nodes[1].votequorum
    assert engine.us.expected_votes == 4
    ring.run_until(lambda: engine.us.expected_votes == 3)
    assert engine.quorum == 2


@pytest.mark.parametrize("number", [5, 6, 7, 8, 9])
def test_names_without_an_end_are_refused(bench, number):
    register(bench)
    body = b"n" * 510 + bytes(32)
    assert bench.error(number, body) == INVALID_PARAM
    assert bench.engine.qdevice_name == b"net"


@pytest.mark.parametrize("number", range(10))
def test_short_requests_are_refused(bench, number):
    size = {0: 8, 1: 8, 2: 8, 3: 16, 4: 0, 5: 256, 6: 256, 7: 512, 8: 280, 9: 264}[number]
    if size:
        assert bench.ask(number, bytes(size - 1))[:2] == (0, INVALID_PARAM)
    assert bench.client.stats.invalid_request == bool(size)


def test_random_requests_leave_node_and_client_sound(bench):
    rng = random.Random(5)
    for _ in range(3000):
        body = rng.choice((rng.randbytes(600), bytes(600), name() + rng.randbytes(300)))
        bench.handler.requests(bench.client, [request(rng.randrange(-2, 14), body)])
        if rng.random() < 0.02:
            bench.ring.run_for(50)
            give_effects(bench.ring, 1, bench.handler)
    bench.ring.run_for(2000)
    stack = bench.ring.nodes[1]
    assert bench.engine.us.expected_votes <= 0xFFFFFFFF
    assert stack.members == (1, 2, 3)
