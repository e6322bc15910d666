"""Single keys of the terminal, read when there are any."""

import os
import sys
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from twisted.internet.interfaces import IReadDescriptor
from twisted.python.failure import Failure
from zope.interface import implementer

_READ_LEN_BYTES: Final = 256


@implementer(IReadDescriptor)
class _KeyReader:
    def __init__(self, reactor: Any, descriptor: int, on_keys: Callable[[bytes], object]) -> None:
        self._reactor = reactor
        self._descriptor = descriptor
        self._on_keys = on_keys

    def fileno(self) -> int:
        return self._descriptor

    def logPrefix(self) -> str:
        return "keys"

    def doRead(self) -> None:
        keys = os.read(self._descriptor, _READ_LEN_BYTES)
        if not keys:
            self._reactor.removeReader(self)
        self._on_keys(keys)

    def connectionLost(self, reason: Failure) -> None:
        del reason
        self._reactor.removeReader(self)
        self._on_keys(b"")


@contextmanager
def keys(reactor: Any, on_keys: Callable[[bytes], object]) -> Iterator[None]:
    """
    Call ``on_keys`` for what is typed, at once and unseen; nothing when stdin is no terminal.

    No keys at all mean that the terminal is gone.
    """
    if not sys.stdin.isatty():
        yield
        return
    descriptor = sys.stdin.fileno()
    before = termios.tcgetattr(descriptor)
    tty.setcbreak(descriptor)
    reader = _KeyReader(reactor, descriptor, on_keys)
    reactor.addReader(reader)
    try:
        yield
    finally:
        reactor.removeReader(reader)
        termios.tcsetattr(descriptor, termios.TCSADRAIN, before)
