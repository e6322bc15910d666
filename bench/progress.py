"""What is being done, how far the run is, and how long it will take."""

import sys
import time

EVERY_S = 5.0
WIDTH = 78


class Progress:
    """
    A line on a terminal that is written over; elsewhere, a line now and then.

    Steps are announced with the seconds that they are thought to take; how wrong that was so far is
    put right in what is left.
    """

    def __init__(self, total_s, out=sys.stderr, clock=time.monotonic):
        self._total_s, self._out, self._clock = total_s, out, clock
        self._began = clock()
        self._done_s = self._step_s = 0.0
        self._said_s = self._began - EVERY_S

    def step(self, what, thought_s):
        """Say what begins."""
        self._done_s += self._step_s
        self._step_s = thought_s
        now_s = self._clock()
        terminal = self._out.isatty()
        if not terminal and now_s - self._said_s < EVERY_S:
            return
        self._said_s = now_s
        line = f"{self.left()} left  {what}"
        text = f"\r{line[:WIDTH]:<{WIDTH}}" if terminal else f"{line}\n"
        self._out.write(text)
        self._out.flush()

    def left(self):
        """Give the minutes and seconds that are left."""
        took_s = self._clock() - self._began
        pace = took_s / self._done_s if self._done_s else 1.0
        left_s = max(self._total_s - self._done_s, 0.0) * pace
        return f"{int(left_s) // 60}:{int(left_s) % 60:02}"

    def end(self):
        """Leave the terminal with an empty line."""
        if self._out.isatty():
            self._out.write("\r" + " " * WIDTH + "\r")
