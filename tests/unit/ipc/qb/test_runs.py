"""Runs of requests taken from a client's ring, and runs of events written for it."""

import struct
from array import array

import pytest

from corosync_tw.ipc.qb import client as client_module
from corosync_tw.ipc.qb import queue as queue_module
from corosync_tw.ipc.qb.queue import (
    BEHIND_BYTES_MIN,
    QUEUED_OVERHEAD_BYTES,
    UNREAD_LOOKS_MAX,
    EventQueue,
)
from corosync_tw.ipc.qb.shm import MANY_BELLS
from corosync_tw.services.lib_runs import EventRun, MessageHead, RunsTaken
from corosync_tw.totem.batch import MessageBatch
from tests.unit.ipc.qb.serving import ECHO, event, request

pytestmark = pytest.mark.needs("peer_credentials")

MCAST = 2
HEAD = MessageHead(1 << 20, b"prefix" + bytes(26), 6, 22)
EVENT_HEAD = struct.pack("=i4xi4xi4xI4x", 5, 0, 1, 0)
MSGLEN_AT = 24


def mcast(data, guarantee=2):
    return request(MCAST, struct.pack("=8xI4xI4x", guarantee, len(data)) + data)


class Sender:
    """Makes the scripted handler take runs, as long as there is room."""

    def __init__(self, handler, room_bytes=1 << 22):
        handler.take_runs = self.take_runs
        self.room_bytes = room_bytes
        self.runs = []
        self.guarantees = []

    def take_runs(self, client, requests):
        while length := requests.next_len():
            if length > self.room_bytes:
                return RunsTaken.UP_TO_FULL
            room = memoryview(bytearray(self.room_bytes))
            lens = array("I", bytes(4 * 5000))
            taken, guarantee, _ = requests.take_mcasts(HEAD, room, lens)
            if not taken:
                return RunsTaken.UP_TO_OTHER
            client.stats.requests += taken
            self.room_bytes -= sum(lens[:taken])
            self.guarantees.append(guarantee)
            whole, at = [], 0
            for length in lens[:taken]:
                whole.append(bytes(room[at + 32 : at + length]))
                at += length
            self.runs.append(whole)
        return RunsTaken.ALL


def batch_of(messages, skip=3):
    """A batch in one buffer, all messages but the last in one piece."""
    pieces, table, data = array("I"), array("I"), b""
    for number, message in enumerate(messages):
        whole = bytes(skip) + message
        pieces.extend((0, len(data), len(whole)))
        table.extend((number, 1, len(whole), 9))
        data += whole
    return MessageBatch(1, [memoryview(data)], pieces, table)


def run_of(messages, event_len_max=1 << 20):
    batch = batch_of(messages)
    return EventRun(EVENT_HEAD, MSGLEN_AT, event_len_max, batch, 0, len(messages), 3)


def as_event(message):
    size = len(EVENT_HEAD) + len(message)
    return struct.pack("=i4xi4xi4xI4x", 5, size, 1, len(message)) + message


def drain(bench, client):
    found = []
    while (got := client.event()) is not None:
        found.append(got)
    return found


@pytest.fixture
def runs(shm):
    shm.sender = Sender(shm.handler)
    return shm


def test_all_that_was_announced_is_one_run(runs):
    client = runs.connect()
    messages = [b"%d" % number for number in range(250)]
    for message in messages:
        assert client.requests.write(mcast(message))
    client.bell(250)
    runs.settle()
    assert runs.sender.runs == [messages]
    assert runs.ours().stats.requests == 250
    assert client.requests.value() == 0
    assert client.requests.word(0) == client.requests.word(1)


def rung(client, count):
    for number in range(count):
        assert client.requests.write(mcast(b"%d" % number))
    client.bell(count)


def test_many_bells_are_heard_amid_other_work_and_served_later(runs):
    client = runs.connect()
    rung(client, MANY_BELLS)
    runs.settle()
    rung(client, 3)
    runs.reactor.interludes()
    assert len(runs.sender.runs) == 1, "not amid other work"
    runs.settle()
    assert [len(run) for run in runs.sender.runs] == [MANY_BELLS, 3]


def test_few_bells_wait_for_the_loop(runs):
    client = runs.connect()
    rung(client, MANY_BELLS)
    runs.settle()
    rung(client, MANY_BELLS - 1)
    runs.settle()
    rung(client, 1)
    runs.reactor.interludes()
    assert not runs.ours().link.has_more()
    runs.settle()
    assert sum(map(len, runs.sender.runs)) == 2 * MANY_BELLS


def test_who_hangs_up_is_not_listened_to_any_more(runs):
    client = runs.connect()
    rung(client, MANY_BELLS)
    runs.settle()
    client.close()
    runs.reactor.interludes()
    runs.settle()
    runs.reactor.interludes()
    assert runs.handler.gone


def test_requests_of_other_kinds_keep_their_place(runs):
    client = runs.connect()
    order = []
    runs.handler.requests = lambda _, batch: order.append((len(runs.sender.runs), batch)) or 1
    for data in (mcast(b"a"), mcast(b"b"), request(ECHO), mcast(b"c", 3), mcast(b"d"), request(9)):
        client.send_raw(data)
    runs.settle()
    assert runs.sender.runs == [[b"a", b"b"], [b"c"], [b"d"]]
    assert runs.sender.guarantees == [2, 3, 2]
    assert order == [(1, [request(ECHO)]), (3, [request(9)])]


def test_what_finds_no_room_stays_with_the_client(runs):
    client = runs.connect()
    runs.sender.room_bytes = 100
    for number in range(3):
        client.send_raw(mcast(bytes([number]) * 40))
    runs.settle()
    assert runs.sender.runs == [[bytes(40)]]
    assert client.requests.value() == 2
    stats = runs.ours().stats
    assert (stats.requests, stats.recv_retries) == (1, 1)
    client.send_raw(mcast(b"last"))
    runs.settle()
    assert client.requests.value() == 3
    runs.sender.room_bytes = 1 << 20
    runs.server.resume()
    runs.settle()
    assert runs.sender.runs[1:] == [[b"\1" * 40, b"\2" * 40, b"last"]]
    assert client.requests.value() == 0


def test_flow_control_leaves_all_with_the_client(runs):
    client = runs.connect()
    runs.server.set_flow_control({2: 2})
    client.send_raw(mcast(b"early"))
    runs.settle()
    assert (runs.sender.runs, client.requests.value()) == ([], 1)
    runs.server.set_flow_control({2: 0})
    runs.settle()
    assert runs.sender.runs == [[b"early"]]


def test_what_was_sent_before_the_end_is_taken(runs):
    client = runs.connect()
    for number in range(20):
        client.send_raw(mcast(bytes([number])))
    client.close()
    runs.settle()
    assert runs.sender.runs == [[bytes([number]) for number in range(20)]]
    assert runs.handler.gone


def test_a_turn_ends(runs):
    client, other = runs.connect(), runs.connect()
    for _ in range(6000):
        assert client.requests.write(mcast(b""))
    client.bell(6000)
    other.send_raw(mcast(b"other"))
    runs.settle()
    lens = [len(run) for run in runs.sender.runs]
    assert sum(lens) == 6001
    assert max(lens) == 4096
    assert runs.sender.runs[1] == [b"other"]


@pytest.mark.parametrize("claimed", [0xFFFFFFFF, (1 << 20) + 1])
def test_a_chunk_of_a_wrong_length(runs, claimed):
    client = runs.connect()
    client.send_raw(mcast(b"good"))
    client.requests.write(mcast(b"bad"), claimed=claimed)
    client.bell()
    runs.settle()
    assert client.hung_up()
    assert f"a request of {claimed} bytes" in runs.complaints()[0]


def test_a_chunk_that_is_not_there(runs):
    client = runs.connect()
    client.send_raw(mcast(b"good"))
    client.bell()
    runs.settle()
    assert client.hung_up()
    assert "not there" in runs.complaints()[0]


def test_requests_that_were_not_posted(runs):
    client = runs.connect()
    for _ in range(5):
        client.requests.write(mcast(b"good"), post=False)
    client.bell(5)
    runs.settle()
    assert client.hung_up()


def test_requests_cut_off(runs):
    client = runs.connect()
    client.requests.write(mcast(bytes(9000)))
    client.requests.truncate(0)
    client.bell()
    runs.settle()
    assert client.hung_up()
    assert "cut off" in runs.complaints()[0]
    assert runs.sender.runs == []


@pytest.mark.parametrize("which", ["data", "header"])
def test_events_cut_off(runs, which):
    client = runs.connect()
    client.events.truncate(0, which)
    assert runs.ours().event_run(run_of([bytes(9000)] * 3)) == 3
    runs.server.flush()
    runs.settle()
    assert client.hung_up()
    assert "cut off" in runs.complaints()[0]


def test_a_reading_position_outside(runs):
    client = runs.connect()
    client.events.set_word(1, 0xFFFFFFFF)
    assert runs.ours().event_run(run_of([bytes(90_000)] * 30)) == 30
    runs.settle()
    assert client.hung_up()
    assert "reading position" in runs.complaints()[0]


def test_a_fault_of_a_handler_costs_its_client(runs):
    def faulty(client, requests):
        raise ZeroDivisionError

    runs.handler.take_runs = faulty
    client = runs.connect()
    client.send_raw(mcast(b"good"))
    runs.settle()
    assert client.hung_up()
    assert "ZeroDivisionError" in runs.complaints()[0]


def test_a_run_of_events_is_written_and_told_at_once(bench):
    client = bench.connect()
    messages = [b"%d" % number for number in range(100)]
    assert bench.ours().event_run(run_of(messages)) == 100
    bench.server.flush()
    assert drain(bench, client) == list(map(as_event, messages))
    stats = bench.ours().stats
    assert (stats.dispatched, stats.sent, stats.queued) == (100, 100, 0)


@pytest.mark.parametrize("copied_from", [0, 1 << 20])
def test_runs_through_a_full_transport(bench, monkeypatch, copied_from):
    monkeypatch.setattr(queue_module, "KEPT_BYTES_MAX", copied_from)
    client = bench.connect()
    expected = []
    for number in range(60):
        messages = [bytes([number, place]) * (1000 + place) for place in range(20)]
        assert bench.ours().event_run(run_of(messages)) == 20
        bench.ours().event(event(number))
        expected += [*map(as_event, messages), b"".join(event(number))]
    bench.server.flush()
    assert bench.ours().stats.queued
    received = []
    for _ in range(3000):
        received += drain(bench, client)
        bench.reactor.run_ms(1)
        if len(received) == len(expected):
            break
    assert received == expected
    stats = bench.ours().stats
    assert (stats.queued, stats.dispatched, bench.ours().queue_bytes) == (0, len(expected), 0)
    assert bench.server._queued_bytes == 0
    bench.reactor.run_ms(10)
    assert not bench.reactor.getDelayedCalls()


@pytest.mark.needs("epoll")
def test_a_reader_is_served_without_a_timer(shm):
    client = shm.connect()
    messages = [bytes([number]) * 100_000 for number in range(50)]
    shm.ours().event_run(run_of(messages))
    shm.server.flush()
    received, last = [], -1
    while len(received) != last:
        last = len(received)
        received += drain(shm, client)
        shm.settle()
    assert received == list(map(as_event, messages))


@pytest.mark.needs("epoll")
def test_who_has_much_to_read_is_served_when_it_has_read(runs):
    client = runs.connect()
    runs.ours().event_run(run_of([bytes(90_000)] * 30))
    runs.server.flush()
    client.send_raw(mcast(b"waits"))
    runs.settle()
    assert runs.sender.runs == []
    while runs.ours().queue_bytes > BEHIND_BYTES_MIN:
        assert runs.sender.runs == []
        assert drain(runs, client)
        runs.settle()
    assert runs.sender.runs == [[b"waits"]]


@pytest.mark.needs("epoll")
def test_who_does_not_read_at_all_is_served_after_a_while(runs):
    client = runs.connect()
    runs.ours().event_run(run_of([bytes(90_000)] * 50))
    client.send_raw(mcast(b"waits"))
    client.send_raw(request(ECHO))
    runs.settle()
    assert runs.sender.runs == []
    runs.reactor.run_ms(5 * UNREAD_LOOKS_MAX)
    assert runs.sender.runs == [[b"waits"]]
    assert client.response() is not None
    drain(runs, client)
    runs.settle()
    client.send_raw(mcast(b"again"))
    runs.settle()
    assert len(runs.sender.runs) == 1


def test_a_message_too_long_for_an_event_ends_the_run(bench):
    client = bench.connect()
    run = run_of([bytes(10), bytes(501), bytes(10)], event_len_max=len(EVENT_HEAD) + 500)
    assert bench.ours().event_run(run) == 1
    bench.server.flush()
    assert drain(bench, client) == [as_event(bytes(10))]
    for number in range(400):
        bench.ours().event(event(number, 9000))
    assert bench.ours().stats.queued
    assert bench.ours().event_run(run) == 1
    assert bench.ours().event_run(run.part(1, 2)) == 0


def test_runs_for_one_who_never_reads(bench, monkeypatch):
    monkeypatch.setattr(client_module, "QUEUE_BYTES_MAX", 3_000_000)
    client = bench.connect()
    for _ in range(200):
        bench.ours().event_run(run_of([bytes(50_000)] * 2))
    bench.server.flush()
    bench.settle()
    assert client.hung_up()
    assert "does not read" in bench.complaints()[0]
    assert bench.server._queued_bytes == 0


def test_events_for_one_who_is_gone(bench):
    bench.connect().close()
    ours = bench.ours()
    bench.settle()
    assert ours.event_run(run_of([b"late"] * 3)) == 3


def test_what_a_queue_costs():
    queue = EventQueue()
    run = run_of([bytes(40), bytes(8)])
    cost = 2 * len(EVENT_HEAD) + 48 + 2 * QUEUED_OVERHEAD_BYTES
    assert queue.append_run(run) == cost
    assert queue.append(b"event") == 5 + QUEUED_OVERHEAD_BYTES
    assert queue.head() is run
    assert queue.pop(1) == len(EVENT_HEAD) + 40 + QUEUED_OVERHEAD_BYTES
    assert (queue.head().first, queue.head().count) == (1, 1)
    assert queue.pop(1) == len(EVENT_HEAD) + 8 + QUEUED_OVERHEAD_BYTES
    assert queue.head() == b"event"
    assert queue.pop(1) == 5 + QUEUED_OVERHEAD_BYTES
    assert not queue


def test_runs_that_keep_much_memory_have_others_copied(monkeypatch):
    run = run_of([bytes(1000), b"small", bytes(1000)])
    monkeypatch.setattr(queue_module, "KEPT_BYTES_MAX", 2 * run.held_bytes())
    queue = EventQueue()
    held = []
    for _ in range(4):
        queue.append_run(run.part(1, 1))
    for _ in range(2):
        held.append(queue.head().held_bytes())
        queue.pop(1)
    queue.append_run(run.part(1, 1))
    while queue:
        kept = queue.head()
        assert [b"".join(kept.slices(kept.first))] == [as_event(b"small")]
        held.append(kept.held_bytes())
        queue.pop(1)
    assert held == [run.held_bytes()] * 2 + [5, 5, run.held_bytes()]
