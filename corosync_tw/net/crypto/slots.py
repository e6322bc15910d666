"""
The keys of one node: two places, so that all nodes can change to another key one after the other.

A change goes through the ring: everybody puts the new configuration into the free place (what
either key sealed is opened now), then everybody seals with it, then everybody forgets the old one.
Switching encryption on or off is the same with packets in clear as the one side.

Stock forgets the old key one visit of the token after it began to use the new one, so whoever is
late is not heard for a while, or worse: without a cipher, a packet that was sealed with the old key
is read as a longer one in clear, and what it carries is lost.

Deviation: a node that hears a member use the newest key uses it from then on.

Source: libknet 1.25 crypto.c; corosync 3.1.7 exec/totemknet.c, totemknet_set_knet_crypto,
totemknet_crypto_reconfigure_phase.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

from corosync_tw.corotypes import Buffer
from corosync_tw.net.crypto.envelope import Envelope
from corosync_tw.net.crypto.settings import CLEAR, CryptoSettings
from corosync_tw.net.knet.seal import OpenedBlob
from corosync_tw.totem.runs import FrameBlob, SentBlob

# totemconfig.c begins with the first; 0 stands for packets in clear.
FIRST_SLOT: Final = 1
SECOND_SLOT: Final = 2
_OTHER: Final = {FIRST_SLOT: SECOND_SLOT, SECOND_SLOT: FIRST_SLOT}


class KeySource(Protocol):
    """Who knows of keys that others have already."""

    def look(self) -> CryptoSettings | None:
        """
        Give the settings that a file has by now; None when they did not change.

        Called when packets come that cannot be opened. Says itself how often it looks.
        """

    def is_led_by(self, packet: Buffer) -> bool:
        """Tell whether only a member of our ring sends such a packet."""

    def followed(self) -> None:
        """Take note that the newest settings came into use by a packet of a member."""


class NoKeySource:
    """Knows none: keys change when they are told to."""

    def look(self) -> CryptoSettings | None:
        """Give nothing."""

    def is_led_by(self, packet: Buffer) -> bool:
        """Follow nobody."""
        del packet
        return False

    def followed(self) -> None:
        """Do nothing."""


@dataclass(slots=True)
class SealStats:
    """
    All start at 0 and only grow.

    :ivar tx_packets: packets sealed.
    :ivar tx_bytes_overhead: what sealing added to them.
    :ivar rx_packets: packets opened.
    :ivar rx_other_slot: of these, packets that not the key in use opened.
    :ivar rx_unopened: packets that no key opened: dropped, or heard in clear.
    """

    tx_packets: int = 0
    tx_bytes_overhead: int = 0
    rx_packets: int = 0
    rx_other_slot: int = 0
    rx_unopened: int = 0


class CryptoSlots:
    """
    Seals with the key in use, opens with any that is known.

    :ivar in_use: place of the key that seals, 0 for none.
    :ivar salt_bytes: in front of each packet that we seal now.
    :ivar block_bytes: packets grow to a multiple of it; 0 without a cipher.
    :ivar hash_bytes: behind each packet that we seal now.
    :ivar clear_allowed: whether packets that no key opens are taken for packets in clear.
    :ivar newest: settings of the last ``prepare``.
    """

    def __init__(
        self,
        settings: CryptoSettings,
        entropy: Callable[[int], bytes],
        source: KeySource | None = None,
    ) -> None:
        """
        Begin with ``settings`` in use.

        :param entropy: gives so many random bytes.
        :param source: others may be ahead of us in a change of keys, and then we follow them.
        """
        self._entropy = entropy
        self._source = source or NoKeySource()
        self._envelopes: list[Envelope | None] = [None] * (SECOND_SLOT + 1)
        self._index = FIRST_SLOT
        self.newest = settings
        self.in_use = 0
        self.clear_allowed = not settings.is_enabled()
        self.stats = SealStats()
        self._set(FIRST_SLOT, settings)
        self._use(FIRST_SLOT if settings.is_enabled() else 0)

    # Changing keys

    def prepare(self, settings: CryptoSettings) -> int:
        """
        Put other settings into the place that is not in use: what they sealed is opened from now.

        Again for the newest settings it does nothing.
        :return: the place.
        """
        if settings != self.newest:
            self.newest = settings
            self._index = _OTHER[self.in_use or self._index]
            self._set(self._index, settings)
        if not settings.is_enabled():
            self.clear_allowed = True
        return self._index

    def activate(self) -> int:
        """Seal with the newest settings; gives their place."""
        self._use(self._index if self.newest.is_enabled() else 0)
        return self._index

    def clean_up(self) -> None:
        """Forget all settings but the newest; hear clear packets only if those are clear."""
        self._set(_OTHER[self._index], CLEAR)
        self.clear_allowed = not self.newest.is_enabled()

    def _set(self, index: int, settings: CryptoSettings) -> None:
        enabled = settings.is_enabled()
        self._envelopes[index] = Envelope(settings, self._entropy) if enabled else None
        self._order()

    def _use(self, index: int) -> None:
        self.in_use = index
        self._order()

    def _order(self) -> None:
        """Note who seals and who opens; the key in use tries first."""
        self._current = self._envelopes[self.in_use]
        others = [e for e in self._envelopes if e is not None and e is not self._current]
        self._openers = ([self._current] if self._current else []) + others
        current = self._current
        self.salt_bytes = current.salt_bytes if current else 0
        self.block_bytes = current.block_bytes if current else 0
        self.hash_bytes = current.hash_bytes if current else 0

    @property
    def has_keys(self) -> bool:
        """Whether there is any key: to seal with, or to open what others still seal."""
        return bool(self._openers)

    # For the links

    def sealed_len_bytes(self, packet_len_bytes: int) -> int:
        """Tell how long a packet becomes now."""
        current = self._current
        return current.sealed_len_bytes(packet_len_bytes) if current else packet_len_bytes

    def packet_len_bytes_max(self, sealed_len_bytes_max: int) -> int:
        """Tell how long a packet may be to fit when sealed now."""
        current = self._current
        return (
            current.packet_len_bytes_max(sealed_len_bytes_max) if current else sealed_len_bytes_max
        )

    def seal(self, packets: Sequence[Buffer]) -> list[Buffer]:
        """Seal packets, in order."""
        if self._current is None:
            return list(packets)
        sealed = self._current.seal(packets)
        self.stats.tx_packets += len(packets)
        self.stats.tx_bytes_overhead += sum(map(len, sealed)) - sum(map(len, packets))
        return sealed

    def seal_blob(self, packets: SentBlob) -> SentBlob:
        """Seal packets that lie end to end, and so they stay."""
        if self._current is None:
            return packets
        sealed = self._current.seal_blob(packets)
        self.stats.tx_packets += len(packets)
        self.stats.tx_bytes_overhead += len(sealed.blob) - len(packets.blob)
        return sealed

    def open_blob(self, packets: FrameBlob) -> OpenedBlob | None:
        """Open packets that arrived in one piece; None unless all are of the key in use."""
        opened = None if self._current is None else self._current.open_blob(packets)
        if opened is not None:
            self.stats.rx_packets += packets.datagrams
        return opened

    def open(self, packets: Sequence[Buffer]) -> list[Buffer | None]:
        """Open packets, in order; None for each that nobody with one of our keys sealed."""
        opened: list[Buffer | None] = [None] * len(packets)
        missing = self._try(self._openers, packets, opened, list(range(len(packets))))
        if missing and not self.clear_allowed:
            settings = self._source.look()
            if settings is not None:
                self.prepare(settings)
                missing = self._try(self._openers, packets, opened, missing)
        if missing and self.in_use and not self.newest.is_enabled():
            self._maybe_follow(packets[missing[0]])
        self.stats.rx_unopened += len(missing)
        return opened

    def _try(
        self,
        openers: Sequence[Envelope],
        packets: Sequence[Buffer],
        opened: list[Buffer | None],
        missing: list[int],
    ) -> list[int]:
        """Open what is missing with one key after the other; gives what is still missing."""
        for opener in openers:
            if not missing:
                break
            tried = opener.open([packets[at] for at in missing])
            for at, packet in zip(missing, tried, strict=True):
                opened[at] = packet
            found = len(missing)
            missing = [at for at in missing if opened[at] is None]
            found -= len(missing)
            self.stats.rx_packets += found
            if found and opener is not self._current:
                self.stats.rx_other_slot += found
                if opener is self._envelopes[self._index]:
                    self._maybe_follow(next(packet for packet in tried if packet is not None))
        return missing

    def _maybe_follow(self, packet: Buffer) -> None:
        """Seal as a member does already; it may forget our old key any time now."""
        if self._source.is_led_by(packet):
            self.activate()
            self._source.followed()
