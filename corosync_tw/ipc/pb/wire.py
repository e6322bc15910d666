"""
Format and limits of the Perspective Broker conversation, shared by the server and the clients.

Each side calls named methods of the other, with plain values alone (int, bool, None, bytes, str,
list, dict), and answers ``[code, value]``: ``[CS_OK, result]`` or ``[cs_error_t, text]``. Messages
travel packed, because one Perspective Broker call costs as much as a hop of the token: lengths in
one string, bodies joined in a few.
"""

from collections.abc import Iterable, Sequence
from itertools import accumulate
from struct import Struct, error, pack, unpack
from typing import Final, NamedTuple

from corosync_tw.corotypes import CS_OK, MESSAGE_SIZE_MAX, Buffer
from corosync_tw.errors import CsError, CsInvalidParam, CsTooBig, error_of

PROTOCOL_VERSION: Final = 1
SERVER_NAME: Final = b"root"
CLIENT_NAME: Final = b"client"

# Banana refuses strings above 640 KiB, so longer bodies travel in pieces.
PIECE_LEN_BYTES_MAX: Final = 512 * 1024
BATCH_MSGS_MAX: Final = 16384
BATCH_LEN_BYTES_MAX: Final = MESSAGE_SIZE_MAX
# One call with all its arguments; a full batch fits, lengths and marks included.
EXPRESSION_LEN_BYTES_MAX: Final = BATCH_LEN_BYTES_MAX + 512 * 1024
# Before a client has said hello and was let in, it may send this much in all.
STRANGER_LEN_BYTES_MAX: Final = 4096

CONNECTIONS_MAX: Final = 256
GROUPS_PER_CONNECTION_MAX: Final = 64
# Requests a client may have unanswered, and the bytes they may hold.
OUTSTANDING_CALLS_MAX: Final = 1024
OUTSTANDING_MCAST_BYTES_MAX: Final = 8 * 1024 * 1024

# Deliveries on their way to a client that it has not answered yet.
DELIVERY_WINDOW_BYTES: Final = 512 * 1024
DELIVERY_BATCH_BYTES: Final = 128 * 1024
# Deliveries waiting for a client: above HIGH its own messages wait too, until LOW is reached
# again; above MAX it is cut off.
SLOW_CLIENT_BYTES_HIGH: Final = 1024 * 1024
SLOW_CLIENT_BYTES_LOW: Final = 256 * 1024
UNSENT_DELIVERIES_BYTES_MAX: Final = 64 * 1024 * 1024
# What one queued event is charged beside its bytes, so that empty messages count as well.
EVENT_OVERHEAD_BYTES: Final = 128

HELLO_TIMEOUT_S: Final = 10.0
TRY_AGAIN_INTERVAL_S: Final = 0.002
JOIN_TIMEOUT_S: Final = 30.0

_RECORD: Final = Struct(">IIQI")


class Record(NamedTuple):
    """
    Head of one delivered message.

    :ivar nodeid: node of the sender.
    :ivar pid: process of the sender on that node.
    :ivar seq: of the ring's message that carried it; grows, though several may share one.
    :ivar len_bytes: length of the body.
    """

    nodeid: int
    pid: int
    seq: int
    len_bytes: int


def pack_pieces(parts: Iterable[Buffer]) -> list[bytes]:
    """Join bodies and cut them into strings that banana takes."""
    body = b"".join(parts)
    if len(body) <= PIECE_LEN_BYTES_MAX:
        return [body]
    return [
        body[offset : offset + PIECE_LEN_BYTES_MAX]
        for offset in range(0, len(body), PIECE_LEN_BYTES_MAX)
    ]


def pack_batch(messages: Sequence[bytes]) -> tuple[bytes, list[bytes]]:
    """Pack messages into lengths (big-endian 32 bit each) and joined bodies."""
    return pack(f">{len(messages)}I", *map(len, messages)), pack_pieces(messages)


def unpack_batch(lengths: object, pieces: object) -> list[bytes]:
    """
    Take a batch apart.

    :param lengths: as `pack_batch` made them; any object at all is looked at with suspicion.
    Raises: CsInvalidParam, CsTooBig.
    """
    if not isinstance(lengths, bytes) or len(lengths) % 4:
        raise CsInvalidParam("lengths of a batch are 32 bit each")
    count = len(lengths) // 4
    if count > BATCH_MSGS_MAX:
        raise CsTooBig(f"a batch has at most {BATCH_MSGS_MAX} messages, this one {count}")
    return _cut(_join(pieces), unpack(f">{count}I", lengths))


def pack_record(record: Record) -> bytes:
    """Encode the head of a delivered message, 20 bytes."""
    return _RECORD.pack(*record)


def unpack_deliveries(records: object, pieces: object) -> list[tuple[Record, bytes]]:
    """
    Take delivered messages apart.

    Raises: CsInvalidParam.
    """
    if not isinstance(records, bytes):
        raise CsInvalidParam("records are bytes")
    try:
        heads = [Record(*fields) for fields in _RECORD.iter_unpack(records)]
    except error as reason:
        raise CsInvalidParam(f"records: {reason}") from reason
    bodies = _cut(_join(pieces), [head.len_bytes for head in heads])
    return list(zip(heads, bodies, strict=True))


def error_answer(fault: CsError) -> list[object]:
    """Turn an error into what travels."""
    return [fault.code, str(fault)]


def read_answer(answer: object) -> object:
    """
    Give the result of an answer.

    Raises: the CsError whose code the answer bears; CsError itself for an unknown code.
    """
    match answer:
        case [int(code), value] if code == CS_OK:
            return value
        case [int(code), str(text)]:
            raise error_of(code, text)
        case _:
            raise CsError("the answer is not [code, value]")


def _join(pieces: object) -> bytes:
    if not isinstance(pieces, list) or not all(isinstance(piece, bytes) for piece in pieces):
        raise CsInvalidParam("bodies are a list of bytes")
    return pieces[0] if len(pieces) == 1 else b"".join(pieces)


def _cut(body: bytes, lengths: Sequence[int]) -> list[bytes]:
    """Cut ``body`` at the ends that ``lengths`` give; they must use it up."""
    if sum(lengths) != len(body):
        raise CsInvalidParam(f"lengths add up to {sum(lengths)}, the bodies to {len(body)} bytes")
    if lengths and max(lengths) > MESSAGE_SIZE_MAX:
        raise CsTooBig(f"a message has at most {MESSAGE_SIZE_MAX} bytes, this one {max(lengths)}")
    starts = accumulate(lengths, initial=0)
    return [body[start : start + length] for start, length in zip(starts, lengths, strict=False)]
