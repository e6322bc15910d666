"""
Look at many datagrams that lie in one buffer, ``stride`` bytes each, the last one maybe shorter.

Layout of a mcast datagram, without padding, little-endian: u16 magic, u8 version, u8 type, u8
encapsulated, u32 nodeid, u32, u32, u32 seq, u32, u32 rep, u64 ring_seq, u32, i32 guarantee.
"""

from functools import lru_cache
from struct import Struct
from typing import Final

HEADER_LEN_BYTES: Final = 45
_TYPE_AT: Final = 3
_MCAST: Final = 1
# Magic, version, type, encapsulated (it is not).
_PLAIN: Final = b"\x70\xc0\x03\x01\x02"
_NODEID: Final = Struct("<I")
_RING: Final = Struct("<IQ")
_FIELDS: Final = "9s8xI4x12s4x4s"
_FIELD_COUNT: Final = 4
_SEQ_CIRCLE: Final = 1 << 32
_BY_COUNT: Final = 256


@lru_cache(maxsize=_BY_COUNT)
def _headers(count: int, stride: int) -> Struct:
    """Give the layout of the headers of so many datagrams, up to the end of the last one."""
    gap = f"{stride - HEADER_LEN_BYTES}x" if stride > HEADER_LEN_BYTES else ""
    return Struct("<" + gap.join([_FIELDS] * count))


def only_mcasts(blob: memoryview, stride: int) -> bool:
    """Tell whether every datagram is long enough to have a type and is a mcast."""
    count = -(-len(blob) // stride)
    kinds = bytes(blob[_TYPE_AT::stride])
    return len(kinds) == count == kinds.count(_MCAST)


def scan_run(
    blob: memoryview, stride: int, rep: int, ring_seq: int
) -> tuple[int, int, int, int] | None:
    """
    Find out how many datagrams from the first one on belong together.

    They are plain little-endian mcasts of one ring and one sender, with consecutive seqs and one
    guarantee.

    :param stride: at least 1.
    :returns: nodeid, seq of the first, how many, guarantee; None when the first is no such mcast.
    """
    if stride < HEADER_LEN_BYTES:
        return None
    count, rest = divmod(len(blob), stride)
    if rest >= HEADER_LEN_BYTES:
        count += 1
    if not count:
        return None
    fields = _headers(count, stride).unpack_from(blob)
    sender, first, ring, guarantee = fields[:_FIELD_COUNT]
    if sender[:5] != _PLAIN or ring != _RING.pack(rep, ring_seq):
        return None
    seqs = fields[1::_FIELD_COUNT]
    if (
        seqs != tuple(range(first, first + count))
        or fields[0::_FIELD_COUNT].count(sender) != count
        or fields[2::_FIELD_COUNT].count(ring) != count
        or fields[3::_FIELD_COUNT].count(guarantee) != count
    ):
        count = _prefix(fields, count)
    nodeid: int = _NODEID.unpack_from(sender, 5)[0]
    return nodeid, first, count, int.from_bytes(guarantee, "little", signed=True)


def _prefix(fields: tuple[bytes | int, ...], count: int) -> int:
    """Count the datagrams before the first that does not continue the run."""
    sender, first, ring, guarantee = fields[:_FIELD_COUNT]
    assert isinstance(first, int)
    for i in range(1, count):
        wanted = (sender, (first + i) % _SEQ_CIRCLE, ring, guarantee)
        if fields[_FIELD_COUNT * i : _FIELD_COUNT * (i + 1)] != wanted:
            return i
    return count
