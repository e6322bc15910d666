"""libcpg's requests and events: what a C client is told, and what hostile bytes do not do."""

import random
from struct import pack, unpack_from

import pytest

from corosync_tw.errors import CsBadHandle, CsInvalidParam, CsNoMemory
from corosync_tw.services.cpg import iteration, lib_wire
from corosync_tw.services.cpg.engine import CPG_ATOMIC_LEN_MAX
from corosync_tw.services.cpg.handler import CpgHandler
from corosync_tw.services.cpg.traffic import COPY_LEN_MAX
from corosync_tw.services.effects import CpgDeliver, CpgMember
from tests.unit.services.lib_clients import FakeClient, RingShell, give_effects, request
from tests.unit.services.memory_ring import MemoryRing

OK, TRY_AGAIN, INVALID_PARAM, NO_MEMORY, BAD_HANDLE = 1, 6, 7, 8, 9
NOT_EXIST, NAME_TOO_LONG, EXIST, INTERRUPT, TOO_BIG, NO_SECTIONS = 12, 13, 14, 16, 26, 27
CONFCHG, DELIVER, TOTEM_CONFCHG, PART = 4, 5, 13, 17
JOINED, LEFT, PROCDOWN = 1, 2, 5


class FakeZeroCopy:
    """Buffers by number, for all connections."""

    def __init__(self):
        self.buffers = {}
        self.closed = []

    def open(self, conn, uid, path):
        if not path.startswith("/dev/shm/corosync_zerocopy-"):
            raise CsInvalidParam(path)
        self.buffers[len(self.buffers) + 1] = b""

    def read(self, conn, number, offset, length):
        if number not in self.buffers:
            raise CsBadHandle(number)
        return self.buffers[number][offset : offset + length]

    def close(self, conn, number):
        if self.buffers.pop(number, None) is None:
            raise CsBadHandle(number)

    def close_all(self, conn):
        self.closed.append(conn)


def name(text: bytes) -> bytes:
    return pack("=I4x128s", len(text), text)


def join(group=b"g", pid=100, flags=0):
    return request(0, name(group) + pack("=I4xI4x", pid, flags))


def leave(group=b"g", pid=100):
    return request(1, name(group) + pack("=I4x", pid))


def mcast(data, msglen=None, guarantee=2):
    size = len(data) if msglen is None else msglen
    return request(2, pack("=8xI4xI4x", guarantee, size & 0xFFFFFFFF) + data)


def part(data, msglen, kind, fraglen=None):
    size = len(data) if fraglen is None else fraglen
    return request(12, pack("=8xI4xI4xI4xI4x", 2, msglen, size, kind) + data)


class World:
    """A ring of nodes, each with the cpg service for C clients."""

    def __init__(self, *nodeids):
        self.ring = MemoryRing(nodeids)
        self.zero_copy = FakeZeroCopy()
        self.shell = RingShell(self.ring)
        self.handlers = {
            n: CpgHandler(self.ring.nodes[n], self.shell, n, self.zero_copy) for n in nodeids
        }
        self.ring.form()
        self.settle()

    def connect(self, nodeid=1, pid=1000, uid=0):
        client = FakeClient(self.ring.nodes[nodeid].new_conn(), pid, uid)
        self.handlers[nodeid].connected(client)
        return client

    def ask(self, client, *requests, nodeid=1):
        assert self.handlers[nodeid].requests(client, requests) == len(requests)
        return client.answer() if client.responses else None

    def settle(self, ms=200):
        """Let the ring run and hand out what it said."""
        for stack in self.ring.nodes.values():
            stack._bus.sent = True
        self.ring.run_for(ms)
        for nodeid, handler in self.handlers.items():
            if nodeid in self.ring.nodes:
                give_effects(self.ring, nodeid, handler)

    def joined(self, nodeid=1, group=b"g", pid=100, flags=0):
        client = self.connect(nodeid)
        assert self.ask(client, join(group, pid, flags), nodeid=nodeid) == (0, OK, b"")
        self.settle()
        client.events.clear()
        return client


@pytest.fixture
def one():
    return World(1)


def confchg(body):
    """Read a CONFCHG: group, then members, left, joined."""
    length, value, members, joined, left = unpack_from("=I4x128sI4xI4xI4x", body)
    rows = [unpack_from("=I4xI4xI4x", body, 160 + 24 * i) for i in range(members + left + joined)]
    return value[:length], rows[:members], rows[members : members + left], rows[members + left :]


def deliver(body):
    length, value, msglen, nodeid, pid = unpack_from("=I4x128sI4xI4xI4x", body)
    assert len(body) == 160 + msglen
    return value[:length], nodeid, pid, body[160:]


def texts(client):
    return [deliver(body)[3] for number, body in client.take_events() if number == DELIVER]


class TestMembership:
    def test_a_join_is_answered_and_seen(self, one):
        client = one.connect()
        assert one.ask(client, join()) == (0, OK, b"")
        assert client.events == []
        one.settle()
        [(number, body)] = client.take_events()
        assert number == CONFCHG
        assert confchg(body) == (b"g", [(1, 100, 0)], [], [(1, 100, JOINED)])

    def test_a_change_is_encoded_once_for_all_clients(self, one, monkeypatch):
        encoded = []

        def encode(*change):
            encoded.append(change)
            return lib_wire.encode_confchgs(*change)

        monkeypatch.setattr("corosync_tw.services.cpg.handler.encode_confchgs", encode)
        clients = [one.joined(pid=pid) for pid in (1, 2, 3)]
        other = one.joined(group=b"h", pid=4)
        for client in (*clients, other):
            client.events.clear()
        encoded.clear()
        one.joined(pid=5)
        one.joined(group=b"h", pid=5)
        assert [change[0] for change in encoded] == [b"g", b"h"]
        assert [client.events for client in clients] == [clients[0].events] * 3
        assert confchg(clients[0].take_events()[0][1])[3] == [(1, 5, JOINED)]
        assert confchg(other.take_events()[0][1])[0] == b"h"

    def test_joins_in_all_states(self, one):
        client = one.connect()
        one.ask(client, join())
        assert one.ask(client, join()) == (0, EXIST, b"")  # the same process, the same group
        assert one.ask(client, join(b"h")) == (0, EXIST, b"")  # under way
        one.settle()
        assert one.ask(client, join(b"h")) == (0, EXIST, b"")
        other = one.connect()
        assert one.ask(other, join()) == (0, EXIST, b"")
        assert one.ask(other, join(pid=101)) == (0, OK, b"")
        one.settle()
        assert one.ask(client, leave()) == (1, OK, b"")
        assert one.ask(client, join(b"h")) == (0, 10, b"")  # CS_ERR_BUSY
        assert one.ask(client, leave()) == (1, NOT_EXIST, b"")
        one.settle()
        assert one.ask(client, join(b"h")) == (0, OK, b"")

    def test_a_process_that_comes_back_waits_for_its_leave(self, one):
        first = one.joined()
        one.handlers[1].disconnected(first)
        second = one.connect()
        assert one.ask(second, join()) == (0, TRY_AGAIN, b"")
        one.settle()
        assert one.ask(second, join()) == (0, OK, b"")

    def test_leaves_in_all_states(self, one):
        client = one.connect()
        assert one.ask(client, leave()) == (1, NOT_EXIST, b"")
        one.ask(client, join())
        assert one.ask(client, leave()) == (1, 10, b"")  # CS_ERR_BUSY
        one.settle()
        client.events.clear()
        assert one.ask(client, leave()) == (1, OK, b"")
        one.settle()
        [(_, body)] = client.take_events()
        assert confchg(body) == (b"g", [], [(1, 100, LEFT)], [])

    def test_names_longer_than_their_field(self, one):
        client = one.connect()
        for length in (129, 0x7FFFFFFF, 0xFFFFFFFF):
            bad = pack("=I4x128s", length, b"x" * 128)
            assert one.ask(client, request(0, bad + bytes(16)))[1] == NAME_TOO_LONG
            number, error, body = one.ask(client, request(3, bad))
            assert (number, error, len(body)) == (3, NAME_TOO_LONG, 9248 - 24)
            assert one.ask(client, request(5, bad + pack("=I4x", 2)))[1] == NAME_TOO_LONG
        assert one.ask(client, join(b"n" * 128))[1] == OK  # no byte left for a zero

    def test_a_lost_connection_is_a_process_down(self, one):
        client = one.joined()
        watcher = one.joined(pid=200)
        client.events.clear()
        one.handlers[1].disconnected(client)
        one.settle()
        [(_, body)] = watcher.take_events()
        assert confchg(body) == (b"g", [(1, 200, 0)], [(1, 100, PROCDOWN)], [])
        assert client.events == []
        assert one.zero_copy.closed == [client.conn]

    def test_after_finalize_nothing_more_comes_and_the_process_is_down(self, one):
        client = one.joined()
        watcher = one.joined(pid=200)
        client.events.clear()
        assert one.ask(client, request(8)) == (12, OK, b"")
        one.settle()
        assert client.events == []
        assert confchg(watcher.take_events()[0][1])[2] == [(1, 100, PROCDOWN)]
        one.handlers[1].disconnected(client)
        one.settle()
        assert watcher.events == []

    def test_the_list_of_members_has_its_fixed_length(self, one):
        one.joined(pid=300)
        one.joined(pid=100)
        client = one.connect()
        number, error, body = one.ask(client, request(3, name(b"g")))
        assert (number, error, len(body)) == (3, OK, 9224)
        assert unpack_from("=I4xI4xI4x8xI4xI4x", body) == (2, 1, 100, 1, 300)
        assert unpack_from("=I", one.ask(client, request(3, name(b"unknown")))[2]) == (0,)

    def test_own_nodeid(self, one):
        assert one.ask(one.connect(), request(4)) == (7, OK, pack("=I4x", 1))

    def test_other_nodes_come_and_go(self):
        world = World(1, 2)
        here = world.joined(1, pid=5)
        world.joined(2, pid=4)
        [(_, body)] = here.take_events()
        assert confchg(body) == (b"g", [(1, 5, 0), (2, 4, 0)], [], [(2, 4, JOINED)])
        world.ring.partition({1}, {2})
        world.ring.form([1])
        world.settle()
        (_, body), (ring, totem) = here.take_events()
        assert confchg(body) == (b"g", [(1, 5, 0)], [(2, 4, 3)], [])  # node down
        assert ring == TOTEM_CONFCHG
        assert unpack_from("=I4xQII", totem) == (1, world.ring.nodes[1].ring_id.seq, 1, 1)
        world.ring.heal()
        world.ring.form([1, 2])
        world.settle()
        (_, body), (ring, totem) = here.take_events()[-2:]
        assert confchg(body)[3] == [(2, 4, 4)]  # node up
        assert unpack_from("=I4xQIII", totem)[2:] == (2, 1, 2)


class TestTotemConfchg:
    def test_who_asks_for_it_hears_of_the_ring_behind_its_join(self, one):
        client = one.connect()
        one.ask(client, join(flags=1))
        one.settle()
        (first, _), (second, body) = client.take_events()
        assert (first, second) == (CONFCHG, TOTEM_CONFCHG)
        ring_id = one.ring.nodes[1].ring_id
        assert unpack_from("=I4xQII", body) == (1, ring_id.seq, 1, 1)
        assert len(body) == 24 + 4  # one member, and four bytes of padding

    def test_the_first_news_of_any_group_brings_it(self, one):
        early, late = one.connect(), one.connect()
        one.ask(early, join(b"a", 1))
        one.ask(late, join(b"b", 2, flags=1))
        one.settle()
        assert [number for number, _ in late.take_events()] == [TOTEM_CONFCHG, CONFCHG]
        assert [number for number, _ in early.take_events()] == [CONFCHG]

    def test_all_connections_hear_of_new_rings(self):
        world = World(1, 2)
        idle = world.connect(1)
        world.ring.partition({1}, {2})
        world.ring.form([1])
        world.settle()
        assert [number for number, _ in idle.take_events()] == [TOTEM_CONFCHG]


class TestMcast:
    def test_a_run_is_one_call_and_comes_back_in_order(self, one, monkeypatch):
        client = one.joined()
        calls = []
        send = one.ring.nodes[1].cpg_mcast

        def counted(conn, messages, guarantee, now_ns):
            calls.append(len(messages))
            send(conn, messages, guarantee, now_ns)

        monkeypatch.setattr(one.ring.nodes[1], "cpg_mcast", counted)
        sent = [b"a", b"", b"x" * (COPY_LEN_MAX + 1), b"b"]
        assert one.ask(client, *[mcast(text) for text in sent]) is None
        assert calls == [4]
        one.settle()
        assert texts(client) == sent

    def test_what_is_delivered(self, one):
        client = one.joined(group=b"gr\0up", pid=77)
        one.ask(client, mcast(b"data"))
        one.settle()
        [(number, body)] = client.take_events()
        assert number == DELIVER
        assert deliver(body) == (b"gr\0up", 1, 77, b"data")

    def test_a_full_queue_takes_a_part_of_the_batch_and_loses_nothing(self, one):
        client = one.joined()
        batch = [mcast(bytes([i]) * 500_000) for i in range(60)]
        served = one.handlers[1].requests(client, batch)
        assert 0 < served < len(batch)
        assert one.handlers[1].requests(client, batch[served:]) == 0
        got = []
        while served < len(batch):
            one.settle(3000)
            got += texts(client)
            served += one.handlers[1].requests(client, batch[served:])
        one.settle(3000)
        got += texts(client)
        assert [(len(text), text[:1]) for text in got] == [(500_000, bytes([i])) for i in range(60)]

    def test_requests_wait_for_the_end_of_synchronization(self):
        world = World(1, 2)
        client = world.joined(1)
        world.ring.partition({1}, {2})
        stack = world.ring.nodes[1]
        world.ring.run_until(lambda: stack.sync_in_progress)
        batch = [mcast(b"m"), part(b"p" * 10, 20, 1), request(4)]
        assert world.handlers[1].requests(client, batch) == 0
        assert world.handlers[1].requests(client, batch[1:]) == 0
        assert client.responses == []
        assert world.ask(client, join(b"other")) == (0, TRY_AGAIN, b"")
        world.ring.form([1])
        assert world.handlers[1].requests(client, batch) == 3
        world.settle()
        assert texts(client) == [b"m"]

    def test_nobody_hears_who_is_in_no_group(self, one):
        watcher = one.joined()
        stranger = one.connect()
        assert one.ask(stranger, mcast(b"x"), mcast(b"y")) is None
        one.settle()
        assert watcher.events == []

    @pytest.mark.parametrize(
        "bad",
        [
            request(2),
            request(2, bytes(23)),
            mcast(b"short", msglen=6),
            mcast(b"negative", msglen=-1),
            mcast(b"huge", msglen=0x7FFFFFFF),
            mcast(bytes(CPG_ATOMIC_LEN_MAX + 1)),
        ],
    )
    def test_a_bad_message_is_dropped_alone_and_unanswered(self, one, bad):
        client = one.joined()
        assert one.ask(client, mcast(b"before"), bad, mcast(b"after"), request(4))[0] == 7
        assert client.stats.invalid_request == 1
        one.settle()
        assert texts(client) == [b"before", b"after"]

    def test_bytes_behind_the_message_are_not_sent(self, one):
        client = one.joined()
        one.ask(client, mcast(b"hello and more", msglen=5))
        one.settle()
        assert texts(client) == [b"hello"]

    @pytest.mark.parametrize("guarantee", [0, 1, 2, 3, 4, 0x80000000, 0xFFFFFFFF])
    def test_any_guarantee_is_delivered_in_order(self, one, guarantee):
        client = one.joined()
        one.ask(client, mcast(b"1"), mcast(b"2", guarantee=guarantee), mcast(b"3"))
        one.settle()
        assert texts(client) == [b"1", b"2", b"3"]

    def test_messages_of_other_clients_between_are_told_apart(self, one):
        first, second = one.joined(pid=1), one.joined(group=b"h", pid=2)
        first.events.clear()
        for text in (b"aa", b"bb"):
            one.ask(first, mcast(text))
            one.ask(second, mcast(text))
        one.settle()
        assert [deliver(b) for _, b in first.take_events()] == [
            (b"g", 1, 1, b"aa"),
            (b"g", 1, 1, b"bb"),
        ]
        assert [deliver(b) for _, b in second.take_events()] == [
            (b"h", 1, 2, b"aa"),
            (b"h", 1, 2, b"bb"),
        ]

    def test_batches_against_requests_one_by_one(self):
        """Whatever the cut into batches, the same is delivered and answered."""
        rng = random.Random(5)
        for _ in range(5):
            kinds = [
                lambda: mcast(
                    rng.randbytes(rng.choice([0, 1, 64, 3000])), guarantee=rng.choice([2, 3])
                ),
                lambda: mcast(b"bad", msglen=99),
                lambda: request(4),
                lambda: request(rng.randrange(-3, 40), rng.randbytes(8)),
            ]
            requests = [rng.choice(kinds)() for _ in range(60)]
            seen = []
            for cut in (1, 7, 60):
                world = World(1)
                client = world.joined()
                for at in range(0, len(requests), cut):
                    piece = requests[at : at + cut]
                    assert world.handlers[1].requests(client, piece) == len(piece)
                world.settle()
                seen.append((client.responses, texts(client), client.stats.invalid_request))
            assert seen[0] == seen[1] == seen[2]


class TestParts:
    def test_parts_come_as_parts(self):
        world = World(1, 2)
        here, there = world.joined(1, pid=5), world.joined(2, pid=6)
        here.events.clear()
        for text, kind in ((b"one", 1), (b"two", 2), (b"3", 3)):
            assert world.ask(here, part(text, 7, kind)) == (18, OK, b"")
        world.settle()
        for client in (here, there):
            events = client.take_events()
            assert [number for number, _ in events] == [PART] * 3
            fields = [unpack_from("=I4x128sI4xI4xI4xI4xI4x", b)[2:] for _, b in events]
            assert fields == [(7, 3, 1, 5, 1), (7, 3, 1, 5, 2), (7, 1, 1, 5, 3)]
            assert b"".join(b[176:] for _, b in events) == b"onetwo3"

    def test_a_change_of_membership_interrupts(self, one):
        client = one.joined()
        one.ask(client, part(b"a", 2, 1))
        one.joined(pid=200)
        assert one.ask(client, part(b"b", 2, 3)) == (18, INTERRUPT, b"")
        assert one.ask(client, part(b"a", 2, 1)) == (18, OK, b"")
        assert one.ask(client, part(b"b", 2, 3)) == (18, OK, b"")

    def test_parts_that_overflow_what_was_announced_reach_no_client(self, one):
        client = one.joined()
        one.ask(client, part(b"1234", 6, 1))
        one.ask(client, part(b"5678", 6, 3))
        one.ask(client, part(b"never begun", 20, 2))
        one.settle()
        assert [number for number, _ in client.take_events()] == [PART]

    @pytest.mark.parametrize(
        ("bad", "error"),
        [
            (part(b"x", 1, 0), INVALID_PARAM),
            (part(b"x", 1, 4), INVALID_PARAM),
            (part(b"x", 9, 1, fraglen=2), INVALID_PARAM),
            (part(b"x", 9, 1, fraglen=0xFFFFFFFF), INVALID_PARAM),
        ],
    )
    def test_bad_parts(self, one, bad, error):
        assert one.ask(one.joined(), bad) == (18, error, b"")
        assert one.ask(one.connect(), part(b"x", 9, 1)) == (18, NOT_EXIST, b"")

    def test_a_message_longer_than_a_clients_buffer_comes_in_parts(self, one):
        client = one.joined()
        data = random.Random(1).randbytes(lib_wire.EVENT_LEN_MAX)
        one.handlers[1].effect_handlers()[CpgDeliver](
            CpgDeliver(client.conn, b"g", 1, 100, 1, memoryview(data))
        )
        events = client.take_events()
        kinds = [unpack_from("=I", body, 168)[0] for _, body in events]
        assert kinds == [1, 3]
        assert b"".join(body[176:] for _, body in events) == data
        assert max(24 + len(body) for _, body in events) <= lib_wire.EVENT_LEN_MAX


class TestLists:
    def test_lists_are_no_longer_than_a_clients_arrays(self):
        members = [CpgMember(1, pid, 0) for pid in range(300)]
        events = lib_wire.encode_confchgs(b"g", members, members, members[:130])
        changes = [confchg(event[24:]) for event in events]
        assert [len(change[1]) for change in changes] == [128, 128, 128]
        assert [len(change[2]) for change in changes] == [128, 128, 44]
        assert [len(change[3]) for change in changes] == [128, 2, 0]
        assert unpack_from("=I", lib_wire.encode_membership(members), 24) == (128,)


class TestIterations:
    @staticmethod
    def walk(world, client, kind, group=b""):
        number, error, body = world.ask(client, request(5, name(group) + pack("=I4x", kind)))
        assert (number, error) == (9, OK)
        found = []
        while True:
            number, error, entry = world.ask(client, request(6, body))
            assert number == 10
            if error == NO_SECTIONS:
                return found, body
            assert error == OK
            length, value, nodeid, pid = unpack_from("=I4x128sII", entry)
            found.append((value[:length], nodeid, pid))

    def test_the_order_is_corosyncs(self, one):
        for group, pid in ((b"a", 1), (b"b", 2), (b"a", 3), (b"a", 5), (b"c", 4)):
            one.joined(group=group, pid=pid)
        client = one.connect()
        everything, _ = self.walk(one, client, 3)
        a = [(b"a", 1, 1), (b"a", 1, 5), (b"a", 1, 3)]
        assert everything == [(b"c", 1, 4), (b"b", 1, 2), *a]
        assert self.walk(one, client, 1)[0] == [(b"c", 0, 0), (b"b", 0, 0), (b"a", 0, 0)]
        assert self.walk(one, client, 2, b"a")[0] == a
        assert self.walk(one, client, 2, b"none")[0] == []

    def test_a_walk_is_of_its_moment(self, one):
        one.joined(pid=1)
        client = one.connect()
        _, _, handle = one.ask(client, request(5, name(b"") + pack("=I4x", 3)))
        one.joined(pid=2)
        assert one.ask(client, request(6, handle))[1] == OK
        assert one.ask(client, request(6, handle))[1] == NO_SECTIONS
        assert one.ask(client, request(7, handle)) == (11, OK, b"")
        assert one.ask(client, request(7, handle)) == (11, 2, b"")
        assert one.ask(client, request(6, handle))[1] == 2

    def test_handles_of_others_are_unknown(self, one):
        one.joined()
        mine, other = one.connect(), one.connect()
        _, handle = self.walk(one, mine, 3)
        assert one.ask(other, request(6, handle))[1] == 2
        assert one.ask(other, request(7, handle))[1] == 2
        one.handlers[1].disconnected(mine)
        assert one.ask(mine, request(7, handle))[1] == 2

    def test_unknown_types(self, one):
        client = one.connect()
        for kind in (0, 4, 0xFFFFFFFF):
            number, error, body = one.ask(client, request(5, name(b"") + pack("=I4x", kind)))
            assert (number, error, len(body)) == (9, INVALID_PARAM, 8)

    def test_thousands_of_iterations_are_bounded(self, one):
        one.joined()
        client = one.connect()
        errors = [
            one.ask(client, request(5, name(b"") + pack("=I4x", 3)))[1]
            for _ in range(iteration.ITERATIONS_MAX + 10)
        ]
        assert errors == [OK] * iteration.ITERATIONS_MAX + [NO_MEMORY] * 10
        other = one.connect()
        assert one.ask(other, request(5, name(b"") + pack("=I4x", 3)))[1] == OK

    def test_entries_are_bounded(self):
        walks = iteration.Iterations(lambda _k, _n: ((1, 1, b"g"),) * 400_000)
        walks.initialize(1, iteration.IterationType.ALL, b"")
        walks.initialize(1, iteration.IterationType.ALL, b"")
        with pytest.raises(CsNoMemory):
            walks.initialize(1, iteration.IterationType.ALL, b"")


class TestZeroCopy:
    @staticmethod
    def alloc(path=b"/dev/shm/corosync_zerocopy-abc123"):
        return request(9, pack("=Q128s", 1000, path))

    def test_a_message_out_of_a_buffer(self, one):
        client = one.joined()
        assert one.ask(client, self.alloc()) == (0, OK, b"")
        one.zero_copy.buffers[1] = bytes(16) + mcast(b"from the buffer") + bytes(100)
        assert one.ask(client, request(11, pack("=Q", 1))) == (2, OK, b"")
        one.settle()
        assert texts(client) == [b"from the buffer"]
        assert one.ask(client, request(10, pack("=QQ", 1000, 1))) == (0, OK, b"")
        assert one.ask(client, request(10, pack("=QQ", 1000, 1))) == (0, BAD_HANDLE, b"")
        assert one.ask(client, request(11, pack("=Q", 1))) == (2, BAD_HANDLE, b"")

    @pytest.mark.parametrize(
        ("content", "error"),
        [
            (b"", INVALID_PARAM),
            (bytes(55), INVALID_PARAM),
            (bytes(16) + mcast(b"abc", msglen=4), INVALID_PARAM),
            (bytes(16) + mcast(b"abc", msglen=-1), TOO_BIG),
        ],
    )
    def test_buffers_that_end_too_soon(self, one, content, error):
        client = one.joined()
        one.ask(client, self.alloc())
        one.zero_copy.buffers[1] = content
        assert one.ask(client, request(11, pack("=Q", 1))) == (2, error, b"")

    def test_who_is_in_no_group_cannot_send(self, one):
        client = one.connect()
        one.ask(client, self.alloc())
        one.zero_copy.buffers[1] = bytes(16) + mcast(b"abc")
        assert one.ask(client, request(11, pack("=Q", 1))) == (2, NOT_EXIST, b"")

    def test_other_paths(self, one):
        assert one.ask(one.connect(), self.alloc(b"/etc/passwd")) == (0, INVALID_PARAM, b"")
        assert one.ask(one.connect(), self.alloc(b"\xff" * 128)) == (0, INVALID_PARAM, b"")


class TestHostile:
    @pytest.mark.parametrize("number", range(-5, 30))
    def test_short_requests_are_invalid(self, one, number):
        client = one.joined()
        for body in (b"", b"\0", bytes(7)):
            one.ask(client, request(number, body))
        assert all(error == INVALID_PARAM for _, error in _outcomes(client)) or number in {4, 8}

    def test_random_requests(self, one):
        rng = random.Random(7)
        clients = [one.joined(pid=p) for p in range(3)]
        for _ in range(3000):
            client = rng.choice(clients)
            body = bytearray(rng.randbytes(rng.choice([0, 8, 24, 136, 144, 152, 400])))
            for _ in range(rng.randrange(4)):
                if len(body) >= 8:
                    at = rng.randrange(len(body) // 8) * 8
                    body[at : at + 8] = pack("=Q", rng.choice([0, 1, 2, 3, 128, 129, 2**31, 2**63]))
            asked = request(rng.randrange(13), bytes(body))
            assert one.handlers[1].requests(client, [asked]) in {0, 1}
        one.settle()
        assert one.ask(one.connect(), request(4))[1] == OK


def _outcomes(client):
    return [client.answer()[:2] for _ in range(len(client.responses))]
