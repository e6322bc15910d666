"""
What nodes tell each other of whom they hear: rows behind the lists of a Join, and behind a merge
detection.

Stock Corosync looks at what the counts of a frame announce and at nothing behind it, in every
version of this wire format, so these bytes are invisible to it. They are little-endian, as all
that we send::

    magic 4s, version u8, rows u8, nodes u16, nodes x nodeid u32,
    rows x (place in the list u16, reserved u16, age ms u32, ring, heard, deaf_to, unheard_by)

where the last four are bitmaps over the list of nodes, one bit a node, lowest bit first. Bytes
behind the rows are of a later version and ignored.
"""

from collections.abc import Collection, Iterable, Sequence
from struct import Struct
from typing import Final, NamedTuple

from corosync_tw.corotypes import NS_PER_MS, Buffer
from corosync_tw.errors import MalformedFrame
from corosync_tw.totem.const import PROCESSOR_COUNT_MAX

CLAIMS_MAGIC: Final = b"cTwH"
CLAIMS_VERSION: Final = 1
ROWS_MAX: Final = 64
AGE_MS_MAX: Final = 0xFFFFFFFF

HEAD: Final = Struct("<4sBBH")
ROW: Final = Struct("<HHI")
_BITMAPS: Final = 4
_NODEID_LEN_BYTES: Final = 4


class Row(NamedTuple):
    """
    What one node says of its links.

    :ivar age_ms: time since it said so; 0 for what the sender of the frame says itself.
    :ivar ring: members of the ring that it is in; nobody while it looks for one.
    :ivar heard: nodes whose Joins or merge detections reached it lately.
    :ivar deaf_to: nodes that others hear and it does not.
    :ivar unheard_by: nodes that it hears, and that do not hear it.
    """

    nodeid: int
    age_ms: int
    ring: frozenset[int]
    heard: frozenset[int]
    deaf_to: frozenset[int]
    unheard_by: frozenset[int]

    def lacks_nobody(self) -> bool:
        """Tell whether nothing is wrong."""
        return not self.deaf_to and not self.unheard_by


def encode_claims(rows: Sequence[Row], room_bytes: int) -> bytes:
    """
    Make the bytes behind a frame; rows that find no room are left out, the last ones first.

    :param rows: our own first.
    :return: nothing when not even our own row has room.
    """
    nodes = sorted({n for row in rows for n in (row.nodeid, *frozenset().union(*row[2:]))})
    bitmap_len = (len(nodes) + 7) // 8
    room_bytes -= HEAD.size + len(nodes) * _NODEID_LEN_BYTES
    rows = rows[: min(ROWS_MAX, max(0, room_bytes) // (ROW.size + _BITMAPS * bitmap_len))]
    if not rows or len(nodes) > PROCESSOR_COUNT_MAX:
        return b""
    place = {nodeid: at for at, nodeid in enumerate(nodes)}
    parts = [
        HEAD.pack(CLAIMS_MAGIC, CLAIMS_VERSION, len(rows), len(nodes)),
        Struct(f"<{len(nodes)}I").pack(*nodes),
    ]
    for row in rows:
        age_ms = min(row.age_ms, AGE_MS_MAX)
        parts.append(ROW.pack(place[row.nodeid], 0, age_ms))
        parts += [_bitmap(place, members, bitmap_len) for members in row[2:]]
    return b"".join(parts)


def _bitmap(place: dict[int, int], members: Iterable[int], len_bytes: int) -> bytes:
    return sum(1 << place[nodeid] for nodeid in members).to_bytes(len_bytes, "little")


def decode_claims(data: Buffer) -> tuple[Row, ...]:
    """
    Read what is behind a frame.

    :raises MalformedFrame: these are no claims, or damaged ones.
    """
    if not len(data):
        return ()
    if len(data) < HEAD.size:
        raise MalformedFrame("claims too short")
    magic, version, rows, count = HEAD.unpack_from(data)
    if magic != CLAIMS_MAGIC:
        raise MalformedFrame("not claims")
    if version != CLAIMS_VERSION:
        return ()
    if rows > ROWS_MAX or count > PROCESSOR_COUNT_MAX:
        raise MalformedFrame("claims of too many nodes")
    bitmap_len = (count + 7) // 8
    row_len = ROW.size + _BITMAPS * bitmap_len
    at = HEAD.size + count * _NODEID_LEN_BYTES
    if len(data) < at + rows * row_len:
        raise MalformedFrame("claims shorter than their counts")
    nodes = Struct(f"<{count}I").unpack_from(data, HEAD.size)
    return tuple(
        _decode_row(data[start : start + row_len], nodes, bitmap_len)
        for start in range(at, at + rows * row_len, row_len)
    )


def _decode_row(data: Buffer, nodes: Sequence[int], bitmap_len: int) -> Row:
    place, _, age_ms = ROW.unpack_from(data)
    if place >= len(nodes):
        raise MalformedFrame("claims of a node outside their list")
    sets = [
        _members(bytes(data[start : start + bitmap_len]), nodes)
        for start in range(ROW.size, len(data), bitmap_len)
    ]
    return Row(nodes[place], age_ms, *sets)


def _members(bitmap: bytes, nodes: Collection[int]) -> frozenset[int]:
    bits = int.from_bytes(bitmap, "little")
    return frozenset(nodeid for at, nodeid in enumerate(nodes) if bits >> at & 1)


def age_ms(at_ns: int, now_ns: int) -> int:
    """Give an age that only grows when it is passed on."""
    return (now_ns - at_ns) // NS_PER_MS + 1
