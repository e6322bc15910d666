"""A packer that is plain to see through: one byte string a message, everything copied."""

import struct
from collections.abc import Iterator

from corosync_tw.corotypes import RingId
from corosync_tw.totem import wire
from corosync_tw.totem.batch import MessageBatch
from corosync_tw.totem.effects import Deliver
from corosync_tw.totem.pg import PgMessage, Totempg
from corosync_tw.totem.runs import DeliveredFrame, SentRun

# Of the first frame of what a packer gives up.
HEADER = wire.encode_mcast_header(1, 1, 1, RingId(1, 4), 0)


def pack_all(messages: list[bytes], capacity: int) -> list[bytes]:
    """Pack whole messages, group names included."""
    packets = []
    rest = list(messages)
    started = False
    fragment_id = 0
    while rest:
        continuation = fragment_id if started else 0
        items = []
        room = capacity
        fragmented = False
        while rest and room >= 2 and not fragmented:
            piece, rest[0] = rest[0][: room - 2], rest[0][room - 2 :]
            items.append(piece)
            room -= 2 + len(piece)
            # A message that ends here may leave no bytes; one of which nothing fitted leaves all.
            if rest[0] or (not piece and room == 0):
                fragmented = True
            else:
                rest.pop(0)
        started = fragmented
        if fragmented:
            fragment_id = fragment_id % 255 + 1
        head = struct.pack("<HHBBH", 0, 0, fragment_id * fragmented, continuation, len(items))
        lens = struct.pack(f"<{len(items)}H", *map(len, items))
        packets.append(head + lens + b"".join(items))
    return packets


def delivered(packets: list[bytes], nodeid: int = 1, *, seq: int = 1) -> list[DeliveredFrame]:
    return [
        DeliveredFrame(nodeid, seq + i, memoryview(packet), False)
        for i, packet in enumerate(packets)
    ]


def joined(taken: list[SentRun]) -> list[bytes]:
    """What goes over the wire of the packets that a packer gave up, mcast headers left out."""
    return [bytes(run.payload(i)) for run in taken for i in range(run.count)]


def singles(pg: Totempg, effect: Deliver) -> Iterator[PgMessage]:
    """The messages that a delivery completes, each by itself."""
    for messages in pg.deliver(effect):
        if isinstance(messages, MessageBatch):
            for i in range(len(messages)):
                yield from pg.alone(messages, i)
        else:
            yield from messages
