"""
The frames with which rings find each other: Join, Leave, merge detect, hold cancel.

Source: Corosync exec/totemsrp.c memb_join_message_send, memb_leave_message_send,
memb_merge_detect_transmit, token_hold_cancel_send.
"""

from corosync_tw.totem import wire
from corosync_tw.totem.asymmetry import rings_to_detect, with_claims
from corosync_tw.totem.const import LEAVE_DUMMY_NODEID
from corosync_tw.totem.deadlines import Deadline
from corosync_tw.totem.ring import Ring


def send_join(ring: Ring, now_ns: int) -> None:
    """
    Propose our sets, after a random delay where send_join is configured.

    Deviation: Corosync sleeps in its loop for the delay; here it is a deadline.
    """
    bound_ns = ring.params.send_join_timeout_ns
    if bound_ns:
        if not ring.deadlines.is_set(Deadline.SEND_JOIN):
            ring.arm(Deadline.SEND_JOIN, now_ns, ring.random.randrange(bound_ns))
    else:
        send_join_now(ring, now_ns)


def send_join_now(ring: Ring, now_ns: int) -> None:
    """Propose our sets; we are our own first listener."""
    memb = ring.memb
    join = wire.MembJoin(
        ring.my_id,
        ring.my_id,
        tuple(sorted(memb.proc_set)),
        tuple(sorted(memb.fail_set)),
        ring.my_ring_id.seq,
    )
    frame = with_claims(ring, wire.encode_memb_join(join), now_ns)
    ring.stats.memb_join_tx += 1
    ring.send_to_all(frame)
    ring.hear_self(frame, now_ns)


def send_leave(ring: Ring) -> None:
    """Say good-bye: a Join from nobody, with ourselves last in the fail_set."""
    memb = ring.memb
    leave = wire.MembJoin(
        LEAVE_DUMMY_NODEID,
        ring.my_id,
        tuple(sorted(memb.proc_set - {ring.my_id})),
        (*sorted(memb.fail_set - {ring.my_id}), ring.my_id),
        ring.my_ring_id.seq,
    )
    frame = wire.encode_memb_join(leave)
    ring.stats.memb_join_tx += 1
    ring.send_to_all(frame)


def send_merge_detect(ring: Ring, now_ns: int) -> None:
    """
    Tell strangers of our ring.

    Deviation: who is kept out of a ring by bad links names that ring in place of its own.
    """
    for ring_id in rings_to_detect(ring, now_ns):
        frame = wire.encode_merge_detect(wire.MergeDetect(ring.my_id, ring.my_id, ring_id))
        ring.stats.memb_merge_detect_tx += 1
        ring.send_to_all(with_claims(ring, frame, now_ns))


def send_hold_cancel(ring: Ring) -> None:
    """Ask the representative to let go of the token."""
    ring.stats.token_hold_cancel_tx += 1
    frame = wire.encode_token_hold_cancel(wire.TokenHoldCancel(ring.my_id, ring.my_ring_id))
    ring.send_mcast_frames([(frame,)])
