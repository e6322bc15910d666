"""Both twins of the fragments kernel: cut frames, join packets, and each other."""

from array import array
from importlib import import_module
from itertools import accumulate
from types import ModuleType

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.kernels.plain import fragments as plain
from corosync_tw.net.knet import wire

compiled = import_module("corosync_tw.kernels.compiled.fragments")
both = pytest.mark.parametrize("kernel", [plain, compiled], ids=["plain", "compiled"])
TEMPLATE = wire.data_template(7)
HEADER = wire.DATA_HEADER_LEN_BYTES


def ends_of(parts: list[bytes]) -> "array[int]":
    return array("I", accumulate(map(len, parts), initial=0))


def cut(kernel: ModuleType, frames: list[bytes], payload_max: int, seq: int = 1) -> bytes:
    heads, bodies = [frame[:10] for frame in frames], [frame[10:] for frame in frames]
    packets: bytes = kernel.cut_frames(
        b"".join(heads),
        ends_of(heads),
        b"".join(bodies),
        ends_of(bodies),
        TEMPLATE,
        seq,
        payload_max,
    )
    return packets


def join(
    kernel: ModuleType, packets: bytes, stride: int, *gap: int
) -> tuple[bytes, list[tuple[int, ...]]]:
    blob = bytearray(packets)
    found = kernel.join_packets(memoryview(blob), stride, *gap)
    return bytes(blob), found


def apart(packets: bytes, stride: int, gap: int) -> bytes:
    """Put bytes of no meaning between packets."""
    each = [packets[at : at + stride] for at in range(0, len(packets), stride)]
    return (b"\1" * gap).join(each)


@both
def test_a_short_frame_is_one_packet(kernel: ModuleType) -> None:
    packets = cut(kernel, [b"x" * 20], 100, seq=258)
    assert packets == bytes.fromhex("0100000701000102000001010000") + b"x" * 20


@both
def test_a_long_frame_is_fragments_of_which_the_last_is_shorter(kernel: ModuleType) -> None:
    frame = bytes(range(250))
    packets = cut(kernel, [frame], 100)
    first, second, third = packets[:114], packets[114:228], packets[228:]
    assert [packet[11:13] for packet in (first, second, third)] == [b"\3\1", b"\3\2", b"\3\3"]
    assert first[HEADER:] + second[HEADER:] + third[HEADER:] == frame


@both
def test_fragments_are_joined_in_place(kernel: ModuleType) -> None:
    frame = bytes(range(250)) * 9
    blob, found = join(kernel, cut(kernel, [frame], 100, seq=5), 114)
    assert found == [(plain.DATA, HEADER, HEADER + 2250, 7, 5, 23, 23, 1, 0, 1)]
    assert blob[HEADER : HEADER + 2250] == frame


@both
def test_whole_frames_with_following_seqs_are_joined_over_the_end_of_the_circle(
    kernel: ModuleType,
) -> None:
    frames = [bytes([i]) * 50 for i in range(4)]
    blob, found = join(kernel, cut(kernel, frames, 100, seq=65534), 64)
    assert found == [(plain.DATA, HEADER, HEADER + 200, 7, 65534, 4, 1, 1, 0, 1)]
    assert blob[HEADER : HEADER + 200] == b"".join(frames)


@both
def test_a_gap_parts_two_groups(kernel: ModuleType) -> None:
    packets = cut(kernel, [b"a" * 50], 100, seq=3) + cut(kernel, [b"b" * 50], 100, seq=5)
    _, found = join(kernel, packets, 64)
    assert [group[:6] for group in found] == [(0, 14, 64, 7, 3, 1), (0, 78, 128, 7, 5, 1)]


@both
@pytest.mark.parametrize("gap", [1, 64, 200])
def test_packets_may_lie_apart(kernel: ModuleType, gap: int) -> None:
    frame = bytes(range(250)) * 9
    ping = wire.encode_ping(wire.Ping(wire.PacketType.PING, 7, 0, bytes(16), 0, True))
    packets = apart(cut(kernel, [frame], 100, seq=5), 114, gap)
    blob, found = join(kernel, packets, 114 + gap, gap)
    assert found == [(plain.DATA, HEADER, HEADER + 2250, 7, 5, 23, 23, 1, 0, 1)]
    assert blob[HEADER : HEADER + 2250] == frame
    packets = apart(cut(kernel, [b"a" * 50], 100) + ping, 64, gap)
    blob, found = join(kernel, packets, 64 + gap, gap)
    assert [group[:3] for group in found] == [(0, 14, 64), (0x81, 64 + gap, 90 + gap)]
    assert blob[64 + gap :] == ping
    with pytest.raises(ValueError, match="stride"):
        join(kernel, packets, gap, gap)


@both
def test_others_keep_their_headers(kernel: ModuleType) -> None:
    ping = wire.encode_ping(wire.Ping(wire.PacketType.PING, 7, 0, bytes(16), 0, True))
    packets = cut(kernel, [b"a" * 50], 100) + ping
    blob, found = join(kernel, packets, 64)
    assert found[1] == (wire.PacketType.PING, 64, 90, 0, 0, 1, 0, 0, 0, 0)
    assert blob[64:] == ping


@both
@pytest.mark.parametrize(
    "packet",
    [
        b"\1",
        b"\1\0" + bytes(40),
        TEMPLATE,
        b"\2" + cut(plain, [b"a"], 10)[1:],
        cut(plain, [b"a" * 9], 10)[:6] + bytes(2) + cut(plain, [b"a" * 9], 10)[8:],
        cut(plain, [b"a" * 9], 10)[:11] + b"\3\4" + cut(plain, [b"a" * 9], 10)[13:],
        cut(plain, [b"a" * 9], 10)[:11] + b"\3\0" + cut(plain, [b"a" * 9], 10)[13:],
    ],
    ids=["short", "no seq", "no payload", "version", "seq 0", "fragment 4 of 3", "fragment 0"],
)
def test_what_is_no_packet_is_malformed(kernel: ModuleType, packet: bytes) -> None:
    blob, found = join(kernel, packet, len(packet))
    assert found == [(plain.MALFORMED, 0, len(packet), 0, 0, 1, 0, 0, 0, 0)]
    assert blob == packet


@both
@pytest.mark.parametrize(
    ("frames", "payload_max", "seq"),
    [([b""], 10, 1), ([b"x" * 2551], 10, 1), ([b"x"], 0, 1), ([b"x"], 10, 0), ([b"x"], 10, 65536)],
)
def test_what_cannot_be_cut(
    kernel: ModuleType, frames: list[bytes], payload_max: int, seq: int
) -> None:
    with pytest.raises(ValueError, match=r"frame|payload"):
        cut(kernel, frames, payload_max, seq)


@both
def test_ends_must_lie_inside(kernel: ModuleType) -> None:
    if kernel is plain:
        return
    with pytest.raises(ValueError, match="outside"):
        kernel.cut_frames(b"ab", array("I", [0, 3]), b"", array("I", [0, 0]), TEMPLATE, 1, 10)
    with pytest.raises(ValueError, match="grow"):
        kernel.cut_frames(b"ab", array("I", [0, 2, 1]), b"", array("I", [0] * 3), TEMPLATE, 1, 9)


FRAMES = st.lists(st.binary(min_size=1, max_size=60), min_size=1, max_size=6)


@settings(deadline=None, max_examples=150)
@given(FRAMES, st.integers(1, 50), st.integers(1, 65535))
def test_twins_cut_alike(frames: list[bytes], payload_max: int, seq: int) -> None:
    assert cut(compiled, frames, payload_max, seq) == cut(plain, frames, payload_max, seq)


@settings(deadline=None, max_examples=150)
@given(FRAMES, st.integers(1, 50), st.integers(65530, 65535), st.data())
def test_twins_join_alike(
    frames: list[bytes], payload_max: int, seq: int, data: st.DataObject
) -> None:
    packets = bytearray(cut(plain, frames, payload_max, seq))
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(packets) - 1))
        packets[at] = data.draw(st.integers(0, 255))
    stride = data.draw(st.integers(1, 80))
    gap = data.draw(st.integers(0, stride - 1))
    whole = bytes(packets)
    assert join(compiled, whole, stride, gap) == join(plain, whole, stride, gap)
