"""
Words that every layer shares: ring ids, configuration changes, limits.

Source: Corosync include/corosync/corotypes.h, include/corosync/totem/totem.h.
"""

from enum import IntEnum, IntFlag
from typing import Final, NamedTuple

# Python 3.11 has no collections.abc.Buffer; these two are all that Totem and Twisted hand over.
Buffer = bytes | memoryview
# One datagram or message as slices, to be sent without joining them.
Slices = tuple[Buffer, ...]

PROCESSOR_COUNT_MAX: Final = 384
MESSAGE_SIZE_MAX: Final = 1024 * 1024
CPG_MAX_NAME_LENGTH: Final = 128
NS_PER_US: Final = 1_000
NS_PER_MS: Final = 1_000_000
NS_PER_S: Final = 1_000_000_000
MS_PER_S: Final = 1_000
# The cs_error_t that is none.
CS_OK: Final = 1


class RingId(NamedTuple):
    """Identity of one ring configuration: its representative's node id and a growing number."""

    rep: int
    seq: int


class ConfChangeType(IntEnum):
    """Kind of a configuration change (totem.h, enum totem_configuration_type)."""

    REGULAR = 0
    TRANSITIONAL = 1


class Guarantee(IntEnum):
    """Delivery guarantee as a mcast header carries it (totempg.h TOTEMPG_AGREED, TOTEMPG_SAFE)."""

    AGREED = 0
    SAFE = 1


class CpgReason(IntEnum):
    """Why a process is in or out of a group (cpg.h, cpg_reason_t)."""

    JOIN = 1
    LEAVE = 2
    NODEDOWN = 3
    NODEUP = 4
    PROCDOWN = 5


class TrackFlags(IntFlag):
    """What a client wants to be told (CS_TRACK_*): the present state, changes too, them alone."""

    CURRENT = 1
    CHANGES = 2
    CHANGES_ONLY = 4
