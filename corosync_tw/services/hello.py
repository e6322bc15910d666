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
from corosync_tw.totem.window import NO_AGREEMENT, Agreement

HELLO_GROUP: Final = b"corosync_tw"
HELLO_VERSION: Final = 2

# version@0 u16, size@2 u16, features@4 u32, ring rep@8 u32, ring seq@12 u64, 20 bytes; since
# version 2 receive_msgs@20 u32, 24 bytes. Later versions append.
_HELLO: Final = both_orders("HHIIQ")
_RECEIVE: Final = both_orders("I")
HELLO_LEN_1: Final = 20
HELLO_LEN: Final = 24


class Features(IntFlag):
    """What a node can do that stock nodes cannot."""

    NONE = 0
    SAFE_DELIVERY = 1
    COMMIT_OBLIGATION = 2  # understands the obligation flag of commit tokens
    ADAPTIVE_WINDOW = 4  # counts by a window that all agreed on
    ACCELERATED_RING = 8  # asks for nothing that may still follow the token
    INSPECTION = 16  # answers inspections


OWN_FEATURES: Final = Features.SAFE_DELIVERY | Features.COMMIT_OBLIGATION | Features.INSPECTION


class Hello(NamedTuple):
    """
    A node's capabilities, valid in one ring.

    :ivar receive_msgs: messages that the node can take in, or lets the ring send, in one rotation;
        counts with ADAPTIVE_WINDOW alone.
    """

    ring_id: RingId
    features: Features
    receive_msgs: int = 0


def encode_hello(hello: Hello) -> bytes:
    """Encode an announcement."""
    known = _HELLO.little.pack(HELLO_VERSION, HELLO_LEN, hello.features, *hello.ring_id)
    return known + _RECEIVE.little.pack(hello.receive_msgs)


def decode_hello(data: Buffer, big_endian: bool) -> Hello:
    """Decode an announcement of this or a later version; raises MalformedFrame."""
    need(data, HELLO_LEN_1, "hello")
    version, _, features, rep, seq = _HELLO.of(big_endian).unpack_from(data)
    receive_msgs = 0
    if version > 1:
        need(data, HELLO_LEN, "hello")
        (receive_msgs,) = _RECEIVE.of(big_endian).unpack_from(data, HELLO_LEN_1)
    return Hello(RingId(rep, seq), Features(features), receive_msgs)


class Capabilities:
    """Who announced what in the present ring."""

    def __init__(self) -> None:
        self._ring_id: RingId | None = None
        self._hellos: dict[int, Hello] = {}

    def begin(self, ring_id: RingId) -> None:
        """Forget what was announced in the ring before."""
        self._ring_id = ring_id
        self._hellos.clear()

    def deliver(self, nodeid: int, data: Buffer, big_endian: bool) -> None:
        """Note an announcement of this ring; raises MalformedFrame."""
        hello = decode_hello(data, big_endian)
        known = nodeid in self._hellos or len(self._hellos) < PROCESSOR_COUNT_MAX
        if hello.ring_id == self._ring_id and known:
            self._hellos[nodeid] = hello

    def without(self, feature: Features, members: tuple[int, ...]) -> tuple[int, ...]:
        """List the members that did not announce a feature."""
        hellos = self._hellos
        return tuple(n for n in members if n not in hellos or not hellos[n].features & feature)

    def agreement(self, members: tuple[int, ...]) -> Agreement:
        """
        Work out what the members have in common: the ring sends what the slowest can take in.

        All members get the same, for they hear the same announcements.
        """
        if not members:
            return NO_AGREEMENT
        window_size_msgs = 0
        if not self.without(Features.ADAPTIVE_WINDOW, members):
            window_size_msgs = min(self._hellos[n].receive_msgs for n in members)
        accelerated = not self.without(Features.ACCELERATED_RING, members)
        return Agreement(window_size_msgs, accelerated)
