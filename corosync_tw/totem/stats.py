"""
Counters of the single ring, named as the stats.srp.* keys of Corosync.

Source: Corosync include/corosync/totem/totemstats.h, exec/stats.c.
"""

from dataclasses import dataclass
from typing import Final

# More gathers than this in a row without a ring hint at a firewall or a dead interface (totem.h
# MAX_NO_CONT_GATHER).
CONTINUOUS_GATHER_MAX: Final = 3


@dataclass(slots=True)
class SrpStats:
    """All counters start at zero with the node."""

    orf_token_tx: int = 0
    orf_token_rx: int = 0
    memb_merge_detect_tx: int = 0
    memb_merge_detect_rx: int = 0
    memb_join_tx: int = 0
    memb_join_rx: int = 0
    mcast_tx: int = 0
    mcast_retx: int = 0
    mcast_rx: int = 0
    memb_commit_token_tx: int = 0
    memb_commit_token_rx: int = 0
    token_hold_cancel_tx: int = 0
    token_hold_cancel_rx: int = 0
    operational_entered: int = 0
    operational_token_lost: int = 0
    gather_entered: int = 0
    gather_token_lost: int = 0
    commit_entered: int = 0
    commit_token_lost: int = 0
    recovery_entered: int = 0
    recovery_token_lost: int = 0
    consensus_timeouts: int = 0
    rx_msg_dropped: int = 0
    continuous_gather: int = 0
    token_last_received_ns: int = 0
    token_rotation_ns: int = 0

    @property
    def firewall_enabled_or_nic_failure(self) -> bool:
        """Tell whether rings keep failing to form."""
        return self.continuous_gather > CONTINUOUS_GATHER_MAX
