"""
One key for all datagrams that one process sends: authenticated encryption with a counter as nonce.

Each key is derived of the cluster's key, the sender's nodeid and a number that the sender's process
drew at its start, so no two processes ever use one.

Source: RFC 5869 (derivation), RFC 5116 section 3.2 (counters as nonces).
"""

import hashlib
import hmac
from collections.abc import Callable
from struct import Struct
from typing import Final, Protocol

from cryptography.hazmat.primitives.ciphers.aead import AESGCM, ChaCha20Poly1305

from corosync_tw.corotypes import Buffer

TAG_LEN_BYTES: Final = 16
KEY_LEN_BYTES: Final = 32
_IDENTITY: Final = Struct(">IQ")
_NONCE: Final = Struct(">IQ")
_LABEL: Final = b"corosync_tw datagrams 1 "


class Aead(Protocol):
    """What the package's ciphers have in common."""

    def encrypt(self, nonce: bytes, data: Buffer, associated_data: Buffer, /) -> bytes:
        """Encrypt, with the tag at the end."""

    def decrypt(self, nonce: bytes, data: Buffer, associated_data: Buffer, /) -> bytes:
        """Decrypt what has the right tag. Raises InvalidTag."""


CIPHERS: Final[dict[str, Callable[[bytes], Aead]]] = {
    "aes256-gcm": AESGCM,
    "chacha20-poly1305": ChaCha20Poly1305,
}


class ClusterKey:
    """
    Makes the keys of senders.

    :ivar key_id: of this key and cipher, 0 to 255; sent in clear, and tells nothing of the key.
    """

    __slots__ = ("_cipher_name", "_key", "key_id")

    def __init__(self, cipher_name: str, key: bytes) -> None:
        """:param cipher_name: of CIPHERS."""
        self._cipher_name = cipher_name
        self._key = key
        self.key_id = self._derived(b"", b"key id")[0]

    def is_same(self, other: "ClusterKey") -> bool:
        """Tell whether another one seals alike."""
        return (self._cipher_name, self._key) == (other._cipher_name, other._key)

    def of_sender(self, nodeid: int, boot: int) -> Aead:
        """Make the cipher of one process; ``boot`` is the number that it drew."""
        key = self._derived(_IDENTITY.pack(nodeid, boot), b"datagrams")
        return CIPHERS[self._cipher_name](key)

    def _derived(self, salt: bytes, purpose: bytes) -> bytes:
        """Extract and expand: one block is all that is needed."""
        extracted = hmac.digest(salt, self._key, hashlib.sha256)
        info = _LABEL + self._cipher_name.encode() + b" " + purpose
        return hmac.digest(extracted, info + b"\x01", hashlib.sha256)


def nonce(kind: int, counter: int) -> bytes:
    """Give the nonce of one datagram; kinds have counters of their own, or share one."""
    return _NONCE.pack(kind, counter)
