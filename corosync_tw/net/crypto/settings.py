"""What encryption knows of corosync.conf; the daemon fills it in."""

from dataclasses import dataclass, field
from typing import Final

NONE: Final = "none"
# corosync.conf's names, with the length of their keys and digests.
CIPHER_KEY_LEN_BYTES: Final = {"aes128": 16, "aes192": 24, "aes256": 32}
DIGEST_LEN_BYTES: Final = {"md5": 16, "sha1": 20, "sha256": 32, "sha384": 48, "sha512": 64}
# totem.h: TOTEM_PRIVATE_KEY_LEN_MIN, TOTEM_PRIVATE_KEY_LEN_MAX
KEY_LEN_BYTES_MIN: Final = 128
KEY_LEN_BYTES_MAX: Final = 4096


@dataclass(frozen=True, slots=True)
class CryptoSettings:
    """
    One way to encrypt.

    :ivar cipher: of CIPHER_KEY_LEN_BYTES, or none.
    :ivar hash_name: of DIGEST_LEN_BYTES, or none.
    :ivar key: that all nodes share, KEY_LEN_BYTES_MIN to KEY_LEN_BYTES_MAX; empty when both are
        none.
    :ivar model: library that stock uses; only shown, the bytes are the same with each.
    """

    cipher: str = NONE
    hash_name: str = NONE
    key: bytes = field(default=b"", repr=False)
    model: str = "nss"

    def __post_init__(self) -> None:
        assert self.cipher == NONE or self.hash_name != NONE, "a cipher without a hash"
        if self.is_enabled():
            assert KEY_LEN_BYTES_MIN <= len(self.key) <= KEY_LEN_BYTES_MAX, "length of the key"

    def is_enabled(self) -> bool:
        """Tell whether anything is done to packets at all."""
        return self.hash_name != NONE

    def describe(self) -> str:
        """Name it as Corosync's log does: model, cipher and hash."""
        return f"{self.model}/{self.cipher}/{self.hash_name}"


CLEAR: Final = CryptoSettings()
