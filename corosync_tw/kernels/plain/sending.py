"""
Hand datagrams of two slices each, headers and items, to the network, many at a call.

The headers of all lie end to end in one buffer, the items of all in another; where each ends stands
in an array after a 0.
"""

from array import array
from collections.abc import Sequence
from operator import add, sub
from typing import Protocol

# Where a call begins, where it ends, the length of its datagrams, all of them together.
Call = tuple[int, int, int, int]
Ancillary = Sequence[tuple[int, int, bytes]]
Address = tuple[str, int] | tuple[str, int, int, int]


class _Sender(Protocol):
    """What ``send`` needs of a socket of its caller's."""

    def fileno(self) -> int:
        """Give the descriptor."""

    def sendmsg(
        self,
        buffers: Sequence[bytes | memoryview],
        ancdata: Ancillary,
        flags: int,
        address: Address,
    ) -> int:
        """Send."""


def plan(
    header_ends: "array[int]",
    item_ends: "array[int]",
    segment_bytes_max: int,
    segments_max: int,
    payload_bytes_max: int,
) -> list[Call]:
    """
    Divide datagrams into calls, in order: of one length, the last of a call may be shorter.

    :param segment_bytes_max: longer datagrams get a call of their own.
    """
    ends = list(map(add, header_ends, item_ends))
    lengths = list(map(sub, ends[1:], ends))
    count = len(lengths)
    calls = []
    start = 0
    while start < count:
        segment = total = lengths[start]
        end = start + 1
        if segment <= segment_bytes_max:
            limit = min(count, start + segments_max)
            while end < limit and lengths[end] <= segment:
                if total + lengths[end] > payload_bytes_max:
                    break
                total += lengths[end]
                end += 1
                if lengths[end - 1] < segment:
                    break
        calls.append((start, end, segment, total))
        start = end
    return calls


def gather(  # noqa: PLR0917 - a kernel
    headers: bytes | memoryview,
    header_ends: "array[int]",
    items: memoryview,
    item_ends: "array[int]",
    start: int,
    stop: int,
) -> Sequence[bytes | memoryview]:
    """
    List what a call carries, for ``send``; neither buffer may change before that.

    Raises: ValueError, when the arrays do not reach that far, or not into the buffers.
    """
    if not 0 <= start < stop < len(header_ends) or stop >= len(item_ends):
        raise ValueError("no such datagrams")
    if header_ends[stop] > len(headers) or item_ends[stop] > len(items):
        raise ValueError("datagrams beyond their buffers")
    slices: list[bytes | memoryview] = []
    append = slices.append
    at, item_at = header_ends[start], item_ends[start]
    for end, item_end in zip(
        header_ends[start + 1 : stop + 1], item_ends[start + 1 : stop + 1], strict=True
    ):
        if end < at or item_end < item_at:
            raise ValueError("datagrams that end before they begin")
        append(headers[at:end])
        append(items[item_at:item_end])
        at, item_at = end, item_end
    return slices


def send(
    sock: _Sender,
    slices: Sequence[bytes | memoryview],
    ancillary: Ancillary,
    address: Address,
) -> None:
    """
    Make one call that does not block.

    :param slices: from ``gather``, or a list of buffers.
    :param ancillary: at most one, as socket.sendmsg takes it.
    :param address: literal.
    Raises: OSError, as socket.sendmsg does.
    """
    sock.sendmsg(slices, ancillary, 0, address)
