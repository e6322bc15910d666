"""Files of packets: both formats, both byte orders, and those that lie."""

import io
import lzma
import struct

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.dissect import capture
from corosync_tw.dissect.capture import CaptureError, Packet
from corosync_tw.dissect.packets import Fragment, datagram_of, split
from tests.unit.dissect.making import block, ethernet, ipv6, pcap, pcapng, read
from tests.unit.totem import capture as stock

PAYLOADS = [b"first", b"second one", b""]
PACKETS = list(map(ethernet, PAYLOADS))


def stock_pcap() -> bytes:
    return lzma.decompress((stock.DATA / "corosync-3.1.7-udpu.pcap.xz").read_bytes())


def test_what_tcpdump_wrote_is_read_whole():
    packets = read(stock_pcap())
    payloads = [bytes(datagram_of(packet).payload) for packet in packets]
    assert payloads == list(stock.frames())
    assert packets[0].time_ns == 1795383422036312000


@pytest.mark.parametrize("order", "<>")
@pytest.mark.parametrize("make", [pcap, pcapng])
def test_both_formats_in_both_byte_orders(make, order):
    packets = read(make(PACKETS, order))
    assert [packet.data for packet in packets] == PACKETS
    assert [packet.time_ns for packet in packets] == [250_000_000, 1_250_000_000, 2_250_000_000]
    assert {packet.interface for packet in packets} == {"eth7" if make is pcapng else ""}
    found = [datagram_of(packet) for packet in packets]
    assert [bytes(one.payload) for one in found] == PAYLOADS
    assert {(one.source, one.destination) for one in found} == {
        (("10.0.0.1", 40404), ("10.0.0.2", 5405))
    }


def test_sections_of_different_machines_follow_each_other():
    assert len(read(pcapng(PACKETS, "<") + pcapng(PACKETS, ">"))) == 6


def test_simple_and_old_blocks_are_packets():
    start = pcapng([], "<")
    data = PACKETS[0] + bytes(-len(PACKETS[0]) % 4)
    simple = block(3, struct.pack("<I", len(PACKETS[0])) + data, "<")
    old = block(2, struct.pack("<HHIIII", 0, 0, 0, 7, len(PACKETS[0]), 99) + data, "<")
    assert read(start + simple + old) == [
        Packet(0, 1, PACKETS[0], "eth7"),
        Packet(7, 1, PACKETS[0], "eth7"),
    ]


@pytest.mark.parametrize(
    ("data", "complaint"),
    [
        (b"", "neither a pcap nor a pcapng file: it begins with nothing"),
        (b"\x1f\x8b\x08\x00", "begins with 1f 8b 08 00; decompress it first"),
        (pcap(PACKETS)[:20], "byte 4: the file ends within its header"),
        (pcap(PACKETS)[:-1], "the file ends within a packet"),
        (pcap(PACKETS) + b"123", "the file ends within a packet's head: 3"),
        (pcap([]) + struct.pack("<IIII", 0, 0, 1 << 31, 60), "a packet of 2147483648 bytes"),
        (pcapng(PACKETS)[:-1], "the file ends within a block"),
        (pcapng([]) + block(6, bytes(20), "<")[:-4] + bytes(4), "a block's two lengths differ"),
        (pcapng([]) + block(6, struct.pack("<IIIII", 5, 0, 0, 0, 0), "<"), "that is not there"),
        (pcapng([]) + block(6, struct.pack("<IIIII", 0, 0, 0, 9, 9), "<"), "longer than its block"),
        (pcapng([]) + block(6, bytes(4), "<"), "too short for what it is"),
        (pcapng([]) + struct.pack("<II", 6, 7), "a block of 7 bytes"),
        (pcapng([]) + struct.pack("<II", 6, 1 << 30), "a block of 1073741824 bytes"),
        (b"\x0a\x0d\x0d\x0a" + bytes(8), "no byte order mark"),
    ],
)
def test_a_damaged_file_is_named_where(data, complaint):
    with pytest.raises(CaptureError) as raised:
        read(data)
    if complaint.endswith(": 3"):
        complaint = complaint[:-3]
    assert complaint in str(raised.value)


def test_what_is_before_the_damage_is_given():
    packets = capture.read(io.BytesIO(pcap(PACKETS)[:-1]))
    assert next(packets).data == PACKETS[0]
    assert next(packets).data == PACKETS[1]
    with pytest.raises(CaptureError):
        next(packets)


@given(st.sampled_from([pcap(PACKETS), pcapng(PACKETS), pcapng(PACKETS, ">")]), st.data())
@settings(max_examples=300, deadline=None)
def test_hostile_files_end_in_a_complaint_or_in_packets(whole, data):
    damaged = bytearray(whole[: data.draw(st.integers(0, len(whole)))])
    for at in data.draw(st.lists(st.integers(0, len(whole)), max_size=6)):
        if at < len(damaged):
            damaged[at] = data.draw(st.integers(0, 255))
    try:
        for packet in capture.read(io.BytesIO(bytes(damaged))):
            datagram_of(packet)
    except CaptureError:
        pass


@given(st.sampled_from([0, 1, 12, 101, 108, 113, 228, 229, 276, 999]), st.binary(max_size=200))
@settings(max_examples=200, deadline=None)
def test_any_packet_holds_a_datagram_or_none(link, data):
    datagram_of(Packet(0, link, data))
    for at in range(len(data)):
        datagram_of(Packet(0, link, ethernet(data)[at:]))


def test_links_and_versions_of_ip():
    tagged = datagram_of(Packet(0, 1, ethernet(b"x", vlans=2)))
    assert bytes(tagged.payload) == b"x"
    six = datagram_of(Packet(0, 101, ipv6(b"six")))
    assert (six.source, bytes(six.payload)) == (("::1", 40404), b"six")
    cooked = bytes(14) + b"\x08\x00" + ethernet(b"c")[14:]
    assert bytes(datagram_of(Packet(0, 113, cooked)).payload) == b"c"
    cooked = b"\x08\x00" + bytes(18) + ethernet(b"c")[14:]
    assert bytes(datagram_of(Packet(0, 276, cooked)).payload) == b"c"
    assert bytes(datagram_of(Packet(0, 0, b"\2\0\0\0" + ethernet(b"n")[14:])).payload) == b"n"


def test_tags_of_vlans_have_an_end():
    assert datagram_of(Packet(0, 1, ethernet(b"x", vlans=3))) is None


def interface(name, resolution):
    """A block of pcapng whose first option is as long as it is."""
    options = struct.pack("<HH", 2, len(name)) + name + bytes(-len(name) % 4)
    options += struct.pack("<HHBxxx", 9, 1, resolution) + struct.pack("<HH", 0, 0)
    return block(1, struct.pack("<HHI", 1, 0, 0) + options, "<")


@pytest.mark.parametrize(
    ("resolution", "units"), [(6, 1_500_000), (9, 1_500_000_000), (0x80 | 10, 1536), (0, 1)]
)
def test_times_are_in_units_of_their_interface(resolution, units):
    packet = block(6, struct.pack("<IIIII", 1, 0, units, 4, 4) + b"data", "<")
    (found,) = read(pcapng([]) + interface(b"bond0", resolution) + packet)
    assert found.interface == "bond0"
    assert found.time_ns == (1_000_000_000 if units == 1 else 1_500_000_000)


def test_interfaces_of_a_file_have_a_limit():
    one = interface(b"x", 6)
    assert read(pcapng([]) + one * (capture.INTERFACES_MAX - 1)) == []
    with pytest.raises(CaptureError, match="more than 4096 interfaces"):
        read(pcapng([]) + one * capture.INTERFACES_MAX)


def test_fragments_of_ip_and_cut_packets_are_told():
    fragment = bytearray(ethernet(b"x"))
    fragment[14 + 6] = 0x20
    assert datagram_of(Packet(0, 1, bytes(fragment))) == Fragment()
    cut = datagram_of(Packet(0, 1, ethernet(b"whole")[:-2]))
    assert (bytes(cut.payload), cut.cut) == (b"who", True)


def test_joined_datagrams_are_cut():
    mcasts = [frame for frame in stock.frames() if frame[3] == 1 and len(frame) == 1455]
    same = [frame for frame in mcasts if frame[5:9] == mcasts[0][5:9]][:40:2]
    joined = memoryview(b"".join(same) + same[-1][:700])
    cut = [bytes(piece) for piece in split(joined, 0)]
    assert cut == [*same, same[-1][:700]]
    assert [bytes(piece) for piece in split(joined, 1455)] == cut
    assert [bytes(piece) for piece in split(memoryview(stock.frames()[0]), 0)] == [
        stock.frames()[0]
    ]
    assert [bytes(piece) for piece in split(memoryview(b""), 0)] == [b""]
