"""
The envelope of knet: salt, packet in AES-CBC, tag of both.

    16 random bytes | CBC(packet, PKCS 7 padding), IV = salt, key = front of the cluster's key |
    HMAC(all before, whole key)

Without a cipher: packet | HMAC(packet).

A batch costs one call of the cipher: CBC's state runs through all its packets. In front of each
packet a random block is encrypted, and what comes out is its salt; as the block is random, so is
the salt, and CBC goes on from there exactly as if the salt were the IV. Opening is the same the
other way round: a salt decrypts to nothing of use, and what follows it is right.

Source: libknet 1.25 crypto_openssl.c, crypto_nss.c (both write the same bytes), onwire.c.
"""

from collections.abc import Callable, Iterator, Sequence
from hmac import compare_digest
from itertools import accumulate, pairwise
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from corosync_tw.corotypes import Buffer
from corosync_tw.net.crypto.digest import Digest
from corosync_tw.net.crypto.settings import CIPHER_KEY_LEN_BYTES, NONE, CryptoSettings
from corosync_tw.net.slab import RECEIVE_LEN_BYTES_MAX, SlabPool

BLOCK_LEN_BYTES: Final = 16
SALT_LEN_BYTES: Final = 16
# What one sending call takes (net.offload, PAYLOAD_BYTES_MAX), and what the cipher wants beyond.
BATCH_LEN_BYTES_MAX: Final = RECEIVE_LEN_BYTES_MAX - 64
_PADDINGS: Final = tuple(bytes([count]) * count for count in range(BLOCK_LEN_BYTES + 1))


class Envelope:
    """
    Seals and opens with one key.

    :ivar settings: what it was made of.
    """

    salt_bytes: int
    block_bytes: int
    hash_bytes: int

    def __init__(self, settings: CryptoSettings, entropy: Callable[[int], bytes]) -> None:
        """
        :param settings: enabled ones.
        :param entropy: gives so many random bytes.
        """
        assert settings.is_enabled()
        self.settings = settings
        self._entropy = entropy
        self._digest = Digest(settings.hash_name, settings.key)
        self.hash_bytes = self._digest.len_bytes
        self._encryptor: CipherContext | None = None
        self._decryptor: CipherContext | None = None
        self.salt_bytes = self.block_bytes = 0
        if settings.cipher != NONE:
            self.salt_bytes, self.block_bytes = SALT_LEN_BYTES, BLOCK_LEN_BYTES
            algorithm = algorithms.AES(settings.key[: CIPHER_KEY_LEN_BYTES[settings.cipher]])
            cipher = Cipher(algorithm, modes.CBC(entropy(SALT_LEN_BYTES)))
            self._encryptor, self._decryptor = cipher.encryptor(), cipher.decryptor()
        # Whether tags may lie between ciphertexts of one batch without disturbing the blocks.
        self._aligned = self.hash_bytes % BLOCK_LEN_BYTES == 0
        self._gap = bytes(self.hash_bytes)
        self._sealed = SlabPool()
        self._opened = SlabPool()

    def sealed_len_bytes(self, packet_len_bytes: int) -> int:
        """Tell how long a packet becomes."""
        if self.block_bytes:
            packet_len_bytes += BLOCK_LEN_BYTES - packet_len_bytes % BLOCK_LEN_BYTES
        return self.salt_bytes + packet_len_bytes + self.hash_bytes

    def packet_len_bytes_max(self, sealed_len_bytes_max: int) -> int:
        """Tell how long a packet may be to fit when sealed."""
        length = sealed_len_bytes_max - self.salt_bytes - self.hash_bytes
        if self.block_bytes:
            length -= length % BLOCK_LEN_BYTES + 1
        return length

    def seal(self, packets: Sequence[Buffer]) -> list[Buffer]:
        """Seal packets, in order; those that one sending call takes lie end to end."""
        sealed: list[Buffer] = []
        for start, stop in _batches([self.sealed_len_bytes(len(packet)) for packet in packets]):
            view, ends = self._laid_out(packets[start:stop])
            self._stamp(view, ends)
            sealed += [view[at:end] for at, end in pairwise((0, *ends))]
        return sealed

    def open(self, packets: Sequence[Buffer]) -> list[Buffer | None]:
        """Open packets, in order; None for each that nobody with our key sealed."""
        opened: list[Buffer | None] = []
        genuine: list[int] = []
        lengths: list[int] = []
        tag, hash_bytes, is_whole = self._digest.tag, self.hash_bytes, self._is_whole
        for at, packet in enumerate(packets):
            data = packet[:-hash_bytes]
            length = len(data)
            if is_whole(length) and compare_digest(tag(data), packet[-hash_bytes:]):
                genuine.append(at)
                lengths.append(length)
                opened.append(data)
            else:
                opened.append(None)
        if self._decryptor is None:
            return opened
        for start, stop in _batches(lengths):
            batch = genuine[start:stop]
            for at, packet_opened in zip(batch, self._decrypted(opened, batch), strict=True):
                opened[at] = packet_opened
        return opened

    def _decrypted(
        self, packets: Sequence[Buffer | None], batch: Sequence[int]
    ) -> Iterator[memoryview | None]:
        """Decrypt some packets, given by their positions, by one call."""
        assert self._decryptor is not None
        data = [packet for at in batch if (packet := packets[at]) is not None]
        stream = b"".join(data)
        self._decryptor.update_into(stream, self._opened.window())
        plain = self._opened.take(len(stream))
        ends = accumulate(map(len, data), initial=0)
        return (_unpadded(plain, start + SALT_LEN_BYTES, end) for start, end in pairwise(ends))

    def _is_whole(self, len_bytes: int) -> bool:
        """Tell whether that may be the length of a sealed packet without its tag."""
        if self._decryptor is None:
            return len_bytes > 0
        return len_bytes >= SALT_LEN_BYTES + BLOCK_LEN_BYTES and not len_bytes % BLOCK_LEN_BYTES

    def _laid_out(self, packets: Sequence[Buffer]) -> tuple[memoryview, list[int]]:
        """Lay packets end to end, encrypted and with room for their tags; say where they end."""
        if self._encryptor is None:
            ends = list(accumulate(len(packet) + self.hash_bytes for packet in packets))
            return self._joined(packets, ends[-1]), ends
        paddings = [BLOCK_LEN_BYTES - len(packet) % BLOCK_LEN_BYTES for packet in packets]
        head_and_tail = SALT_LEN_BYTES + self.hash_bytes
        ends = list(
            accumulate(
                head_and_tail + len(packet) + padding
                for packet, padding in zip(packets, paddings, strict=True)
            )
        )
        salts = self._entropy(SALT_LEN_BYTES * len(packets))
        gap = self._gap if self._aligned else b""
        pieces: list[Buffer] = []
        salt_at = 0
        for packet, padding in zip(packets, paddings, strict=True):
            pieces += (salts[salt_at : salt_at + SALT_LEN_BYTES], packet, _PADDINGS[padding], gap)
            salt_at += SALT_LEN_BYTES
        stream = b"".join(pieces)
        if self._aligned:
            self._encryptor.update_into(stream, self._sealed.window())
            return self._sealed.take(ends[-1]), ends
        encrypted = memoryview(self._encryptor.update(stream))
        lengths = [end - at - self.hash_bytes for at, end in pairwise((0, *ends))]
        cuts = pairwise((0, *accumulate(lengths)))
        return self._joined([encrypted[at:end] for at, end in cuts], ends[-1]), ends

    def _joined(self, packets: Sequence[Buffer], len_bytes: int) -> memoryview:
        """Lay packets end to end, each with room for its tag."""
        view = self._sealed.window()[:len_bytes]
        view[:] = self._gap.join((*packets, b""))
        return self._sealed.take(len_bytes)

    def _stamp(self, view: memoryview, ends: Sequence[int]) -> None:
        """Write the tags."""
        tag, hash_bytes = self._digest.tag, self.hash_bytes
        at = 0
        for end in ends:
            data_end = end - hash_bytes
            view[data_end:end] = tag(view[at:data_end])
            at = end


def _batches(lengths: Sequence[int]) -> list[tuple[int, int]]:
    """Divide packets into batches of BATCH_LEN_BYTES_MAX."""
    batches = []
    start = total = 0
    for at, length in enumerate(lengths):
        if total + length > BATCH_LEN_BYTES_MAX and at > start:
            batches.append((start, at))
            start, total = at, 0
        total += length
    if start < len(lengths):
        batches.append((start, len(lengths)))
    return batches


def _unpadded(plain: memoryview, start: int, end: int) -> memoryview | None:
    """Give the packet at [start, end) without its padding; None if that is wrong: other cipher."""
    padding = plain[end - 1]
    if not 0 < padding <= BLOCK_LEN_BYTES or plain[end - padding : end] != _PADDINGS[padding]:
        return None
    return plain[start : end - padding]
