"""
Seeded mutation of frames, and what must hold whatever a frame is.

A chunk is the unit of work: its frames depend on the seed and its number alone, so that any can be
repeated.
"""

from collections import Counter
from functools import cache
from random import Random

from corosync_tw.corotypes import PROCESSOR_COUNT_MAX, ConfChangeType, RingId
from corosync_tw.errors import MalformedFrame
from corosync_tw.prng import generator
from corosync_tw.totem import wire
from corosync_tw.totem.effects import ConfigurationChange, Deliver
from corosync_tw.totem.pg import Totempg
from corosync_tw.totem.pg_wire import ASSEMBLY_LEN_BYTES_MAX
from corosync_tw.totem.runs import DeliveredFrame
from tests.unit.totem import capture
from tests.unit.totem.byteswap import swap_frame
from tests.unit.totem.pg_twin import singles
from tests.unit.totem.wire_helpers import encode

RING = RingId(1, 4)
# Stands in header byte 4; it means something in a mcast alone and is not kept of other frames.
ENCAPSULATED_AT = 4
NODEIDS = (1, 2, 3, 0xFFFFFFFF)
INTERESTING = [
    value.to_bytes(width, order)
    for width in (1, 2, 4, 8)
    for value in (
        0,
        1,
        2,
        30,
        31,
        2 ** (8 * width - 1) - 1,
        2 ** (8 * width - 1),
        2 ** (8 * width) - 1,
    )
    for order in ("little", "big")
] + [value.to_bytes(4, order) for value in (384, 385, 0x20000000) for order in ("little", "big")]
# Where counts, lengths and ids of fragments are, in any of the frames.
TELLING = (0, 2, 3, 4, 17, 21, 33, 37, 49, 53, 45 + 4, 45 + 5, 45 + 6, 45 + 8, 45 + 10, 45 + 12)


class EscapeError(Exception):
    """A frame did what no frame may do; the frame is ``args[1]``."""


@cache
def seeds() -> tuple[bytes, ...]:
    """Give the frames to start from: few of each kind and length, of both byte orders."""
    kept: dict[tuple[int, int], list[bytes]] = {}
    for frame in capture.frames():
        same = kept.setdefault((frame[3], len(frame)), [])
        if len(same) < 3:
            same.append(frame)
    stock = [frame for same in kept.values() for frame in same]
    header = wire.encode_mcast_header(2, 2, 9, RING, 0, encapsulated=1)
    carried = [header + frame for frame in stock if frame[3] == 1]
    items = [wire.RtrItem(RING, seq) for seq in range(30)]
    token = wire.OrfToken(1, 2, 3, 4, 5, RING, 6, 7, 0, items)
    full = [encode(token), *_own_mcasts()]
    little = [*stock, *carried, *full]
    return tuple(little + [swap_frame(frame) for frame in little])


def _own_mcasts() -> list[bytes]:
    pg = Totempg(1472)
    pg.trans_ack()
    for size in (0, 1, 64, 64, 64, 3000, 1367, 1365, 5, 20000):
        pg.mcast(b"a", (bytes(size),))
        pg.mcast(b"sync", (bytes(size // 7),))
    header = wire.encode_mcast_header(1, 1, 9, RING, 0)
    return [b"".join(slices) for run in pg.take(100, header) for slices in run]


def mutate(rng: Random, frame: bytes) -> bytes:
    """Damage a frame in one to four ways."""
    data = bytearray(frame)
    for _ in range(rng.choice((1, 1, 1, 2, 2, 3, 4))):
        way = rng.randrange(9)
        size = len(data)
        if way == 0:
            del data[rng.randrange(size + 1) :]
        elif way == 1:
            data += rng.randbytes(rng.choice((1, 2, 4, 16, 28, 200)))
        elif way == 2 and size:
            at = rng.randrange(size)
            del data[at : at + rng.choice((1, 2, 4, 16))]
        elif way == 3:
            at = rng.randrange(size + 1)
            data[at:at] = rng.randbytes(rng.choice((1, 2, 4, 16)))
        elif way == 4:
            other = rng.choice(seeds())
            at = rng.randrange(min(size, len(other)) + 1)
            data[at:] = other[at:]
        elif way <= 6:
            patch = rng.choice(INTERESTING)
            at = rng.choice(TELLING)
            if at + len(patch) <= size:
                data[at : at + len(patch)] = patch
        elif size:
            # Mostly in front, where the structure is.
            at = rng.randrange(min(size, 80)) if way == 7 else rng.randrange(size)
            data[at] ^= 1 << rng.randrange(8)
    return bytes(data)


def run_chunk(seed: int, chunk: int, frames: int) -> Counter[str]:
    """
    Feed mutated frames to the codec and to totempg.

    :raises EscapeError: a frame broke a rule; its second argument is the frame.
    """
    rng = generator(seed, f"fuzz/{chunk}")
    pg = Totempg(1472)
    pg.trans_ack()
    tally: Counter[str] = Counter()
    originals = seeds()
    for number in range(frames):
        frame = mutate(rng, rng.choice(originals))
        try:
            payload = _feed(frame, tally)
            if payload is not None:
                _unpack(pg, rng, payload, number, tally)
        except Exception as error:
            raise EscapeError(f"{type(error).__name__}: {error}", frame) from error
    for stream in (pg._ordinary_in, pg._trans_in):
        held = [assembly.len_bytes for assembly in stream._assemblies.values()]
        assert len(held) <= PROCESSOR_COUNT_MAX
        assert max(held, default=0) <= ASSEMBLY_LEN_BYTES_MAX
    tally["bad packets"] += pg.bad_packets
    tally["bad messages"] += pg.bad_messages
    tally["incomplete messages"] += pg.incomplete_messages
    return tally


def _feed(frame: bytes, tally: Counter[str]) -> DeliveredFrame | None:
    """Decode as the ring would, recovery's inner frame too, and give what it would deliver."""
    try:
        message = wire.decode(memoryview(frame))
    except MalformedFrame as error:
        tally[f"malformed: {error}"] += 1
        return None
    tally[type(message).__name__] += 1
    again = bytearray(encode(message, big_endian=message.big_endian))
    if not isinstance(message, wire.Mcast):
        again[ENCAPSULATED_AT] = frame[ENCAPSULATED_AT]
        assert again == frame, "encodes to other bytes"
        return None
    assert again == frame, "encodes to other bytes"
    if message.encapsulated == 1:
        return _feed_inner(message, tally)
    return DeliveredFrame(message.system_from, message.seq, message.payload, message.big_endian)


def _feed_inner(message: wire.Mcast, tally: Counter[str]) -> DeliveredFrame | None:
    try:
        inner = wire.decode(message.payload)
    except MalformedFrame:
        tally["malformed inside recovery"] += 1
        return None
    tally["inside recovery"] += 1
    if not isinstance(inner, wire.Mcast):
        return None
    return DeliveredFrame(inner.system_from, inner.seq, inner.payload, inner.big_endian)


def _unpack(
    pg: Totempg, rng: Random, frame: DeliveredFrame, number: int, tally: Counter[str]
) -> None:
    """Deliver it as a frame of one of few nodes, some of which leave at times."""
    nodeid = rng.choice(NODEIDS) if number % 16 else frame.nodeid
    if number % 512 == 0:
        kind = rng.choice(list(ConfChangeType))
        left = (rng.choice(NODEIDS), frame.nodeid) if kind is ConfChangeType.TRANSITIONAL else ()
        pg.configuration_change(ConfigurationChange(kind, (1,), left, (), RING, RING))
    elif number % 512 == 200:
        pg.trans_ack()
    for message in singles(pg, Deliver(RING, [frame._replace(nodeid=nodeid)])):
        tally["messages"] += 1
        assert len(message.data) <= ASSEMBLY_LEN_BYTES_MAX
        assert message.nodeid == nodeid
        assert isinstance(message.group, bytes)
