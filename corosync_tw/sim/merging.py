"""
Datagrams that the kernel merged: the network of the simulator gives them one by one, and a node
with receive offload hands its core those of equal length in one piece.
"""

from collections.abc import Iterable

from corosync_tw.totem.const import MessageType
from corosync_tw.totem.runs import FrameBlob, Received

_TYPE_AT = 3
_MCAST = int(MessageType.MCAST)
_SEGMENTS_MAX = 64


def merged(frames: Iterable[bytes], *, only_mcast: bool = True) -> list[Received]:
    """
    Put mcast messages together as far as they follow one another and have one length.

    A shorter one is the last of its piece. Unlike a kernel this does not ask who sent them.

    :param only_mcast: else any datagrams, as a kernel does.
    """
    out: list[Received] = []
    waiting: list[bytes] = []
    for frame in frames:
        is_mcast = not only_mcast or (len(frame) > _TYPE_AT and frame[_TYPE_AT] == _MCAST)
        if waiting and not (is_mcast and len(frame) <= len(waiting[0])):
            out.append(_piece(waiting))
            waiting = []
        if not is_mcast:
            out.append(frame)
            continue
        waiting.append(frame)
        if len(frame) < len(waiting[0]) or len(waiting) == _SEGMENTS_MAX:
            out.append(_piece(waiting))
            waiting = []
    if waiting:
        out.append(_piece(waiting))
    return out


def _piece(frames: list[bytes]) -> Received:
    if len(frames) == 1:
        return frames[0]
    # Writable, as receive buffers are.
    return FrameBlob(memoryview(bytearray().join(frames)), len(frames[0]))
