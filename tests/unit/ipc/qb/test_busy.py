"""Clients that ring many bells: nobody listens for each of them."""

import pytest

from corosync_tw.ipc.qb.busy import BUSY_REQUESTS_MIN, COLLECT_S
from tests.unit.ipc.qb.serving import ONEWAY


@pytest.fixture
def busy(shm):
    shm.server.busy.wanted = True
    return shm


def send(client, count):
    for _ in range(count):
        assert client.send(ONEWAY)


def served(bench):
    return len(bench.handler.seen)


def test_a_busy_client_is_asked_when_it_pays(busy):
    client = busy.connect()
    send(client, BUSY_REQUESTS_MIN)
    busy.settle()
    assert served(busy) == BUSY_REQUESTS_MIN
    send(client, 50)
    busy.settle()
    assert served(busy) == BUSY_REQUESTS_MIN
    busy.server.busy.collect()
    assert served(busy) == BUSY_REQUESTS_MIN + 50


def test_a_client_that_sends_little_is_heard_at_once(busy):
    client = busy.connect()
    for number in range(10):
        send(client, 1)
        busy.settle()
        assert served(busy) == number + 1


def test_a_client_that_was_busy_is_heard_at_once_again(busy):
    client = busy.connect()
    send(client, BUSY_REQUESTS_MIN)
    busy.settle()
    send(client, 1)
    busy.server.busy.collect()
    assert served(busy) == BUSY_REQUESTS_MIN + 1
    send(client, 1)
    busy.settle()
    assert served(busy) == BUSY_REQUESTS_MIN + 2
    busy.reactor.advance(COLLECT_S)
    assert not busy.reactor.getDelayedCalls()


def test_without_a_ring_they_are_asked_after_a_while(busy):
    client = busy.connect()
    total = 0
    for _ in range(5):
        send(client, 20)
        total += 20
        busy.settle()
        busy.reactor.advance(COLLECT_S)
        assert served(busy) == total


def test_its_end_is_noticed_and_what_it_said_before_is_served(busy):
    client = busy.connect()
    send(client, 10)
    busy.settle()
    send(client, 7)
    client.close()
    busy.reactor.run_ms(5)
    assert served(busy) == 17
    assert busy.left_in_shm() == []
    assert not busy.reactor.getDelayedCalls()


def test_it_may_be_dropped_meanwhile(busy):
    client, other = busy.connect(), busy.connect()
    send(client, 10)
    send(other, 10)
    busy.settle()
    busy.handler.clients[0].close()
    send(other, 10)
    busy.server.busy.collect()
    busy.settle()
    assert served(busy) == 30


def test_flow_control_holds_it_up_and_lets_it_go(busy):
    client = busy.connect()
    send(client, 10)
    busy.settle()
    busy.server.set_flow_control({2: 1})
    send(client, 10)
    busy.server.busy.collect()
    assert served(busy) == 10
    busy.server.set_flow_control({2: 0})
    busy.settle()
    assert served(busy) == 20


def test_sockets_are_listened_to_all_the_time(dgram):
    dgram.server.busy.wanted = True
    client = dgram.connect()
    for number in range(1, 4):
        send(client, 5)
        dgram.settle()
        assert served(dgram) == 5 * number
