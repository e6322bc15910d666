"""
The envelope of knet: salt, packet in AES-CBC, tag of both.

    16 random bytes | CBC(packet, PKCS 7 padding), IV = salt, key = front of the cluster's key |
    HMAC(all before, whole key)

Without a cipher: packet | HMAC(packet).

A batch costs one call of the cipher: CBC's state runs through all its packets. In front of each
packet a random block is encrypted, and what comes out is its salt; as the block is random, so is
the salt, and CBC goes on from there exactly as if the salt were the IV. Opening is the same the
other way round: a salt decrypts to nothing of use, and what follows it is right; so is what follows
a tag that is decrypted with the rest, if it is whole blocks.

Source: libknet 1.25 crypto_openssl.c, crypto_nss.c (both write the same bytes), onwire.c.
"""

from collections.abc import Callable, Iterator, Sequence
from hmac import compare_digest
from itertools import accumulate, chain, pairwise
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from corosync_tw.corotypes import Buffer
from corosync_tw.net.crypto.digest import Digest
from corosync_tw.net.crypto.settings import CIPHER_KEY_LEN_BYTES, NONE, CryptoSettings
from corosync_tw.net.knet.seal import OpenedBlob
from corosync_tw.net.slab import RECEIVE_LEN_BYTES_MAX, SlabPool
from corosync_tw.totem.runs import FrameBlob, SentBlob

BLOCK_LEN_BYTES: Final = 16
SALT_LEN_BYTES: Final = 16
# What one call of the cipher gets: what the kernel merges, less what the cipher wants beyond it.
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
        # Whether blocks behind a tag are where they would be without it.
        self._opens_blobs = not (self.block_bytes and self.hash_bytes % BLOCK_LEN_BYTES)
        self._encrypted = bytearray(RECEIVE_LEN_BYTES_MAX)
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
        """Seal packets, in order."""
        sealed: list[Buffer] = []
        for start, stop in _batches([self.sealed_len_bytes(len(packet)) for packet in packets]):
            sealed += map(b"".join, self._tagged(packets[start:stop]))
        return sealed

    def seal_blob(self, packets: SentBlob) -> SentBlob:
        """Seal packets that lie end to end, and so they stay."""
        blob, stride = packets.blob, packets.stride
        sealed_bytes = self.sealed_len_bytes(stride)
        batch_bytes = stride * max(1, BATCH_LEN_BYTES_MAX // sealed_bytes)
        batches = [
            b"".join(chain.from_iterable(self._tagged(_cut(blob[at : at + batch_bytes], stride))))
            for at in range(0, len(blob), batch_bytes)
        ]
        return SentBlob(batches[0] if len(batches) == 1 else b"".join(batches), sealed_bytes)

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

    def open_blob(self, packets: FrameBlob) -> OpenedBlob | None:
        """
        Open packets that arrived in one piece, by one call of the cipher.

        :return: None when they are to be opened one by one: one is not genuine, or not padded as
            the others are.
        """
        blob, stride = packets
        hash_bytes, length = self.hash_bytes, len(blob)
        last_bytes = (length - 1) % stride + 1
        if not (
            self._opens_blobs
            and length <= BATCH_LEN_BYTES_MAX
            and self._is_whole(stride - hash_bytes)
            and self._is_whole(last_bytes - hash_bytes)
        ):
            return None
        sealed = _cut(blob, stride)
        computed = self._digest.tags([packet[:-hash_bytes] for packet in sealed])
        tags = b"".join([packet[-hash_bytes:] for packet in sealed])
        if not compare_digest(b"".join(computed), tags):
            return None
        if self._decryptor is None:
            return OpenedBlob(blob[:-hash_bytes], stride, hash_bytes)
        self._decryptor.update_into(blob, self._opened.window())
        return self._trimmed(self._opened.take(length), stride, len(sealed) - 1)

    def _trimmed(self, plain: memoryview, stride: int, count: int) -> OpenedBlob | None:
        """
        Find where packets lie that were decrypted together with their tags.

        :param count: of those in front of the last one.
        """
        last = _unpadded(plain, count * stride + SALT_LEN_BYTES, len(plain) - self.hash_bytes)
        if last is None:
            return None
        if not count:
            return OpenedBlob(last, len(last), 0)
        first = _unpadded(plain, SALT_LEN_BYTES, stride - self.hash_bytes)
        padding_at = stride - self.hash_bytes - 1
        paddings = bytes(plain[padding_at : count * stride : stride])
        if first is None or paddings.count(paddings[0]) != count or len(last) > len(first):
            return None
        end = count * stride + SALT_LEN_BYTES + len(last)
        return OpenedBlob(plain[SALT_LEN_BYTES:end], stride, stride - len(first))

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

    def _tagged(self, packets: Sequence[Buffer]) -> Iterator[tuple[Buffer, bytes]]:
        """
        Give packets that one call of the cipher takes as they are sent, each with its tag.

        They are good until the next call.
        """
        data: Sequence[Buffer] = packets
        if self._encryptor is not None:
            pieces: list[Buffer] = []
            ends = [0]
            at = salt_at = 0
            salts = self._entropy(SALT_LEN_BYTES * len(packets))
            for packet in packets:
                padding = BLOCK_LEN_BYTES - len(packet) % BLOCK_LEN_BYTES
                salt = salts[salt_at : salt_at + SALT_LEN_BYTES]
                pieces += (salt, packet, _PADDINGS[padding])
                salt_at += SALT_LEN_BYTES
                at += SALT_LEN_BYTES + len(packet) + padding
                ends.append(at)
            self._encryptor.update_into(b"".join(pieces), self._encrypted)
            view = memoryview(self._encrypted)
            data = [view[start:end] for start, end in pairwise(ends)]
        return zip(data, self._digest.tags(data), strict=True)


def _cut(blob: Buffer, stride: int) -> list[Buffer]:
    return [blob[at : at + stride] for at in range(0, len(blob), stride)]


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
