"""
The file of the flight recorder: a header, then rings of slots.

Everything is little-endian. The slots are the kernel's (``kernels.plain.recording``): each one
shows by itself whether it is whole, and to which ring ("lane") it belongs. A lane has a share of
the file, so that what happens at every visit of the token does not push out what happens once an
hour.

Header, by offset:

* 0: the head, ``HEAD``, with a checksum at its end; written once
* 512: how the process ended, ``ENDING``
* 1024: clock marks: what is to be added to the monotonic clock to have the wall clock's time, and
  from when on; each with a sum, the oldest is overwritten
* 4096: the table of events, JSON: codes, names, fields and texts of the version that writes
"""

import zlib
from dataclasses import dataclass
from enum import IntEnum
from struct import Struct
from typing import Final, NamedTuple

from corosync_tw.kernels.plain.recording import SALT, SLOT_LEN_BYTES, WORD_MASK

MAGIC: Final = b"\x89CTWREC\n"
FORMAT_VERSION: Final = 1
HEADER_LEN_BYTES: Final = 32768
# magic, format version, header length, slot length, table length, table checksum, nodeid, pid,
# start on the monotonic and on the wall clock, boot id, host name, version of the program,
# slots of each lane
HEAD: Final = Struct("<8sIIIIIIIqq16s64s32s4I")
_CRC: Final = Struct("<I")
ENDING_AT: Final = 512
# An Ending, an exit code, monotonic time
ENDING: Final = Struct("<IIq")
MARKS_AT: Final = 1024
MARKS: Final = 128
# monotonic time, offset, sum
MARK: Final = Struct("<qqQ")
TABLE_AT: Final = 4096
TABLE_LEN_BYTES_MAX: Final = HEADER_LEN_BYTES - TABLE_AT
# Longer files are none of ours.
FILE_LEN_BYTES_MAX: Final = 64 << 20
_SLOTS_MAX: Final = FILE_LEN_BYTES_MAX // SLOT_LEN_BYTES
_SLOTS_MIN: Final = 64

assert HEAD.size + _CRC.size <= ENDING_AT
assert MARKS_AT + MARKS * MARK.size <= TABLE_AT


class Lane(IntEnum):
    """
    Rings of one file; what is written into each never pushes anything out of another.

    What peers or clients can cause at any rate is not in EVENTS.
    """

    EVENTS = 0  # membership, and all that is rare
    VISITS = 1  # of the token, and what comes with every message or datagram
    REMARKS = 2  # warnings and errors in words, clients that come and go


SLOTS: Final = {Lane.EVENTS: 16384, Lane.VISITS: 32768, Lane.REMARKS: 16384}


class Ending(IntEnum):
    """How the process that writes a file ended."""

    RUNNING = 0  # or it was killed
    ENDED = 1  # in order
    FATAL = 2  # it gave up, and said so


class RecordingError(Exception):
    """A file cannot be read as a recording at all; ``args[0]`` names it and says why."""


@dataclass(frozen=True, slots=True)
class Head:
    """
    What a file says of itself.

    :ivar started_ns: on the wall clock; ``started_monotonic_ns`` on the other.
    :ivar boot_id: of the machine's kernel, 16 bytes: monotonic clocks compare within one boot.
    :ivar slots: of each lane, in order.
    """

    nodeid: int
    pid: int
    started_monotonic_ns: int
    started_ns: int
    boot_id: bytes
    hostname: str
    version: str
    slots: tuple[int, ...]
    table: bytes


class Mark(NamedTuple):
    """From ``monotonic_ns`` on, wall time is monotonic time and ``offset_ns``."""

    monotonic_ns: int
    offset_ns: int


def encode_head(head: Head) -> bytes:
    """Make the part of the header that is written once. Raises: ValueError, for a long table."""
    if len(head.table) > TABLE_LEN_BYTES_MAX:
        raise ValueError("the table of events is too long for the header")
    fixed = HEAD.pack(
        MAGIC,
        FORMAT_VERSION,
        HEADER_LEN_BYTES,
        SLOT_LEN_BYTES,
        len(head.table),
        zlib.crc32(head.table),
        head.nodeid,
        head.pid,
        head.started_monotonic_ns,
        head.started_ns,
        head.boot_id,
        head.hostname.encode()[:64],
        head.version.encode()[:32],
        *(*head.slots, 0, 0, 0, 0)[:4],
    )
    fixed += _CRC.pack(zlib.crc32(fixed))
    return (fixed.ljust(TABLE_AT, b"\0") + head.table).ljust(HEADER_LEN_BYTES, b"\0")


def decode_head(data: bytes) -> tuple[Head | None, list[str]]:
    """
    Read the head of a file.

    :return: the head, None when it is damaged or of another format; its table is empty when that
        alone is damaged; and what is wrong, in words.
    """
    if len(data) < HEAD.size + _CRC.size:
        return None, ["the header is cut short"]
    fields = HEAD.unpack_from(data)
    magic, version, header_len, slot_len, table_len, table_crc, nodeid, pid = fields[:8]
    monotonic_ns, wall_ns, boot_id, hostname, program, *slots = fields[8:]
    if magic != MAGIC:
        return None, ["the header is damaged: it does not begin as a recording does"]
    if _CRC.unpack_from(data, HEAD.size)[0] != zlib.crc32(data[: HEAD.size]):
        return None, ["the header is damaged"]
    if (version, header_len, slot_len) != (FORMAT_VERSION, HEADER_LEN_BYTES, SLOT_LEN_BYTES):
        return None, [f"the file is of format {version}, this program reads {FORMAT_VERSION}"]
    wrong = []
    table = data[TABLE_AT : TABLE_AT + min(table_len, TABLE_LEN_BYTES_MAX)]
    if len(table) != table_len or zlib.crc32(table) != table_crc:
        table, wrong = b"", ["the table of events is damaged, this program's own is used"]
    if any(count and not _SLOTS_MIN <= count <= _SLOTS_MAX for count in slots):
        return None, ["the header is damaged: a ring of no possible size"]
    head = Head(
        nodeid,
        pid,
        monotonic_ns,
        wall_ns,
        boot_id,
        _text(hostname),
        _text(program),
        tuple(slot for slot in slots if slot),
        table,
    )
    return head, wrong


def _text(field: bytes) -> str:
    return field.rstrip(b"\0").decode(errors="replace")


def encode_mark(mark: Mark) -> bytes:
    """Make a clock mark."""
    return MARK.pack(*mark, (sum(mark) + SALT) & WORD_MASK)


def decode_marks(data: bytes) -> list[Mark]:
    """Read the clock marks that are whole, by time."""
    found = [
        Mark(monotonic_ns, offset_ns)
        for monotonic_ns, offset_ns, check in MARK.iter_unpack(
            data[MARKS_AT : MARKS_AT + MARKS * MARK.size].ljust(MARKS * MARK.size, b"\0")
        )
        if (monotonic_ns + offset_ns + SALT) & WORD_MASK == check
    ]
    return sorted(found)


def decode_ending(data: bytes) -> tuple[Ending, int, int]:
    """Read how the process ended, with which exit code, and when on the monotonic clock."""
    if len(data) < ENDING_AT + ENDING.size:
        return Ending.RUNNING, 0, 0
    ending, code, monotonic_ns = ENDING.unpack_from(data, ENDING_AT)
    known = ending in set(Ending)
    return (Ending(ending) if known else Ending.RUNNING), code, monotonic_ns


def lane_offsets(slots: tuple[int, ...]) -> list[int]:
    """Tell where each lane begins, and where the file ends."""
    offsets = [HEADER_LEN_BYTES]
    for count in slots:
        offsets.append(offsets[-1] + count * SLOT_LEN_BYTES)
    return offsets
