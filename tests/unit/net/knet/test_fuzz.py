"""Seeded damage to all packets of a busy mesh: nothing raises, links stay, frames come."""

from random import Random

import pytest

from corosync_tw.corotypes import NS_PER_S
from corosync_tw.net.knet.params import LinkPolicy
from corosync_tw.totem.links import Arrival, LinkEventKind
from corosync_tw.totem.runs import FrameBlob
from tests.unit.net.knet.knet_mesh import Mesh

HEAD = b"\x70\xc0\x03\x01\x02"
TOKEN = b"\x70\xc0\x03\x00\x02" + bytes(70)
PACKETS_MAX = 2000


def damaged(packet: bytes, random: Random) -> bytes:
    changed = bytearray(packet)
    for _ in range(random.randint(1, 4)):
        reach = 26 if random.random() < 0.8 else len(changed)
        changed[random.randrange(min(reach, len(changed)))] = random.randrange(256)
    if random.random() < 0.2:
        del changed[random.randrange(len(changed)) :]
    return bytes(changed)


@pytest.mark.parametrize("seed", range(6))
def test_damaged_packets_change_nothing_that_matters(seed: int) -> None:
    random = Random(seed)
    policy = random.choice(list(LinkPolicy))
    mesh = Mesh(2, 2, options={"policy": policy})
    seen: list[bytes] = []

    def record(_by: int, to: int, _link: int, packet: bytes) -> bool:
        if to == 2 and len(seen) < PACKETS_MAX:
            seen.append(packet)
        return False

    mesh.drops = record
    mesh.connect()
    for _ in range(12):
        frames = [HEAD + random.randbytes(random.choice((20, 900, 4000))) for _ in range(5)]
        mesh.mcast(1, frames)
        mesh.token(1, 2, TOKEN)
        for _ in range(150):
            link = random.randrange(2)
            packet = damaged(random.choice(seen), random)
            source = (f"10.0.{link}.1", 5405)
            if random.random() < 0.3:
                blob = memoryview(bytearray(b"".join(random.choices(seen, k=3)) + packet))
                mesh.inject(2, link, [Arrival(FrameBlob(blob, random.randint(1, 1500)), source)])
            else:
                mesh.inject(2, link, [Arrival(packet, source)])
        mesh.run(NS_PER_S)
        assert mesh.engines[2].hosts[1].reachable
    assert LinkEventKind.HOST_DOWN not in mesh.kinds(2)
    mesh.run(5 * NS_PER_S)
    before = len(mesh.passed[2])
    last = [HEAD + bytes([i]) * 3000 for i in range(3)]
    # Forged numbers may have cost a few frames: in clear, whoever has the address may send them.
    for _ in range(3):
        mesh.mcast(1, last)
    assert set(mesh.passed[2][before:]) == set(last)
    assert mesh.engines[2].outbox.refusals
