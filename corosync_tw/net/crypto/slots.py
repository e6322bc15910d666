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

from corosync_tw.corotypes import Buffer, Slices
from corosync_tw.net.crypto.envelope import Envelope
from corosync_tw.net.crypto.settings import CLEAR, CryptoSettings
from corosync_tw.totem.runs import FrameBlob

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
    :ivar rx_clear: packets heard in clear because that is allowed now.
    :ivar rx_refused: packets that nothing opened, dropped.
    """

    tx_packets: int = 0
    tx_bytes_overhead: int = 0
    rx_packets: int = 0
    rx_other_slot: int = 0
    rx_clear: int = 0
    rx_refused: int = 0


class CryptoSlots:
    """
    Seals with the key in use, opens with any that is known; a ``Seal``.

    :ivar in_use: place of the key that seals, 0 for none.
    :ivar hears_clear: whether packets that no key opens count as packets in clear.
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
        self.hears_clear = not settings.is_enabled()
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
            self.hears_clear = True
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
        self.hears_clear = not self.newest.is_enabled()

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

    # For the links

    @property
    def salt_bytes(self) -> int:
        """In front of each packet that we seal now."""
        return self._current.salt_bytes if self._current else 0

    @property
    def block_bytes(self) -> int:
        """Packets grow to a multiple of it; 0 without a cipher."""
        return self._current.block_bytes if self._current else 0

    @property
    def hash_bytes(self) -> int:
        """Behind each packet that we seal now."""
        return self._current.hash_bytes if self._current else 0

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

    def seal(self, packets: Sequence[Slices]) -> list[Buffer]:
        """Seal packets, each given as slices; in order, the same number."""
        if self._current is None:
            return [packet[0] if len(packet) == 1 else b"".join(packet) for packet in packets]
        sealed = self._current.seal(packets)
        self._count_sealed(
            len(packets), sum(map(len, sealed)) - sum(len(piece) for p in packets for piece in p)
        )
        return sealed

    def seal_run(self, run: FrameBlob) -> list[FrameBlob]:
        """Seal packets of one length that lie end to end; what can be sent in one call each."""
        if self._current is None:
            return [run]
        sealed = self._current.seal_run(run)
        added = sum(len(frames.blob) for frames in sealed) - len(run.blob)
        self._count_sealed(-(-len(run.blob) // run.stride), added)
        return sealed

    def _count_sealed(self, count: int, added_bytes: int) -> None:
        self.stats.tx_packets += count
        self.stats.tx_bytes_overhead += added_bytes

    def open(self, packet: Buffer) -> Buffer | None:
        """Open a packet; None if nobody who has one of our keys sealed it."""
        for opener in self._openers:
            opened = opener.open(packet)
            if opened is not None:
                self.stats.rx_packets += 1
                if opener is not self._current:
                    self.stats.rx_other_slot += 1
                return opened
        return self._not_opened(packet)

    def open_run(self, run: FrameBlob) -> list[Buffer | None]:
        """Open packets that arrived in one piece; in order, None as for ``open``."""
        if not self._openers:
            return [self._not_opened(frame) for frame in run.frames()]
        opened = self._openers[0].open_run(run)
        if None not in opened:
            self.stats.rx_packets += len(opened)
            if self._openers[0] is not self._current:
                self.stats.rx_other_slot += len(opened)
            return opened
        return [self.open(frame) for frame in run.frames()]

    def _not_opened(self, packet: Buffer) -> Buffer | None:
        if self.hears_clear:
            self.stats.rx_clear += 1
            return packet
        self.stats.rx_refused += 1
        return None
