"""
What seals a node's datagrams where the networks are udp or udpu: one guard for each network.

Source: ``net.guarded``, which does the same around a transport.
"""

from collections.abc import Callable
from random import Random
from typing import Final

from corosync_tw.net.crypto.aead import KEY_LEN_BYTES, ClusterKey
from corosync_tw.net.crypto.guard import Guard, Letter, Refused

_CLUSTER_KEY: Final = ClusterKey("aes256-gcm", bytes(range(KEY_LEN_BYTES)))


class Sealing:
    """One process's guards, by network."""

    def __init__(
        self,
        nodeid: int,
        networks: int,
        rng: Random,
        local_now: Callable[[], int],
        counter_start: int,
    ) -> None:
        """
        Begin as a new process.

        :param counter_start: of each guard, before its first datagram.
        """
        self.guards = [
            Guard(nodeid, _CLUSTER_KEY, rng.randbytes, local_now, counter_start=counter_start)
            for _ in range(networks)
        ]

    def seal(self, number: int, frames: tuple[bytes, ...]) -> tuple[bytes, ...]:
        """Seal what is sent on a network."""
        return tuple(map(self.guards[number].seal_one, frames))

    def open(self, number: int, inbox: list[tuple[int, bytes]]) -> list[tuple[int, bytes]]:
        """
        Open what a network brought, and leave out what nobody living sealed.

        :param inbox: index of the sender, datagram.
        """
        guard = self.guards[number]
        opened = [(sender, guard.open(datagram)) for sender, datagram in inbox]
        return [
            (sender, frame)
            for sender, frame in opened
            if frame is not None and not isinstance(frame, Refused)
        ]

    def take_letters(self, number: int) -> list[Letter]:
        """Give up what a guard wants sent besides."""
        return self.guards[number].take_letters()
