"""
Parameters of one ring, fixed for the life of a core.

Made from corosync.conf by ``corosync_tw.config.load`` alone. Times are nanoseconds of a monotonic
clock.
Source: Corosync exec/totemconfig.c for the defaults, include/corosync/totem/totem.h for the names.
"""

from dataclasses import dataclass

from corosync_tw.corotypes import NS_PER_MS


@dataclass(frozen=True, slots=True)
class TotemParams:
    """
    All that the core knows of its configuration.

    :ivar my_id: our nodeid, 1 to 0xffffffff.
    :ivar token_timeout_ns: silence of the token that makes the ring re-form.
    :ivar token_retransmit_timeout_ns: silence after which a passed token is sent again.
    :ivar token_hold_timeout_ns: how long the representative keeps the token of an idle ring.
    :ivar join_timeout_ns: interval of Join messages in Gather.
    :ivar send_join_timeout_ns: upper bound of a random delay before a Join; 0 sends at once.
    :ivar consensus_timeout_ns: how long Gather waits for everybody to agree.
    :ivar merge_timeout_ns: interval of merge detection while the ring rests.
    :ivar token_warning_percent: share of token_timeout after which a warning is traced; 0 never.
    :ivar fail_to_recv_const: rotations without progress of the aru before we give up on ourselves.
    :ivar seqno_unchanged_const: idle rotations before the token is held.
    :ivar heartbeat_failures_allowed: 0 switches the heartbeat off.
    :ivar window_size_msgs: messages on the ring in one rotation, all members together.
    :ivar max_messages: messages a member may send at one visit of the token.
    :ivar window_pinned: these two are what the administrator wants: they count between nodes of
        ours, too.
    :ivar accelerated_ring: send some messages behind the token, on rings where all members can.
    :ivar accelerated_window_msgs: how many at most; 0 for as many as the window allows.
    :ivar miss_count_const: visits of the token before a hole is asked for.
    :ivar cancel_token_hold_on_retransmit: never hold the token while a retransmission is pending.
    :ivar frame_len_bytes_max: longest datagram, Totem header included (1472 on IPv4 and an MTU of
        1500).
    :ivar seqno_start: the first message of every ring bears the number after it.
    :ivar token_seq_start: first token_seq of every ring.
    :ivar seed: of the generator behind random delays.
    """

    my_id: int
    token_timeout_ns: int = 3000 * NS_PER_MS
    token_retransmit_timeout_ns: int = 714 * NS_PER_MS
    token_hold_timeout_ns: int = 561 * NS_PER_MS
    join_timeout_ns: int = 50 * NS_PER_MS
    send_join_timeout_ns: int = 0
    consensus_timeout_ns: int = 3600 * NS_PER_MS
    merge_timeout_ns: int = 200 * NS_PER_MS
    token_warning_percent: int = 75
    fail_to_recv_const: int = 2500
    seqno_unchanged_const: int = 30
    heartbeat_failures_allowed: int = 0
    max_network_delay_ns: int = 50 * NS_PER_MS
    window_size_msgs: int = 50
    max_messages: int = 17
    window_pinned: bool = False
    accelerated_ring: bool = False
    accelerated_window_msgs: int = 0
    miss_count_const: int = 5
    cancel_token_hold_on_retransmit: bool = False
    frame_len_bytes_max: int = 1472
    seqno_start: int = 0
    token_seq_start: int = 0
    seed: int = 0
