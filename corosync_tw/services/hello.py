"""
What corosync_tw nodes tell each other at every synchronization, beside the stock services.

The message goes to a process group of its own. Stock nodes have not joined that group and ignore
it (totempg.c app_deliver_fn delivers to joined groups only), so a node that is silent here is a
stock node.
"""

from enum import IntFlag
from typing import Final, NamedTuple

from corosync_tw.corotypes import PROCESSOR_COUNT_MAX, Buffer, RingId
from corosync_tw.services.exec_wire import both_orders, need

HELLO_GROUP: Final = b"corosync_tw"
HELLO_VERSION: Final = 1

# version@0 u16, size@2 u16, features@4 u32, ring rep@8 u32, ring seq@12 u64, 20 bytes. Later
# versions append.
_HELLO: Final = both_orders("HHIIQ")
HELLO_LEN: Final = 20


class Features(IntFlag):
    """What a node can do that stock nodes cannot."""

    NONE = 0
    SAFE_DELIVERY = 1
    COMMIT_OBLIGATION = 2  # understands the obligation flag of commit tokens


OWN_FEATURES: Final = Features.SAFE_DELIVERY | Features.COMMIT_OBLIGATION


class Hello(NamedTuple):
    """A node's capabilities, valid in one ring."""

    ring_id: RingId
    features: Features


def encode_hello(hello: Hello) -> bytes:
    """Encode an announcement."""
    return _HELLO.little.pack(HELLO_VERSION, HELLO_LEN, hello.features, *hello.ring_id)


def decode_hello(data: Buffer, big_endian: bool) -> Hello:
    """Decode an announcement of this or a later version; raises MalformedFrame."""
    need(data, HELLO_LEN, "hello")
    _, _, features, rep, seq = _HELLO.of(big_endian).unpack_from(data)
    return Hello(RingId(rep, seq), Features(features))


class Capabilities:
    """Who announced what in the present ring."""

    def __init__(self) -> None:
        self._ring_id: RingId | None = None
        self._features: dict[int, Features] = {}

    def begin(self, ring_id: RingId) -> None:
        """Forget what was announced in the ring before."""
        self._ring_id = ring_id
        self._features.clear()

    def deliver(self, nodeid: int, data: Buffer, big_endian: bool) -> None:
        """Note an announcement of this ring; raises MalformedFrame."""
        hello = decode_hello(data, big_endian)
        known = nodeid in self._features or len(self._features) < PROCESSOR_COUNT_MAX
        if hello.ring_id == self._ring_id and known:
            self._features[nodeid] = hello.features

    def without(self, feature: Features, members: tuple[int, ...]) -> tuple[int, ...]:
        """List the members that did not announce a feature."""
        return tuple(n for n in members if not self._features.get(n, Features.NONE) & feature)
