"""
The keys of one node: those it starts with, and those that a changed file brings.

Source: corosync 3.1.7 exec/totemknet.c, totemknet_reconfigure, totemknet_crypto_reconfigure_phase.
"""

import os
from collections.abc import Callable
from typing import Final

from corosync_tw.config.crypto import NONE
from corosync_tw.config.load import load_crypto, load_file
from corosync_tw.config.schema import Config
from corosync_tw.corotypes import NS_PER_MS, Buffer
from corosync_tw.errors import ConfigError
from corosync_tw.net.crypto.settings import CryptoSettings
from corosync_tw.net.crypto.slots import CryptoSlots
from corosync_tw.net.knet.wire import PMTUD_LEN_BYTES, PacketType, packet_type

# Packets that cannot be opened have the files looked at, at most so often.
LOOK_INTERVAL_NS: Final = 500 * NS_PER_MS

# What nobody sends who cannot open our packets.
_LEADING: Final = frozenset(PacketType) - {PacketType.PING}
_Stamp = tuple[tuple[int, int, int] | None, ...]


def crypto_settings(config: Config) -> CryptoSettings:
    """Make the settings of knet's encryption."""
    crypto = config.crypto
    return CryptoSettings(crypto.cipher, crypto.hash_name, crypto.key, crypto.model)


class KeyWatch:
    """Implements KeySource: looks whether the files have another key than the one known."""

    def __init__(
        self, config: Config, now_ns: Callable[[], int], followed: Callable[[], None]
    ) -> None:
        self._now_ns = now_ns
        self._followed = followed
        self._path = config.file
        self._not_before_ns = 0
        self.follow(config)

    def follow(self, config: Config) -> None:
        """Take what is in force now for known."""
        self._keyfile = config.totem.keyfile
        self._links = config.membership.links
        self._seen = self._stamp()

    def look(self) -> CryptoSettings | None:
        """Give what the files say, if they changed; None when they did not, or not long ago."""
        now_ns = self._now_ns()
        if now_ns < self._not_before_ns:
            return None
        self._not_before_ns = now_ns + LOOK_INTERVAL_NS
        stamp = self._stamp()
        if stamp == self._seen:
            return None
        self._seen = stamp
        try:
            crypto = load_crypto(self._path)
            if crypto.hash_name == NONE and not self._is_whole():
                return None
        except ConfigError:
            # The reload that follows says what is wrong.
            return None
        return CryptoSettings(crypto.cipher, crypto.hash_name, crypto.key, crypto.model)

    def _is_whole(self) -> bool:
        """Tell whether the file names the nodes that it named: half a file encrypts nothing."""
        return load_file(self._path).membership.links == self._links

    def is_led_by(self, packet: Buffer) -> bool:
        """Tell whether it is no ping: all else is for nodes that answer pings, or an answer."""
        return len(packet) >= PMTUD_LEN_BYTES and packet_type(packet) in _LEADING

    def followed(self) -> None:
        """Pass it on."""
        self._followed()

    def _stamp(self) -> _Stamp:
        return tuple(map(_state_of, (self._path, self._keyfile)))


def _state_of(path: str) -> tuple[int, int, int] | None:
    try:
        found = os.stat(path)
    except OSError:
        return None
    return found.st_ino, found.st_size, found.st_mtime_ns


class NodeKeys:
    """
    Seals the packets of a node, through all changes.

    :ivar slots: the seal.
    """

    def __init__(
        self, config: Config, now_ns: Callable[[], int], followed: Callable[[], None]
    ) -> None:
        """
        Begin with a configuration.

        :param followed: called when we use another key because a member does, from within the
            taking of its packet.
        """
        self._watch = KeyWatch(config, now_ns, followed)
        self.slots = CryptoSlots(crypto_settings(config), os.urandom, self._watch)

    @property
    def seal(self) -> CryptoSlots | None:
        """What packets go through; None while all are in clear."""
        return self.slots if self.slots.has_keys else None

    def change(self, old: Config, new: Config) -> str | None:
        """
        Seal with the key of another configuration; what the old one sealed is still opened.

        :return: how it is done now, for the log; None when nothing changed.
        """
        self._watch.follow(new)
        if new.crypto == old.crypto:
            return None
        settings = crypto_settings(new)
        self.slots.prepare(settings)
        return f"on index {self.slots.activate()}: {settings.describe()}"

    def follow_from_clear(self) -> bool:
        """Use a key that the files have by now; packets came that are none in clear."""
        settings = None if self.slots.has_keys else self._watch.look()
        if settings is None or not settings.is_enabled():
            return False
        self.slots.prepare(settings)
        self.slots.activate()
        return True

    def forget_old(self) -> None:
        """Open nothing any more that the old key sealed."""
        self.slots.clean_up()
