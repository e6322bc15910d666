"""
Numbers that every Totem node must agree on, and the limits of what a frame may carry.

Source: Corosync exec/totemsrp.c (message_type, memb_state, gather_state_from, limits),
include/corosync/totem/totem.h (magic and version).
"""

from enum import IntEnum
from typing import Final

from corosync_tw.corotypes import PROCESSOR_COUNT_MAX

__all__ = [
    "COMMIT_TOKEN_ENTRIES_MAX",
    "FRAME_LEN_BYTES_MAX",
    "LEAVE_DUMMY_NODEID",
    "NODEID_ALL",
    "PROCESSOR_COUNT_MAX",
    "QUEUE_RTR_ITEMS_SIZE_MAX",
    "RETRANSMIT_ENTRIES_MAX",
    "RING_SEQ_JUMP_MAX",
    "RING_SEQ_MAX",
    "RING_SEQ_STEP",
    "TOTEM_MAGIC",
    "TOTEM_VERSION",
    "Encapsulated",
    "GatherFrom",
    "MembState",
    "MessageType",
]

TOTEM_MAGIC: Final = 0xC070
TOTEM_VERSION: Final = 3

# Longest datagram that any transport of ours takes in (KNET_MAX_PACKET_SIZE; UDP has less).
FRAME_LEN_BYTES_MAX: Final = 65536

# Slots of the sort queues: no two live sequence numbers of one ring are further apart.
QUEUE_RTR_ITEMS_SIZE_MAX: Final = 16384
# Retransmit requests that fit a token.
RETRANSMIT_ENTRIES_MAX: Final = 30
COMMIT_TOKEN_ENTRIES_MAX: Final = PROCESSOR_COUNT_MAX

# A Join whose header names this node is somebody's good-bye.
LEAVE_DUMMY_NODEID: Final = 0
# target_nodeid of a frame that is for everybody.
NODEID_ALL: Final = 0
# A new ring's sequence number exceeds the highest of the rings it is made of by this.
RING_SEQ_STEP: Final = 4
# No cluster can have counted so far: a frame that claims a higher ring number lies. The number is
# kept on disk, so that believing it once would cost the cluster its ring numbers for good.
RING_SEQ_MAX: Final = 1 << 62
# Nor can a cluster that we were not in be so far ahead of us.
RING_SEQ_JUMP_MAX: Final = 1 << 40


class MessageType(IntEnum):
    """Kind of a frame (header byte 3)."""

    ORF_TOKEN = 0
    MCAST = 1
    MEMB_MERGE_DETECT = 2
    MEMB_JOIN = 3
    MEMB_COMMIT_TOKEN = 4
    TOKEN_HOLD_CANCEL = 5


class Encapsulated(IntEnum):
    """What the payload of a mcast is (header byte 4): ENCAPSULATED is a mcast of the old ring."""

    NONE = 0
    ENCAPSULATED = 1
    NOT_ENCAPSULATED = 2


class MembState(IntEnum):
    """State of the membership protocol; IDLE is ours: no ring was ever sought."""

    IDLE = 0
    OPERATIONAL = 1
    GATHER = 2
    COMMIT = 3
    RECOVERY = 4


class GatherFrom(IntEnum):
    """Why Gather was entered; numbers and names as TOTEMSRP_GSFROM_*."""

    CONSENSUS_TIMEOUT = 0
    GATHER_MISSING1 = 1
    THE_TOKEN_WAS_LOST_IN_THE_OPERATIONAL_STATE = 2
    THE_CONSENSUS_TIMEOUT_EXPIRED = 3
    THE_TOKEN_WAS_LOST_IN_THE_COMMIT_STATE = 4
    THE_TOKEN_WAS_LOST_IN_THE_RECOVERY_STATE = 5
    FAILED_TO_RECEIVE = 6
    FOREIGN_MESSAGE_IN_OPERATIONAL_STATE = 7
    FOREIGN_MESSAGE_IN_GATHER_STATE = 8
    MERGE_DURING_OPERATIONAL_STATE = 9
    MERGE_DURING_GATHER_STATE = 10
    MERGE_DURING_JOIN = 11
    JOIN_DURING_OPERATIONAL_STATE = 12
    JOIN_DURING_COMMIT_STATE = 13
    JOIN_DURING_RECOVERY = 14
    INTERFACE_CHANGE = 15
