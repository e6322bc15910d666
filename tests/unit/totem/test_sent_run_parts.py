"""Parts of a run share its memory, and mean the same to all that reads them."""

import socket
from array import array
from importlib import import_module
from itertools import accumulate

import pytest

from corosync_tw.kernels.plain import fragments as plain_fragments
from corosync_tw.kernels.plain import sending as plain_sending
from corosync_tw.net.knet.sending import lengths_of
from corosync_tw.totem.runs import SentRun

SENDING = [plain_sending, import_module("corosync_tw.kernels.compiled.sending")]
FRAGMENTS = [plain_fragments, import_module("corosync_tw.kernels.compiled.fragments")]
HEADER_LENS = [50, 52, 50, 70, 50, 50]
BODY_LENS = [1400, 0, 7, 1400, 1400, 3]
CUTS = [(0, 6), (0, 3), (3, 6), (1, 2), (2, 5)]


def ends(lengths):
    return array("I", accumulate(lengths, initial=0))


@pytest.fixture
def run():
    headers = bytes(i % 251 for i in range(sum(HEADER_LENS)))
    body = memoryview(bytes(i % 253 for i in range(sum(BODY_LENS))))
    return SentRun(1, 0xFFFFFFFE, 6, False, headers, ends(HEADER_LENS), body, ends(BODY_LENS))


def datagrams(run):
    return [b"".join(frame) for frame in run]


def arrays(part):
    return part.headers, part.header_ends, part.body, part.body_ends


@pytest.mark.parametrize(("start", "stop"), CUTS)
def test_a_part_has_the_datagrams_of_the_whole(run, start, stop):
    part = run[start:stop]
    assert datagrams(part) == datagrams(run)[start:stop]
    assert part.first_seq == (0xFFFFFFFE + start) & 0xFFFFFFFF
    assert part.headers is run.headers
    assert part.body is run.body


def test_a_part_of_a_part(run):
    assert datagrams(run[1:5][1:3]) == datagrams(run)[2:4]


@pytest.mark.parametrize("kernel", SENDING)
def test_calls_are_planned_and_gathered_alike(run, kernel):
    part = run[2:5]
    assert [call[:2] for call in kernel.plan(part.header_ends, part.body_ends, 0, 64, 60_000)] == [
        (0, 1),
        (1, 2),
        (2, 3),
    ]
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
    ):
        receiver.bind(("127.0.0.1", 0))
        receiver.settimeout(10)
        for i in range(3):
            kernel.send(sender, kernel.gather(*arrays(part), i, i + 1), (), receiver.getsockname())
        assert [receiver.recv(2000) for _ in range(3)] == datagrams(run)[2:5]


@pytest.mark.parametrize("kernel", FRAGMENTS)
def test_packets_are_cut_alike(run, kernel):
    part = run[2:5]
    assert lengths_of(part.header_ends, part.body_ends) == [len(d) for d in datagrams(part)]
    begins, body_begins = part.header_ends[0], part.body_ends[0]
    alone = (
        run.headers[begins:],
        ends(HEADER_LENS[2:5]),
        run.body[body_begins:],
        ends(BODY_LENS[2:5]),
    )
    template = bytes(plain_fragments.HEADER_LEN_BYTES)
    cut = kernel.cut_frames(*arrays(part), template, 1, 600)
    assert cut == kernel.cut_frames(*alone, template, 1, 600)
