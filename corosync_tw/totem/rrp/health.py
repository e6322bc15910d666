"""
Which networks are faulty, and how long one is kept out that was faulty before.

A network is held down when it becomes faulty again: for hold_down, doubled with each time more.
After each hold_down_decay of being well, one time is forgotten.

Deviation: in Corosync 1.x a network comes back at once, however often it fails.
"""

from collections.abc import Collection
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from corosync_tw.totem.rrp.params import RrpParams

# More would not fit any hold_down_max.
FLAPS_MAX: Final = 32


class LinkState(IntEnum):
    """State of one network as this node sees it."""

    ACTIVE = 0  # in use
    HELD_DOWN = 1  # faulty, and not to come back yet
    FAULTY = 2  # faulty; comes back when its tests are clean


class LinkInput(IntEnum):
    """What changes it."""

    FAULT = 0  # the first one, or the first for long
    FLAP = 1  # another one
    HOLD_OVER = 2
    RECOVERED = 3
    FORCED = 4


# What is not listed changes nothing.
TRANSITIONS: Final = {
    (LinkState.ACTIVE, LinkInput.FAULT): LinkState.FAULTY,
    (LinkState.ACTIVE, LinkInput.FLAP): LinkState.HELD_DOWN,
    (LinkState.HELD_DOWN, LinkInput.HOLD_OVER): LinkState.FAULTY,
    (LinkState.HELD_DOWN, LinkInput.FORCED): LinkState.ACTIVE,
    (LinkState.FAULTY, LinkInput.RECOVERED): LinkState.ACTIVE,
    (LinkState.FAULTY, LinkInput.FORCED): LinkState.ACTIVE,
}


@dataclass(slots=True)
class LinkHealth:
    """
    One network.

    :ivar since_ns: when it became faulty, or came into use.
    :ivar flaps: faults that are not forgotten, 0 to FLAPS_MAX.
    :ivar held_until_ns: end of the hold-down; meaningful while HELD_DOWN.
    :ivar settled_ns: others take it up again until then: it is not judged before.
    """

    state: LinkState = LinkState.ACTIVE
    since_ns: int = 0
    flaps: int = 0
    held_until_ns: int = 0
    settled_ns: int = 0


class Health:
    """
    All networks.

    :ivar links: one for each network.
    :ivar live: numbers of those in use, ascending; all when none is left.
    :ivar sound: those that are not faulty, one bit each.
    """

    __slots__ = ("_params", "_settled_ns", "links", "live", "sound")

    def __init__(self, params: RrpParams) -> None:
        """Begin with all networks in use."""
        self._params = params
        self._settled_ns = 0
        self.links = [LinkHealth() for _ in range(params.networks)]
        self._update()

    def _update(self) -> None:
        used = [i for i, link in enumerate(self.links) if link.state is LinkState.ACTIVE]
        self.sound = sum(1 << i for i in used)
        self.live = tuple(used or range(len(self.links)))

    def start(self, now_ns: int) -> None:
        """Say when it all began."""
        for link in self.links:
            link.since_ns = now_ns

    def reconfigure(self, params: RrpParams) -> None:
        """Go on with other hold-downs."""
        self._params = params

    def is_sound(self, link: int) -> bool:
        """Tell whether a network is not faulty."""
        return bool(self.sound >> link & 1)

    def judged(self, now_ns: int) -> int:
        """Give the networks that all others use as well, one bit each."""
        sound = self.sound
        if now_ns >= self._settled_ns:
            return sound
        for i in self.live:
            if now_ns < self.links[i].settled_ns:
                sound &= ~(1 << i)
        return sound

    def settling(self, now_ns: int) -> Collection[int]:
        """Give the networks that came back just now."""
        if now_ns >= self._settled_ns:
            return ()
        return [i for i, link in enumerate(self.links) if now_ns < link.settled_ns]

    def hold_down_ns(self, flaps: int) -> int:
        """Give the hold-down after so many faults."""
        if flaps < 2:
            return 0
        params = self._params
        return min(params.hold_down_ns << (flaps - 2), params.hold_down_max_ns)

    def next_hold_down_ns(self, link: int) -> int:
        """Give the hold-down if a network became faulty right now."""
        return self.hold_down_ns(self.links[link].flaps + 1)

    def fault(self, link: int, now_ns: int) -> None:
        """A network in use became faulty."""
        health = self.links[link]
        well_ns = now_ns - health.since_ns
        forgotten = well_ns // max(1, self._params.hold_down_decay_ns)
        health.flaps = min(FLAPS_MAX, max(0, health.flaps - forgotten) + 1)
        hold_ns = self.hold_down_ns(health.flaps)
        health.held_until_ns = now_ns + hold_ns
        self._step(link, LinkInput.FLAP if hold_ns else LinkInput.FAULT, now_ns)

    def release_held(self, link: int, now_ns: int) -> None:
        """End the hold-down of a network if it is over."""
        health = self.links[link]
        if health.state is LinkState.HELD_DOWN and health.held_until_ns <= now_ns:
            self._step(link, LinkInput.HOLD_OVER, now_ns)

    def recover(self, link: int, now_ns: int, *, forced: bool) -> bool:
        """
        Put a network back.

        :param forced: whatever the hold-down says; its faults are forgotten.
        :return: whether it was faulty and is not any more.
        """
        health = self.links[link]
        if forced:
            health.flaps = 0
        health.settled_ns = now_ns + self._params.autorecovery_check_timeout_ns
        self._settled_ns = max(self._settled_ns, health.settled_ns)
        return self._step(link, LinkInput.FORCED if forced else LinkInput.RECOVERED, now_ns)

    def _step(self, link: int, happened: LinkInput, now_ns: int) -> bool:
        health = self.links[link]
        state = TRANSITIONS.get((health.state, happened))
        if state is None:
            return False
        if (state is LinkState.ACTIVE) != (health.state is LinkState.ACTIVE):
            health.since_ns = now_ns
        health.state = state
        self._update()
        return True
