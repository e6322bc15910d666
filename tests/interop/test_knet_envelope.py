"""Our envelope against Debian's libknet: pings, data both ways, a change of keys, wrong keys."""

import os
import socket
import time
from collections.abc import Iterator
from itertools import count, product

import pytest

from corosync_tw.net.crypto.settings import (
    CIPHER_KEY_LEN_BYTES,
    DIGEST_LEN_BYTES,
    NONE,
    CryptoSettings,
)
from corosync_tw.net.crypto.slots import CryptoSlots
from tests.interop.libknet import Libknet, libknet

PATIENCE_S = 10
_PING, _PONG, _DATA = 0x81, 0x82, 0x00
_TYPE_AT, _FRAGMENT_AT = 1, 12
_OWN_NODEID = (2).to_bytes(2, "big")
_DATA_HEADER_LEN = 14
KEY = os.urandom(256)


class Peer:
    """Node 2: answers pings, keeps data; a socket of loopback."""

    def __init__(self, settings: CryptoSettings) -> None:
        self.slots = CryptoSlots(settings, os.urandom)
        self.sock = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.sock.bind(("127.0.0.1", 0))
        self.sock.settimeout(0.05)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as free:
            free.bind(("127.0.0.1", 0))
            self.knet_port = free.getsockname()[1]
        self.port = self.sock.getsockname()[1]
        self.data: list[bytes] = []
        self._seq = count(1)

    def turn(self) -> None:
        try:
            sealed = self.sock.recv(65536)
        except TimeoutError:
            return
        (packet,) = self.slots.open([sealed])
        if packet is None:
            return
        if packet[_TYPE_AT] == _PING:
            rest = _OWN_NODEID + bytes(packet[4:])
            self.send(bytes((1, _PONG)) + rest, bytes((1, _PING)) + rest)
        elif packet[_TYPE_AT] == _DATA:
            payload = bytes(packet[_DATA_HEADER_LEN:])
            # What was sealed with a cipher and is opened without one may look like anything.
            if packet[_FRAGMENT_AT] > 1 and self.data:
                self.data[-1] += payload
            else:
                self.data.append(payload)

    def send(self, *packets: bytes) -> None:
        for sealed in self.slots.seal(packets):
            self.sock.sendto(sealed, ("127.0.0.1", self.knet_port))

    def send_data(self, *payloads: bytes) -> None:
        header = bytes((1, _DATA, 0, 2, 1, 0))
        self.send(
            *(
                header + next(self._seq).to_bytes(2, "big") + bytes((0, 0, 1, 1, 0, 0)) + payload
                for payload in payloads
            )
        )

    def exchange(self, knet: Libknet, payloads: list[bytes]) -> None:
        """Send payloads both ways, and see that they arrive."""
        until(self, knet.reaches_peer)
        self.data.clear()
        for payload in payloads:
            knet.data.send(payload)
        until(self, lambda: self.data == payloads)
        self.send_data(*payloads)
        assert [knet.data.recv(65536) for _ in payloads] == payloads


def until(peer: Peer, done) -> None:
    end = time.monotonic() + PATIENCE_S
    while not done():
        assert time.monotonic() < end, peer.slots.stats
        peer.turn()


@pytest.fixture
def peer_of() -> Iterator[object]:
    peers = []

    def make(settings: CryptoSettings) -> Peer:
        peers.append(Peer(settings))
        return peers[-1]

    yield make
    for peer in peers:
        peer.sock.close()


PAYLOADS = [b"x", b"y" * 15, b"z" * 16, os.urandom(1300), os.urandom(1383)]


@pytest.mark.parametrize("model", ["nss", "openssl"])
@pytest.mark.parametrize(
    ("cipher", "hash_name"), list(product((NONE, *CIPHER_KEY_LEN_BYTES), DIGEST_LEN_BYTES))
)
def test_libknet_and_we_open_what_the_other_sealed(model, cipher, hash_name, peer_of):
    settings = CryptoSettings(cipher, hash_name, KEY, model)
    peer = peer_of(settings)
    with libknet(settings, peer.knet_port, peer.port) as knet:
        peer.exchange(knet, PAYLOADS)
    assert not peer.slots.stats.rx_unopened


@pytest.mark.parametrize("key_len", [128, 129, 1024, 4096])
def test_keys_of_every_length(key_len, peer_of):
    settings = CryptoSettings("aes256", "sha512", os.urandom(key_len))
    peer = peer_of(settings)
    with libknet(settings, peer.knet_port, peer.port) as knet:
        peer.exchange(knet, PAYLOADS)


def test_a_change_of_key_and_cipher_while_data_flow(peer_of):
    old = CryptoSettings("aes256", "sha256", KEY)
    new = CryptoSettings("aes128", "sha1", KEY[::-1], "openssl")
    peer = peer_of(old)
    with libknet(old, peer.knet_port, peer.port) as knet:
        peer.exchange(knet, PAYLOADS)
        knet.set_config(2, new)
        assert peer.slots.prepare(new) == 2
        peer.exchange(knet, PAYLOADS)
        knet.use_config(2)
        peer.exchange(knet, PAYLOADS)
        assert peer.slots.stats.rx_other_slot
        peer.slots.activate()
        peer.exchange(knet, PAYLOADS)
        knet.set_config(1, CryptoSettings())
        peer.slots.clean_up()
        peer.exchange(knet, PAYLOADS)
    assert not peer.slots.stats.rx_unopened


@pytest.mark.parametrize(
    "wrong",
    [
        CryptoSettings("aes256", "sha256", KEY[::-1]),
        CryptoSettings("aes128", "sha256", KEY),
        CryptoSettings("aes256", "sha384", KEY),
        CryptoSettings(NONE, "sha256", KEY),
    ],
    ids=["key", "cipher", "hash", "no cipher"],
)
def test_with_other_settings_nobody_hears_the_other(wrong, peer_of):
    peer = peer_of(wrong)
    with libknet(CryptoSettings("aes256", "sha256", KEY), peer.knet_port, peer.port) as knet:
        until(peer, lambda: peer.slots.stats.rx_unopened + peer.slots.stats.rx_packets >= 5)
        assert not knet.reaches_peer()
