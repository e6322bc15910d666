"""
Output of the demonstration: a line for each event, a live line below on a terminal, a table.

Without a terminal there is no live line and nothing is ever overwritten.
"""

import os
import shutil
import time
from collections.abc import Mapping, Sequence
from typing import Final, TextIO

_CLEAR_LINE: Final = "\r\x1b[K"


class Screen:
    """The terminal or file that the demonstration is shown on."""

    def __init__(self, out: TextIO, environ: Mapping[str, str] = os.environ) -> None:
        """Start the clock of the event lines."""
        self._out = out
        self._live_is_shown = False
        self._is_terminal = out.isatty() and environ.get("TERM", "dumb") != "dumb"
        self._is_bold = self._is_terminal and "NO_COLOR" not in environ
        self._start_s = time.monotonic()

    def event(self, text: str) -> None:
        """Show what happened, and when."""
        self.say(f"{time.monotonic() - self._start_s:7.2f} s  {text}")

    def say(self, text: str = "") -> None:
        """Show a line."""
        self._out.write(f"{_CLEAR_LINE if self._live_is_shown else ''}{text}\n")
        self._live_is_shown = False
        self._out.flush()

    def title(self, text: str) -> None:
        """Show a line that stands out."""
        self.say(f"\x1b[1m{text}\x1b[0m" if self._is_bold else text)

    def live(self, text: str) -> None:
        """Show a line that the next one replaces; only on a terminal."""
        if self._is_terminal:
            columns = shutil.get_terminal_size().columns
            self._out.write(f"{_CLEAR_LINE}{text[: columns - 1]}")
            self._out.flush()
            self._live_is_shown = True

    def table(self, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Show columns under their heads; figures are set flush right."""
        widths = [max(map(len, column)) for column in zip(head, *rows, strict=True)]
        self.title(_row(head, head, widths))
        self.say("  ".join("-" * width for width in widths))
        for row in rows:
            self.say(_row(row, row, widths))


def bar(share: float, width: int = 24) -> str:
    """Draw a progress bar."""
    filled = round(min(max(share, 0.0), 1.0) * width)
    return f"[{'#' * filled}{'.' * (width - filled)}]"


def _row(cells: Sequence[str], like: Sequence[str], widths: Sequence[int]) -> str:
    """Lay out one row; a head is aligned as text, a cell of figures to the right."""
    return "  ".join(
        cell.rjust(width) if sample[:1].isdigit() and "." not in sample else cell.ljust(width)
        for cell, sample, width in zip(cells, like, widths, strict=True)
    ).rstrip()
