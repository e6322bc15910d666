"""Half handshakes, wrong ones, and very many."""

import os
import socket
import struct

import pytest

from corosync_tw.ipc.qb.handshake import HANDSHAKE_TIMEOUT_S, PENDING_MAX
from tests.unit.ipc.qb.raw_client import RESPONSE_LEN
from tests.unit.ipc.qb.serving import ECHO, Bench

pytestmark = pytest.mark.needs("peer_credentials")


def test_the_response_byte_by_byte(shm):
    client = shm.connect()
    answer = client.answer
    [name] = shm.left_in_shm()
    base = f"{shm.shm}/{name}/qb"
    assert name.startswith(f"qb-{os.getpid()}-{os.getpid()}-")
    assert answer[:40] == struct.pack("=i4xi4xi4xiIq", -1, 12328, 0, 1, 1 << 20, 1)
    for offset, ring in ((40, "request"), (4136, "response"), (8232, "event")):
        assert answer[offset : offset + 4096] == f"{base}-{ring}-echo".encode().ljust(4096, b"\0")


def test_the_response_of_the_other_transport(dgram):
    client = dgram.connect()
    [name] = dgram.left_in_shm()
    base = f"{dgram.shm}/{name}/qb"
    assert client.kind == 0
    assert client.paths == [f"{base}-control-echo", f"{base}-echo", ""]
    assert os.path.getsize(client.paths[0]) == 24


def test_the_headers_byte_by_byte(shm):
    client = shm.connect()
    sizes = [len(ring.header) for ring in client.rings]
    assert sizes == [8252, 8248, 8248]
    for ring in client.rings:
        assert struct.unpack_from("=III", ring.header) == (0, 0, 1052672 // 4)
        assert len(ring.data) == 1052672
        assert struct.unpack_from("=i", ring.header, 8204)[0] == 2
        for offset, ending in ((12, "header"), (4108, "data")):
            path = f"{ring.path}-{ending}".encode()
            assert ring.header[offset : offset + 4096] == path.ljust(4096, b"\0")


def test_files_are_the_clients_alone(shm):
    shm.connect()
    [name] = shm.left_in_shm()
    directory = shm.shm / name
    assert directory.stat().st_mode & 0o7777 == 0o770
    modes = {path.stat().st_mode & 0o7777 for path in directory.iterdir()}
    assert modes == {0o600}
    assert len(list(directory.iterdir())) == 6


def test_byte_by_byte(bench):
    client = bench.dial()
    for byte in struct.pack("=i4xi4xI4x", -1, 24, 1 << 20):
        client.sock.send(bytes([byte]))
        bench.settle()
    client.finish()
    assert bench.ask(client, ECHO) is not None


def test_half_a_request_times_out(bench):
    client = bench.dial()
    client.sock.send(bytes(12))
    bench.settle()
    assert not client.hung_up()
    bench.reactor.advance(HANDSHAKE_TIMEOUT_S - 0.1)
    late = bench.dial()
    bench.settle()
    bench.reactor.advance(0.2)
    assert client.hung_up()
    assert not late.hung_up()
    bench.reactor.advance(HANDSHAKE_TIMEOUT_S)
    assert late.hung_up()
    assert not bench.reactor.getDelayedCalls()


def test_half_a_request_and_gone(bench):
    client = bench.dial()
    client.sock.send(bytes(12))
    bench.settle()
    client.sock.close()
    bench.settle()
    assert len(bench.server._waiting) == 0


@pytest.mark.parametrize("message_id", [0, 1, -2, -3])
def test_another_first_word(bench, message_id):
    client = bench.dial()
    client.begin(message_id=message_id)
    bench.settle()
    assert client.hung_up()


def test_a_handshake_sent_twice(shm):
    client = shm.dial()
    client.begin()
    client.begin()
    shm.settle()
    assert client.hung_up()
    assert "not there" in shm.complaints()[0]
    assert shm.left_in_shm() == []


def test_descriptors_sent_along_are_not_kept(bench):
    def count():
        return len(os.listdir("/proc/self/fd"))

    client = bench.dial()
    bench.settle()
    with open("/dev/null", "rb") as null:
        before = count()
        half = struct.pack("=i4xi", -1, 24)
        for data in (half, struct.pack("4xI4x", 1 << 20)):
            socket.send_fds(client.sock, [data], [null.fileno()] * 5)
            bench.settle()
        socket.send_fds(client.sock, [b"b"], [null.fileno()])
        # One connection costs one descriptor, which it had before, and for datagrams two more.
        assert count() - before == (0 if bench.server._type else 2)


def test_pending_handshakes_are_few(bench):
    silent = [bench.dial() for _ in range(100)]
    bench.settle()
    while len(silent) < PENDING_MAX + 40:
        silent.append(bench.dial())
        bench.settle()
    assert len(bench.server._waiting) == PENDING_MAX
    assert [client.hung_up() for client in silent] == [True] * 40 + [False] * PENDING_MAX
    assert bench.ask(bench.connect(), ECHO) is not None
    for client in silent:
        client.sock.close()
    bench.settle()
    assert len(bench.server._waiting) == 0


def test_a_name_that_is_taken(tmp_path):
    first = Bench(tmp_path)
    try:
        os.rename(tmp_path / "echo", tmp_path / "kept")
        os.mkdir(tmp_path / "echo")
        with pytest.raises(OSError):
            Bench(tmp_path)
    finally:
        first.close()


def test_a_refusal_is_a_whole_response(bench):
    bench.is_ready = False
    client = bench.dial()
    client.begin()
    bench.settle()
    answer = client.sock.recv(RESPONSE_LEN + 1)
    assert answer == struct.pack("=i4xi4xi4x", -1, 12328, -11).ljust(RESPONSE_LEN, b"\0")
    assert client.hung_up()
