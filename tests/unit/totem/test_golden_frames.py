"""Every frame of a captured stock ring: decoded, and encoded to the same bytes, in both orders."""

from collections import Counter

import pytest

from corosync_tw.corotypes import RingId
from corosync_tw.totem import wire
from corosync_tw.totem.pg_assembly import Assembler
from corosync_tw.totem.pg_wire import PACKET, lengths_struct, packet_struct
from corosync_tw.totem.runs import DeliveredFrame
from tests.unit.totem import capture
from tests.unit.totem.byteswap import swap_frame, swap_packet
from tests.unit.totem.wire_helpers import encode, plain

KINDS = {
    wire.Mcast: 3317,
    wire.OrfToken: 627,
    wire.MergeDetect: 24,
    wire.MembJoin: 18,
    wire.CommitToken: 10,
    wire.TokenHoldCancel: 4,
}


def mcasts() -> list[wire.Mcast]:
    """Each message of the ring once, in order: udpu sends a copy to every node."""
    seen = {}
    for frame in capture.frames():
        message = wire.decode(frame)
        if isinstance(message, wire.Mcast):
            seen.setdefault((message.ring_id, message.seq), message)
    return [seen[key] for key in sorted(seen, key=lambda key: (key[0].seq, key))]


def test_the_capture_has_every_type():
    assert len(capture.frames()) == 4000
    assert Counter(type(wire.decode(frame)) for frame in capture.frames()) == KINDS


def test_every_frame_encodes_to_the_same_bytes():
    for frame in capture.frames():
        assert encode(wire.decode(frame)) == frame
        assert encode(wire.decode(memoryview(frame))) == frame


def test_every_frame_of_the_other_byte_order_means_the_same():
    for frame in capture.frames():
        message = wire.decode(frame)
        foreign = swap_frame(frame)
        swapped = wire.decode(foreign)
        assert swapped.big_endian
        assert encode(swapped, big_endian=True) == foreign
        if isinstance(message, wire.Mcast):
            assert swapped.payload == swap_packet(bytes(message.payload))
            swapped = swapped._replace(payload=message.payload)
        assert plain(swapped) == plain(message)


def test_every_frame_survives_being_carried_through_recovery():
    for frame in capture.frames():
        inner = wire.decode(frame)
        if not isinstance(inner, wire.Mcast):
            continue
        header = wire.encode_mcast_header(7, 7, 12, RingId(7, 8), 0, encapsulated=1)
        for old in (frame, swap_frame(frame)):
            carried = wire.decode(header + old)
            assert carried.encapsulated == 1
            assert carried.payload == old
            unwrapped = wire.decode(carried.payload)
            assert encode(unwrapped, big_endian=unwrapped.big_endian) == old
        # A foreign node carries it in its own byte order, the payload as it was.
        foreign = wire.encode_mcast_header(
            7, 7, 12, RingId(7, 8), 0, encapsulated=1, big_endian=True
        )
        carried = wire.decode(foreign + frame)
        assert (carried.big_endian, carried.seq, carried.ring_id) == (True, 12, (7, 8))
        assert wire.decode(carried.payload) == inner


def test_every_packet_header_packs_to_the_same_bytes():
    for message in mcasts():
        payload = message.payload
        version, kind, fragmented, continuation, count = PACKET.unpack_from(payload)
        lens = lengths_struct(count, False).unpack_from(payload, PACKET.size)
        assert (version, kind) == (0, 0)
        head = packet_struct(count).pack(0, 0, fragmented, continuation, count, *lens)
        assert payload == head + bytes(payload[len(head) :])
        assert len(head) + sum(lens) == len(payload)


@pytest.mark.parametrize("foreign", [False, True])
def test_the_ring_s_messages_come_out_whole(foreign):
    assembler = Assembler()
    out = []
    for message in mcasts():
        payload = swap_packet(bytes(message.payload)) if foreign else message.payload
        frame = DeliveredFrame(message.system_from, message.seq, payload, foreign)
        assembler.unpack(frame, out)
    assert assembler.bad_packets == assembler.bad_messages == assembler.incomplete_messages == 0
    assert {message.group for message in out} == {b"a", b"sync"}
    # Corosync's own header gives each message's length.
    for message in out:
        assert int.from_bytes(message.data[8:12], "little") == len(message.data)
    assert len(out) == 70
