"""
libqb's blackbox files: what stock Corosync leaves as ``fdata``, read and written.

A file is a header, a second header, and the words of a ring; a chunk of the ring is a log message::

    file    0, 0xCCBBCCBB, 0xBBCCBBCC, 2, 0           (since libqb 1.0.6; without: whole seconds)
            words, write_pt, read_pt, 1, sum of these
    chunk   length in bytes, 0xA1A1A1A1, then padded to words
            u32 line, u32 tag, u8 priority, u32 length, function, time, u32 length, message

Everything is in the byte order and with the ``long`` of the machine that wrote it; the reader finds
both out. It gives what is whole and says what is not, for any bytes.

Source: libqb 2.0.6 lib/log_blackbox.c, lib/ringbuffer.c qb_rb_write_to_file.
"""

import struct
from collections.abc import Iterable, Iterator
from typing import Final, NamedTuple

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.qb_format import expand

CHUNK_LEN_BYTES_MAX: Final = 65536
_MAGIC: Final = 0xA1A1A1A1
# The same in either byte order.
_MAGIC_BYTES: Final = b"\xa1\xa1\xa1\xa1"
_FILE_WORDS: Final = (0, 0xCCBBCCBB, 0xBBCCBBCC, 2, 0)
_HEADER_LEN_BYTES: Final = 20
_WORD: Final = 4
_CHUNK_HEADER_LEN_BYTES: Final = 8
_RING_VERSION: Final = 1
# Line, tag, priority, length of the function, of the message; shortest function and message.
_FIXED_LEN_BYTES: Final = 17
_CHUNK_LEN_BYTES_MIN: Final = _FIXED_LEN_BYTES + 2 + 4


class BlackboxEntry(NamedTuple):
    """
    One log message.

    :ivar time_ns: wall clock, nanoseconds since the epoch.
    :ivar tag: number of the subsystem, in the order in which its program registered them.
    """

    time_ns: int
    level: Level
    tag: int
    function: str
    line_no: int
    text: str


class Damage(NamedTuple):
    """
    A place where something is missing.

    :ivar offset_bytes: from the beginning of the file.
    """

    offset_bytes: int
    text: str


class _Layout(NamedTuple):
    """
    How a file is laid out.

    :ivar read_pt: word at which the oldest message begins.
    :ivar used_words: from there on.
    :ivar time_lens_bytes: of a time stamp, the likelier one first.
    """

    byte_order: str
    ring_at_bytes: int
    words: int
    read_pt: int
    used_words: int
    time_lens_bytes: tuple[int, int]
    has_ns: bool
    header_fault: str


def is_blackbox(head: bytes) -> bool:
    """Tell from the first 40 bytes of a file whether libqb wrote it."""
    for order in "<>":
        whole = struct.Struct(f"{order}5I")
        if len(head) >= _HEADER_LEN_BYTES and whole.unpack_from(head) == _FILE_WORDS:
            return True
        if len(head) >= _HEADER_LEN_BYTES:
            words, write_pt, read_pt, version, total = whole.unpack_from(head)
            if words and version == _RING_VERSION:
                return bool((words + write_pt + read_pt + version) & 0xFFFFFFFF == total)
    return False


def read_blackbox(data: bytes) -> Iterator[BlackboxEntry | Damage]:
    """Give the messages of a file, oldest first, and Damage where some are missing."""
    layout = _layout(data)
    if layout is None:
        yield Damage(0, "this is no blackbox of libqb")
        return
    if layout.header_fault:
        yield Damage(layout.ring_at_bytes - _HEADER_LEN_BYTES, layout.header_fault)
    yield from _Ring(data, layout).messages()


def _layout(data: bytes) -> _Layout | None:
    for order in "<>":
        whole = struct.Struct(f"{order}5I")
        has_ns = len(data) >= _HEADER_LEN_BYTES and whole.unpack_from(data) == _FILE_WORDS
        ring_header_at = _HEADER_LEN_BYTES if has_ns else 0
        if not has_ns and not is_blackbox(data[:_HEADER_LEN_BYTES]):
            continue
        lens = (16, 8) if has_ns else (8, 4)
        at = ring_header_at + _HEADER_LEN_BYTES
        if len(data) < at:
            return _Layout(order, at, 0, 0, 0, lens, has_ns, "the file ends in its header")
        words, write_pt, read_pt, version, total = whole.unpack_from(data, ring_header_at)
        if not has_ns and version != _RING_VERSION:
            continue
        there = (len(data) - at) // _WORD
        sound = (words + write_pt + read_pt + version) & 0xFFFFFFFF == total
        if not sound or max(write_pt, read_pt) >= words:
            fault = "the header is corrupt; messages are given in the order of the file"
            return _Layout(order, at, there, 0, there, lens, has_ns, fault)
        fault = f"the file is cut: {there} of {words} words are here" if words > there else ""
        used_words = (write_pt - read_pt) % words
        return _Layout(order, at, words, read_pt, used_words, lens, has_ns, fault)
    return None


class _Ring:
    """The ring of one file."""

    def __init__(self, data: bytes, layout: _Layout) -> None:
        self._data = data
        self._layout = layout
        self._chunk = struct.Struct(f"{layout.byte_order}2I")
        self._first = struct.Struct(f"{layout.byte_order}IIBI")
        self._length = struct.Struct(f"{layout.byte_order}I")

    def messages(self) -> Iterator[BlackboxEntry | Damage]:
        """Walk from the read pointer to the write pointer, skipping what is no chunk."""
        words = self._layout.words
        at, left = self._layout.read_pt, self._layout.used_words
        lost_at: int | None = None
        while left > 0:
            entry, step = self._message(at, left)
            if entry is None:
                lost_at = at if lost_at is None else lost_at
                step = self._to_next(at, left)
            else:
                if lost_at is not None:
                    yield self._damage(lost_at, at)
                    lost_at = None
                yield entry
            at, left = (at + step) % words, left - step
        if lost_at is not None:
            yield self._damage(lost_at, at)

    def _damage(self, begin: int, end: int) -> Damage:
        count = (end - begin) % self._layout.words or self._layout.words
        text = f"{count * _WORD} bytes are no messages, or were not written whole"
        return Damage(self._offset(begin), text)

    def _offset(self, at: int) -> int:
        return self._layout.ring_at_bytes + at * _WORD

    def _bytes(self, at: int, len_bytes: int) -> bytes:
        """Give bytes from a word on, around the end of the ring; fewer when the file is cut."""
        begin = self._offset(at)
        ring_end = self._layout.ring_at_bytes + self._layout.words * _WORD
        straight = self._data[begin : min(begin + len_bytes, ring_end)]
        rest = begin + len_bytes - ring_end
        if rest <= 0 or len(straight) < ring_end - begin:
            return straight
        first = self._layout.ring_at_bytes
        return straight + self._data[first : min(first + rest, begin)]

    def _message(self, at: int, left: int) -> tuple[BlackboxEntry | None, int]:
        """Give the message at a word, if there is one, and the words of its chunk."""
        header = self._bytes(at, _CHUNK_HEADER_LEN_BYTES)
        if len(header) < _CHUNK_HEADER_LEN_BYTES:
            return None, 0
        len_bytes, magic = self._chunk.unpack(header)
        if magic != _MAGIC or not _CHUNK_LEN_BYTES_MIN <= len_bytes <= CHUNK_LEN_BYTES_MAX:
            return None, 0
        step = (_CHUNK_HEADER_LEN_BYTES + len_bytes + _WORD - 1) // _WORD
        if step > left:
            return None, 0
        return self._entry(at, len_bytes), step

    def _entry(self, at: int, len_bytes: int) -> BlackboxEntry | None:
        """Give a chunk's message; None unless all its lengths agree."""
        first = self._part(at, 0, self._first.size)
        if len(first) < self._first.size:
            return None
        line_no, tag, priority, function_len = self._first.unpack(first)
        time_at = self._first.size + function_len
        for time_len in self._layout.time_lens_bytes:
            length_at = time_at + time_len
            message_at = length_at + self._length.size
            if message_at >= len_bytes:
                continue
            length = self._part(at, length_at, self._length.size)
            if length == self._length.pack(len_bytes - message_at):
                break
        else:
            return None
        body = self._part(at, 0, len_bytes)
        if len(body) < len_bytes:
            return None
        return BlackboxEntry(
            self._time_ns(body[time_at:length_at]),
            Level(min(priority, Level.TRACE)),
            tag,
            _c_string(body[self._first.size : time_at]),
            line_no,
            expand(
                body[message_at:],
                self._layout.byte_order,
                time_len // 2 if self._layout.has_ns else time_len,
            ),
        )

    def _part(self, at: int, offset_bytes: int, len_bytes: int) -> bytes:
        """Give bytes of a chunk's body; fewer when the file is cut."""
        offset_bytes += _CHUNK_HEADER_LEN_BYTES
        past = offset_bytes % _WORD
        at = (at + offset_bytes // _WORD) % self._layout.words
        return self._bytes(at, past + len_bytes)[past:]

    def _time_ns(self, stamp: bytes) -> int:
        parts = 2 if self._layout.has_ns else 1
        code = {8: "q", 4: "i"}[len(stamp) // parts]
        seconds, *ns = struct.unpack(f"{self._layout.byte_order}{parts}{code}", stamp)
        return int(seconds) * NS_PER_S + (int(ns[0]) if ns else 0)

    def _to_next(self, at: int, left: int) -> int:
        """Count the words to the next place that may be a chunk; ``left`` when there is none."""
        words = self._layout.words
        straight = min(left, words - at)
        found = self._find(at + 1, at + straight)
        if found is not None:
            return found - at
        if left > straight:
            found = self._find(0, left - straight)
            if found is not None:
                return straight + found
        return left

    def _find(self, begin: int, end: int) -> int | None:
        """Give the first word in [begin, end) behind which the mark of a chunk stands."""
        stop = self._offset(end) + _WORD
        at = self._offset(begin) + _WORD
        while True:
            at = self._data.find(_MAGIC_BYTES, at, stop)
            if at < 0:
                return None
            past = (at - self._layout.ring_at_bytes) % _WORD
            if past == 0:
                return (at - self._layout.ring_at_bytes) // _WORD - 1
            at += 1


def _c_string(field: bytes) -> str:
    return field.partition(b"\0")[0].decode("utf-8", "backslashreplace")


def entry_line(entry: BlackboxEntry, stamp: str) -> str:
    """Give a message as stock's qb-blackbox prints it, without line end."""
    level = entry.level.name.lower()
    return f"{level:<7} {stamp} {entry.function}({entry.line_no}):{entry.tag}: {entry.text}"


def only_messages(items: Iterable[BlackboxEntry | Damage]) -> Iterator[BlackboxEntry]:
    """Leave the damage out."""
    return (item for item in items if isinstance(item, BlackboxEntry))
