"""
What nodes tell each other when one inspects the others.

The messages go to a process group of their own, which stock nodes have not joined and ignore.
Later versions append to headers and add topics; a topic that is not known is answered with an
error.
"""

from enum import IntEnum
from typing import Final, NamedTuple

from corosync_tw.corotypes import PROCESSOR_COUNT_MAX, Buffer
from corosync_tw.errors import MalformedFrame
from corosync_tw.services.exec_wire import both_orders, need

INSPECTION_GROUP: Final = b"corosync_tw.inspection"
ARGUMENT_LEN_BYTES_MAX: Final = 1024

# kind@0 u16, topic@2 u16, asker@4 u32, request@8 u32, header length@12 u32, 16 bytes
_HEAD: Final = both_orders("HHIII")
_HEAD_LEN: Final = 16
# ask: targets@16 u32, then nodeid u32 of each, then the argument
_COUNT: Final = both_orders("I")
_ASK_LEN: Final = 20
_NODEID_LEN: Final = 4
# part: error@16 u32, total@20 u32, offset@24 u32, then bytes
_PART: Final = both_orders("III")
_PART_LEN: Final = 28
_ASK_KIND: Final = 1
_PART_KIND: Final = 2


class Topic(IntEnum):
    """What can be asked for."""

    FACTS = 1  # versions, addresses, clock, checksums, limits of the process
    CONFIGURATION = 2  # corosync.conf without its secrets
    LOG = 3  # the end of the log file
    STATISTICS = 4  # all keys of the maps
    RECORDING = 5  # a file of the flight recorder


class Ask(NamedTuple):
    """
    A question to some members.

    :ivar asker: nodeid; ``request`` is a number that it chose.
    :ivar topic: a Topic, or a number of a later version.
    """

    asker: int
    request: int
    topic: int
    targets: tuple[int, ...]
    argument: bytes


class Part(NamedTuple):
    """
    A piece of an answer.

    :ivar error: cs_error_t; with another than CS_OK the answer is a text that says why.
    :ivar total_bytes: of the whole answer; ``offset_bytes`` is where this piece belongs.
    """

    asker: int
    request: int
    topic: int
    error: int
    total_bytes: int
    offset_bytes: int
    data: Buffer


def encode_ask(ask: Ask) -> bytes:
    """Encode a question."""
    head = _HEAD.little.pack(_ASK_KIND, ask.topic, ask.asker, ask.request, _ASK_LEN)
    targets = b"".join(map(_COUNT.little.pack, ask.targets))
    return head + _COUNT.little.pack(len(ask.targets)) + targets + ask.argument


def encode_part_head(part: Part) -> bytes:
    """Encode a piece up to its bytes, which follow."""
    head = _HEAD.little.pack(_PART_KIND, part.topic, part.asker, part.request, _PART_LEN)
    return head + _PART.little.pack(part.error, part.total_bytes, part.offset_bytes)


def decode(data: Buffer, big_endian: bool) -> Ask | Part | None:
    """
    Decode a message; None for one of a kind that a later version has.

    Raises MalformedFrame.
    """
    need(data, _HEAD_LEN, "inspection message")
    head = _HEAD.of(big_endian).unpack_from(data)
    kind, topic, asker, request, head_len = head
    if kind == _ASK_KIND:
        need(data, max(head_len, _ASK_LEN), "inspection question")
        return _decode_ask(memoryview(data), big_endian, head)
    if kind == _PART_KIND:
        need(data, max(head_len, _PART_LEN), "inspection answer")
        error, total, offset = _PART.of(big_endian).unpack_from(data, _HEAD_LEN)
        piece = memoryview(data)[max(head_len, _PART_LEN) :]
        if offset + len(piece) > total:
            raise MalformedFrame(f"inspection answer of {total} bytes, a piece ends behind it")
        return Part(asker, request, topic, error, total, offset, piece)
    return None


def _decode_ask(data: memoryview, big_endian: bool, head: tuple[int, ...]) -> Ask:
    _, topic, asker, request, head_len = head
    (count,) = _COUNT.of(big_endian).unpack_from(data, _HEAD_LEN)
    if count > PROCESSOR_COUNT_MAX:
        raise MalformedFrame(f"inspection question to {count} nodes")
    begin = max(head_len, _ASK_LEN)
    end = begin + count * _NODEID_LEN
    need(data, end, "inspection question")
    unpack = _COUNT.of(big_endian).unpack_from
    targets = tuple(unpack(data, at)[0] for at in range(begin, end, _NODEID_LEN))
    argument = bytes(data[end:])
    if len(argument) > ARGUMENT_LEN_BYTES_MAX:
        raise MalformedFrame(f"inspection argument of {len(argument)} bytes")
    return Ask(asker, request, topic, targets, argument)
