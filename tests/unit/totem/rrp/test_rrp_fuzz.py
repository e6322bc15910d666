"""Whatever bytes the networks bring, nothing is raised, all stays bounded, and messages go up."""

import pytest

from corosync_tw.prng import generator
from corosync_tw.totem.links import Arrival
from corosync_tw.totem.rrp.frames import PROBE_KINDS, TOKEN_KINDS, kind_of
from corosync_tw.totem.rrp.params import RrpMode
from corosync_tw.totem.rrp.probe import NoAuthenticator, encode_probe
from corosync_tw.totem.runs import FrameBlob
from tests.unit.totem.rrp.one_end import OneEnd, blob, commit_token, mcast, orf_token
from tests.unit.totem.rrp.test_rrp_probe import PROBE

FRAMES = [
    orf_token(3, 7),
    commit_token(1),
    mcast(7),
    encode_probe(PROBE, NoAuthenticator()),
    b"\x70\xc0\x03\x03join",
]


def damaged(random):
    frame = bytearray(random.choice(FRAMES))
    for _ in range(random.randrange(4)):
        frame[random.randrange(len(frame))] = random.randrange(256)
    if random.random() < 0.2:
        del frame[random.randrange(len(frame) + 1) :]
    return bytes(frame)


@pytest.mark.parametrize("mode", [RrpMode.PASSIVE, RrpMode.ACTIVE, RrpMode.ACTIVE_PASSIVE])
def test_nothing_that_networks_bring_is_raised_or_lost(mode):
    random = generator(7, mode.value)
    end = OneEnd(mode, networks=3)
    for _ in range(4000):
        frame = damaged(random)
        if random.random() < 0.2:
            runs = blob(random.getrandbits(32), 3)
            data = bytearray(runs.blob)
            data[random.randrange(len(data))] = random.randrange(256)
            arrival = Arrival(FrameBlob(memoryview(bytes(data)), runs.stride), None)
        else:
            arrival = Arrival(frame, None)
        end.rrp.receive(random.randrange(3), [arrival], end.now)
        up = end.upwards()
        if arrival.frame is frame and kind_of(frame) not in TOKEN_KINDS | PROBE_KINDS:
            assert up == [frame]
        end.now += random.randrange(3_000_000)
        end.rrp.advance(end.now)
        end.after_ring()
    assert end.rrp.next_deadline() >= end.now
    assert len(end.events) < 4000 // 10
