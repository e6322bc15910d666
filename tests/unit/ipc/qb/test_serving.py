"""The server by both transports: messages, flow control, queues, ends."""

import errno
import gc
import os
import socket
import struct
from pathlib import Path

import pytest

from corosync_tw.ipc.qb import client as client_module
from corosync_tw.ipc.qb import server as server_module
from tests.unit.ipc.qb.raw_client import Refused
from tests.unit.ipc.qb.serving import ECHO, ONEWAY, SERVICE_ID, event, request

pytestmark = pytest.mark.needs("peer_credentials")


def test_request_and_response(bench):
    client = bench.connect()
    assert bench.ask(client, ECHO, b"hello") == struct.pack("=i4xi4xi4x", 1, 29, 1) + b"hello"
    assert (client.max_msg_size, bench.ours().pid, bench.ours().uid) == (
        1 << 20,
        os.getpid(),
        os.getuid(),
    )
    assert bench.ours().procname == Path("/proc/self/comm").read_text().rstrip("\n")
    assert bench.ours().stats.requests == bench.ours().stats.responses == 1


def test_messages_as_long_as_agreed(bench):
    client = bench.connect()
    body = os.urandom((1 << 20) - 16 - 8)
    for _ in range(3):
        answer = bench.ask(client, ECHO, body)
        assert answer is not None
        assert answer[24:] == body


def test_requests_come_in_batches(bench):
    client = bench.connect()
    count = 9
    for number in range(count):
        client.send(ONEWAY, bytes([number]))
    bench.settle()
    assert [data[16] for data in bench.handler.seen] == list(range(count))
    assert bench.handler.batches == [count]


def test_one_turn_is_no_more_than_a_share(shm):
    client = shm.connect()
    for number in range(150):
        assert client.requests.write(request(ONEWAY, struct.pack("=I", number)))
    client.bell(150)
    shm.settle()
    assert shm.handler.batches == [64, 64, 22]
    assert [data[16:] for data in shm.handler.seen] == [struct.pack("=I", n) for n in range(150)]


def test_a_share_is_bounded_in_bytes(shm):
    first, second = shm.connect(4 << 20), shm.connect()
    for _ in range(4):
        assert first.send(ONEWAY, bytes(900_000))
    second.send(ONEWAY)
    shm.settle()
    assert shm.handler.batches == [2, 1, 2]


def test_events_are_written_at_once_and_told_together(shm):
    client = shm.connect()
    for number in range(50):
        shm.ours().event(event(number))
    shm.server.flush()
    assert len(client.sock.recv(100, socket.MSG_PEEK)) == 50
    assert [client.event() for _ in range(51)] == [
        *(b"".join(event(number)) for number in range(50)),
        None,
    ]
    assert shm.ours().stats.dispatched == 50


def test_events_in_order_through_a_full_transport(bench):
    client = bench.connect()
    count, len_bytes = 400, 9000
    for number in range(count):
        bench.ours().event(event(number, len_bytes))
    bench.server.flush()
    assert bench.ours().stats.queued > 0
    received = []
    for _ in range(3000):
        while (got := client.event()) is not None:
            received.append(got)
        bench.reactor.run_ms(1)
        if len(received) == count:
            break
    assert received == [b"".join(event(number, len_bytes)) for number in range(count)]
    stats = bench.ours().stats
    assert (stats.queued, stats.dispatched, bench.ours().queue_bytes) == (0, count, 0)
    assert bench.server._queued_bytes == 0
    bench.reactor.run_ms(10)
    assert not bench.reactor.getDelayedCalls()


def test_events_are_there_before_the_response_that_follows(bench):
    client = bench.connect()

    def serve(our_end, batch):
        our_end.event(event(1))
        our_end.respond(b"r" * 24)
        assert client.response() == b"r" * 24
        assert client.event() == b"".join(event(1))
        return len(batch)

    bench.handler.requests = serve
    client.send(ECHO)
    bench.settle()


def test_a_client_that_never_reads_is_dropped(bench, monkeypatch):
    monkeypatch.setattr(client_module, "QUEUE_BYTES_MAX", 3_000_000)
    client, other = bench.connect(), bench.connect()
    reader, never = bench.handler.clients[1], bench.handler.clients[0]
    for number in range(600):
        never.event(event(number, 9000))
        reader.event(event(number))
        bench.server.flush()
        bench.reactor.run_ms(1)
        assert other.event() == b"".join(event(number))
    assert client.hung_up()
    assert bench.handler.gone == [never]
    assert len(bench.complaints()) == 1
    assert "does not read" in bench.complaints()[0]
    assert bench.server._queued_bytes == 0
    assert len(bench.left_in_shm()) == 1


def test_the_longest_queue_goes_when_all_are_too_long(shm, monkeypatch):
    monkeypatch.setattr(server_module, "QUEUES_BYTES_MAX", 4_000_000)
    clients = [shm.connect() for _ in range(3)]
    for number in range(600):
        shm.handler.clients[1].event(event(number, 9000))
        for client in shm.handler.clients[::2]:
            client.event(event(number, 4000))
    shm.settle()
    assert [client.hung_up() for client in clients] == [False, True, False]


def test_flow_control_is_shown_and_holds_requests(bench):
    client = bench.connect()
    bench.server.set_flow_control({SERVICE_ID: 2})
    assert client.flow_control() == 2
    assert bench.connect().flow_control() == 2
    client.send(ONEWAY, b"waits")
    bench.settle()
    assert bench.handler.seen == []
    bench.server.set_flow_control({SERVICE_ID: 1})
    bench.server.set_flow_control({SERVICE_ID: 0})
    assert client.flow_control() == 0
    bench.settle()
    assert bench.handler.seen == [request(ONEWAY, b"waits")]
    assert bench.handler.clients[0].stats.flow_control_count == 3


def test_flow_control_of_other_services_stays(bench):
    client = bench.connect()
    bench.server.set_flow_control({SERVICE_ID: 1, 7: 2})
    bench.server.set_flow_control({7: 0})
    assert client.flow_control() == 1


def test_what_a_handler_does_not_take_is_offered_again(bench):
    client = bench.connect()
    bench.handler.appetite = 2
    for number in range(5):
        client.send(ONEWAY, bytes([number]))
    bench.settle()
    client.send(ONEWAY, b"\x05")
    bench.settle()
    assert [data[16] for data in bench.handler.seen] == [0, 1]
    bench.server.resume()
    assert len(bench.handler.seen) == 2
    bench.handler.appetite = None
    bench.server.resume()
    bench.settle()
    assert [data[16] for data in bench.handler.seen] == list(range(6))
    assert bench.handler.clients[0].stats.requests == 6


def test_clients_that_wait_take_turns(bench):
    clients = [bench.connect() for _ in range(3)]
    bench.handler.appetite = 0
    for client in clients:
        for number in range(4):
            client.send(ONEWAY, bytes([clients.index(client), number]))
        bench.settle()
    for _ in range(4):
        bench.handler.appetite = 2
        bench.server.resume()
    assert [data[16] for data in bench.handler.seen] == [0, 0, 1, 1, 2, 2, 0, 0]
    bench.handler.appetite = None
    bench.server.resume()
    for client in range(3):
        assert [d[17] for d in bench.handler.seen if d[16] == client] == [0, 1, 2, 3]


def test_a_client_that_goes_while_it_waits_holds_up_nobody(bench):
    first, second = bench.connect(), bench.connect()
    bench.handler.appetite = 0
    for client in (first, second):
        client.send(ONEWAY, b"x")
    bench.settle()
    first.close()
    bench.settle()
    bench.handler.appetite = None
    bench.server.resume()
    assert len(bench.handler.seen) == 1
    assert len(bench.handler.gone) == 1


def test_a_fault_of_ours_costs_its_client_alone(bench):
    unlucky, other = bench.connect(), bench.connect()

    def fail(client, batch):
        raise AssertionError("a broken invariant")

    serve, bench.handler.requests = bench.handler.requests, fail
    unlucky.send(ONEWAY)
    bench.settle()
    bench.handler.requests = serve
    assert bench.server.stats.active == 1
    assert len(bench.handler.gone) == 1
    [complaint] = bench.complaints()
    assert "a fault of the daemon" in complaint
    assert "a broken invariant" in complaint
    assert bench.ask(other, ECHO, b"still here") is not None


def test_the_end_leaves_nothing_even_if_a_service_is_broken(bench):
    for _ in range(3):
        bench.connect()

    def fail(client):
        raise AssertionError("a broken service")

    bench.handler.disconnected = fail
    with pytest.raises(AssertionError, match="a broken service"):
        bench.server.stop()
    assert bench.left_in_shm() == []
    assert bench.server.stats.active == 0
    del bench.handler.disconnected


def test_what_was_kept_waits_for_flow_control_too(bench):
    client = bench.connect()
    bench.handler.appetite = 1
    client.send(ONEWAY, b"a")
    client.send(ONEWAY, b"b")
    bench.settle()
    bench.handler.appetite = None
    bench.server.set_flow_control({SERVICE_ID: 2})
    bench.server.resume()
    assert len(bench.handler.seen) == 1
    bench.server.set_flow_control({SERVICE_ID: 0})
    bench.server.resume()
    bench.settle()
    assert len(bench.handler.seen) == 2


def test_a_client_that_goes_leaves_nothing(bench):
    gc.collect()
    descriptors = len(os.listdir("/proc/self/fd"))
    for _ in range(20):
        client = bench.connect()
        bench.ask(client, ECHO)
        client.close()
        bench.settle()
    del client
    gc.collect()
    assert bench.left_in_shm() == []
    assert len(os.listdir("/proc/self/fd")) == descriptors
    assert (bench.server.stats.active, bench.server.stats.closed) == (0, 20)
    assert bench.handler.gone == bench.handler.clients
    assert list(bench.server.clients()) == []


def test_what_a_client_said_before_it_went_is_served(bench):
    client = bench.connect()
    for number in range(9):
        client.send(ONEWAY, bytes([number]))
    client.close()
    bench.settle()
    assert [data[16] for data in bench.handler.seen] == list(range(9))
    assert bench.left_in_shm() == []


def test_a_handler_hangs_up(bench):
    client = bench.connect()
    bench.handler.requests = lambda our_end, batch: our_end.close() or len(batch)
    client.send(ONEWAY)
    bench.settle()
    assert client.hung_up()
    assert len(bench.handler.gone) == 1
    bench.ours().close()
    bench.ours().respond(b"")
    bench.ours().event(event(1))
    bench.settle()
    assert len(bench.handler.gone) == 1


def test_a_disconnect_request(bench):
    client = bench.connect()
    client.send(ONEWAY)
    client.send(-3)
    bench.settle()
    assert client.hung_up()
    assert bench.handler.seen == [request(ONEWAY)]


def test_stopping_tells_everybody(bench):
    clients = [bench.connect() for _ in range(3)]
    bench.server.stop()
    assert all(client.hung_up() for client in clients)
    assert bench.handler.gone == bench.handler.clients
    assert bench.left_in_shm() == []
    assert not bench.reactor.readers
    assert not bench.reactor.getDelayedCalls()


def test_not_ready(bench):
    bench.is_ready = False
    with pytest.raises(Refused) as refused:
        bench.connect()
    assert refused.value.code == errno.EAGAIN
    bench.is_ready = True
    bench.connect()


def test_not_allowed(bench, monkeypatch):
    bench.is_allowed = False
    monkeypatch.setattr(
        server_module, "Site", lambda *args: pytest.fail("nothing is made for a stranger")
    )
    if os.getuid() == 0 or os.getgid() == 0:
        refuse = bench.server._refused
        bench.server._refused = lambda sock, peer, size: refuse(
            sock, peer._replace(uid=1001, gid=1002), size
        )
    with pytest.raises(Refused) as refused:
        bench.connect()
    assert refused.value.code == errno.EACCES
    assert bench.left_in_shm() == []
    assert len(bench.strangers) == 1


def test_a_full_memory(shm, monkeypatch):
    monkeypatch.setattr(server_module, "_free_bytes", lambda directory: 3_000_000)
    with pytest.raises(Refused) as refused:
        shm.connect()
    assert refused.value.code == errno.ENOMEM


def test_no_descriptors(bench, monkeypatch):
    monkeypatch.setattr(server_module, "_descriptors_max", lambda: 4)
    with pytest.raises(Refused) as refused:
        bench.connect()
    assert refused.value.code == errno.EMFILE


def test_room_asked_for(bench):
    assert bench.connect(100).max_msg_size == 12328
    with pytest.raises(Refused) as refused:
        bench.connect(0xFFFFFFFF)
    assert refused.value.code == errno.EINVAL


def test_clearing_statistics(bench):
    client = bench.connect()
    bench.ask(client, ECHO)
    bench.server.clear_stats()
    assert bench.ours().stats.requests == 0
    assert bench.server.stats.active == 1
    version = bench.server.version
    client.close()
    bench.settle()
    assert (bench.server.stats.active, bench.server.stats.closed) == (0, 1)
    assert bench.server.version != version
