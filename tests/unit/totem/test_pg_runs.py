"""Packets in runs and packets one by one: the same messages, the same counts, the same in hand."""

import struct
from array import array

from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.corotypes import PROCESSOR_COUNT_MAX
from corosync_tw.totem.batch import MessageBatch
from corosync_tw.totem.messages import MCAST_LEN_BYTES
from corosync_tw.totem.pg_assembly import Assembler
from corosync_tw.totem.pg_wire import ASSEMBLY_LEN_BYTES_MAX, group_prefix
from corosync_tw.totem.runs import DeliveredFrame, ReceivedRun, SentRun
from tests.unit.totem.byteswap import swap_packet
from tests.unit.totem.pg_twin import pack_all

A = group_prefix(b"a")
TWO_GROUPS = struct.pack("<HHH", 2, 1, 4) + b"async"
HEADER = bytes(MCAST_LEN_BYTES)


def received(packets, first_seq, nodeid=2):
    """Packets of which all but the last have one length, as one datagram run."""
    stride = len(packets[0]) + MCAST_LEN_BYTES
    blob = memoryview(b"".join(HEADER + packet for packet in packets))
    return ReceivedRun(nodeid, first_seq, len(packets), False, blob, stride)


def sent(packets, first_seq, nodeid=2):
    """The same packets as if they were our own."""
    headers, body = b"", b""
    header_ends, body_ends = array("I", [0]), array("I", [0])
    for packet in packets:
        count = struct.unpack_from("<H", packet, 6)[0]
        headers += HEADER + packet[: 8 + 2 * count]
        body += packet[8 + 2 * count :]
        header_ends.append(len(headers))
        body_ends.append(len(body))
    ends = (headers, header_ends, memoryview(body), body_ends)
    return SentRun(nodeid, first_seq, len(packets), False, *ends)


def one_by_one(assembler, frames):
    out = []
    for frame in frames:
        assembler.unpack(frame, out)
    return plain(out)


def in_runs(assembler, runs):
    out = []
    for run in runs:
        chunks = []
        if isinstance(run, DeliveredFrame):
            assembler.unpack_frame(run, chunks)
        else:
            assembler.unpack_run(run, chunks)
        for chunk in chunks:
            if isinstance(chunk, MessageBatch):
                assert len(chunk)
                out += [m for i in range(len(chunk)) for m in assembler.alone(chunk, i)]
                lens = [sum(map(len, chunk.slices(i))) for i in range(len(chunk))]
                assert lens == [chunk.len_bytes(i) for i in range(len(chunk))]
            else:
                out += chunk
    return plain(out)


def plain(out):
    return [m._replace(data=bytes(m.data)) for m in out]


def state(assembler):
    """Counts, and what is in hand of every sender."""
    counts = (assembler.bad_packets, assembler.bad_messages, assembler.incomplete_messages)
    return counts, {
        nodeid: (a.fragment_id, a.throwing_away, a.len_bytes, a.joined())
        for nodeid, a in assembler._assemblies.items()
    }


def runs_of(data, packets):
    """Cut packets into runs and single frames in some way that a ring could."""
    runs, at = [], 0
    while at < len(packets):
        kind = data.draw(st.sampled_from(["received", "sent", "single"]))
        most = data.draw(st.integers(1, 12))
        if kind == "single":
            runs.append(DeliveredFrame(2, at, memoryview(packets[at]), False))
            at += 1
        elif kind == "sent":
            piece = []
            for packet in packets[at : at + most]:
                if len(packet) < 8 or 8 + 2 * struct.unpack_from("<H", packet, 6)[0] > len(packet):
                    break  # nothing that we send
                piece.append(packet)
            if piece:
                runs.append(sent(piece, at))
                at += len(piece)
        else:
            piece = [packets[at]]
            for packet in packets[at + 1 : at + most]:
                if len(packet) > len(piece[0]) or len(piece[-1]) < len(piece[0]):
                    break
                piece.append(packet)
            runs.append(received(piece, at))
            at += len(piece)
    return runs


def messages_of(draw_sizes, kinds):
    prefixes = {"a": A, "two": TWO_GROUPS, "none": b"", "wrong": b"\xff\xff"}
    return [
        prefixes[kind] + struct.pack("<I", i) * size
        for i, (size, kind) in enumerate(zip(draw_sizes, kinds, strict=False))
    ]


@settings(deadline=None)
@given(
    st.lists(st.integers(0, 300), max_size=30),
    st.lists(st.sampled_from(["a"] * 6 + ["two", "none", "wrong"]), min_size=30, max_size=30),
    st.integers(12, 200),
    st.data(),
)
def test_runs_give_what_frames_give(sizes, kinds, capacity, data):
    """Lost, damaged and empty packets included."""
    packets = pack_all(messages_of(sizes, kinds), capacity)
    for _ in range(data.draw(st.integers(0, 3))):
        if not packets:
            break
        at = data.draw(st.integers(0, len(packets) - 1))
        match data.draw(st.sampled_from(["lose", "twice", "reset", "flip", "cut", "id"])):
            case "lose":
                del packets[at]
            case "twice":
                packets.insert(at, packets[at])
            case "reset":
                packets.insert(at, bytes(8))
            case "flip":
                flipped = bytearray(packets[at])
                flipped[data.draw(st.integers(0, len(flipped) - 1))] ^= 1
                packets[at] = bytes(flipped)
            case "cut":
                packets[at] = packets[at][: data.draw(st.integers(0, len(packets[at])))]
            case "id":
                changed = bytearray(packets[at])
                changed[4:6] = data.draw(st.binary(min_size=2, max_size=2))
                packets[at] = bytes(changed)
    packets = [packet for packet in packets if packet]
    frames = [DeliveredFrame(2, i, packet, False) for i, packet in enumerate(packets)]
    alone, together = Assembler(), Assembler()
    assert in_runs(together, runs_of(data, packets)) == one_by_one(alone, frames)
    assert state(together) == state(alone)


@settings(deadline=None)
@given(st.lists(st.integers(0, 200_000), min_size=1, max_size=8), st.data())
def test_long_messages_cross_many_runs(sizes, data):
    messages = [A + struct.pack("<I", i) * (size // 4) for i, size in enumerate(sizes)]
    packets = pack_all(messages, 1400)
    runs = runs_of(data, packets)
    assembler = Assembler()
    got = in_runs(assembler, runs)
    assert [m.data for m in got] == [message[len(A) :] for message in messages]
    assert state(assembler) == ((0, 0, 0), {})


def test_an_endless_message_is_dropped_at_the_limit():
    part = bytes(60000)
    packets = [
        struct.pack("<4xBBHH", i % 255 + 1, i % 255 if i else 0, 1, len(part)) + part
        for i in range(ASSEMBLY_LEN_BYTES_MAX // len(part) + 3)
    ]
    frames = [DeliveredFrame(2, i, packet, False) for i, packet in enumerate(packets)]
    for make in (received, sent):
        alone, together = Assembler(), Assembler()
        assert in_runs(together, [make(packets, 0)]) == one_by_one(alone, frames)
        assert state(together) == state(alone)
        assert together.bad_messages == 1


def test_the_number_of_senders_is_bounded():
    begun = struct.pack("<4xBBHH", 3, 0, 2, len(A)) + struct.pack("<H", 5) + A + b"begun"
    assembler = Assembler()
    for nodeid in range(PROCESSOR_COUNT_MAX + 5):
        in_runs(assembler, [received([begun], 0, nodeid)])
    assert len(assembler._assemblies) == PROCESSOR_COUNT_MAX
    assert assembler.bad_messages == 5


def test_nothing_is_copied_before_it_is_asked_for():
    buffer = bytearray(received(pack_all([A + b"whole", A + b"in two parts"], 20), 0).blob)
    run = ReceivedRun(2, 0, 2, False, memoryview(buffer), MCAST_LEN_BYTES + 28)
    out = []
    Assembler().unpack_run(run, out)
    (batch,) = out
    assert [bytes(batch.whole(i)) for i in range(2)] == [A + b"whole", A + b"in two parts"]
    assert [len(batch.slices(i)) for i in range(2)] == [1, 2]
    buffer[buffer.index(b"whole") : buffer.index(b"whole") + 5] = b"WHOLE"
    assert bytes(batch.whole(0)) == A + b"WHOLE"


def test_frames_that_come_alone_leave_a_cut_message_in_its_pieces():
    packets = pack_all([A + b"whole", A + b"in three parts, of which two begin it"], 24)
    assembler, out = Assembler(), []
    for seq, packet in enumerate(packets):
        assembler.unpack_frame(DeliveredFrame(2, seq, packet, False), out)
    whole, batch = out
    assert [message.data for message in whole] == [b"whole"]
    assert len(batch.slices(0)) == len(packets) == 3
    assert bytes(batch.whole(0)) == A + b"in three parts, of which two begin it"
    assert batch.seq(0) == 2


def test_a_sequence_number_wraps_within_a_run():
    packets = pack_all([A + bytes(30)] * 4, 40)
    out = []
    Assembler().unpack_run(received(packets, 0xFFFFFFFE), out)
    assert [out[0].seq(i) for i in range(4)] == [(0xFFFFFFFE + i) & 0xFFFFFFFF for i in range(4)]


def test_a_foreign_sender_takes_up_what_a_run_left():
    """The byte order is a sender's own, yet hostile frames may come in its name."""
    first, *others = pack_all([A + bytes(100)], 40)
    assembler = Assembler()
    in_runs(assembler, [received([first], 0)])
    swapped = DeliveredFrame(2, 1, swap_packet(others[0]), True)
    alone = Assembler()
    frames = [DeliveredFrame(2, 0, first, False), swapped]
    assert in_runs(assembler, [swapped]) == one_by_one(alone, frames)
    assert state(assembler) == state(alone)
