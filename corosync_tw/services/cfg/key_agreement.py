"""
A change of keys where nobody can open what a key sealed that it has not read yet: all members read
it first, then all seal with it, then all forget the old one.

Members tell by the same two messages as where keys are used at once (``crypto_change``). One says
that its sender has the new key, the other one that it seals with it. A member begins to seal when
all members of its ring have said that they have it; the others open that already. Who refused the
file is waited for as long as it is a member, with a word in the log.

Deviation: Corosync has no encryption on udp and udpu.
"""

from collections.abc import Iterable
from contextlib import suppress
from typing import Final

from corosync_tw.corotypes import NS_PER_MS, Guarantee
from corosync_tw.errors import CsTryAgain
from corosync_tw.services.cfg.crypto_change import RETRY_NS, SETTLING_NS
from corosync_tw.services.cfg.effects import CryptoPhaseReached, KeysKnown, KeysSettled
from corosync_tw.services.cfg.wire import CryptoPhase, encode_crypto_reconfig
from corosync_tw.services.interfaces import ServiceBus
from corosync_tw.services.log_line import LogLine

# Who has not said by then that it has the key has most likely refused its file.
TELLING_NS: Final = 10_000 * NS_PER_MS


class KeyAgreement:
    """Follows one change, and the next one in its place when that comes early."""

    def __init__(self, nodeid: int, bus: ServiceBus) -> None:
        self._nodeid = nodeid
        self._bus = bus
        # Where we are: what we said last, None while nothing changes.
        self._phase: CryptoPhase | None = None
        self._members: set[int] = set()
        # What members said since the last request to reload.
        self._have: set[int] = set()
        self._use: set[int] = set()
        self._settled = False
        self._unsent = False
        self._retry_ns = 0
        self._end_ns = 0

    def expect(self) -> None:
        """Forget what members said before: another reload begins."""
        self._have.clear()
        self._use.clear()
        self._settled = False

    def begin(self, members: Iterable[int], now_ns: int) -> None:
        """Tell the others that we have the new key, and seal with the old one still."""
        self._members = {*members, self._nodeid}
        self._end_ns = now_ns + TELLING_NS
        self._send(CryptoPhase.ACTIVATE, now_ns)

    def on_phase(self, nodeid: int, phase: int) -> None:
        """Take a member's message."""
        if phase == CryptoPhase.ACTIVATE:
            self._have.add(nodeid)
        elif phase == CryptoPhase.CLEANUP:
            self._have.add(nodeid)
            self._use.add(nodeid)
        if nodeid == self._nodeid:
            self._bus.emit(CryptoPhaseReached(phase))
        elif phase == CryptoPhase.ACTIVATE and self._settled:
            # It was apart while we agreed.
            self._say_in_use()
        self._maybe_go_on()

    def configuration_change(self, members: Iterable[int]) -> None:
        """Wait for nobody who is gone; have those who came know where we are."""
        before, self._members = self._members, {*members, self._nodeid}
        self._have &= self._members
        self._use &= self._members
        if self._phase is not None and not self._members <= before:
            self._send(self._phase, self._bus.now_ns)
        self._maybe_go_on()

    def next_deadline(self) -> int | None:
        """Tell when there is something to do, absolute, in nanoseconds."""
        if self._unsent:
            return self._retry_ns
        return None if self._phase is None or self._end_ns == 0 else self._end_ns

    def advance(self, now_ns: int) -> None:
        """Send what found no room; say who lacks the key, or wait no longer for who may use it."""
        if self._unsent and now_ns >= self._retry_ns:
            assert self._phase is not None, "there is something to send"
            self._send(self._phase, now_ns)
        if self._phase is None or self._end_ns == 0 or now_ns < self._end_ns:
            return
        if self._phase is CryptoPhase.CLEANUP:
            self._settle()
            return
        self._end_ns = 0
        lacking = " ".join(map(str, sorted(self._members - self._have)))
        text = (
            f"The key of totem.udp_crypto is not changed yet: nodes {lacking} do not have the new"
            " one. Correct totem.udp_crypto and totem.keyfile there and reload again."
        )
        self._bus.emit(LogLine("CFG", "warning", text))

    def _send(self, phase: CryptoPhase, now_ns: int) -> None:
        self._phase, self._unsent, self._retry_ns = phase, True, now_ns + RETRY_NS
        with suppress(CsTryAgain):
            self._bus.mcast((encode_crypto_reconfig(phase),), Guarantee.AGREED)
            self._unsent = False

    def _say_in_use(self) -> None:
        self._settled = False
        self._end_ns = self._bus.now_ns + SETTLING_NS
        self._send(CryptoPhase.CLEANUP, self._bus.now_ns)

    def _maybe_go_on(self) -> None:
        if self._phase is CryptoPhase.ACTIVATE and self._members <= self._have:
            self._bus.emit(KeysKnown())
            self._say_in_use()
        if self._phase is CryptoPhase.CLEANUP and self._members <= self._use:
            self._settle()

    def _settle(self) -> None:
        self._phase, self._unsent, self._settled = None, False, True
        self._bus.emit(KeysSettled())
