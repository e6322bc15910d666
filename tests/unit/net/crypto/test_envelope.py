"""Knet's envelope: every pair of cipher and hash, one packet and many, forged and cut ones."""

import hashlib
import hmac
import os
from itertools import product

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from corosync_tw.net.crypto.digest import Digest
from corosync_tw.net.crypto.envelope import Envelope
from corosync_tw.net.crypto.settings import (
    CIPHER_KEY_LEN_BYTES,
    DIGEST_LEN_BYTES,
    NONE,
    CryptoSettings,
)
from corosync_tw.totem.runs import FrameBlob, SentBlob

KEY = bytes(range(256))
PAIRS = list(product((NONE, *CIPHER_KEY_LEN_BYTES), DIGEST_LEN_BYTES))
LENGTHS = (1, 15, 16, 17, 100, 1397, 1408)


def envelope(cipher: str = "aes256", hash_name: str = "sha256", key: bytes = KEY) -> Envelope:
    return Envelope(CryptoSettings(cipher, hash_name, key), os.urandom)


def packet(length: int) -> bytes:
    return bytes(at * 7 & 0xFF for at in range(length))


def opened_by_the_book(sealed: bytes, cipher: str, hash_name: str) -> bytes:
    """Open as libknet's source says, one primitive at a time."""
    size = hashlib.new(hash_name).digest_size
    data, tag = sealed[:-size], sealed[-size:]
    assert hmac.new(KEY, data, hash_name).digest() == tag
    if cipher == NONE:
        return data
    algorithm = algorithms.AES(KEY[: CIPHER_KEY_LEN_BYTES[cipher]])
    decryptor = Cipher(algorithm, modes.CBC(data[:16])).decryptor()
    plain = decryptor.update(data[16:]) + decryptor.finalize()
    assert plain[-plain[-1] :] == bytes([plain[-1]]) * plain[-1]
    return plain[: -plain[-1]]


@pytest.mark.parametrize(("cipher", "hash_name"), PAIRS)
def test_a_batch_is_what_the_book_opens(cipher, hash_name):
    seal = envelope(cipher, hash_name)
    packets = [packet(length) for length in LENGTHS]
    sealed = seal.seal(packets)
    assert [opened_by_the_book(bytes(s), cipher, hash_name) for s in sealed] == packets
    assert [len(s) for s in sealed] == [seal.sealed_len_bytes(length) for length in LENGTHS]
    assert seal.open(sealed) == packets


@pytest.mark.parametrize(("cipher", "hash_name"), PAIRS)
@pytest.mark.parametrize("last", [1, 1397])
def test_many_packets_are_sealed(cipher, hash_name, last):
    seal, peer = envelope(cipher, hash_name), envelope(cipher, hash_name)
    packets = [*[packet(1397)] * 99, packet(last)]
    sealed = seal.seal([memoryview(data) for data in packets])
    assert len(set(map(bytes, sealed))) == 100 or cipher == NONE
    assert [opened_by_the_book(bytes(s), cipher, hash_name) for s in sealed] == packets
    assert peer.open(sealed) == packets


def blob_of(packets: list[bytes]) -> SentBlob:
    return SentBlob(b"".join(packets), len(packets[0]))


def arrived(sealed: SentBlob) -> FrameBlob:
    return FrameBlob(memoryview(bytearray(sealed.blob)), sealed.stride)


def opened_blob(seal: Envelope, frames: FrameBlob) -> list[bytes] | None:
    """Give the packets of a blob that is opened as one."""
    found = seal.open_blob(frames)
    if found is None:
        return None
    longest = found.stride - found.gap
    return [bytes(found.blob[at : at + longest]) for at in range(0, len(found.blob), found.stride)]


@pytest.mark.parametrize(("cipher", "hash_name"), PAIRS)
@pytest.mark.parametrize("last", [1, 16, 1397])
@pytest.mark.parametrize("count", [1, 2, 40])
def test_a_blob_is_sealed_and_opened_as_one(cipher, hash_name, last, count):
    seal, peer = envelope(cipher, hash_name), envelope(cipher, hash_name)
    packets = [*[packet(1397)] * (count - 1), packet(last)]
    sealed = seal.seal_blob(blob_of(packets))
    assert (len(sealed), sealed.stride) == (count, seal.sealed_len_bytes(len(packets[0])))
    assert [opened_by_the_book(bytes(s), cipher, hash_name) for (s,) in sealed] == packets
    found = opened_blob(peer, arrived(sealed))
    # Tags of sha1 are no whole blocks.
    assert found == (None if hash_name == "sha1" and cipher != NONE else packets)
    assert peer.open([s for (s,) in sealed]) == packets


def test_a_blob_may_be_longer_than_a_call_of_the_cipher():
    seal = envelope()
    packets = [*[packet(1397)] * 299, packet(500)]
    sealed = seal.seal_blob(blob_of(packets))
    assert len(sealed) == 300
    assert [opened_by_the_book(bytes(s), "aes256", "sha256") for (s,) in sealed] == packets
    assert seal.open_blob(arrived(sealed)) is None


@pytest.mark.parametrize("cipher", [NONE, "aes256"])
@pytest.mark.parametrize("at", [0, 50, 1439, 1440, 4 * 1440 - 20, 4 * 1440 + 1, -1])
def test_one_forged_byte_of_a_blob_is_found(cipher, at):
    seal = envelope(cipher)
    frames = arrived(seal.seal_blob(blob_of([*[packet(1383)] * 4, packet(300)])))
    frames.blob[at] ^= 1
    assert seal.open_blob(frames) is None
    assert seal.open(frames.frames()).count(None) == 1


def test_blobs_of_no_whole_packets_are_not_opened():
    seal = envelope()
    frames = arrived(seal.seal_blob(blob_of([packet(1383)] * 3)))
    for cut in (1, 40, 1380):
        assert seal.open_blob(FrameBlob(frames.blob[:-cut], frames.stride)) is None
    for stride in (1, 32, 40, 1441):
        assert seal.open_blob(FrameBlob(frames.blob, stride)) is None


@pytest.mark.parametrize("lengths", [(1390, 1383, 1390), (1383, 1383, 1390), (1390, 1383, 300)])
def test_packets_that_are_of_one_length_by_padding_are_opened_one_by_one(lengths):
    seal = envelope()
    packets = [packet(length) for length in lengths]
    sealed = seal.seal(packets)
    frames = FrameBlob(memoryview(bytearray(b"".join(sealed))), len(sealed[0]))
    assert opened_blob(seal, frames) is None
    assert seal.open(frames.frames()) == packets


def test_a_shorter_packet_may_be_the_last_one_of_a_blob():
    seal = envelope()
    packets = [packet(1390), packet(1390), packet(1383)]
    sealed = seal.seal(packets)
    frames = FrameBlob(memoryview(bytearray(b"".join(sealed))), len(sealed[0]))
    assert opened_blob(seal, frames) == packets


def test_a_blob_of_another_cipher_is_not_opened():
    frames = arrived(envelope().seal_blob(blob_of([packet(1383)] * 40)))
    assert envelope(cipher="aes128").open_blob(frames) is None


def test_salts_are_never_the_same():
    seal = envelope()
    salts = [bytes(s[:16]) for _ in range(50) for s in seal.seal([b"same"] * 20)]
    blobs = [seal.seal_blob(blob_of([bytes(100)] * 20)) for _ in range(50)]
    salts += [bytes(s[:16]) for blob in blobs for (s,) in blob]
    assert len(set(salts)) == len(salts)


@pytest.mark.parametrize(("cipher", "hash_name"), PAIRS)
def test_one_forged_packet_among_many_is_refused_alone(cipher, hash_name):
    seal, peer = envelope(cipher, hash_name), envelope(cipher, hash_name)
    packets: list[bytes | None] = [packet(1000 + at) for at in range(10)]
    sealed = [bytearray(s) for s in seal.seal(packets)]
    sealed[3][40] ^= 1
    packets[3] = None
    assert peer.open(sealed) == packets
    assert peer.open([os.urandom(1040), os.urandom(3), b""]) == [None] * 3


@pytest.mark.parametrize(("cipher", "hash_name"), PAIRS)
def test_cut_packets_are_refused(cipher, hash_name):
    seal = envelope(cipher, hash_name)
    (sealed,) = seal.seal([b"x" * 40])
    assert set(seal.open([sealed[:length] for length in range(len(sealed))])) == {None}
    # Right tags of what is too short, or of no whole blocks.
    if cipher != NONE:
        digest = Digest(hash_name, KEY)
        for length in range(32):
            assert seal.open([bytes(length) + digest.tag(bytes(length))]) == [None]


def test_other_keys_hashes_and_ciphers_are_refused():
    seal = envelope()
    (sealed,) = seal.seal([packet(333)])
    assert envelope(key=KEY[::-1]).open([sealed]) == [None]
    assert envelope(hash_name="sha512").open([sealed]) == [None]
    assert envelope(cipher="aes128").open([sealed]) == [None]
    assert envelope(cipher=NONE).open([sealed]) != [packet(333)]
    assert envelope().open([sealed]) == [packet(333)]


def test_lengths_for_the_path_are_libknets():
    # Ethernet without IP and UDP headers: 1472; libknet's MTU without its 26 bytes of header.
    assert envelope().packet_len_bytes_max(1472) - 26 == 1397
    assert envelope(cipher=NONE).packet_len_bytes_max(1472) == 1472 - 32
    for available in range(200, 260):
        seal = envelope(hash_name="sha1")
        assert seal.sealed_len_bytes(seal.packet_len_bytes_max(available)) <= available


def test_memory_of_sealed_packets_is_theirs():
    """Views stay what they were while the memory behind others is used again."""
    seal = envelope()
    kept, blob = seal.seal([packet(1397)])[0], seal.seal_blob(blob_of([packet(1397)] * 40))
    opened = seal.open_blob(arrived(blob))
    assert opened is not None
    copies = bytes(kept), bytes(blob.blob), bytes(opened.blob)
    for _ in range(60):
        seal.open_blob(arrived(seal.seal_blob(blob_of([bytes(1397)] * 40))))
    assert (kept, blob.blob, opened.blob) == copies
