"""
What the links of knet ask of encryption: seal packets by the batch, open them by the batch.

``Envelope`` seals with one key, ``CryptoSlots`` is what a node has: the key in use, another one
while keys change, and whether packets in clear are heard. Nothing in here has a clock or a socket.
"""

from collections.abc import Sequence
from typing import Protocol

from corosync_tw.corotypes import Buffer, Slices
from corosync_tw.totem.runs import FrameBlob


class Seal(Protocol):
    """
    Packets to sealed packets and back.

    :ivar salt_bytes: in front of each sealed packet; 0 without a cipher.
    :ivar block_bytes: sealed packets grow to a multiple of it; 0 without a cipher.
    :ivar hash_bytes: behind each sealed packet; 0 when nothing is sealed.
    """

    @property
    def salt_bytes(self) -> int: ...  # noqa: D102

    @property
    def block_bytes(self) -> int: ...  # noqa: D102

    @property
    def hash_bytes(self) -> int: ...  # noqa: D102

    def sealed_len_bytes(self, packet_len_bytes: int) -> int:
        """Tell how long a packet becomes."""

    def packet_len_bytes_max(self, sealed_len_bytes_max: int) -> int:
        """
        Tell how long a packet, its knet header included, may be to fit when sealed.

        Source: libknet 1.25 onwire.c, calc_max_data_outlen.
        """

    def seal(self, packets: Sequence[Slices]) -> list[Buffer]:
        """Seal packets, each given as slices; in order, the same number."""

    def seal_run(self, run: FrameBlob) -> list[FrameBlob]:
        """Seal packets of one length that lie end to end; what can be sent in one call each."""

    def open(self, packet: Buffer) -> Buffer | None:
        """Open a packet; None if it is not sealed by somebody who has our key."""

    def open_run(self, run: FrameBlob) -> list[Buffer | None]:
        """Open packets that arrived in one piece; in order, None as for ``open``."""
