"""
Lines of an open file, read when there is something to read.

Twisted's StandardIO would make the terminal non-blocking for every program that shares it.
"""

import os
from collections.abc import Callable
from typing import Any, Final

from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

_READ_LEN_BYTES: Final = 64 * 1024


@implementer(IReadDescriptor)
class LineReader:
    """Reads a descriptor whenever it is readable and cuts it into lines, without their ends."""

    def __init__(
        self,
        reactor: Any,
        descriptor: int,
        on_lines: Callable[[list[bytes]], object],
        on_end: Callable[[], object],
        line_len_bytes_max: int,
    ) -> None:
        """
        Read nothing before `resume`.

        :param on_lines: called with at least one line.
        :param on_end: called once, after the last line; a line needs no end there.
        :param line_len_bytes_max: longer lines are cut into pieces of this length.
        """
        self._reactor = reactor
        self._descriptor = descriptor
        self._on_lines = on_lines
        self._on_end = on_end
        self._line_len_bytes_max = line_len_bytes_max
        self._rest = b""

    def resume(self) -> None:
        """Go on reading."""
        self._reactor.addReader(self)

    def pause(self) -> None:
        """Read no further for now."""
        self._reactor.removeReader(self)

    def fileno(self) -> int:
        """Name the descriptor."""
        return self._descriptor

    def logPrefix(self) -> str:
        """Name the reader in logs."""
        return "lines"

    def doRead(self) -> None:
        """Read once; a readable descriptor does not block."""
        data = os.read(self._descriptor, _READ_LEN_BYTES)
        if not data:
            self._end()
            return
        *lines, rest = (self._rest + data).split(b"\n")
        if len(rest) > self._line_len_bytes_max:
            lines, rest = [*lines, rest], b""
        self._rest = rest
        self._give(lines)

    def connectionLost(self, reason: Failure) -> None:
        """The other end of a pipe was closed: the reactor says so in place of an empty read."""
        del reason
        self._end()

    def _end(self) -> None:
        self.pause()
        lines, self._rest = [self._rest] if self._rest else [], b""
        self._give(lines)
        self._on_end()

    def _give(self, lines: list[bytes]) -> None:
        step = self._line_len_bytes_max
        pieces = [
            line[start : start + step] for line in lines for start in range(0, len(line) or 1, step)
        ]
        if pieces:
            self._on_lines(pieces)
