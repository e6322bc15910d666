"""
Layout of a totempg packet, the payload of a mcast.

A packet is a header, the lengths of its items, and the items without a gap. An item is a message,
or the end, a middle or the beginning of one. A message starts with the names of the process groups
it is for::

    u16 version 0 | u16 type 0 | u8 fragmented | u8 continuation | u16 count | u16 len[count] |
    items message: u16 groups | u16 name_len[groups] | names | data

``fragmented`` is an id of 1 to 255 when the last item goes on in the next packet of the same
sender, whose ``continuation`` is then that id; otherwise both are 0.

Source: Corosync exec/totempg.c (struct totempg_mcast, mcast_msg, group_matches).
"""

from functools import lru_cache
from struct import Struct
from typing import Final

from corosync_tw.corotypes import MESSAGE_SIZE_MAX
from corosync_tw.totem.const import FRAME_LEN_BYTES_MAX
from corosync_tw.totem.wire import MCAST_LEN_BYTES

# version, type, fragmented, continuation, count
PACKET: Final = Struct("<HHBBH")
PACKET_BIG: Final = Struct(">HHBBH")
PACKET_LEN_BYTES: Final = PACKET.size
ITEM_LEN_LEN_BYTES: Final = 2
FRAGMENT_ID_MAX: Final = 255

# Names of groups one message may be for, and the longest name (MAX_GROUPS_PER_MSG; ours).
GROUPS_PER_MESSAGE_MAX: Final = 32
GROUP_LEN_BYTES_MAX: Final = 128

# Longest message that may be sent: the largest an application may send, and room for the headers of
# its service.
MESSAGE_LEN_BYTES_MAX: Final = MESSAGE_SIZE_MAX + 4096
# Longest message that is put together from a peer's packets (struct assembly has this size).
ASSEMBLY_LEN_BYTES_MAX: Final = MESSAGE_SIZE_MAX + FRAME_LEN_BYTES_MAX


def packet_capacity(frame_len_bytes_max: int) -> int:
    """
    Give the bytes of a packet for items and their lengths.

    A frame keeps a second mcast header free: in recovery a whole frame is the payload of another.

    :raises ValueError: frames too short or too long for the format.
    """
    capacity = frame_len_bytes_max - 2 * MCAST_LEN_BYTES - PACKET_LEN_BYTES
    if capacity < 2 * ITEM_LEN_LEN_BYTES or frame_len_bytes_max > FRAME_LEN_BYTES_MAX:
        raise ValueError(f"frames of {frame_len_bytes_max} bytes cannot carry packets")
    return capacity


@lru_cache(maxsize=512)
def packet_struct(count: int) -> Struct:
    """Give the layout of a header and the lengths of so many items, little-endian."""
    return Struct(f"<HHBBH{count}H")


@lru_cache(maxsize=512)
def lengths_struct(count: int, big_endian: bool) -> Struct:
    """Give the layout of the lengths of so many items."""
    return Struct(f"{'>' if big_endian else '<'}{count}H")


def group_prefix(group: bytes) -> bytes:
    """Make the beginning of a message for one group."""
    assert 0 < len(group) <= GROUP_LEN_BYTES_MAX, "group name too long, or empty"
    return b"\x01\x00" + len(group).to_bytes(2, "little") + group
