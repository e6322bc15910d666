"""
The commit token: on its first rotation each member writes what it has of its old ring, on the
second each reads it.

Source: Totem95 section 6.2.3; Corosync exec/totemsrp.c memb_state_commit_token_create,
memb_state_commit_token_update, memb_state_commit_token_send.
Deviation: received_flg carries a second bit, see ``OBLIGATED``.
"""

from typing import Final

from corosync_tw.corotypes import RingId
from corosync_tw.totem import wire
from corosync_tw.totem.const import RING_SEQ_STEP
from corosync_tw.totem.ring import Ring
from corosync_tw.totem.seqno import seq_add, seq_lt
from corosync_tw.totem.timeouts import reset_token_retransmit_timeout
from corosync_tw.totem.wire import CommitEntry, CommitToken

# The member has every message of its old ring that anybody before it on the token had (Corosync's
# meaning).
RECEIVED: Final = 1
# The member went so far in an earlier recovery that others may have installed its outcome: the
# paper's received_flg. Set only when all of the old ring run corosync_tw, for Corosync takes any
# value but 0 for RECEIVED.
OBLIGATED: Final = 2

_EMPTY_ENTRY: Final = CommitEntry(RingId(0, 0), 0, 0, 0)


def create_commit_token(ring: Ring) -> CommitToken:
    """Make the token of a new ring, with ourselves as representative."""
    members = ring.memb.candidates()
    return CommitToken(
        nodeid=ring.my_id,
        token_seq=0,
        ring_id=RingId(ring.my_id, ring.token_ring_id_seq + RING_SEQ_STEP),
        retrans_flg=0,
        memb_index=0,
        addr=members,
        memb_list=[_EMPTY_ENTRY] * len(members),
    )


def write_own_entry(ring: Ring, token: CommitToken) -> None:
    """
    Write what we have of our old ring; correct those before us that have less than others of that
    ring.

    Post: token.memb_index points behind our entry.
    """
    log = ring.installed
    received = RECEIVED if log.my_aru == log.high_seq_received else 0
    if ring.obligated and ring.of_ours:
        received |= OBLIGATED
    index = token.memb_index
    token.memb_list[index] = CommitEntry(log.ring_id, log.my_aru, log.high_delivered, received)
    same_ring = [i for i in range(index + 1) if token.memb_list[i].ring_id == log.ring_id]
    high_aru = log.my_aru
    for i in same_ring:
        if seq_lt(high_aru, token.memb_list[i].aru):
            high_aru = token.memb_list[i].aru
    for i in same_ring:
        entry = token.memb_list[i]
        if seq_lt(entry.aru, high_aru):
            token.memb_list[i] = entry._replace(received_flg=entry.received_flg & ~RECEIVED)
    token.memb_index = index + 1


def send_commit_token(ring: Ring, token: CommitToken, now_ns: int) -> None:
    """Pass the commit token on, and repeat it until the ring shows life."""
    token.token_seq = seq_add(token.token_seq, 1)
    token.nodeid = ring.my_id
    token.target_nodeid = ring.token.target
    ring.token.retransmit_frame = wire.encode_commit_token(token)
    ring.stats.memb_commit_token_tx += 1
    ring.send_token_frame(ring.token.retransmit_frame, now_ns)
    reset_token_retransmit_timeout(ring, now_ns)


def is_for_us(ring: Ring, token: CommitToken) -> bool:
    """Tell whether a commit token forms just the ring that we want and it is our turn to write."""
    index = token.memb_index
    return (
        token.addr == ring.memb.candidates()
        and token.ring_id.seq > ring.my_ring_id.seq
        and ring.is_credible(token.ring_id.seq)
        and token.ring_id.rep == token.addr[0]
        and 0 < index < len(token.addr)
        and token.addr[index] == ring.my_id
    )
