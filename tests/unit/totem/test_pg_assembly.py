"""Reassembly: what stock delivers, whatever was lost; hostile packets count and are bounded."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corosync_tw.corotypes import PROCESSOR_COUNT_MAX
from corosync_tw.totem.pg_assembly import Assembler
from corosync_tw.totem.pg_wire import ASSEMBLY_LEN_BYTES_MAX, group_prefix
from corosync_tw.totem.runs import DeliveredFrame
from tests.unit.totem.byteswap import swap_packet
from tests.unit.totem.pg_twin import delivered, pack_all
from tests.unit.totem.stock_receiver import StockReceiver

A = group_prefix(b"a")


def numbered(sizes: list[int]) -> list[bytes]:
    """Messages of which no two have parts that could be mistaken for one another."""
    return [A + struct.pack("<I", i) * size for i, size in enumerate(sizes)]


def packet(items: list[bytes], fragmented: int = 0, continuation: int = 0) -> bytes:
    head = struct.pack("<HHBBH", 0, 0, fragmented, continuation, len(items))
    return head + struct.pack(f"<{len(items)}H", *map(len, items)) + b"".join(items)


def unpack(packets: list[bytes], assembler: Assembler | None = None, *, nodeid: int = 1):
    out = []
    assembler = assembler or Assembler()
    for frame in delivered(packets, nodeid):
        assembler.unpack(frame, out)
    return out


def datas(out) -> list[bytes]:
    return [bytes(message.data) for message in out]


@given(st.lists(st.integers(0, 300), max_size=20), st.integers(12, 200))
def test_what_was_packed_comes_out(sizes, capacity):
    messages = numbered(sizes)
    assembler = Assembler()
    out = unpack(pack_all(messages, capacity), assembler)
    assert datas(out) == [message[len(A) :] for message in messages]
    assert assembler.bad_packets == assembler.bad_messages == assembler.incomplete_messages == 0
    assert not assembler._assemblies


@given(st.lists(st.integers(0, 300), max_size=20), st.integers(16, 200))
def test_a_foreign_sender_s_messages_come_out(sizes, capacity):
    messages = numbered(sizes)
    # The swapper does not follow group names over a cut, so only whole messages are swapped here.
    packets = [packet([message]) for message in messages]
    assembler = Assembler()
    out = []
    for i, little in enumerate(packets):
        assembler.unpack(DeliveredFrame(1, i, swap_packet(little), True), out)
    assert datas(out) == [message[len(A) :] for message in messages]
    assert all(message.big_endian for message in out)


def test_a_foreign_sender_s_cut_message_comes_out():
    message = struct.pack(">HH", 1, 1) + b"a" + bytes(range(200))
    first = struct.pack(">HHBBHH", 0, 0, 9, 0, 1, 3) + message[:3]
    last = struct.pack(">HHBBHH", 0, 0, 0, 9, 1, 202) + message[3:]
    out = []
    assembler = Assembler()
    for piece in (first, last):
        assembler.unpack(DeliveredFrame(1, 1, piece, True), out)
    assert [(m.group, bytes(m.data)) for m in out] == [(b"a", bytes(range(200)))]


@given(
    st.lists(st.integers(0, 300), min_size=1, max_size=30),
    st.integers(12, 200),
    st.data(),
)
def test_lost_packets_lose_what_stock_loses(sizes, capacity, data):
    """
    Members of both kinds deliver the same, and nothing that was not sent; but stock delivers what
    is left of a message when the lost packets' ids come round to where they began.
    """
    messages = numbered(sizes)
    packets = pack_all(messages, capacity)
    lost = data.draw(st.sets(st.integers(0, len(packets) - 1)))
    kept = [piece for i, piece in enumerate(packets) if i not in lost]
    got = datas(unpack(kept))
    stock = StockReceiver()
    for piece in kept:
        stock.deliver(piece)
    assert got == [message[len(A) :] for message in stock.messages if message in messages]
    sent = iter(message[len(A) :] for message in messages)
    assert all(any(data == candidate for candidate in sent) for data in got)


@pytest.mark.parametrize("first", [1, 2, 254, 255, 256, 257, 300])
def test_a_latecomer_takes_up_a_sender_where_stock_does(first):
    packets = pack_all(numbered([150, 40] * 200), 100)
    assert len(packets) > 300
    stock = StockReceiver()
    for piece in packets[first:]:
        stock.deliver(piece)
    got = datas(unpack(packets[first:]))
    assert got == [message[len(A) :] for message in stock.messages]


def test_loss_of_the_middle_of_a_message():
    messages = numbered([10, 200, 10, 10])
    packets = pack_all(messages[:3], 120)
    assembler = Assembler()
    got = datas(unpack([packets[0], *packets[2:], packet([messages[3]])], assembler))
    assert got == [messages[0][len(A) :], messages[3][len(A) :]]
    assert assembler.incomplete_messages == 1


def test_whole_messages_are_views_and_cut_ones_are_joined_once():
    buffer = bytearray(packet([A + b"whole", A + b"cut"], fragmented=3))
    assembler = Assembler()
    out = []
    assembler.unpack(DeliveredFrame(1, 1, memoryview(buffer), False), out)
    assert datas(out) == [b"whole"]
    buffer[-len(A) - 3 - 5 : -len(A) - 3] = b"WHOLE"
    assert datas(out) == [b"WHOLE"]
    assembler.unpack(DeliveredFrame(1, 2, packet([b" in two"], continuation=3), False), out)
    assert bytes(out[1].data) == b"cut in two"


def test_an_empty_packet_ends_what_was_begun():
    assembler = Assembler()
    begun = packet([A + b"begun"], fragmented=3)
    assert unpack([begun, packet([]), packet([A + b"again"])], assembler)[0].data == b"again"
    assert (assembler.incomplete_messages, assembler.bad_packets) == (1, 0)


def test_senders_do_not_mix():
    assembler = Assembler()
    out = []
    for nodeid in (1, 2):
        assembler.unpack(
            DeliveredFrame(nodeid, 1, packet([A + b"from %d" % nodeid], fragmented=7), False), out
        )
    for nodeid in (2, 1):
        assembler.unpack(
            DeliveredFrame(nodeid, 2, packet([b" end %d" % nodeid], continuation=7), False), out
        )
    assert [(m.nodeid, m.seq, bytes(m.data)) for m in out] == [
        (2, 2, b"from 2 end 2"),
        (1, 2, b"from 1 end 1"),
    ]


def test_a_node_that_left_is_forgotten():
    assembler = Assembler()
    unpack([packet([A + b"begun"], fragmented=7)], assembler)
    assembler.forget(1)
    assembler.forget(1)
    assert unpack([packet([b"end"], continuation=7)], assembler) == []


def test_a_message_for_two_groups_comes_out_for_each():
    message = struct.pack("<HHH", 2, 1, 4) + b"async" + b"data"
    out = unpack([packet([message])])
    assert [(m.group, bytes(m.data)) for m in out] == [(b"a", b"data"), (b"sync", b"data")]


def test_a_long_group_name():
    out = unpack([packet([group_prefix(b"longer than four") + b"data"])])
    assert [(m.group, bytes(m.data)) for m in out] == [(b"longer than four", b"data")]


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        bytes(7),
        packet([A + b"x"])[:-1],
        packet([A + b"x"]) + b"\0",
        struct.pack("<HHBBH", 0, 0, 0, 0, 0xFFFF),
        struct.pack("<HHBBHH", 0, 0, 0, 0, 1, 0xFFFF) + bytes(20),
        struct.pack("<HHBBH", 0, 0, 1, 0, 0),
        struct.pack("<HHBBH", 0, 0, 0, 1, 0),
    ],
)
def test_bad_packets_are_counted_and_end_what_was_begun(bad):
    assembler = Assembler()
    begun = packet([A + b"begun"], fragmented=3)
    assert unpack([begun, bad, packet([b"end"], continuation=3)], assembler) == []
    assert assembler.bad_packets == 1


@pytest.mark.parametrize(
    "bad",
    [
        b"",
        b"\1",
        b"\0\0" + bytes(20),
        b"\1\0",
        b"\1\0\xff\xff" + bytes(20),
        struct.pack("<H33H", 33, *[0] * 33),
        struct.pack("<HHH", 2, 8, 8) + bytes(10),
    ],
)
def test_bad_messages_are_counted_and_spoil_no_other(bad):
    assembler = Assembler()
    out = unpack([packet([A + b"before", bad, A + b"after"])], assembler)
    assert datas(out) == [b"before", b"after"]
    assert (assembler.bad_messages, assembler.bad_packets) == (1, 0)


def test_an_endless_message_is_dropped_at_the_limit():
    assembler = Assembler()
    out = []
    part = bytes(60000)
    count = ASSEMBLY_LEN_BYTES_MAX // len(part) + 3
    for i in range(count):
        frame = packet([part], fragmented=i % 255 + 1, continuation=i % 255 if i else 0)
        assembler.unpack(DeliveredFrame(1, i, frame, False), out)
        held = sum(a.len_bytes for a in assembler._assemblies.values())
        assert held <= ASSEMBLY_LEN_BYTES_MAX
    assert (out, assembler.bad_messages, [a.buffers for a in assembler._assemblies.values()]) == (
        [],
        1,
        [[]],
    )


def test_empty_parts_take_no_memory():
    assembler = Assembler()
    out = []
    for i in range(2000):
        frame = packet([b""], fragmented=i % 255 + 1, continuation=(i - 1) % 255 + 1 if i else 0)
        assembler.unpack(DeliveredFrame(1, i, frame, False), out)
    assert assembler._assemblies[1].buffers == []


def test_the_number_of_senders_is_bounded():
    assembler = Assembler()
    for nodeid in range(1, PROCESSOR_COUNT_MAX + 10):
        unpack([packet([A], fragmented=1)], assembler, nodeid=nodeid)
    assert len(assembler._assemblies) == PROCESSOR_COUNT_MAX
    assert assembler.bad_messages == 9
