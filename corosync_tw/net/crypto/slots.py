"""
The keys of one node: two places, so that all nodes can change to another key one after the other.

A change goes through the ring: everybody puts the new configuration into the free place (what
either key sealed is opened now), then everybody seals with it, then everybody forgets the old one.
Switching encryption on or off is the same with packets in clear as the one side.

Source: libknet 1.25 crypto.c; corosync 3.1.7 exec/totemknet.c, totemknet_set_knet_crypto,
totemknet_crypto_reconfigure_phase.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from corosync_tw.corotypes import Buffer
from corosync_tw.net.crypto.envelope import Envelope
from corosync_tw.net.crypto.settings import CLEAR, CryptoSettings

# totemconfig.c begins with the first; 0 stands for packets in clear.
FIRST_SLOT: Final = 1
_SLOTS: Final = 3


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

    def __init__(self, settings: CryptoSettings, entropy: Callable[[int], bytes]) -> None:
        """
        Begin with ``settings`` in use.

        :param entropy: gives so many random bytes.
        """
        self._entropy = entropy
        self._envelopes: list[Envelope | None] = [None] * _SLOTS
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
        Put other settings into the free place: what they sealed is opened from now on.

        :return: the place.
        """
        if not settings.is_enabled():
            self.clear_allowed = True
        self.newest = settings
        self._index = FIRST_SLOT + FIRST_SLOT + 1 - self._index
        self._set(self._index, settings)
        return self._index

    def activate(self) -> None:
        """Seal with the newest settings."""
        self._use(self._index if self.newest.is_enabled() else 0)

    def clean_up(self) -> None:
        """Forget all settings but the newest; hear clear packets only if those are clear."""
        self._set(FIRST_SLOT + FIRST_SLOT + 1 - self._index, CLEAR)
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
        """Seal packets, in order; those that one sending call takes lie end to end."""
        if self._current is None:
            return list(packets)
        sealed = self._current.seal(packets)
        self.stats.tx_packets += len(packets)
        self.stats.tx_bytes_overhead += sum(map(len, sealed)) - sum(map(len, packets))
        return sealed

    def open(self, packets: Sequence[Buffer]) -> list[Buffer | None]:
        """Open packets, in order; None for each that nobody with one of our keys sealed."""
        opened: list[Buffer | None] = [None] * len(packets)
        missing = list(range(len(packets)))
        for opener in self._openers:
            tried = opener.open([packets[at] for at in missing])
            for at, packet in zip(missing, tried, strict=True):
                opened[at] = packet
            still = [at for at in missing if opened[at] is None]
            found = len(missing) - len(still)
            self.stats.rx_packets += found
            if opener is not self._current:
                self.stats.rx_other_slot += found
            missing = still
            if not missing:
                break
        self.stats.rx_unopened += len(missing)
        return opened
