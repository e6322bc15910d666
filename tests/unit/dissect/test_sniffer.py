"""Frames that are sealed, in fragments, compressed, or not to be seen at all."""

import os
import struct
import zlib
from datetime import UTC

import pytest

from corosync_tw.dissect import opening
from corosync_tw.dissect.capture import Packet
from corosync_tw.dissect.opening import Opener
from corosync_tw.dissect.sniffer import PARTIAL_MAX, Sniffer
from corosync_tw.dissect.text import LIST_SHOWN_MAX, MESSAGES_SHOWN_MAX, block, document, line
from corosync_tw.net.crypto.aead import ClusterKey
from corosync_tw.net.crypto.envelope import Envelope
from corosync_tw.net.crypto.guard import Guard
from corosync_tw.net.crypto.settings import CryptoSettings
from corosync_tw.net.knet.compression import MODELS
from corosync_tw.net.knet.wire import DATA_HEADER, FRAME_LEN_BYTES_MAX
from corosync_tw.totem import wire
from tests.unit.dissect.making import ethernet
from tests.unit.net.knet.test_golden import GOLDEN
from tests.unit.totem import capture

KEY = bytes(range(256))
TOKEN = next(frame for frame in capture.frames() if frame[3] == 0)


def sniff(*payloads, opener=None, ports=None, port=5405, segment_bytes=0):
    sniffer = Sniffer(opener, ports)
    found = []
    for payload in payloads:
        packet = Packet(1_500_000_000, 1, ethernet(payload, port), "eth7", segment_bytes)
        found += sniffer.take(packet)
    return found, sniffer.stats


def of_knet(content, seq=1, compress=0, count=1, place=1):
    return DATA_HEADER.pack(1, 0, 7, 1, 0, seq, compress, 0, 1, count, place, 0) + content


def test_a_line_says_what_matters():
    (frame,), _ = sniff(TOKEN)
    assert line(frame, UTC) == (
        "00:00:01.500000 eth7 10.0.0.1:40404 > 10.0.0.2:5405: orf_token node 1 ring 1.9 seq 0 "
        "token_seq 0 aru 4294967295 aru_addr 1 backlog 0 fcc 0, 57 bytes"
    )


def shown(frame_bytes):
    (frame,), _ = sniff(frame_bytes)
    return frame, line(frame, UTC)


@pytest.mark.parametrize("count", [0, 1, LIST_SHOWN_MAX, LIST_SHOWN_MAX + 2])
def test_a_long_list_is_cut_on_the_line_and_whole_below(count):
    items = b"".join(struct.pack("<IQI", 1, 9, 100 + number) for number in range(count))
    frame, text = shown(TOKEN[:-4] + struct.pack("<i", count) + items)
    wanted = " ".join(str(100 + number) for number in range(min(count, LIST_SHOWN_MAX)))
    assert ("rtr_list" in text) == bool(count)
    if count:
        assert f"rtr_list [{wanted}{' and 2 more' if count > LIST_SHOWN_MAX else ''}]" in text
    assert len(frame.layers[-1].values["rtr_list"]) == count
    assert str(100 + count - 1) in "".join(block(frame)) or not count


@pytest.mark.parametrize("count", [1, MESSAGES_SHOWN_MAX, MESSAGES_SHOWN_MAX + 1])
def test_many_messages_are_counted_on_the_line(count):
    message = b"\1\0\1\0a" + struct.pack("<II", 8, 7)
    lengths = struct.pack(f"<{count}H", *[len(message)] * count)
    packet = struct.pack("<HHBBH", 0, 0, 0, 0, count) + lengths + message * count
    _, text = shown(wire.encode_mcast_header(1, 1, 1, (1, 4), 0) + packet)
    assert text.count("| exec ") == min(count, MESSAGES_SHOWN_MAX)
    assert (f"{count} messages" in text) == (count > MESSAGES_SHOWN_MAX)


def test_fields_and_plain_values():
    (frame,), _ = sniff(TOKEN)
    assert "        type               0 (orf_token)" in list(block(frame))
    plain = document(frame)
    assert plain["kind"] == "orf_token"
    assert plain["layers"][0]["magic"] == 0xC070
    assert plain["layers"][1]["layout"] == "orf_token"
    assert (frame.nodeids() & {1, 2, 3}, frame.ring()) == ({1}, (1, 9))


def test_frames_are_put_together_of_stock_fragments():
    frames, stats = sniff(*(GOLDEN[f"data_fragment{n}_of_3"] for n in (2, 1, 3)))
    assert [frame.kind for frame in frames] == ["knet_data", "knet_data", "mcast"]
    assert stats.frames == {"knet_data": 2, "mcast": 1}
    assert frames[2].notes[0] == "fragment 3 of 3"


def test_fragments_that_never_end_are_forgotten():
    sniffer = Sniffer()
    for seq in range(1, 4 * PARTIAL_MAX):
        packet = Packet(0, 1, ethernet(of_knet(b"x", seq % 65535, count=255, place=9)))
        list(sniffer.take(packet))
    assert len(sniffer._partial) <= PARTIAL_MAX


def test_fragments_that_are_none_are_kept_nowhere():
    sniffer = Sniffer()
    long = bytes(FRAME_LEN_BYTES_MAX // 2 + 1)
    for content, place in ((b"x", 0), (b"x", 4), (long, 1), (long, 2)):
        list(sniffer.take(Packet(0, 1, ethernet(of_knet(content, count=3, place=place)))))
    assert sniffer._partial == {}


def test_a_frame_is_of_those_that_sent_it_not_of_whom_a_message_names():
    frames, _ = sniff(*capture.frames())
    frame = next(each for each in frames if each.layers[-1].layout.name == "cpg_mcast")
    senders = frame.nodeids()
    assert senders <= {1, 2, 3}
    names = {"nodeid", "system_from", "node"} & frame.layers[-1].values.keys()
    assert names
    for name in names:
        frame.layers[-1].values[name] = 99
    assert frame.nodeids() == senders


def test_keys_of_senders_have_a_limit(monkeypatch):
    monkeypatch.setattr(opening, "SENDERS_MAX", 3)
    opener = Opener(KEY)
    cluster = ClusterKey("aes256-gcm", KEY)
    for nodeid in range(1, 8):
        sealed = Guard(nodeid, cluster, os.urandom, lambda: 0).seal_one(TOKEN)
        assert opener.open_guarded(memoryview(sealed)) == TOKEN
    assert [nodeid for _, nodeid, _ in opener._senders] == [5, 6, 7]


def test_a_compressed_frame_is_decompressed():
    (frame,), _ = sniff(of_knet(zlib.compress(TOKEN), compress=MODELS["zlib"]))
    assert frame.kind == "orf_token"
    assert frame.notes == ["57 bytes when decompressed"]
    (frame,), _ = sniff(of_knet(b"no zlib", compress=MODELS["zlib"]))
    assert (frame.kind, frame.notes) == ("knet_data", ["what cannot be decompressed"])


@pytest.mark.parametrize(
    ("cipher", "digest"), [("aes256", "sha256"), ("aes128", "md5"), ("none", "sha1")]
)
def test_what_a_key_sealed_is_opened_whatever_the_cipher(cipher, digest):
    envelope = Envelope(CryptoSettings(cipher, digest, KEY), os.urandom)
    sealed = [bytes(one) for one in envelope.seal([of_knet(TOKEN), GOLDEN["ping_timed"]] * 3)]
    frames, _ = sniff(*sealed, opener=Opener(KEY))
    assert [frame.kind for frame in frames] == ["orf_token", "knet_ping"] * 3
    assert frames[0].notes == [f"sealed with {cipher}/{digest}"]
    if cipher != "none":
        frames, _ = sniff(*sealed)
        assert {frame.kind for frame in frames} == {"sealed"}
        frames, _ = sniff(*sealed, opener=Opener(KEY[::-1]))
        assert {frame.kind for frame in frames} == {"sealed"}


@pytest.mark.parametrize("cipher", ["aes256-gcm", "chacha20-poly1305"])
def test_sealed_datagrams_of_udp_are_opened(cipher):
    guard = Guard(5, ClusterKey(cipher, KEY), os.urandom, lambda: 0)
    sealed = guard.seal_one(TOKEN)
    (frame,), _ = sniff(sealed)
    assert (frame.kind, frame.layers[0].values["nodeid"]) == ("guarded", 5)
    (frame,), _ = sniff(sealed, opener=Opener(KEY))
    assert frame.kind == "orf_token"
    (frame,), _ = sniff(sealed, opener=Opener(KEY[::-1]))
    assert frame.kind == "guarded"


def test_strangers_are_shown_on_corosyncs_ports_alone():
    assert [frame.kind for frame in sniff(b"hello")[0]] == ["sealed"]
    assert sniff(b"hello", port=5555)[0] == []
    assert [frame.kind for frame in sniff(b"hello", port=5555, ports=frozenset({5555}))[0]] == [
        "sealed"
    ]
    assert [frame.kind for frame in sniff(TOKEN, port=5555)[0]] == ["orf_token"]
    assert sniff(TOKEN, port=5555, ports=frozenset({5405}))[0] == []


def test_joined_datagrams_are_frames():
    frames, stats = sniff(TOKEN * 3, segment_bytes=len(TOKEN))
    assert [frame.len_bytes for frame in frames] == [57] * 3
    assert stats.packets == 1


def test_hostile_text_cannot_move_the_cursor():
    evil = b"\x1b[2J\nevil"
    message = b"\1\0" + len(evil).to_bytes(2, "little") + evil
    packet = b"\0\0\0\0\0\0\1\0" + len(message).to_bytes(2, "little") + message
    mcast = next(f for f in capture.frames() if f[3] == 1)[:45] + packet
    (frame,), _ = sniff(mcast)
    shown = "".join(block(frame)) + line(frame)
    assert "\x1b" not in shown
    assert "\n" not in shown
    assert "evil" in shown
