"""
The way of the ring's effects through a stack: what it sends to the driver, all else to the stack.

What is sent goes first. The others wait for the token, while what this node delivers and counts is
of interest to nobody else.
"""

from collections.abc import Callable, Mapping
from typing import Any, Final

from corosync_tw.services.effects import StackEffect
from corosync_tw.totem.effects import Effect, SendMcast, SendToken
from corosync_tw.totem.srp import Srp

_SENDS: Final = frozenset({SendMcast, SendToken})


class RingEffects:
    """
    Takes them a part at a time.

    :param out: gets what is for the driver.
    :param handlers: take those that are for the stack, by their class.
    """

    def __init__(
        self, srp: Srp, out: list[StackEffect], handlers: Mapping[type, Callable[[Any], None]]
    ) -> None:
        self._srp = srp
        self._out = out
        self._handlers = handlers
        self._left: list[Effect] = []

    def take(self) -> bool:
        """
        Take effects until none are left, or up to the first for the stack that comes after a send.

        :return: whether some are left behind a send.
        """
        out, handlers = self._out, self._handlers
        while effects := self._left or self._srp.poll():
            self._left = []
            sends = False
            for at, effect in enumerate(effects):
                kind = type(effect)
                handler = handlers.get(kind)
                if handler is None:
                    out.append(effect)  # type: ignore[arg-type]
                    sends = sends or kind in _SENDS
                elif sends:
                    self._left = effects[at:]
                    return True
                else:
                    handler(effect)
        return False
