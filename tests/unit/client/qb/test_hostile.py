"""Bytes, files and memory that no sane daemon would share: refused, with nothing written to."""

import os
import struct

import pytest

from corosync_tw.client.qb.connection import connect
from corosync_tw.client.qb.faults import Disconnected, ForeignBytes
from corosync_tw.errors import CsError
from tests.unit.client.qb.raw_server import SHM, SOCKET, RawServer, response


def refused(server, kind=ForeignBytes):
    with server, pytest.raises(kind):
        connect(server.service, 5)


@pytest.mark.parametrize("max_msg_len", [0, 12327, 1 << 30, 0xFFFFFFFF])
def test_absurd_lengths_of_messages(max_msg_len):
    server = RawServer()
    server.max_msg_len = max_msg_len
    refused(server)


def test_messages_longer_than_the_ring():
    server = RawServer()
    server.max_msg_len = 20480 - 12
    refused(server)


@pytest.mark.parametrize("words", [0, 1, 100, 1 << 20, 0xFFFFFFFF])
def test_absurd_sizes_of_a_ring(words):
    server = RawServer()

    def greet(s):
        s.responses.words[2] = words

    server.greet = greet
    refused(server)


@pytest.mark.parametrize("part", ["header", "data"])
def test_files_cut_off(part):
    server = RawServer()
    server.greet = lambda s: os.truncate(f"{s.paths[2]}-{part}", 100)
    refused(server)


def test_an_unknown_transport():
    server = RawServer()
    server.kind = 7
    refused(server)


@pytest.mark.parametrize(
    "path",
    ["/etc/passwd", "/dev/shm/x/qb-request", "/dev/shm/qb-1/../../etc/qb-x", "qb-request", "", "/"],
)
@pytest.mark.parametrize("kind", [SHM, SOCKET])
def test_files_elsewhere(path, kind):
    server = RawServer(kind)
    server.greet = lambda s: s.paths.__setitem__(0, path)
    refused(server)


def test_files_of_two_directories():
    with RawServer() as other:
        server = RawServer()
        server.greet = lambda s: s.paths.__setitem__(1, other.paths[1])
        refused(server)


def test_a_directory_that_is_a_link():
    server = RawServer()
    link = "/dev/shm/qb-" + "-link-".join(map(str, (os.getpid(), id(server))))
    os.symlink(server.directory, link)
    server.greet = lambda s: s.paths.__setitem__(0, f"{link}/qb-request-cti")
    try:
        refused(server, CsError)
    finally:
        os.unlink(link)


@pytest.mark.parametrize("make", [lambda path: os.symlink("/etc/passwd", path), os.mkfifo])
def test_a_file_that_is_none(make):
    server = RawServer()

    def greet(s):
        path = f"{s.paths[0]}-header"
        os.unlink(path)
        make(path)

    server.greet = greet
    refused(server, CsError)


@pytest.mark.parametrize(
    "message",
    [b"", bytes(23), response(size=25), response(size=-1), response(b"abc", size=24)],
)
@pytest.mark.parametrize("kind", [SHM, SOCKET])
def test_messages_that_are_none(message, kind):
    server = RawServer(kind)
    server.answer = lambda _: [message]
    with server, connect(server.service, 1) as connection:
        with pytest.raises(ForeignBytes):
            connection.request(1)
        with pytest.raises(Disconnected):
            connection.request(1)


def test_a_response_shorter_than_its_struct():
    server = RawServer()
    with server, connect(server.service, 5) as connection, pytest.raises(ForeignBytes):
        connection.request(1, least_len=32)


@pytest.mark.parametrize(
    "chunk",
    [{"magic": 0}, {"magic": 0xA110CED0}, {"length": 0xFFFFFFFF}, {"length": 16385}],
)
def test_chunks_that_are_none(chunk):
    server = RawServer()
    server.answer = lambda _: [server.responses.write(response(), **chunk)][:0]
    with server, connect(server.service, 5) as connection, pytest.raises(ForeignBytes):
        connection.request(1)


@pytest.mark.parametrize("pointer", [0, 1])
@pytest.mark.parametrize("value", [5120, 0xFFFFFFFF])
def test_pointers_out_of_the_ring(pointer, value):
    with RawServer() as server, connect(server.service, 5) as connection:
        server.request_ring.words[pointer] = value
        with pytest.raises(ForeignBytes):
            connection.request(1)
    server = RawServer()

    def answer(_):
        server.responses.words[1] = value
        return [response()]

    server.answer = answer
    with server, connect(server.service, 5) as connection, pytest.raises(ForeignBytes):
        connection.request(1)


def test_half_a_handshake():
    server = RawServer()

    def greet(s):
        s.stream.sendall(struct.pack("=i4xi4xi4x", -1, 12328, 0))
        s.hang_up()

    server.greet = greet
    with server, pytest.raises(Disconnected):
        connect(server.service, 5)
