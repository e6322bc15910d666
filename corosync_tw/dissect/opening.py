"""
Opens what a cluster's key has sealed, and finds out how it was sealed.

Which hash it was, its tag tells; which cipher, what comes out. What was found is tried first.
"""

import os
from collections.abc import Sequence
from typing import Final

from cryptography.exceptions import InvalidTag

from corosync_tw.corotypes import Buffer
from corosync_tw.dissect.decode import layout_of
from corosync_tw.dissect.table import KNET
from corosync_tw.net.crypto import guard
from corosync_tw.net.crypto.aead import CIPHERS, Aead, ClusterKey, nonce
from corosync_tw.net.crypto.envelope import Envelope
from corosync_tw.net.crypto.settings import (
    CIPHER_KEY_LEN_BYTES,
    DIGEST_LEN_BYTES,
    NONE,
    CryptoSettings,
)

# Processes whose keys are kept; one more, and the oldest goes.
SENDERS_MAX: Final = 1024


class Opener:
    """
    Has a key.

    :ivar opened: datagrams that it opened.
    """

    def __init__(self, key: bytes) -> None:
        """:param key: of KEY_LEN_BYTES_MIN to KEY_LEN_BYTES_MAX bytes."""
        self.opened = 0
        self._envelopes = [
            Envelope(CryptoSettings(cipher, hash_name, key), os.urandom)
            for hash_name in DIGEST_LEN_BYTES
            for cipher in (*CIPHER_KEY_LEN_BYTES, NONE)
        ]
        self._keys = {
            cluster.key_id: cluster for cluster in (ClusterKey(name, key) for name in CIPHERS)
        }
        self._senders: dict[tuple[int, int, int], Aead] = {}

    def open_knet(self, packet: Buffer) -> tuple[Buffer, str] | None:
        """Open a packet of knet and say how it was sealed; None when this key does not open it."""
        for envelope in self._envelopes:
            content = _first(envelope.open([packet]))
            if content is not None and layout_of(content) == KNET:
                self._envelopes.remove(envelope)
                self._envelopes.insert(0, envelope)
                self.opened += 1
                return content, f"{envelope.settings.cipher}/{envelope.settings.hash_name}"
        return None

    def open_guarded(self, datagram: Buffer) -> bytes | None:
        """Open a datagram of udp or udpu; None when this key does not open it."""
        if len(datagram) < guard.OVERHEAD_BYTES:
            return None
        header = datagram[: guard.HEADER_LEN_BYTES]
        _, kind, key_id, _, nodeid, boot, counter = guard.HEADER.unpack(header)
        cluster = self._keys.get(key_id)
        if cluster is None:
            return None
        sender = (key_id, nodeid, boot)
        aead = self._senders.get(sender)
        if aead is None:
            aead = cluster.of_sender(nodeid, boot)
        try:
            content = aead.decrypt(nonce(kind, counter), datagram[guard.HEADER_LEN_BYTES :], header)
        except InvalidTag:
            return None
        self._senders[sender] = aead
        if len(self._senders) > SENDERS_MAX:
            del self._senders[next(iter(self._senders))]
        self.opened += 1
        return content


def _first(packets: Sequence[Buffer | None]) -> Buffer | None:
    return packets[0]
