"""
The step from one set of the ring's parameters to another while the ring runs.

The others take the step too, but not in the same instant: for a time the ring gets along with
either set.
Deviation: in Corosync each member changes over at once, and a ring may break at it.
"""

from typing import Final

from corosync_tw.totem.params import TotemParams
from corosync_tw.totem.reconfigure import between
from corosync_tw.totem.srp import Srp

# So many of the longer token timeouts until all members are taken to have the new parameters.
CHANGEOVER_TOKEN_TIMEOUTS: Final = 2


class Changeover:
    """A TimedService: one change of parameters at a time, a later one takes over."""

    def __init__(self, srp: Srp) -> None:
        self._srp = srp
        self._wanted: TotemParams | None = None
        self._deadline_ns = 0

    def begin(self, params: TotemParams, now_ns: int) -> None:
        """Go over to other parameters; the nodeid and the length of frames cannot change."""
        now = self._srp.params
        if params == (self._wanted or now):
            return
        compromise = between(now, params)
        self._wanted = params
        self._deadline_ns = now_ns + CHANGEOVER_TOKEN_TIMEOUTS * compromise.token_timeout_ns
        self._srp.reconfigure(compromise, now_ns)

    def next_deadline(self) -> int | None:
        """Tell when the new parameters count alone."""
        return None if self._wanted is None else self._deadline_ns

    def advance(self, now_ns: int) -> None:
        """End the change when its time is over."""
        if self._wanted is not None and now_ns >= self._deadline_ns:
            self._srp.reconfigure(self._wanted, now_ns)
            self._wanted = None
