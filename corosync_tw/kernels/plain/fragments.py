"""
Cut frames into numbered packets that lie end to end, and join what arrived so.

Layout of a packet's header, without padding, big-endian: u8 version (1), u8 type (0 is data), u16
node, u8, u8, u16 seq, u8 compress, u8, u8 bcast, u8 frag_num, u8 frag_seq, u8 channel. The
fragments of a frame bear the frame's seq, their number frag_num and their place frag_seq from 1;
a frame that was not cut has frag_num 1 and frag_seq 0. All fragments but the last have one length.
"""

from array import array
from struct import Struct
from typing import Final

Buffer = bytes | memoryview

HEADER_LEN_BYTES: Final = 14
SEQ_MAX: Final = 65535
FRAGMENTS_MAX: Final = 255
# Kinds of what join_packets finds; others are the type bytes of packets that are no data.
DATA: Final = 0
MALFORMED: Final = -1
_HEADER: Final = Struct(">BB2s2xH4sBs")
_SEQ_AT: Final = 6
_FRAG_NUM_AT: Final = 11
# Place of frag_num in what packets have in common.
_ALIKE_FRAG_NUM: Final = 5

Found = tuple[int, int, int, int, int, int, int, int, int, int]


def cut_frames(  # noqa: PLR0917 - once a run; a record of them would be slower
    headers: Buffer,
    header_ends: "array[int]",
    body: Buffer,
    body_ends: "array[int]",
    template: bytes,
    seq: int,
    payload_max: int,
) -> bytes:
    """
    Make the packets of some frames, each in two parts.

    :param headers: the first parts, end to end; ``header_ends`` says where each ends, after a 0.
    :param body: the second parts, alike.
    :param template: header of all but for seq and fragments.
    :param seq: of the first frame, 1 to SEQ_MAX; the others' follow, without 0.
    :param payload_max: bytes of a frame in one packet.
    :raises ValueError: a frame is empty or needs more than FRAGMENTS_MAX packets.
    """
    if payload_max < 1 or not 1 <= seq <= SEQ_MAX:
        raise ValueError("no such payload or seq")
    if len(header_ends) != len(body_ends) or len(template) != HEADER_LEN_BYTES:
        raise ValueError("parts of another shape")
    packets = bytearray()
    for i in range(len(header_ends) - 1):
        frame = b"".join(
            (
                headers[header_ends[i] : header_ends[i + 1]],
                body[body_ends[i] : body_ends[i + 1]],
            )
        )
        count = -(-len(frame) // payload_max)
        if not 1 <= count <= FRAGMENTS_MAX:
            raise ValueError("a frame that needs too many fragments, or none")
        for number in range(count):
            packets += template[:_SEQ_AT] + seq.to_bytes(2, "big")
            packets += template[_SEQ_AT + 2 : _FRAG_NUM_AT]
            packets += bytes((count, number + 1 if count > 1 else 0)) + template[-1:]
            packets += frame[number * payload_max : (number + 1) * payload_max]
        seq = seq % SEQ_MAX + 1
    return bytes(packets)


def join_packets(blob: memoryview, stride: int, gap: int = 0) -> list[Found]:
    """
    Find what belongs together in packets that arrived in one piece, and take the headers out.

    Data packets of one node belong together when they are whole frames with consecutive seqs, or
    consecutive fragments of one frame. Their payloads are moved, within ``blob``, so that they
    follow each other behind the first one's header.

    :param blob: writable; a packet begins every ``stride`` bytes, the last one maybe shorter.
    :param gap: bytes of no meaning behind each packet but the last.
    :returns: of each group kind, start and end in ``blob``; of data (payloads without the first
        header) also node, seq of the first, number of packets, frag_num and frag_seq of the first
        (1 and 1 for whole frames), compress, and bcast with the channel in its second byte. Of
        others (one packet, header and all) the kind is the type byte, or MALFORMED.
    """
    packet_max = stride - gap
    if packet_max < 1 or gap < 0:
        raise ValueError("stride")
    length = len(blob)
    found: list[Found] = []
    start = 0
    while start < length:
        end = min(start + packet_max, length)
        first = _read(blob[start:end])
        if first is None:
            kind = blob[start + 1] if end - start > 1 and blob[start] == 1 else 0
            found.append((kind or MALFORMED, start, end, 0, 0, 1, 0, 0, 0, 0))
            start += stride
            continue
        alike, seq, frag_seq = first
        frag_num = alike[_ALIKE_FRAG_NUM]
        to, at, count = end, start + stride, 1
        while at < length:
            end = min(at + packet_max, length)
            packet = _read(blob[at:end])
            if packet is None or packet[0] != alike:
                break
            if frag_num > 1:
                if packet[1:] != (seq, frag_seq + count):
                    break
            elif packet[1] != (seq + count - 1) % SEQ_MAX + 1:
                break
            payload = bytes(blob[at + HEADER_LEN_BYTES : end])
            blob[to : to + len(payload)] = payload
            to += len(payload)
            count += 1
            at += stride
        node = int.from_bytes(alike[:2], "big")
        places = (frag_num, frag_seq) if frag_num > 1 else (1, 1)
        compress, bcast, channel = alike[2], alike[4], alike[-1]
        group = (start + HEADER_LEN_BYTES, to, node, seq, count, *places)
        found.append((DATA, *group, compress, bcast | channel << 8))
        start = at
    return found


def _read(packet: memoryview) -> tuple[bytes, int, int] | None:
    """
    Read a data packet's header; None when it is none, or its place is none.

    :returns: what packets that belong together have in common (node, compress, pad, bcast, frag_num
        and channel), seq, frag_seq.
    """
    if len(packet) <= HEADER_LEN_BYTES:
        return None
    version, kind, node, seq, common, frag_seq, channel = _HEADER.unpack_from(packet)
    frag_num = common[-1]
    if version != 1 or kind != DATA or not seq or (frag_num > 1 and not 0 < frag_seq <= frag_num):
        return None
    return node + common + channel, seq, frag_seq
