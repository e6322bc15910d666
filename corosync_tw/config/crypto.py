"""Encryption in force, with its key."""

from dataclasses import dataclass, field
from typing import Final

NONE: Final = "none"
# What sealing adds to a datagram of udp or udpu (net.crypto.guard, OVERHEAD_BYTES).
SEAL_LEN_BYTES: Final = 40


@dataclass(frozen=True, slots=True, kw_only=True)
class CryptoConfig:
    """
    How packets are encrypted.

    :ivar model: of knet, likewise cipher and hash_name; none for packets in clear.
    :ivar datagram_cipher: of udp and udpu between nodes of ours; none for stock's datagrams.
    :ivar key: content of the key file; empty when nothing is encrypted or signed.
    """

    model: str = "nss"
    cipher: str = NONE
    hash_name: str = NONE
    datagram_cipher: str = NONE
    key: bytes = field(default=b"", repr=False)
