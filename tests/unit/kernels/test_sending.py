"""Both twins of the sending kernel, on sockets of the loopback interface."""

import socket
from array import array
from collections.abc import Iterator
from importlib import import_module
from itertools import accumulate
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.kernels.plain import sending as plain

compiled = import_module("corosync_tw.kernels.compiled.sending")
both = pytest.mark.parametrize("kernel", [plain, compiled], ids=["plain", "compiled"])

LIMITS = (64, 60_000)


@pytest.fixture(params=["127.0.0.1", "::1"])
def pair(request) -> Iterator[tuple[socket.socket, socket.socket]]:
    family = socket.AF_INET6 if ":" in request.param else socket.AF_INET
    with (
        socket.socket(family, socket.SOCK_DGRAM) as sender,
        socket.socket(family, socket.SOCK_DGRAM) as receiver,
    ):
        receiver.bind((request.param, 0))
        receiver.settimeout(10)
        sender.setblocking(False)
        yield sender, receiver


def ends(lengths: list[int]) -> "array[int]":
    return array("I", accumulate(lengths, initial=0))


@given(
    lengths=st.lists(st.tuples(st.integers(1, 80), st.sampled_from([0, 1, 1400])), max_size=200),
    limit=st.sampled_from([0, 80, 1400, 60_000]),
)
@settings(deadline=None)
def test_both_plan_alike(lengths: list[tuple[int, int]], limit: int) -> None:
    both_ends = [ends([pair[which] for pair in lengths]) for which in (0, 1)]
    planned = compiled.plan(*both_ends, limit, *LIMITS)
    assert planned == plain.plan(*both_ends, limit, *LIMITS)
    assert sum(stop - start for start, stop, _, _ in planned) == len(lengths)


@both
def test_datagrams_arrive_as_their_slices_say(kernel: ModuleType, pair) -> None:
    sender, receiver = pair
    headers, items = b"aabbbcccc", memoryview(b"xAABBx")
    gathered = kernel.gather(
        headers, array("I", [0, 2, 5, 9]), items, array("I", [1, 3, 5, 5]), 0, 2
    )
    kernel.send(sender, gathered, (), receiver.getsockname())
    assert receiver.recv(100) == b"aaAAbbbBB"


@both
def test_the_network_is_told_where_to_cut(kernel: ModuleType, pair) -> None:
    sender, receiver = pair
    segment = (socket.IPPROTO_UDP, 103, (6).to_bytes(2, "little"))
    gathered = kernel.gather(
        b"aabbcc",
        array("I", [0, 2, 4, 6]),
        memoryview(b"1111222233"),
        array("I", [0, 4, 8, 10]),
        0,
        3,
    )
    kernel.send(sender, gathered, (segment,), receiver.getsockname())
    assert [receiver.recv(100) for _ in range(3)] == [b"aa1111", b"bb2222", b"cc33"]


@both
def test_a_list_of_buffers_is_sent_as_well(kernel: ModuleType, pair) -> None:
    sender, receiver = pair
    kernel.send(sender, (b"one", memoryview(b" datagram")), (), receiver.getsockname())
    assert receiver.recv(100) == b"one datagram"


@both
@pytest.mark.parametrize(
    ("header_ends", "item_ends", "start", "stop"),
    [
        ([0, 2, 9], [0, 1, 2], 0, 2),
        ([0, 2, 4], [0, 1, 9], 0, 2),
        ([0, 2, 4], [0, 1, 2], 0, 3),
        ([0, 2, 4], [0, 1, 2], 1, 1),
        ([0, 2, 4], [0, 1, 2], -1, 1),
        ([0, 4, 2], [0, 1, 2], 0, 2),
        ([0, 1, 2], [0, 4, 2], 0, 2),
        ([0, 2], [0, 1, 2], 0, 2),
    ],
)
def test_nothing_beyond_the_buffers_is_gathered(
    kernel: ModuleType, header_ends: list[int], item_ends: list[int], start: int, stop: int
) -> None:
    with pytest.raises(ValueError, match="datagrams"):
        kernel.gather(
            b"head",
            array("I", header_ends),
            memoryview(b"item"),
            array("I", item_ends),
            start,
            stop,
        )


@both
def test_errors_are_those_of_the_socket(kernel: ModuleType, pair) -> None:
    sender, receiver = pair
    large = bytes(70_000)
    gathered = kernel.gather(
        b"h", array("I", [0, 1]), memoryview(large), array("I", [0, 70_000]), 0, 1
    )
    with pytest.raises(OSError, match="too long"):
        kernel.send(sender, gathered, (), receiver.getsockname())
    with pytest.raises(OSError, match=r"."):
        kernel.send(sender, gathered, (), ("no.literal.address.invalid", 1))
    sender.close()
    with pytest.raises(OSError, match="Bad file descriptor"):
        kernel.send(sender, gathered, (), receiver.getsockname())


def test_buffers_are_held_until_they_are_sent() -> None:
    items = bytearray(b"items")
    gathered = compiled.gather(
        b"h", array("I", [0, 1]), memoryview(items), array("I", [0, 5]), 0, 1
    )
    with pytest.raises(BufferError):
        items.append(1)
    del gathered
    items.append(1)
