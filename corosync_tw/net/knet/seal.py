"""
What the engine asks of encryption: packets in, sealed packets out, and back, many in one call.

Without encryption the engine has no seal. Sizes are libknet's: a sealed packet is the salt, what
was sealed with its padding, and the hash.

Source: libknet 1.25 crypto.c, onwire.c.
"""

from collections.abc import Sequence
from typing import NamedTuple, Protocol

from corosync_tw.corotypes import Buffer
from corosync_tw.totem.runs import FrameBlob, SentBlob


class OpenedBlob(NamedTuple):
    """
    Packets in clear that arrived in one piece.

    :ivar blob: writable; what is in it may be moved.
    :ivar stride: from the beginning of one packet to that of the next.
    :ivar gap: bytes of no meaning behind each packet but the last, which may be shorter.
    """

    blob: memoryview
    stride: int
    gap: int


class Seal(Protocol):
    """
    One configuration, or the old and the new one while keys change.

    :ivar block_bytes: of the cipher, 0 without one (sec_block_size).
    :ivar salt_bytes: before the ciphertext (sec_salt_size).
    :ivar hash_bytes: behind it (sec_hash_size).
    :ivar clear_allowed: whether what cannot be opened is looked at as it is
        (KNET_CRYPTO_RX_ALLOW_CLEAR_TRAFFIC), as long as keys are introduced or given up.
    """

    block_bytes: int
    salt_bytes: int
    hash_bytes: int
    clear_allowed: bool

    def sealed_len_bytes(self, packet_len_bytes: int) -> int:
        """Tell how long a packet becomes (calc_data_outlen)."""

    def packet_len_bytes_max(self, sealed_len_bytes_max: int) -> int:
        """Tell how long a packet may be to fit when sealed (calc_max_data_outlen)."""

    def seal(self, packets: Sequence[Buffer]) -> list[Buffer]:
        """Seal packets, in order."""

    def seal_blob(self, packets: SentBlob) -> SentBlob:
        """Seal packets that lie end to end, and so they stay."""

    def open_blob(self, packets: FrameBlob) -> OpenedBlob | None:
        """Open packets that arrived in one piece; None when ``open`` is to look at each."""

    def open(self, packets: Sequence[Buffer]) -> list[Buffer | None]:
        """Open packets, in order; None for each that nobody with the key made."""
