"""
Other timeouts for a ring that runs.

Members change them at about the same moment, not at the same one. Until all have, a node that waits
less than the others speak would lose a token that is only held; so for a while each is as patient
as the longer and as talkative as the shorter of the two configurations, see ``between``.

Source: Corosync exec/totempg.c totempg_put_config, where the new values count from the next start
of each timer.
"""

from dataclasses import replace
from typing import Final

from corosync_tw.totem.deadlines import NEVER, Deadline
from corosync_tw.totem.expiry import PAUSE_CHECKS_PER_TOKEN_TIMEOUT
from corosync_tw.totem.params import TotemParams
from corosync_tw.totem.ring import Ring
from corosync_tw.totem.timeouts import heartbeat_timeout_ns

# Of which the longer is used while members change over: how long to wait for others.
_PATIENCE: Final = ("token_timeout_ns", "consensus_timeout_ns", "fail_to_recv_const")
# Of which the shorter is: how long to be silent, and how much to send.
_SILENCE: Final = (
    "token_retransmit_timeout_ns",
    "token_hold_timeout_ns",
    "join_timeout_ns",
    "send_join_timeout_ns",
    "merge_timeout_ns",
    "window_size_msgs",
    "max_messages",
)


def between(old: TotemParams, new: TotemParams) -> TotemParams:
    """Make the parameters with which a node gets along with members of either configuration."""
    patience = {name: max(getattr(old, name), getattr(new, name)) for name in _PATIENCE}
    silence = {name: min(getattr(old, name), getattr(new, name)) for name in _SILENCE}
    # A heartbeat waits for what the others may not send any more.
    return replace(new, **patience, **silence, heartbeat_failures_allowed=0)


def reconfigure(ring: Ring, params: TotemParams, now_ns: int) -> None:
    """
    Take other parameters and move what is armed.

    Pre: the nodeid and the length of frames are the old ones.
    Post: nothing is due earlier than the new timeout from now, or than it was before.
    """
    old = ring.params
    assert (params.my_id, params.frame_len_bytes_max) == (old.my_id, old.frame_len_bytes_max), (
        "these are fixed for the life of a ring"
    )
    ring.params = params
    before, after = _timeouts_ns(old), _timeouts_ns(params)
    for which, timeout_ns in after.items():
        at_ns = ring.deadlines.at(which)
        if at_ns == NEVER or timeout_ns == before[which]:
            continue
        if timeout_ns == 0:
            ring.deadlines.cancel(which)
        elif timeout_ns > before[which]:
            ring.arm(which, now_ns, timeout_ns)
        else:
            ring.deadlines.set(which, min(at_ns, now_ns + timeout_ns))


def _timeouts_ns(params: TotemParams) -> dict[Deadline, int]:
    """Tell how long each deadline is armed for; 0 is never."""
    return {
        Deadline.TOKEN_LOSS: params.token_timeout_ns,
        Deadline.TOKEN_WARNING: params.token_timeout_ns * params.token_warning_percent // 100,
        Deadline.TOKEN_RETRANSMIT: params.token_retransmit_timeout_ns,
        Deadline.TOKEN_HOLD: params.token_hold_timeout_ns,
        Deadline.MERGE_DETECT: params.merge_timeout_ns,
        Deadline.JOIN: params.join_timeout_ns,
        Deadline.CONSENSUS: params.consensus_timeout_ns,
        Deadline.HEARTBEAT: heartbeat_timeout_ns(params),
        Deadline.PAUSE: params.token_timeout_ns // PAUSE_CHECKS_PER_TOKEN_TIMEOUT,
    }
