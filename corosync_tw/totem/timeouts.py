"""
Arming and disarming of the token's deadlines, as groups that always go together.

Source: Corosync exec/totemsrp.c reset_token_timeout, cancel_token_timeout,
reset_token_retransmit_timeout, start_merge_detect_timeout.
"""

from corosync_tw.totem.deadlines import Deadline
from corosync_tw.totem.params import TotemParams
from corosync_tw.totem.ring import Ring


def heartbeat_timeout_ns(params: TotemParams) -> int:
    """
    Give the heartbeat's timeout, 0 when the heartbeat is off or would be slower than the token
    timeout.

    Source: totemsrp_initialize.
    """
    if params.heartbeat_failures_allowed == 0:
        return 0
    timeout_ns = (
        params.heartbeat_failures_allowed * params.token_retransmit_timeout_ns
        + params.max_network_delay_ns
    )
    return timeout_ns if timeout_ns < params.token_timeout_ns else 0


def reset_token_timeout(ring: Ring, now_ns: int) -> None:
    """Expect the token within token_timeout from now."""
    ring.arm(Deadline.TOKEN_LOSS, now_ns, ring.params.token_timeout_ns)
    percent = ring.params.token_warning_percent
    if percent:
        ring.arm(Deadline.TOKEN_WARNING, now_ns, ring.params.token_timeout_ns * percent // 100)


def cancel_token_timeout(ring: Ring) -> None:
    """Expect no token."""
    ring.deadlines.cancel(Deadline.TOKEN_LOSS)
    ring.deadlines.cancel(Deadline.TOKEN_WARNING)


def reset_token_retransmit_timeout(ring: Ring, now_ns: int) -> None:
    """Repeat the token if nothing is heard of it."""
    ring.arm(Deadline.TOKEN_RETRANSMIT, now_ns, ring.params.token_retransmit_timeout_ns)


def start_merge_detect_timeout(ring: Ring, now_ns: int) -> None:
    """Look for strangers soon, unless already planned."""
    if not ring.deadlines.is_set(Deadline.MERGE_DETECT):
        ring.arm(Deadline.MERGE_DETECT, now_ns, ring.params.merge_timeout_ns)


def reset_heartbeat(ring: Ring, now_ns: int, *, forward_token: bool) -> None:
    """Expect the token's next visit sooner than token_timeout, where so configured."""
    timeout_ns = heartbeat_timeout_ns(ring.params)
    if forward_token and timeout_ns:
        ring.arm(Deadline.HEARTBEAT, now_ns, timeout_ns)
    else:
        ring.deadlines.cancel(Deadline.HEARTBEAT)
