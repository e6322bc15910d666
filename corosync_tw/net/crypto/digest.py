"""
HMAC with one key over many packets: what depends on the key alone is computed once.

Source: RFC 2104.
"""

import hashlib
from collections.abc import Iterable
from typing import Final

from corosync_tw.corotypes import Buffer
from corosync_tw.net.crypto.settings import DIGEST_LEN_BYTES

_INNER_PAD: Final = 0x36
_OUTER_PAD: Final = 0x5C


class Digest:
    """
    Computes tags.

    :ivar len_bytes: of a tag.
    """

    __slots__ = ("_inner", "_outer", "len_bytes")

    def __init__(self, hash_name: str, key: bytes) -> None:
        self.len_bytes = DIGEST_LEN_BYTES[hash_name]
        plain = hashlib.new(hash_name, usedforsecurity=False)
        block_bytes = plain.block_size
        if len(key) > block_bytes:
            shortened = plain.copy()
            shortened.update(key)
            key = shortened.digest()
        padded = key.ljust(block_bytes, b"\0")
        self._inner, self._outer = plain.copy(), plain.copy()
        self._inner.update(bytes(byte ^ _INNER_PAD for byte in padded))
        self._outer.update(bytes(byte ^ _OUTER_PAD for byte in padded))

    def tag(self, data: Buffer) -> bytes:
        """Compute the tag of ``data``."""
        inner, outer = self._inner.copy(), self._outer.copy()
        inner.update(data)
        outer.update(inner.digest())
        return outer.digest()

    def tags(self, packets: Iterable[Buffer]) -> list[bytes]:
        """Compute the tag of each packet."""
        inner_copy, outer_copy = self._inner.copy, self._outer.copy
        found = []
        for data in packets:
            inner, outer = inner_copy(), outer_copy()
            inner.update(data)
            outer.update(inner.digest())
            found.append(outer.digest())
        return found
