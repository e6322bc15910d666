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

from collections.abc import Callable, Sequence
from hmac import compare_digest
from typing import Final

from cryptography.hazmat.primitives.ciphers import Cipher, CipherContext, algorithms, modes

from corosync_tw.corotypes import Buffer, Slices
from corosync_tw.net.crypto.digest import Digest
from corosync_tw.net.crypto.settings import CIPHER_KEY_LEN_BYTES, NONE, CryptoSettings
from corosync_tw.net.slab import RECEIVE_LEN_BYTES_MAX, SlabPool
from corosync_tw.totem.runs import FrameBlob

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

    def seal(self, packets: Sequence[Slices]) -> list[Buffer]:
        """Seal packets, each given as slices; in order, the same number."""
        sealed: list[Buffer] = []
        lengths = [sum(map(len, packet)) for packet in packets]
        for start, stop in _batches(list(map(self.sealed_len_bytes, lengths))):
            blob, ends = self._seal_batch(packets[start:stop], lengths[start:stop])
            at = 0
            for end in ends:
                sealed.append(blob[at:end])
                at = end
        return sealed

    def seal_run(self, run: FrameBlob) -> list[FrameBlob]:
        """Seal packets of one length that lie end to end; what can be sent in one call each."""
        blob, stride = run
        sealed_stride = self.sealed_len_bytes(stride)
        count = max(1, BATCH_LEN_BYTES_MAX // sealed_stride)
        sealed = []
        for start in range(0, len(blob), count * stride):
            frames = FrameBlob(blob[start : start + count * stride], stride).frames()
            lengths = [stride] * (len(frames) - 1)
            lengths.append(len(frames[-1]))
            sealed.append(
                FrameBlob(
                    self._seal_batch([(frame,) for frame in frames], lengths)[0], sealed_stride
                )
            )
        return sealed

    def _seal_batch(
        self, packets: Sequence[Slices], lengths: Sequence[int]
    ) -> tuple[memoryview, list[int]]:
        """Seal packets into one piece of memory; with it goes where each one ends."""
        hash_bytes = self.hash_bytes
        ends = []
        end = 0
        if self._encryptor is None:
            pieces: list[Buffer] = []
            for packet, length in zip(packets, lengths, strict=True):
                pieces.extend(packet)
                pieces.append(self._gap)
                end += length + hash_bytes
                ends.append(end)
            view = self._room(end)
            view[:] = b"".join(pieces)
        else:
            view = self._encrypted(packets, lengths, ends)
        tag = self._digest.tag
        at = 0
        for end in ends:
            view[end - hash_bytes : end] = tag(view[at : end - hash_bytes])
            at = end
        return view, ends

    def _encrypted(
        self, packets: Sequence[Slices], lengths: Sequence[int], ends: list[int]
    ) -> memoryview:
        """Encrypt packets with room for their tags; where they end goes to ``ends``."""
        assert self._encryptor is not None
        gap = self._gap if self._aligned else b""
        salts = self._entropy(SALT_LEN_BYTES * len(packets))
        pieces: list[Buffer] = []
        at = end = 0
        for packet, length in zip(packets, lengths, strict=True):
            padding = BLOCK_LEN_BYTES - length % BLOCK_LEN_BYTES
            pieces.append(salts[at : at + SALT_LEN_BYTES])
            pieces.extend(packet)
            pieces.append(_PADDINGS[padding])
            pieces.append(gap)
            at += SALT_LEN_BYTES
            end += SALT_LEN_BYTES + length + padding + self.hash_bytes
            ends.append(end)
        if self._aligned:
            window = self._sealed.window()
            self._encryptor.update_into(b"".join(pieces), window)
            return self._sealed.take(end)
        stream = memoryview(self._encryptor.update(b"".join(pieces)))
        pieces = []
        at = taken = 0
        for end in ends:
            length = end - at - self.hash_bytes
            pieces.append(stream[taken : taken + length])
            pieces.append(self._gap)
            taken += length
            at = end
        view = self._room(end)
        view[:] = b"".join(pieces)
        return view

    def _room(self, len_bytes: int) -> memoryview:
        self._sealed.window()
        return self._sealed.take(len_bytes)

    def open(self, packet: Buffer) -> Buffer | None:
        """Open a packet; None if it is not sealed by somebody who has our key."""
        end = len(packet) - self.hash_bytes
        if end <= 0:
            return None
        view = memoryview(packet)
        if not compare_digest(self._digest.tag(view[:end]), view[end:]):
            return None
        if self._decryptor is None:
            return view[:end]
        if end < SALT_LEN_BYTES + BLOCK_LEN_BYTES or end % BLOCK_LEN_BYTES:
            return None
        return _unpadded(memoryview(self._decryptor.update(view[:end])), SALT_LEN_BYTES, end)

    def open_run(self, run: FrameBlob) -> list[Buffer | None]:
        """Open packets that arrived in one piece; in order, None as for ``open``."""
        blob, stride = run
        total = len(blob)
        hash_bytes = self.hash_bytes
        spans = [(at, min(at + stride, total)) for at in range(0, total, stride)]
        if self._decryptor is None or not self._aligned or not self._are_blocks(run):
            return [self.open(blob[at:end]) for at, end in spans]
        tag = self._digest.tag
        genuine = [
            compare_digest(tag(blob[at : end - hash_bytes]), blob[end - hash_bytes : end])
            for at, end in spans
        ]
        if not any(genuine):
            return [None] * len(spans)
        self._decryptor.update_into(blob, self._opened.window())
        plain = self._opened.take(total)
        return [
            _unpadded(plain, at + SALT_LEN_BYTES, end - hash_bytes) if known else None
            for known, (at, end) in zip(genuine, spans, strict=True)
        ]

    def _are_blocks(self, run: FrameBlob) -> bool:
        """Tell whether all packets can be sealed ones by their lengths."""
        shortest = SALT_LEN_BYTES + BLOCK_LEN_BYTES + self.hash_bytes
        last = len(run.blob) % run.stride or run.stride
        return (
            last >= shortest
            and last % BLOCK_LEN_BYTES == 0
            and run.stride % BLOCK_LEN_BYTES == 0
            and len(run.blob) <= BATCH_LEN_BYTES_MAX
        )


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
