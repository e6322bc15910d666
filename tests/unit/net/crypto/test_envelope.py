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
def test_many_packets_are_sealed_end_to_end(cipher, hash_name, last):
    seal, peer = envelope(cipher, hash_name), envelope(cipher, hash_name)
    packets = [*[packet(1397)] * 99, packet(last)]
    sealed = seal.seal([memoryview(data) for data in packets])
    assert len(set(map(bytes, sealed))) == 100 or cipher == NONE
    assert [opened_by_the_book(bytes(s), cipher, hash_name) for s in sealed] == packets
    assert peer.open(sealed) == packets


def test_salts_are_never_the_same():
    seal = envelope()
    salts = [bytes(s[:16]) for _ in range(50) for s in seal.seal([b"same"] * 20)]
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
    kept = seal.seal([packet(1397)])[0]
    copy = bytes(kept)
    for _ in range(60):
        seal.seal([packet(1397)] * 40)
    assert kept == copy
