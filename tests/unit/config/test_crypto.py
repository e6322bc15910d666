"""Encryption in force: directives together, the key, and what a changed file changes."""

import pytest

from corosync_tw.config.crypto import CryptoConfig
from corosync_tw.config.diff import plan_change
from corosync_tw.config.keys import config_keys
from corosync_tw.config.load import frame_len_bytes_max, load_text
from corosync_tw.config.unsupported import unsupported
from corosync_tw.errors import ConfigError
from corosync_tw.net.crypto.guard import OVERHEAD_BYTES
from tests.unit.config.hosts import conf, host

KEY = bytes(range(256))
TEXT_KEY = "k" * 127


def load(totem="", transport="knet", key=KEY):
    content = conf(transport=transport, totem=totem)
    return load_text(content, "f", host("here", read_key=lambda _: key))


@pytest.mark.parametrize(
    ("totem", "crypto"),
    [
        ("", CryptoConfig()),
        ("secauth: on", CryptoConfig(cipher="aes256", hash_name="sha256", key=KEY)),
        (
            "crypto_model: openssl\ncrypto_hash: md5",
            CryptoConfig(model="openssl", hash_name="md5", key=KEY),
        ),
        (
            "secauth: on\ncrypto_cipher: aes128",
            CryptoConfig(cipher="aes128", hash_name="sha256", key=KEY),
        ),
        ("secauth: on\ncrypto_cipher: none\ncrypto_hash: none", CryptoConfig()),
        # The NUL behind the text counts in stock.
        (
            f"secauth: on\nkey: {TEXT_KEY}",
            CryptoConfig(cipher="aes256", hash_name="sha256", key=TEXT_KEY.encode() + b"\0"),
        ),
        (
            f"secauth: on\nkeyfile: /k\nkey: {TEXT_KEY}",
            CryptoConfig(cipher="aes256", hash_name="sha256", key=KEY),
        ),
    ],
)
def test_of_knet(totem, crypto):
    config = load(totem)
    assert config.crypto == crypto
    assert not unsupported(config)


def test_a_key_file_counts_up_to_the_longest_key():
    assert len(load("secauth: on", key=bytes(5000)).crypto.key) == 4096


def test_the_key_is_never_printed():
    config = load("secauth: on", key=b"secret" * 40)
    assert "secret" not in repr(config.crypto)


def test_datagrams_of_our_own_are_encrypted_only_if_that_is_written():
    plain = load(transport="udpu")
    assert plain.crypto == CryptoConfig()
    config = load("udp_crypto: aes256-gcm", "udpu")
    assert config.crypto == CryptoConfig(datagram_cipher="aes256-gcm", key=KEY)
    assert any("stock Corosync cannot join" in text for text in config.warnings)
    with pytest.raises(ConfigError, match="Could only read 8 bits"):
        load("udp_crypto: aes256-gcm", "udpu", key=b"k")
    assert any(
        "has no effect with transport knet" in w for w in load("udp_crypto: aes256-gcm").warnings
    )


@pytest.mark.parametrize(
    ("totem", "key"),
    [("secauth: on", KEY[::-1]), ("crypto_hash: sha512", KEY), ("", KEY)],
)
def test_a_changed_file_changes_encryption(totem, key):
    old, new = load("secauth: on"), load(totem, key=key)
    change, faults = plan_change(old, config_keys(old), new)
    assert not faults
    assert change.config.crypto == new.crypto
    assert not change.kept
    assert change.keys == config_keys(new)


@pytest.mark.parametrize(
    ("totem", "key"),
    [("udp_crypto: aes256-gcm", KEY[::-1]), ("udp_crypto: chacha20-poly1305", KEY)],
)
def test_a_changed_file_changes_the_key_of_datagrams_of_our_own(totem, key):
    old, new = load("udp_crypto: aes256-gcm", "udpu"), load(totem, "udpu", key)
    change, faults = plan_change(old, config_keys(old), new)
    assert not faults
    assert change.config.crypto == new.crypto != old.crypto
    assert not change.kept
    assert change.keys == config_keys(new)


@pytest.mark.parametrize("encrypted_first", [True, False])
def test_whether_datagrams_are_encrypted_stays_while_the_node_runs(encrypted_first):
    files = [load("udp_crypto: aes256-gcm", "udpu"), load(transport="udpu", key=KEY[::-1])]
    old, new = files if encrypted_first else files[::-1]
    change, faults = plan_change(old, config_keys(old), new)
    assert not faults
    assert change.config.crypto == old.crypto
    (line,) = change.kept
    assert "'totem.udp_crypto' in corosync.conf cannot be changed at run-time" in line
    assert change.keys == config_keys(old)


@pytest.mark.parametrize(
    ("totem", "key"),
    [
        ("rrp_mode: passive\nkeyfile: /k", KEY),
        (f"rrp_mode: passive\nkey: {TEXT_KEY}", TEXT_KEY.encode() + b"\0"),
        ("rrp_mode: passive", b""),
        ("keyfile: /k", b""),
    ],
)
def test_tests_of_faulty_rings_are_signed_when_there_is_a_key(totem, key):
    assert load(totem, "udpu").crypto == CryptoConfig(key=key)


def test_a_seal_has_its_room_in_a_frame():
    plain, sealed = load(transport="udpu"), load("udp_crypto: chacha20-poly1305", "udpu")
    assert frame_len_bytes_max(plain) - frame_len_bytes_max(sealed) == OVERHEAD_BYTES


def test_without_a_nodelist_nobody_knows_whom_to_ask():
    content = (
        b"totem {\nversion: 2\nudp_crypto: aes256-gcm\ntransport: udp\ninterface {\n"
        b"ringnumber: 0\nbindnetaddr: 192.168.1.0\nmcastaddr: 239.1.1.1\n}\n}\n"
    )
    with pytest.raises(ConfigError, match="udp_crypto: works only with a nodelist"):
        load_text(content, "f", host("here", read_key=lambda _: KEY))
