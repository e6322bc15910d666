"""Packets that libknet 1.25 sent, decoded and made again."""

from pathlib import Path

import pytest

from corosync_tw.errors import MalformedFrame
from corosync_tw.net.knet import wire
from corosync_tw.net.knet.wire import PacketType, Ping, Pmtud

FILE = Path(__file__).parents[3] / "data" / "libknet-1.25-packets.txt"
PAD_AT = 4  # 0 from 1.x, which answers with what it got; from others their highest version


def golden() -> dict[str, bytes]:
    lines = [line.split() for line in FILE.read_text().splitlines() if not line.startswith("#")]
    return {name: bytes.fromhex(data).ljust(int(length), b"\0") for name, length, data in lines}


GOLDEN = golden()


def unversioned(packet: bytes) -> bytes:
    return packet[:PAD_AT] + packet[PAD_AT + 1 :]


@pytest.mark.parametrize("name", ["ping_timed", "ping_untimed", "pong"])
def test_pings_are_read_and_made_alike(name: str) -> None:
    ping = wire.decode(GOLDEN[name])
    assert isinstance(ping, Ping)
    assert (ping.node, ping.link) == (1, 0)
    assert unversioned(wire.encode_ping(ping)) == unversioned(GOLDEN[name])
    assert wire.decode_time(ping.time) > 0


def test_an_untimed_ping_comes_when_8191_packets_were_sent() -> None:
    ping = wire.decode(GOLDEN["ping_untimed"])
    assert isinstance(ping, Ping)
    assert (ping.seq, ping.timed) == (wire.SEQ_MAX // 8, False)


@pytest.mark.parametrize("name", ["pmtud", "pmtud_reply"])
def test_probes_are_read_and_made_alike(name: str) -> None:
    probe = wire.decode(GOLDEN[name])
    assert isinstance(probe, Pmtud)
    assert probe.size == wire.encode_size(65535)
    made = wire.encode_pmtud(probe, len(GOLDEN[name]))
    assert made[PAD_AT] == wire.VERSION
    assert unversioned(made) == unversioned(GOLDEN[name])


def test_data_has_the_header_that_we_make() -> None:
    whole = GOLDEN["data_whole"]
    assert wire.data_template(1)[:4] == whole[:4]
    assert wire.data_template(1)[8:] == whole[8:14]
    first = GOLDEN["data_fragment1_of_3"]
    assert len(first) == 576 - 28 - wire.HEADER_ALL_LEN_BYTES + wire.DATA_HEADER_LEN_BYTES


@pytest.mark.parametrize("name", sorted(GOLDEN))
def test_decoding_is_total(name: str) -> None:
    packet = GOLDEN[name][:60]
    for at in range(min(len(packet), 30)):
        for value in (0, 1, 8, 0x7F, 0x80, 0x85, 0xFF):
            for cut in (at, len(packet)):
                damaged = (packet[:at] + bytes((value,)) + packet[at + 1 :])[:cut]
                try:
                    message = wire.decode(damaged)
                except MalformedFrame:
                    continue
                assert message.kind in set(PacketType) - {PacketType.DATA}
                assert message.link < 8


def test_times_of_either_byte_order_are_read() -> None:
    time = wire.encode_time(1_234_567_890_123)
    assert wire.decode_time(time) == 1_234_567_890_123
    swapped = time[7::-1] + time[:7:-1]
    assert wire.decode_time(swapped) == 1_234_567_890_123
    with pytest.raises(MalformedFrame):
        wire.decode_time(b"\xff" * 16)


@pytest.mark.parametrize(
    ("seq", "count", "following"),
    [(0, 1, 1), (1, 1, 2), (65534, 1, 65535), (65535, 1, 1), (65535, 2, 2), (32767, 2, 32769)],
)
def test_sequence_numbers_skip_0(seq: int, count: int, following: int) -> None:
    assert wire.next_seq(seq, count) == following
