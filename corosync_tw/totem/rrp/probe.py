"""
The packets that test a faulty network, and those that tell that it is used again.

A test goes round twice. On its first lap each member multicasts it when it hears it from the one
before it; on the second each passes it to the next by unicast, if it has heard every other member
on the first. So a test that comes back proves that everybody hears everybody, and that tokens pass.

They have the header of the other frames and types that the single ring does not use, so that other
nodes ignore them. Then: network, lap, length of the tag, activator, generation, number, stamp, ring
id. The generation grows with each fault, the number with each test; the stamp is random, one for
each generation. Behind that follows a tag, made with the ring's key if there is one.

Source: Corosync 1.4 exec/totemrrp.c MESSAGE_TYPE_RING_TEST_ACTIVE, MESSAGE_TYPE_RING_TEST_ACTIVATE.
Deviation: in Corosync 1.x the two carry the network and the activator alone; no Corosync that
speaks our other frames has redundant rings, so that nobody else reads ours.
"""

import hmac
from struct import Struct, error
from typing import Final, NamedTuple, Protocol

from corosync_tw.corotypes import Buffer, RingId
from corosync_tw.totem.const import NODEID_ALL, TOTEM_MAGIC, TOTEM_VERSION
from corosync_tw.totem.links import ProbeFault
from corosync_tw.totem.rrp.frames import KIND_RING_ACTIVATE, KIND_RING_TEST

TAG_LEN_BYTES_MAX: Final = 64
LAP_MULTICAST: Final = 1
LAP_UNICAST: Final = 2

# header; network, lap, length of the tag, activator, generation, number, stamp, ring id
PROBE: Final = Struct("<HBBBII" + "BBHIIIQIQ")
_KINDS: Final = frozenset({KIND_RING_TEST, KIND_RING_ACTIVATE})
_HMAC_LEN_BYTES: Final = 16


class Authenticator(Protocol):
    """Makes tags that only members can make."""

    def tag(self, data: bytes) -> bytes:
        """Give the tag of a packet, at most TAG_LEN_BYTES_MAX long."""


class HmacAuthenticator:
    """Tags of HMAC-SHA256, cut to 16 bytes."""

    def __init__(self, key: bytes) -> None:
        """Take the key that all members have."""
        self._key = key

    def change_key(self, key: bytes) -> None:
        """Take another one; a test that is under way then fails."""
        self._key = key

    def tag(self, data: bytes) -> bytes:
        """Give the tag of a packet."""
        return hmac.digest(self._key, b"corosync_tw rrp" + data, "sha256")[:_HMAC_LEN_BYTES]


class NoAuthenticator:
    """No tags: the network is trusted, as with Corosync's secauth off."""

    def tag(self, _data: bytes) -> bytes:
        """Give an empty tag."""
        return b""


class Probe(NamedTuple):
    """
    One of the packets.

    :ivar kind: KIND_RING_TEST or KIND_RING_ACTIVATE.
    :ivar sender: who sent this copy.
    :ivar network: which one is tested.
    :ivar lap: LAP_MULTICAST or LAP_UNICAST; of an activation LAP_MULTICAST.
    :ivar activator: who tests.
    """

    kind: int
    sender: int
    network: int
    lap: int
    activator: int
    generation: int
    number: int
    stamp: int
    ring_id: RingId


def encode_probe(probe: Probe, authenticator: Authenticator, target: int = NODEID_ALL) -> bytes:
    """Make a datagram."""
    blank = _pack(probe, target, 0)
    length = len(authenticator.tag(blank))
    assert length <= TAG_LEN_BYTES_MAX, "tag too long"
    data = _pack(probe, target, length)
    return data + authenticator.tag(data)


def _pack(probe: Probe, target: int, tag_len_bytes: int) -> bytes:
    return PROBE.pack(
        *(TOTEM_MAGIC, TOTEM_VERSION, probe.kind, 0, probe.sender, target),
        *(probe.network, probe.lap, tag_len_bytes, probe.activator, probe.generation),
        *(probe.number, probe.stamp, *probe.ring_id),
    )


def claimed_sender(frame: Buffer) -> int:
    """Tell who is said to have sent a datagram that was read; anybody may write that."""
    _, _, _, _, sender, *_ = PROBE.unpack_from(frame)
    return int(sender)


def decode_probe(frame: Buffer, authenticator: Authenticator) -> Probe | ProbeFault:
    """Read a datagram, whatever its bytes; the tag is checked before anything is believed."""
    data = bytes(frame[: PROBE.size])
    try:
        magic, version, kind, _, sender, _, network, lap, tag_len_bytes, *rest = PROBE.unpack(data)
    except error:
        return ProbeFault.MALFORMED
    tag = bytes(frame[PROBE.size :])
    if (
        (magic, version) != (TOTEM_MAGIC, TOTEM_VERSION)
        or kind not in _KINDS
        or lap not in {LAP_MULTICAST, LAP_UNICAST}
        or len(tag) != tag_len_bytes
        or len(tag) > TAG_LEN_BYTES_MAX
    ):
        return ProbeFault.MALFORMED
    if not hmac.compare_digest(tag, authenticator.tag(data)):
        return ProbeFault.UNAUTHENTICATED
    activator, generation, number, stamp, rep, ring_seq = rest
    ring_id = RingId(rep, ring_seq)
    return Probe(kind, sender, network, lap, activator, generation, number, stamp, ring_id)
