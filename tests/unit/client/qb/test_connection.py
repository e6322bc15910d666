"""Connections: handshake, requests, events and the end, over both transports."""

import errno
import os
import struct
import subprocess

import pytest

from corosync_tw.client.qb.connection import connect
from corosync_tw.client.qb.faults import Disconnected
from corosync_tw.errors import CsAccess, CsError, CsNotExist, CsTimeout, CsTooBig, CsTryAgain
from tests.unit.client.qb.raw_server import (
    DATA_LEN,
    FLOW_WORD,
    MAX_MSG_LEN,
    REF_COUNT_WORD,
    SHM,
    SOCKET,
    RawServer,
    response,
)

BOTH = pytest.mark.parametrize("kind", [SHM, SOCKET])


@BOTH
def test_a_request_has_its_header_and_a_response(kind):
    with RawServer(kind) as server, connect(server.service, 5) as connection:
        answer = connection.request(7, bytes(16) + b"payload")
        assert answer == response(b"payload")
        assert server.requests.get() == struct.pack("=i4xi4x", 7, 23) + b"payload"


@BOTH
def test_events_come_in_order_and_none_is_none(kind):
    with RawServer(kind) as server, connect(server.service, 5) as connection:
        assert connection.event(0) is None
        for number in range(3):
            server.event(response(bytes([number])))
        assert [connection.event(5)[-1] for _ in range(3)] == [0, 1, 2]
        assert connection.event(0) is None


def test_long_messages_wrap_around_the_ring():
    def late(server):
        for ring in server.ring_list:
            ring.start_at(DATA_LEN // 4 - 3)

    server = RawServer()
    server.greet = late
    with server, connect(server.service, 5) as connection:
        for length in (1, 2, 3, 4, 5, 4000, MAX_MSG_LEN - 24):
            body = os.urandom(length)
            assert connection.request(1, bytes(16) + body)[24:] == body


def test_header_and_data_may_part_at_the_end_of_the_ring():
    for back in (1, 2):
        server = RawServer()
        server.greet = lambda s, back=back: [r.start_at(DATA_LEN // 4 - back) for r in s.ring_list]
        with server, connect(server.service, 5) as connection:
            assert connection.request(1, bytes(16) + b"abcde")[24:] == b"abcde"


@pytest.mark.parametrize(
    ("number", "kind"), [(errno.EAGAIN, CsTryAgain), (errno.EACCES, CsAccess), (99999, CsError)]
)
def test_refused(number, kind):
    server = RawServer()
    server.error = -number
    with server, pytest.raises(kind):
        connect(server.service, 5)


def test_nobody_listens():
    with pytest.raises(CsError) as caught:
        connect(f"cti-nobody-{os.getpid()}", 5)
    assert caught.value.code == 2


def test_an_error_in_a_response_is_raised():
    server = RawServer()
    server.answer = lambda _: [response(error=12)]
    with server, connect(server.service, 5) as connection:
        with pytest.raises(CsNotExist):
            connection.request(1, least_len=32)
        server.answer = lambda _: [response(b"8 bytes.")]
        assert connection.request(1, least_len=32)


@pytest.mark.parametrize(("level", "held_up_to", "held"), [(1, 1, 1), (2, 1, 0), (2, 2, 1)])
def test_flow_control(level, held_up_to, held):
    with RawServer() as server, connect(server.service, 5) as connection:
        server.request_ring.words[FLOW_WORD] = level
        if held:
            with pytest.raises(CsTryAgain):
                connection.send(1, held_up_to=held_up_to)
        else:
            connection.send(1, held_up_to=held_up_to)


def test_flow_control_over_sockets():
    with RawServer(SOCKET) as server, connect(server.service, 5) as connection:
        with open(server.paths[0], "r+b") as control:
            control.write(struct.pack("=ii", 0, 1))
        with pytest.raises(CsTryAgain):
            connection.request(1)


def test_a_full_ring_asks_to_try_again():
    server = RawServer()
    server.greet = lambda s: s.request_ring.start_at(0)
    with server, connect(server.service, 5) as connection:
        server.request_ring.words[1] = 5
        with pytest.raises(CsTryAgain):
            connection.send(1)


def test_too_long_a_request():
    with (
        RawServer() as server,
        connect(server.service, 5) as connection,
        pytest.raises(CsTooBig),
    ):
        connection.send(1, bytes(MAX_MSG_LEN + 1))


@BOTH
def test_an_answer_that_does_not_come_in_time_closes_the_connection(kind):
    server = RawServer(kind)
    server.answer = lambda _: []
    with server:
        connection = connect(server.service, 5)
        connection._timeout_s = 0.05
        with pytest.raises(CsTimeout):
            connection.request(1)
        with pytest.raises(Disconnected):
            connection.request(1)


@BOTH
def test_a_server_that_hangs_up(kind):
    server = RawServer(kind)
    server.answer = lambda _: server.hang_up() or []
    with server, connect(server.service, 5) as connection:
        with pytest.raises(Disconnected):
            connection.request(1)
        with pytest.raises(Disconnected):
            connection.event(5)


def test_a_response_before_the_end_is_heard():
    server = RawServer()

    def answer(request):
        server.responses.write(response(b"last"))
        server.hang_up()
        return []

    server.answer = answer
    with server, connect(server.service, 5) as connection:
        assert connection.request(1) == response(b"last")


def test_a_server_that_let_go_of_its_memory():
    with RawServer() as server, connect(server.service, 5) as connection:
        server.request_ring.words[REF_COUNT_WORD] = 1
        with pytest.raises(Disconnected):
            connection.request(1)


def test_what_a_dead_server_left_is_removed(monkeypatch):
    dead = subprocess.Popen(["true"])
    dead.wait()
    with RawServer() as server:
        connection = connect(server.service, 5)
        connection._transport._server_pid = dead.pid
        server.hang_up()
        with pytest.raises(Disconnected):
            connection.event(5)
        assert not os.path.exists(server.directory)


def test_what_a_living_server_has_stays():
    with RawServer() as server:
        connection = connect(server.service, 5)
        server.hang_up()
        with pytest.raises(Disconnected):
            connection.event(5)
        assert len(os.listdir(server.directory)) == 6


def test_descriptors_and_maps_are_given_back():
    def count():
        with open("/proc/self/maps", encoding="utf-8") as maps:
            shared = sum("/dev/shm/qb-1-2-3-" in line for line in maps)
        return len(os.listdir("/proc/self/fd")), shared

    with RawServer() as server:
        connection = connect(server.service, 5)
        connection.request(1)
        during = count()
        connection.close()
        connection.close()
        server.thread.join(5)
        after = count()
    # Six maps, each with a descriptor, and both ends of the stream.
    assert (during[0] - after[0], during[1] - after[1]) == (8, 6)
