"""
Which node has which address, learnt from what nodes send of their own accord.

Multicast needs no list of nodes, but a token goes to one node: its address is where its Joins,
merge detections and hold cancels come from. Tokens and messages tell nothing: a message may be
repeated by another node on behalf of its originator.

Source: Corosync 3 takes addresses from the nodelist alone; this is for files without one.
"""

import struct
from collections.abc import Callable
from typing import Final

from corosync_tw.corotypes import PROCESSOR_COUNT_MAX, Buffer
from corosync_tw.totem.const import LEAVE_DUMMY_NODEID, TOTEM_MAGIC, TOTEM_VERSION, MessageType

_LITTLE: Final = struct.Struct("<HBBBI")
_BIG: Final = struct.Struct(">HBBBI")
_SENT_BY_THE_NODE_ITSELF: Final = frozenset(
    {
        int(MessageType.MEMB_MERGE_DETECT),
        int(MessageType.MEMB_JOIN),
        int(MessageType.TOKEN_HOLD_CANCEL),
    }
)


class PeerTable:
    """
    Remembers at most as many nodes as a ring may have.

    :ivar addresses: by nodeid.
    """

    def __init__(self, my_id: int, on_learnt: Callable[[int, str], None]) -> None:
        """
        Begin with nobody.

        :param on_learnt: called with a node and its address when either is new.
        """
        self._my_id = my_id
        self._on_learnt = on_learnt
        self.addresses: dict[int, str] = {}

    def learn(self, frame: Buffer, source: str) -> None:
        """Look who sent ``frame`` from ``source``; anything but a sound header is ignored."""
        if len(frame) < _LITTLE.size:
            return
        magic, version, kind, _, nodeid = _LITTLE.unpack_from(frame)
        if magic != TOTEM_MAGIC:
            magic, version, kind, _, nodeid = _BIG.unpack_from(frame)
        if (
            magic != TOTEM_MAGIC
            or version != TOTEM_VERSION
            or kind not in _SENT_BY_THE_NODE_ITSELF
            or nodeid in {LEAVE_DUMMY_NODEID, self._my_id}
            or self.addresses.get(nodeid) == source
        ):
            return
        if nodeid in self.addresses or len(self.addresses) < PROCESSOR_COUNT_MAX:
            self.addresses[nodeid] = source
            self._on_learnt(nodeid, source)
