"""
One direction of the link between us and another node: works, is suspected, or is held down.

A link is given up when the evidence against it lasts, and trusted again when it has worked without
a break for its hold-down. The hold-down doubles when the link fails again soon, and is back at its
least after a long while without a failure.
"""

from typing import Final

# Times in windows (see ``hearing``).
SUSPICION_WINDOWS: Final = 1
# More than one, for a single frame makes a link work for a window.
HOLD_WINDOWS_MIN: Final = 2
HOLD_WINDOWS_MAX: Final = 64
# Without evidence a link is forgotten after so many hold-downs.
FORGET_HOLDS: Final = 4
# A link that has worked for so many hold-downs starts at the least one again.
DECAY_HOLDS: Final = 16


class LinkWatch:
    """
    What we know of one direction.

    :ivar bad: given up.
    :ivar hold_windows: windows in which it must work before it is trusted again.
    """

    __slots__ = ("_good_since", "_mended_at", "_seen_at", "_suspect_since", "bad", "hold_windows")

    def __init__(self) -> None:
        self.bad = False
        self.hold_windows = HOLD_WINDOWS_MIN
        self._suspect_since: int | None = None
        self._good_since: int | None = None
        self._mended_at: int | None = None
        self._seen_at = 0

    def works(self, now_ns: int, window_ns: int) -> None:
        """Note that something came over it within the last window."""
        self._seen_at = now_ns
        self._suspect_since = None
        if not self.bad:
            return
        if self._good_since is None:
            self._good_since = now_ns
        if now_ns - self._good_since >= self.hold_windows * window_ns:
            self.bad = False
            self._mended_at = now_ns

    def fails(self, now_ns: int, window_ns: int) -> None:
        """Note that something should have come over it, and did not."""
        self._seen_at = now_ns
        self._good_since = None
        if self.bad:
            return
        if self._suspect_since is None:
            self._suspect_since = now_ns
        if now_ns - self._suspect_since >= SUSPICION_WINDOWS * window_ns:
            self.give_up(now_ns, window_ns)

    def give_up(self, now_ns: int, window_ns: int) -> None:
        """Hold the link down until it has proved itself."""
        self._seen_at = now_ns
        self._good_since = None
        mended_at = self._mended_at
        if mended_at is None or now_ns - mended_at > DECAY_HOLDS * self.hold_windows * window_ns:
            self.hold_windows = HOLD_WINDOWS_MIN
        else:
            self.hold_windows = min(HOLD_WINDOWS_MAX, 2 * self.hold_windows)
        self.bad = True

    def keep(self, now_ns: int) -> None:
        """Remember what we know a while longer."""
        self._seen_at = now_ns

    def suspect_anew(self) -> None:
        """Forget for how long the link has been suspected, or has worked again."""
        self._suspect_since = None
        self._good_since = None

    def rests(self, now_ns: int, window_ns: int) -> None:
        """Note that nothing speaks for or against it."""
        self.suspect_anew()
        if self.bad and now_ns - self._seen_at > FORGET_HOLDS * self.hold_windows * window_ns:
            self.bad = False
            self._mended_at = now_ns

    def is_idle(self, now_ns: int, window_ns: int) -> bool:
        """Tell whether nothing is left to remember."""
        return not self.bad and (
            now_ns - self._seen_at > DECAY_HOLDS * self.hold_windows * window_ns
        )
