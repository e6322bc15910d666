"""
The key of totem.udp_crypto through its changes, for all networks of a node.

A changed file brings the next key, which is opened at once and sealed with when all members have it
(``services.cfg.key_agreement``).
"""

from collections.abc import Iterable
from typing import Final

from corosync_tw.config.crypto import NONE
from corosync_tw.config.schema import Config
from corosync_tw.daemon.journal import Journal
from corosync_tw.logsys.levels import Level
from corosync_tw.logsys.traces import Message
from corosync_tw.net.crypto.aead import ClusterKey
from corosync_tw.net.driver import Driver
from corosync_tw.net.guarded import AnyUdpTransport, GuardedTransport
from corosync_tw.services.stack import Stack

_PREPARED: Final = (
    "totem.udp_crypto: another key ({cipher}) was read; it is used when all members have it"
)


def cluster_key(config: Config) -> ClusterKey:
    """Make the key of datagrams; there is one."""
    crypto = config.crypto
    assert crypto.datagram_cipher != NONE, "datagrams are in clear"
    return ClusterKey(crypto.datagram_cipher, crypto.key)


class DatagramKeys:
    """Changes the keys of a node's guards; of none when datagrams are in clear."""

    def __init__(self, transports: Iterable[AnyUdpTransport]) -> None:
        self._guards = [each.guard for each in transports if isinstance(each, GuardedTransport)]
        self._stack: Stack | None = None
        self._journal: Journal | None = None

    def attach(self, stack: Stack, journal: Journal) -> None:
        """Learn with whom keys are agreed on; once, before the ring starts."""
        self._stack, self._journal = stack, journal
        if self._guards:
            stack.cfg.agree_on_keys()

    def follow(self, old: Config, new: Config) -> None:
        """Read the key of another configuration; tell the others, also when they wait for more."""
        if not self._guards:
            return
        if new.crypto != old.crypto:
            for guard in self._guards:
                guard.prepare(cluster_key(new))
            self._say(_PREPARED.format(cipher=new.crypto.datagram_cipher))
        elif not any(guard.is_waiting for guard in self._guards):
            return
        assert self._stack is not None, "attached before"
        self._stack.cfg.keys_changed(Driver.now_ns())

    def use(self) -> None:
        """Seal with the key that was read last."""
        for guard in self._guards:
            guard.activate()
        if self._guards:
            self._say("totem.udp_crypto: all members have the new key; it is in use")

    def forget_old(self) -> None:
        """Open nothing any more that an old key sealed."""
        for guard in self._guards:
            guard.forget_old()
        if self._guards:
            self._say("totem.udp_crypto: the old key is forgotten")

    def _say(self, text: str) -> None:
        assert self._journal is not None, "attached before"
        self._journal.write(Message("TOTEM", Level.NOTICE, text))
