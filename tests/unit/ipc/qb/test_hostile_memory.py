"""Clients that scribble over what they share with the server, at any time, and cut it off."""

import os
import random
import signal
import struct
import subprocess
import sys

import pytest

from corosync_tw.ipc.qb.faults import GUARD
from tests.unit.ipc.qb.raw_client import ALLOCATED, SEM_OFFSET
from tests.unit.ipc.qb.serving import ECHO, ONEWAY, event, request

pytestmark = pytest.mark.needs("peer_credentials")

GOOD = request(ECHO, b"good")


def dropped(bench, client, word):
    """Settle; the client must be gone with one line in the log, its neighbour served."""
    bench.settle()
    assert client.hung_up()
    assert len(bench.complaints()) == 1
    assert word in bench.complaints()[0]
    assert bench.handler.gone == bench.handler.clients[:1]
    neighbour = bench.connect()
    assert bench.ask(neighbour, ECHO, b"well") is not None
    assert len(bench.left_in_shm()) == 1


@pytest.mark.parametrize("magic", [ALLOCATED, 0, 0xD0D0D0D0])
def test_a_wrong_magic(shm, magic):
    client = shm.connect()
    client.requests.write(GOOD, magic=magic)
    client.bell()
    dropped(shm, client, "not there")


def test_a_bell_without_a_request(shm):
    client = shm.connect()
    client.bell()
    dropped(shm, client, "not there")


def test_killed_between_allocation_and_commit(shm):
    client = shm.connect()
    client.requests.write(GOOD, magic=ALLOCATED, post=False)
    client.close()
    shm.settle()
    assert shm.handler.seen == []
    assert shm.left_in_shm() == []
    assert shm.complaints() == []


@pytest.mark.parametrize("claimed", [0, 15, 0x7FFFFFFF, 0xFFFFFFFF, (1 << 20) + 1])
def test_a_chunk_of_a_wrong_length(shm, claimed):
    client = shm.connect()
    client.requests.write(GOOD, claimed=claimed)
    client.bell()
    dropped(shm, client, f"a request of {claimed} bytes")


@pytest.mark.parametrize("size", [0, -1, 21, 0x7FFFFFFF, -0x80000000])
def test_a_size_that_is_no_size(bench, size):
    client = bench.connect()
    client.send(ECHO, b"good", size=size)
    dropped(bench, client, f"claims {size}")


def test_a_datagram_without_a_header(dgram):
    client = dgram.connect()
    client.channel.send(b"short")
    dropped(dgram, client, "5 bytes")


def test_a_datagram_beyond_what_was_agreed(dgram):
    client = dgram.connect(20_000)
    client.channel.send(bytes(20_001))
    dropped(dgram, client, "20001 bytes")


@pytest.mark.parametrize("size", [1, 15])
def test_a_size_too_short_for_any_request_is_answered(bench, size):
    client = bench.connect()
    client.send(ONEWAY, b"first")
    client.send(ECHO, size=size)
    client.send(ONEWAY, b"third")
    bench.settle()
    assert client.response() == struct.pack("=i4xi4xi4x", 0, 24, 7)
    assert [data[16:] for data in bench.handler.seen] == [b"first", b"third"]
    assert bench.ours().stats.invalid_request == 1


def test_a_size_shorter_than_what_was_sent_cuts_it(bench):
    client = bench.connect()
    client.send(ECHO, b"good and bad", size=20)
    bench.settle()
    assert bench.handler.seen == [request(ECHO, b"good")[:8] + GOOD[8:]]


def test_our_own_positions_are_not_read_back(shm):
    client = shm.connect()
    rng = random.Random(1)
    for number in range(50):
        client.requests.write(request(ECHO, bytes([number])))
        for ring, index in ((client.requests, 1), (client.responses, 0), (client.events, 0)):
            ring.set_word(index, rng.getrandbits(32))
        for ring in client.rings:
            ring.set_word(2, rng.getrandbits(32))
        client.requests.set_word(1, client.requests.at)
        client.bell()
        shm.settle()
        client.requests.word_size = client.requests.data.size() // 4
        assert client.response()[24:] == bytes([number])
        client.requests.at = client.requests.word(0)
        client.requests.set_word(2, client.requests.word_size)


@pytest.mark.parametrize("position", [0xFFFFFFFF, 263168, 0x80000000])
def test_a_reading_position_outside(shm, position):
    client = shm.connect()
    client.events.set_word(1, position)
    for number in range(40):
        shm.ours().event(event(number, 100_000))
    dropped(shm, client, "reading position")


def test_a_reading_position_that_lies_hurts_the_liar_alone(shm):
    client = shm.connect()
    for number in range(100):
        client.events.set_word(1, number * 1001)
        shm.ours().event(event(number, 50_000))
    shm.server.flush()
    assert client.sock.recv(4096)


def test_a_reading_position_that_moves_outside_while_events_wait(shm):
    client = shm.connect()
    for number in range(40):
        shm.ours().event(event(number, 100_000))
    assert shm.ours().queue_bytes
    client.events.set_word(1, 1 << 20)
    shm.reactor.advance(0.01)
    assert shm.server._queued_bytes == 0
    dropped(shm, client, "reading position")


@pytest.mark.parametrize("value", [0x7FFFFFFF, 0xFFFFFFFF, 0])
def test_semaphores_are_only_counters(shm, value):
    client = shm.connect()
    for ring in client.rings:
        struct.pack_into("=Q", ring.header, SEM_OFFSET, value << 32 | value)
    client.bell()
    shm.ours().event(event(1))
    shm.ours().respond(bytes(24))
    dropped(shm, client, "not there")


def test_more_bells_than_a_ring_holds(shm):
    client = shm.connect(12328)
    shm.server.set_flow_control({2: 1})
    while not client.hung_up():
        client.bell(100)
        shm.settle()
    shm.server.set_flow_control({2: 0})
    dropped(shm, client, "more requests than")


def test_responses_nobody_reads(bench):
    client = bench.connect()
    body = bytes(200_000)
    for _ in range(20):
        if not client.hung_up():
            client.send(ECHO, body)
            bench.settle()
    dropped(bench, client, "does not read its responses")


@pytest.mark.parametrize("which", ["data", "header"])
@pytest.mark.parametrize("len_bytes", [0, 4096])
def test_requests_cut_off(shm, which, len_bytes):
    client = shm.connect()
    faults = GUARD.faults
    client.requests.write(request(ECHO, bytes(9000)))
    client.requests.truncate(len_bytes, which)
    client.bell()
    dropped(shm, client, "cut off")
    assert GUARD.faults == faults + 1


@pytest.mark.parametrize("which", ["data", "header"])
@pytest.mark.parametrize("ring", ["responses", "events"])
def test_what_we_write_to_cut_off(shm, which, ring):
    client = shm.connect()
    getattr(client, ring).truncate(0, which)
    shm.ours().event(event(1, 9000))
    shm.ours().respond(bytes(9000))
    shm.server.flush()
    dropped(shm, client, "cut off")


def test_everything_cut_off_before_flow_control_and_the_end(shm):
    client = shm.connect()
    for ring in client.rings:
        for which in ("data", "header"):
            ring.truncate(0, which)
    shm.server.set_flow_control({2: 1})
    shm.server.set_flow_control({2: 0})
    client.close()
    shm.settle()
    assert shm.left_in_shm() == []


def test_a_control_file_cut_off(dgram):
    client = dgram.connect()
    os.truncate(client.paths[0], 0)
    dgram.server.set_flow_control({2: 1})
    dgram.server.set_flow_control({2: 0})
    assert dgram.ask(client, ECHO) is not None


def test_another_bus_error_still_kills(tmp_path):
    program = (
        "import mmap, os, sys\n"
        "from corosync_tw.ipc.qb.layout import Peer\n"
        "from corosync_tw.ipc.qb.mapping import SharedFile\n"
        "ours = SharedFile(sys.argv[1], 4096, Peer(0, os.getuid(), os.getgid()))\n"
        "os.truncate(sys.argv[1], 0)\n"
        "assert bytes(ours.memory) == bytes(4096) and ours.broken\n"
        "ours.close()\n"
        "fd = os.open(sys.argv[2], os.O_RDWR | os.O_CREAT)\n"
        "os.ftruncate(fd, 4096)\n"
        "other = mmap.mmap(fd, 4096)\n"
        "os.ftruncate(fd, 0)\n"
        "other[0]\n"
    )
    ended = subprocess.run(
        [sys.executable, "-c", program, tmp_path / "a", tmp_path / "b"],
        capture_output=True,
        check=False,
    )
    assert ended.returncode == -signal.SIGBUS, ended.stderr
    assert b"outside" in ended.stderr


def test_a_stranger_cannot_send_to_our_sockets(dgram, monkeypatch):
    client = dgram.connect()
    monkeypatch.setattr(dgram.ours().link, "_uid", os.getuid() + 1)
    client.send(ONEWAY, b"not me")
    dgram.settle()
    assert dgram.handler.seen == []
    monkeypatch.setattr(dgram.ours().link, "_uid", os.getuid())
    assert dgram.ask(client, ECHO, b"me")[24:] == b"me"
    assert dgram.ask(client, ECHO, b"again")[24:] == b"again"
    assert dgram.ours().link._trusted
