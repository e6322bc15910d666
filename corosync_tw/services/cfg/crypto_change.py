"""
A change of keys in the whole cluster, after all members have read them: who seals with the new one.

Members tell by two messages each how far they are. One says that its sender has the new key, the
other one that it seals with it. When all have said the latter, the old key is forgotten.

A member seals with the new key as soon as it has carried out the reload: the request is delivered
when all members have it, and whoever has not carried it out yet looks for another key when packets
come that it cannot open.

Source: corosync 3.1.7 exec/cfg.c, message_handler_req_exec_cfg_reconfig_crypto.
Deviation: stock forgets the old key with its own second message, whatever the others are at.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from corosync_tw.corotypes import NS_PER_MS, Guarantee
from corosync_tw.errors import CsTryAgain
from corosync_tw.services.cfg.effects import CryptoPhaseReached, KeysSettled
from corosync_tw.services.cfg.wire import CryptoPhase, encode_crypto_reconfig
from corosync_tw.services.interfaces import ServiceBus

# Who has said nothing by then has refused the file, or is another version.
SETTLING_NS: Final = 30_000 * NS_PER_MS
# A message that found the queue full is sent so much later.
RETRY_NS: Final = 50 * NS_PER_MS


class CryptoChange:
    """Follows one change, and the next one in its place when that comes early."""

    def __init__(self, nodeid: int, bus: ServiceBus) -> None:
        self._nodeid = nodeid
        self._bus = bus
        # Members that have not said that they seal with the new key; None while nothing changes.
        self._awaited: set[int] | None = None
        # Members that said so since the last request to reload.
        self._settled: set[int] = set()
        self._unsent: CryptoPhase | None = None
        self._retry_ns = 0
        self._end_ns = 0

    def expect(self) -> None:
        """Forget what members said before: another reload begins."""
        self._settled.clear()

    def begin(self, members: Iterable[int], now_ns: int) -> None:
        """Tell the others that we have the new key and seal with it."""
        self._awaited = {*members, self._nodeid} - self._settled
        self._end_ns = now_ns + SETTLING_NS
        self._send(CryptoPhase.ACTIVATE, now_ns)

    def on_phase(self, nodeid: int, phase: int) -> None:
        """Take a member's message."""
        if nodeid == self._nodeid:
            self._bus.emit(CryptoPhaseReached(phase))
            if phase == CryptoPhase.ACTIVATE:
                self._send(CryptoPhase.CLEANUP, self._bus.now_ns)
        if phase == CryptoPhase.CLEANUP:
            self._settled.add(nodeid)
            if self._awaited is not None:
                self._awaited.discard(nodeid)
                self._maybe_settle()

    def configuration_change(self, members: Iterable[int]) -> None:
        """Wait for nobody who is gone."""
        if self._awaited is not None:
            self._awaited &= {*members}
            self._maybe_settle()

    def next_deadline(self) -> int | None:
        """Tell when there is something to do, absolute, in nanoseconds."""
        if self._unsent is not None:
            return self._retry_ns
        return None if self._awaited is None else self._end_ns

    def advance(self, now_ns: int) -> None:
        """Send what found no room; wait no longer than that."""
        if self._unsent is not None and now_ns >= self._retry_ns:
            self._send(self._unsent, now_ns)
        if self._awaited is not None and now_ns >= self._end_ns:
            self._awaited.clear()
            self._maybe_settle()

    def _send(self, phase: CryptoPhase, now_ns: int) -> None:
        self._unsent, self._retry_ns = phase, now_ns + RETRY_NS
        with suppress(CsTryAgain):
            self._bus.mcast((encode_crypto_reconfig(phase),), Guarantee.SAFE)
            self._unsent = None

    def _maybe_settle(self) -> None:
        if not self._awaited:
            self._awaited = None
            self._bus.emit(KeysSettled())
