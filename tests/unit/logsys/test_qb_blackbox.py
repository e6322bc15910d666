"""Blackbox files of libqb: a stock daemon's, what we write, and what is left of broken ones."""

import lzma
import struct
from collections import Counter
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from corosync_tw.logsys.format import Record
from corosync_tw.logsys.history import History
from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.qb_blackbox import (
    CHUNK_LEN_BYTES_MAX,
    BlackboxEntry,
    Damage,
    entry_line,
    is_blackbox,
    only_messages,
    read_blackbox,
)
from corosync_tw.logsys.qb_blackbox_write import TEXT_LEN_BYTES_MAX, write_blackbox
from corosync_tw.logsys.qb_format import TEXT_LEN_CHARS_MAX, expand

STOCK = Path(__file__).parents[2] / "data" / "corosync-3.1.7-fdata.xz"
HEADERS_LEN_BYTES = 40


@pytest.fixture(scope="module")
def stock():
    return lzma.decompress(STOCK.read_bytes())


def entry(text="hello", number=0, level=Level.NOTICE):
    return BlackboxEntry(1_700_000_000_250_000_000 + number, level, 3, "TOTEM", number, text)


def chunk(body):
    return struct.pack("<2I", len(body), 0xA1A1A1A1) + body + bytes(-len(body) % 4)


def ring(order, chunks, *, has_ns=True, words=1024):
    """Make a file as a machine of some byte order would."""
    used = sum(map(len, chunks)) // 4
    head = struct.pack(f"{order}5I", 0, 0xCCBBCCBB, 0xBBCCBBCC, 2, 0) if has_ns else b""
    head += struct.pack(f"{order}5I", words, used, 0, 1, words + used + 1)
    return head + b"".join(chunks).ljust(words * 4, b"\0")


def test_a_stock_daemons_dump_is_read_whole(stock):
    assert is_blackbox(stock[:HEADERS_LEN_BYTES])
    items = list(read_blackbox(stock))
    assert not [item for item in items if isinstance(item, Damage)]
    assert len(items) == 667
    assert Counter(item.level for item in items)[Level.TRACE] > 100
    first = items[0]
    assert entry_line(first, "then") == (
        f"notice  then main({first.line_no}):8: Corosync Cluster Engine 3.1.7 starting up"
    )
    assert "A new membership (1.9) was formed. Members joined: 2" in {item.text for item in items}
    assert "Token warning every 750 ms (75% of Token Timeout)" in {item.text for item in items}
    assert all(a.time_ns <= b.time_ns for a, b in pairwise(items))


def test_what_we_write_is_what_we_read():
    entries = [entry(f"100% of it: %s %d {number} \u2714", number) for number in range(300)]
    data = write_blackbox(entries)
    assert is_blackbox(data[:HEADERS_LEN_BYTES])
    assert list(read_blackbox(data)) == entries


def test_no_messages_make_a_file_without_messages():
    assert list(read_blackbox(write_blackbox([]))) == []


def test_the_last_messages_stay_when_there_is_no_room_for_all():
    entries = [entry("x" * 100, number) for number in range(1000)]
    kept = list(read_blackbox(write_blackbox(entries, 10_000)))
    assert 0 < len(kept) < 100
    assert kept == entries[-len(kept) :]


def test_a_long_text_goes_on_in_further_messages():
    text = "\u2714" * 1000
    pieces = list(read_blackbox(write_blackbox([entry(text)])))
    assert "".join(piece.text for piece in pieces) == text
    assert max(len(piece.text.encode()) for piece in pieces) <= TEXT_LEN_BYTES_MAX


@pytest.mark.parametrize(
    ("order", "stamp", "has_ns", "long_value"),
    [
        ("<", struct.pack("<2q", 7, 250), True, struct.pack("<q", -5)),
        (">", struct.pack(">2q", 7, 250), True, struct.pack(">q", -5)),
        ("<", struct.pack("<2i", 7, 250), True, struct.pack("<i", -5)),
        (">", struct.pack(">2i", 7, 250), True, struct.pack(">i", -5)),
        ("<", struct.pack("<q", 7), False, struct.pack("<q", -5)),
        (">", struct.pack(">i", 7), False, struct.pack(">i", -5)),
    ],
)
def test_files_of_other_machines_and_of_old_libqb(order, stamp, has_ns, long_value):
    message = b"%ld of %s\0" + long_value + b"many\0"
    body = struct.pack(f"{order}IIBI", 42, 1 << 31, 6, 5) + b"main\0" + stamp
    body += struct.pack(f"{order}I", len(message)) + message
    head = struct.pack(f"{order}2I", len(body), 0xA1A1A1A1)
    data = ring(order, [head + body + bytes(-len(body) % 4)], has_ns=has_ns)
    time_ns = 7_000_000_000 + (250 if has_ns else 0)
    assert is_blackbox(data[:HEADERS_LEN_BYTES])
    assert list(read_blackbox(data)) == [
        BlackboxEntry(time_ns, Level.INFO, 1 << 31, "main", 42, "-5 of many")
    ]


def whole_message(text):
    """A message as a program with libqb writes it, however long."""
    message = text + b"\0"
    head = struct.pack("<IIBI", 7, 3, 5, 5) + b"main\0" + struct.pack("<2q", 9, 250)
    return chunk(head + struct.pack("<I", len(message)) + message)


@pytest.mark.parametrize(("length", "is_read"), [(1000, True), (CHUNK_LEN_BYTES_MAX, False)])
def test_a_chunk_longer_than_libqb_writes_is_none(length, is_read):
    items = list(read_blackbox(ring("<", [whole_message(b"x" * length)], words=40_000)))
    assert [isinstance(item, BlackboxEntry) for item in items] == [is_read]


def test_a_message_ends_where_the_writer_was():
    """What is behind its pointer is of the time before, or not written yet."""
    one, two = whole_message(b"one"), whole_message(b"two")
    file = bytearray(ring("<", [one, two]))
    write_pt = (len(one) + len(two)) // 4 - 1
    struct.pack_into("<5I", file, 20, 1024, write_pt, 0, 1, 1024 + write_pt + 1)
    items = list(read_blackbox(bytes(file)))
    assert items[0].text == "one"
    assert [isinstance(item, Damage) for item in items] == [False, True]


def test_messages_go_around_the_end_of_the_ring(stock):
    data = write_blackbox([entry("x" * number, number) for number in range(50)])
    words, write_pt, *_ = struct.unpack_from("=5I", data, 20)
    body = data[40:]
    shift = words - write_pt // 2
    turned = body[-shift * 4 :] + body[: -shift * 4]
    head = struct.pack("=5I", words, (write_pt + shift) % words, shift, 1, 0)
    total = sum(struct.unpack("=4I", head[:16])) & 0xFFFFFFFF
    data = data[:20] + head[:16] + struct.pack("=I", total) + turned
    assert [item.line_no for item in read_blackbox(data)] == list(range(50))


@pytest.mark.parametrize(
    ("message", "text"),
    [
        (b"plain\n\0", "plain"),
        (b"%d%% %s\0" + struct.pack("<i", 75) + b"%of it\0", "75% of it"),
        (b"[%5d|%-5x|%05u]\0" + struct.pack("<iII", -3, 255, 7), "[   -3|ff   |00007]"),
        (b"%llu %zu %hhu\0" + struct.pack("<QQI", 2**64 - 1, 9, 3), "18446744073709551615 9 3"),
        (b"%*d %.*s\0" + struct.pack("<ii", 4, 7) + struct.pack("<i", 2) + b"abc\0", "   7 ab"),
        (b"[%*d]\0" + struct.pack("<ii", -4, 7), "[7   ]"),
        (b"[%.*s]\0" + struct.pack("<i", -1) + b"abc\0", "[abc]"),
        (b"%c%.2f %p %p\0A" + struct.pack("<dQQ", 1.5, 0, 4096), "A1.50 (nil) 0x1000"),
        (b"%s and %s\0one\0", "one and ?"),
        (b"%d\0\x01", "?"),
        (b"%999999999d\0" + struct.pack("<i", 1), " " * 255 + "1"),
        (b"%y %", "%y %"),
        (b"\xff%s\0\xfe\0", "\\xff\\xfe"),
    ],
)
def test_formats_of_printf(message, text):
    assert expand(message, "<", 8) == text


def test_wide_fields_together_make_no_giant():
    assert len(expand(b"%250d" * 40 + b"\0" + bytes(4 * 40), "<", 8)) == TEXT_LEN_CHARS_MAX


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=200), st.sampled_from("<>"), st.sampled_from((4, 8)))
def test_any_message_has_a_bounded_text(message, order, long_len_bytes):
    assert len(expand(message, order, long_len_bytes)) <= TEXT_LEN_CHARS_MAX


GOOD = write_blackbox([entry(f"message {number}", number) for number in range(40)], 1 << 16)
USED = 40 + 4 * struct.unpack_from("=I", GOOD, 24)[0]


@settings(deadline=None, max_examples=50)
@given(st.integers(0, len(GOOD)))
def test_a_cut_file_is_read_as_far_as_it_is_whole(end):
    items = list(read_blackbox(GOOD[:end]))
    whole = [item.line_no for item in only_messages(items)]
    assert whole == list(range(len(whole)))
    # Messages have 56 to 64 bytes here.
    assert len(whole) >= (min(end, USED) - HEADERS_LEN_BYTES) // 64
    if end < USED:
        assert any(isinstance(item, Damage) for item in items)


@settings(deadline=None, max_examples=50)
@given(st.integers(0, USED - 1), st.integers(1, 255))
def test_one_wrong_byte_costs_one_message_at_most(at, change):
    data = bytearray(GOOD)
    data[at] ^= change
    items = list(read_blackbox(bytes(data)))
    told = [item for item in only_messages(items) if item == entry(item.text, item.line_no)]
    if at >= 20:
        assert len(told) >= 39
    assert len(items) <= 80


@settings(deadline=None, max_examples=50)
@given(st.binary(max_size=4000))
def test_any_bytes_are_read_to_their_end(data):
    assert len(list(read_blackbox(data))) <= len(data) + 1


@settings(deadline=None, max_examples=50)
@given(st.lists(st.binary(max_size=64), max_size=40), st.booleans())
def test_any_chunks_are_read_to_their_end(bodies, mark):
    junk = b"\xa1" * 64 if mark else b""
    items = list(read_blackbox(ring("<", [*map(chunk, bodies), junk])))
    assert len(items) <= 2 * (len(bodies) + 17)


def test_history_keeps_the_last_lines_while_it_is_told_to():
    history = History(lines_max=2)
    for number in range(3):
        history.add(Record(number / 4, Level.INFO, "CPG", str(number)))
    history.keeping = False
    history.add(Record(9.0, Level.INFO, "CPG", "not kept"))
    assert list(history.entries()) == [
        BlackboxEntry(250_000_000, Level.INFO, 7, "CPG", 0, "1"),
        BlackboxEntry(500_000_000, Level.INFO, 7, "CPG", 0, "2"),
    ]
    history.keeping = True
    history.add(Record(1.0, Level.INFO, "X", "2", "main.py:12", "start"))
    assert list(history.entries())[-1][2:5] == (17, "start", 12)
