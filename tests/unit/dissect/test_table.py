"""What the table of formats says, beside the codecs and a stock ring."""

import dataclasses
import struct
from struct import Struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.dissect import decode
from corosync_tw.dissect.decode import DATA, dissect, layout_of
from corosync_tw.dissect.fields import Choice, Chunks, Fixed, Repeated, fields_of
from corosync_tw.dissect.table import DEPTH_MAX, KINDS, LAYOUTS, SEALED
from corosync_tw.net.knet import wire as knet
from corosync_tw.net.knet.wire import PacketType
from corosync_tw.services.cpg import wire as cpg_wire
from corosync_tw.services.exec_wire import ServiceId
from corosync_tw.totem import messages, wire
from corosync_tw.totem.claims import Row, encode_claims
from corosync_tw.totem.const import MessageType
from corosync_tw.totem.messages import MembJoin
from tests.unit.net.knet.test_golden import GOLDEN
from tests.unit.totem import capture
from tests.unit.totem.byteswap import swap_frame
from tests.unit.totem.wire_helpers import encode

FIXED = {
    "totem": (messages.HEADER, b""),
    "orf_token": (messages.ORF_TOKEN, messages.HEADER),
    "mcast": (messages.MCAST, messages.HEADER),
    "memb_merge_detect": (messages.MERGE_DETECT, messages.HEADER),
    "memb_join": (messages.MEMB_JOIN, messages.HEADER),
    "memb_commit_token": (messages.COMMIT_TOKEN, messages.HEADER),
    "token_hold_cancel": (messages.HOLD_CANCEL, messages.HEADER),
    "knet_data": (knet.DATA_HEADER, knet.HEADER),
    "knet_ping": (knet.PING, knet.HEADER),
    "knet_pmtud": (knet.PMTUD, knet.HEADER),
}


def size(part: object) -> int:
    return sum(one.len_bytes for one in part.fields)


@pytest.mark.parametrize("name", FIXED)
def test_a_layout_is_as_long_as_its_codec(name):
    codec, front = FIXED[name]
    (fixed,) = (part for part in LAYOUTS[name].parts if isinstance(part, Fixed))
    assert size(fixed) == codec.size - (front.size if front else 0)


def test_every_frame_of_the_ring_and_of_knet_has_a_layout():
    assert {kind.name.lower() for kind in MessageType} <= set(LAYOUTS)
    assert {f"knet_{kind.name.lower()}" for kind in PacketType} <= set(LAYOUTS)
    assert set(KINDS) <= set(LAYOUTS)


def choices(then):
    if isinstance(then, Choice):
        for case in (*then.cases.values(), then.otherwise):
            yield from choices(case)
    else:
        yield then


def test_the_table_names_nothing_that_is_not_there():
    for layout in LAYOUTS.values():
        names = set()
        for part in layout.parts:
            if isinstance(part, Repeated):
                assert part.count in names
            elif isinstance(part, Chunks):
                assert part.lengths in names
                assert part.layout in {"", *LAYOUTS}
                assert {part.headless, part.endless} <= {"", *names}
            names |= {one.name for one in getattr(part, "fields", ())} | {getattr(part, "name", "")}
        assert set(choices(layout.then)) <= {"", DATA, *LAYOUTS}
        # A ring's id is two fields.
        assert set(layout.summary) <= names | {"ring_id"}


def test_names_have_to_fit_a_codec():
    with pytest.raises(AssertionError):
        fields_of(Struct("<II"), "one two three")
    with pytest.raises((AssertionError, StopIteration)):
        fields_of(Struct("<II"), "one")
    with pytest.raises(AssertionError):
        fields_of(Struct("<HHI"), "x", behind=Struct("<I"))


def expected(message):
    """The fields of a decoded message by the names of the table."""
    found = {}
    for name, value in (
        dataclasses.asdict(message) if dataclasses.is_dataclass(message) else message._asdict()
    ).items():
        if name == "ring_id":
            found["ring_id.rep"], found["ring_id.seq"] = value
        elif name == "rtr_list":
            found[name] = [
                {"ring_id.rep": i[0][0], "ring_id.seq": i[0][1], "seq": i[1]} for i in value
            ]
        elif name == "memb_list":
            found[name] = [
                {"ring_id.rep": e[0][0], "ring_id.seq": e[0][1]}
                | dict(zip(("aru", "high_delivered", "received_flg"), e[1:], strict=True))
                for e in value
            ]
        elif name in {"proc_list", "failed_list", "addr"}:
            found[name] = list(value)
        elif name not in {"payload", "big_endian", "claims"}:
            found[name] = value
    return found


def check(frame):
    header, body, *_ = dissect(frame)
    assert expected(wire.decode(frame)).items() <= (header.values | body.values).items()


def test_a_stock_ring_means_what_the_daemon_reads():
    for frame in capture.frames():
        layers = dissect(frame)
        assert not any(layer.fault for layer in layers)
        check(frame)


def test_the_other_byte_order_means_the_same():
    for frame in capture.frames()[::7]:
        check(swap_frame(frame))
        layers = dissect(swap_frame(frame))
        assert not any(layer.fault for layer in layers)


def test_messages_of_services_are_found_in_their_packets():
    counts = {}
    for frame in capture.frames():
        for layer in dissect(frame):
            if layer.layout.name == "exec":
                number = layer.values["id"] >> 16
                counts[number] = counts.get(number, 0) + 1
    assert set(counts) == {ServiceId.CMAP, ServiceId.CPG, ServiceId.VOTEQUORUM}


def test_a_message_to_a_group_names_it():
    groups = {
        layer.values["group"].rstrip(b"\0")
        for frame in capture.frames()
        for layer in dissect(frame)
        if layer.layout.name in {"cpg_mcast", "cpg_partial_mcast", "cpg_procjoin"}
    }
    assert groups == {b"demo"}


def test_the_beginning_of_a_message_may_end_anywhere():
    message = b"\1\0\1\0a" + struct.pack("<IIii", cpg_wire.MCAST_ID, 0, 400, 0) + b"part"
    # Not where the names or the header end: nothing is cut there.
    for length in set(range(len(message))) - {5, 21}:
        for fragmented in (0, 7):
            packet = struct.pack("<HHBBHH", 0, 0, fragmented, 0, 1, length) + message[:length]
            frame = wire.encode_mcast_header(1, 1, 1, (1, 4), 0) + packet
            assert any(layer.fault for layer in dissect(frame)) == (not fragmented)


def test_claims_behind_a_join_are_read():
    rows = (
        Row(1, 0, frozenset({1, 2}), frozenset({1, 2, 9}), frozenset({9}), frozenset()),
        Row(9, 40, frozenset(), frozenset({1}), frozenset(), frozenset({1})),
    )
    frame = encode(MembJoin(1, 1, (1, 2), (), 8)) + encode_claims(rows, 1000)
    *_, claims = dissect(frame)
    assert claims.layout.name == "claims"
    assert claims.values["nodes"] == [1, 2, 9]
    assert claims.values["rows"] == [
        {
            "place": 0,
            "age_ms": 0,
            "ring": b"\3",
            "heard": b"\7",
            "deaf_to": b"\4",
            "unheard_by": b"\0",
        },
        {
            "place": 2,
            "age_ms": 40,
            "ring": b"\0",
            "heard": b"\1",
            "deaf_to": b"\0",
            "unheard_by": b"\1",
        },
    ]
    assert not claims.fault


def test_packets_of_stock_knet():
    header, ping = dissect(GOLDEN["ping_timed"])
    decoded = knet.decode(GOLDEN["ping_timed"])
    assert header.values["node"] == decoded.node
    assert (ping.layout.name, ping.values["time"]) == ("knet_ping", decoded.time)
    kinds = {name: dissect(packet)[1].layout.name for name, packet in GOLDEN.items()}
    assert kinds == {
        "data_fragment1_of_3": "knet_data",
        "data_fragment2_of_3": "knet_data",
        "data_fragment3_of_3": "knet_data",
        "data_whole": "knet_data",
        "ping_timed": "knet_ping",
        "ping_untimed": "knet_ping",
        "pmtud": "knet_pmtud",
        "pmtud_reply": "knet_pmtud_reply",
        "pong": "knet_pong",
    }
    whole = dissect(GOLDEN["data_whole"])
    assert whole[2].layout.name == "totem"


def test_frames_in_frames_have_an_end():
    header = wire.encode_mcast_header(1, 1, 1, (1, 4), 0, encapsulated=1)
    layers = dissect(header * 1400)
    assert layers[-1].fault == decode.TOO_DEEP
    assert len(layers) == 2 * DEPTH_MAX + 1


def test_what_nobody_knows_is_sealed():
    assert layout_of(b"") == SEALED
    (layer,) = dissect(b"GET / HTTP/1.1")
    assert (layer.layout.name, layer.values[DATA]) == (SEALED, b"GET / HTTP/1.1")


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_have_layers(data):
    assert dissect(data)
    for start in (b"\x70\xc0\x03", b"\xc0\x70\x03", b"\1\0\0\1\1\0", b"\xa7\0\0\1"):
        assert dissect(start + data)


@given(st.sampled_from(capture.frames()[::97]), st.data())
@settings(max_examples=200, deadline=None)
def test_damaged_frames_have_layers(frame, data):
    damaged = bytearray(frame[: data.draw(st.integers(0, len(frame)))])
    for at in data.draw(st.lists(st.integers(0, max(0, len(damaged) - 1)), max_size=4)):
        if at < len(damaged):
            damaged[at] = data.draw(st.integers(0, 255))
    layers = dissect(bytes(damaged))
    assert layers


@given(st.sampled_from(capture.frames()[::97]), st.data())
@settings(max_examples=200, deadline=None)
def test_a_frame_that_was_cut_has_what_is_whole_of_it(frame, data):
    whole = dissect(frame)
    cut = dissect(frame[: data.draw(st.integers(24, len(frame)))])
    assert len(cut) <= len(whole)
    for of_cut, of_whole in zip(cut, whole, strict=False):
        assert of_cut.layout is of_whole.layout
        for name, value in of_cut.values.items():
            told = of_whole.values[name]
            assert value == told or (name == DATA and told.startswith(value))


def test_a_list_of_fewer_entries_than_none_is_cut_short():
    token = bytearray(
        next(frame for frame in capture.frames() if frame[3] == MessageType.ORF_TOKEN)
    )
    assert token[-4:] == bytes(4)
    token[-4:] = struct.pack("<i", -1)
    assert dissect(bytes(token))[-1].fault == decode.CUT_SHORT


def test_a_packet_of_more_messages_than_are_read_says_so():
    for count in (decode.CHUNKS_MAX, decode.CHUNKS_MAX + 1):
        message = b"\1\0\1\0a" + struct.pack("<II", 8, 7)
        lengths = struct.pack(f"<{count}H", *[len(message)] * count)
        packet = struct.pack("<HHBBH", 0, 0, 0, 0, count) + lengths + message * count
        layers = dissect(wire.encode_mcast_header(1, 1, 1, (1, 4), 0) + packet)
        faults = {layer.fault for layer in layers} - {""}
        assert (decode.TOO_MANY in faults) == (count > decode.CHUNKS_MAX)
        read = [layer for layer in layers if layer.layout.name == "message"]
        assert len(read) == decode.CHUNKS_MAX


def test_a_message_in_the_middle_ends_where_it_says():
    """The last one alone may be a beginning."""
    whole = b"\1\0\1\0a" + struct.pack("<IIii", cpg_wire.MCAST_ID, 0, 400, 0)
    packet = struct.pack("<HHBBHHH", 0, 0, 7, 0, 2, 9, len(whole)) + whole[:9] + whole
    layers = dissect(wire.encode_mcast_header(1, 1, 1, (1, 4), 0) + packet)
    assert decode.CUT_SHORT in {layer.fault for layer in layers}
