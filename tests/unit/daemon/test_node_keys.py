"""The keys of a node: looked for in the files when packets cannot be opened, changed by reload."""

import os

import pytest

from corosync_tw.config.load import load_text
from corosync_tw.daemon.node_keys import LOOK_INTERVAL_NS, NodeKeys
from tests.unit.config.hosts import conf, host

CLEAR = "crypto_cipher: none\ncrypto_hash: none"
DATA, PING, PONG, PROBE = (b"\1" + kind + bytes(40) for kind in (b"\0", b"\x81", b"\x82", b"\x83"))


class Files:
    """A configuration and a key on the disk, and a node that began with them."""

    def __init__(self, directory) -> None:
        self.conf, self.key = directory / "corosync.conf", directory / "authkey"
        self.now_ns = 10**9
        self.followed = 0

    def write(self, totem: str, key: bytes | None = None) -> None:
        self.conf.write_bytes(conf(transport="knet", totem=f"keyfile: {self.key}\n{totem}"))
        if key is not None:
            self.key.write_bytes(key)

    def load(self):
        machine = host("here", read_key=lambda _: self.key.read_bytes())
        return load_text(self.conf.read_bytes(), str(self.conf), machine)

    def keys(self) -> NodeKeys:
        return NodeKeys(self.load(), lambda: self.now_ns, self._follow)

    def _follow(self) -> None:
        self.followed += 1


@pytest.fixture
def files(tmp_path):
    files = Files(tmp_path)
    files.write("secauth: on", os.urandom(128))
    return files


@pytest.mark.parametrize("led_by", [DATA, PONG, PROBE], ids=["data", "pong", "probe"])
def test_a_key_on_the_disk_is_found_when_a_member_uses_it(files, led_by):
    behind = files.keys()
    files.write("crypto_cipher: aes128\ncrypto_hash: sha512", os.urandom(200))
    ahead = files.keys()
    assert behind.slots.open(ahead.slots.seal([PING])) == [PING]
    assert (behind.slots.in_use, files.followed) == (1, 0)
    assert behind.slots.open(ahead.slots.seal([led_by])) == [led_by]
    assert (behind.slots.in_use, files.followed) == (2, 1)
    assert ahead.slots.open(behind.slots.seal([DATA])) == [DATA]


def test_files_are_looked_at_now_and_then_and_read_when_they_changed(files):
    node, stranger = files.keys(), b"\0" * 64
    assert node.slots.open([stranger]) == [None]
    files.write("secauth: on", os.urandom(129))
    ahead = files.keys()
    sealed = ahead.slots.seal([PING])
    assert node.slots.open(sealed) == [None]
    files.now_ns += LOOK_INTERVAL_NS
    assert node.slots.open(sealed) == [PING]


@pytest.mark.parametrize("content", [b"totem {", b"", b"totem {\nversion: 2\n}\n", None])
def test_a_file_that_is_wrong_changes_nothing(files, content):
    node = files.keys()
    if content is None:
        files.conf.unlink()
    else:
        files.conf.write_bytes(content)
    assert node.slots.open([bytes(64), DATA]) == [None, None]
    assert not node.slots.clear_allowed
    assert node.slots.open(node.slots.seal([DATA])) == [DATA]


def test_a_reload_brings_a_key_into_use_and_says_so(files):
    node = files.keys()
    old = files.load()
    assert node.change(old, old) is None
    files.write("crypto_cipher: aes192\ncrypto_hash: md5\ncrypto_model: openssl", os.urandom(128))
    new = files.load()
    assert node.change(old, new) == "on index 2: openssl/aes192/md5"
    assert node.slots.in_use == 2
    node.forget_old()
    files.write("secauth: off")
    assert node.change(new, files.load()) == "on index 1: nss/none/none"
    assert node.seal is not None
    node.forget_old()
    assert node.seal is None


def test_who_sends_in_clear_learns_a_key_from_the_files(files):
    files.write(CLEAR)
    node = files.keys()
    assert node.seal is None
    assert not node.follow_from_clear()
    files.write("secauth: on", os.urandom(128))
    files.now_ns += LOOK_INTERVAL_NS
    assert node.follow_from_clear()
    assert files.keys().slots.open(node.slots.seal([DATA])) == [DATA]
    assert not node.follow_from_clear()


def test_encryption_that_the_files_switch_off(files, monkeypatch):
    """The whole file is read, as this machine sees it, before anything is sent in clear."""
    node = files.keys()
    read = []

    def load_file(path):
        read.append(path)
        return files.load()

    monkeypatch.setattr("corosync_tw.daemon.node_keys.load_file", load_file)
    files.write(CLEAR)
    assert node.slots.open([DATA]) == [None]
    assert read == [str(files.conf)]
    assert node.slots.clear_allowed
    assert (node.slots.in_use, files.followed) == (0, 1)
