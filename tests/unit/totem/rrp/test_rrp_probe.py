"""Test packets: their bytes, and what is not believed."""

import pytest

from corosync_tw.corotypes import RingId
from corosync_tw.errors import MalformedFrame
from corosync_tw.prng import generator
from corosync_tw.totem import wire
from corosync_tw.totem.links import ProbeFault
from corosync_tw.totem.rrp.frames import KIND_RING_ACTIVATE, KIND_RING_TEST
from corosync_tw.totem.rrp.probe import (
    LAP_MULTICAST,
    LAP_UNICAST,
    HmacAuthenticator,
    NoAuthenticator,
    Probe,
    decode_probe,
    encode_probe,
)

PROBE = Probe(KIND_RING_TEST, 2, 1, LAP_MULTICAST, 3, 0xFFFFFFFF, 7, 1 << 63, RingId(1, 1 << 40))
OPEN = NoAuthenticator()
KEYED = HmacAuthenticator(b"k" * 128)


@pytest.mark.parametrize("authenticator", [OPEN, KEYED])
@pytest.mark.parametrize("kind", [KIND_RING_TEST, KIND_RING_ACTIVATE])
@pytest.mark.parametrize("lap", [LAP_MULTICAST, LAP_UNICAST])
def test_what_is_packed_is_read(authenticator, kind, lap):
    probe = PROBE._replace(kind=kind, lap=lap)
    assert decode_probe(encode_probe(probe, authenticator), authenticator) == probe


def test_nobody_else_takes_them_for_frames_of_the_ring():
    frame = encode_probe(PROBE, OPEN, target=4)
    assert frame[:5] == bytes((0x70, 0xC0, 3, 6, 0))
    with pytest.raises(MalformedFrame):
        wire.decode(frame)


def test_the_tag_covers_every_byte():
    frame = encode_probe(PROBE, KEYED)
    for at in range(len(frame)):
        for bit in range(8):
            damaged = bytearray(frame)
            damaged[at] ^= 1 << bit
            assert isinstance(decode_probe(bytes(damaged), KEYED), ProbeFault)


def test_another_key_or_none_is_not_believed():
    other = HmacAuthenticator(b"l" * 128)
    assert decode_probe(encode_probe(PROBE, other), KEYED) is ProbeFault.UNAUTHENTICATED
    assert decode_probe(encode_probe(PROBE, OPEN), KEYED) is ProbeFault.UNAUTHENTICATED
    assert decode_probe(encode_probe(PROBE, KEYED), OPEN) is ProbeFault.UNAUTHENTICATED


def test_reading_is_total():
    random = generator(5, "probes")
    frame = encode_probe(PROBE, OPEN)
    for _ in range(3000):
        damaged = bytearray(frame[: random.randrange(len(frame) + 1)])
        damaged += random.randbytes(random.choice((0, 0, 1, 70)))
        for _ in range(random.randrange(4)):
            if damaged:
                damaged[random.randrange(len(damaged))] = random.randrange(256)
        assert isinstance(decode_probe(bytes(damaged), OPEN), Probe | ProbeFault)
