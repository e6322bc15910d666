"""Well-formed frames whose values nobody honest would send: dropped, never the end of the node."""

import pytest

from corosync_tw.corotypes import PROCESSOR_COUNT_MAX, RingId
from corosync_tw.totem import wire
from corosync_tw.totem.const import RING_SEQ_JUMP_MAX, RING_SEQ_MAX, MembState

from .lone_node import ME, PEER, LoneNode, changes, sent

SEQ_LAST = (1 << 64) - 1


def forms_a_ring_again(node: LoneNode) -> bool:
    """Leave the node alone until it gives up on the others."""
    effects = node.after(60_000)
    return node.srp.state is MembState.OPERATIONAL and changes(effects)[-1].members == (ME,)


@pytest.mark.parametrize("state", [MembState.OPERATIONAL, MembState.GATHER])
def test_a_member_that_fails_ever_more_strangers_does_not_overfill_our_joins(state):
    node = LoneNode().enter(MembState.OPERATIONAL)
    if state is MembState.GATHER:
        node.put(node.join(PEER, (1, 2, 3, 4), ring_seq=1000))
    for first in range(1000, 5000, 300):
        strangers = tuple(range(first, first + 300))
        effects = node.put(node.join(PEER, failed=strangers, ring_seq=1000))
        for join in sent(effects, wire.MembJoin):
            assert len({*join.proc_list, *join.failed_list}) <= PROCESSOR_COUNT_MAX
    assert forms_a_ring_again(node)


@pytest.mark.parametrize("token_seq", [0xFFFFFFFF, 0xFFFFFFFE])
def test_a_commit_token_at_the_end_of_its_token_seq_wraps(token_seq):
    node = LoneNode().enter(MembState.GATHER)
    for memb_index in (1, 3):
        token = wire.decode(node.commit_token(memb_index=memb_index))
        assert isinstance(token, wire.CommitToken)
        token.token_seq = token_seq
        effects = node.put(wire.encode_commit_token(token))
        assert sent(effects, wire.CommitToken)[0].token_seq == (token_seq + 1) & 0xFFFFFFFF
    assert node.srp.state is MembState.RECOVERY
    assert forms_a_ring_again(node)


@pytest.mark.parametrize(
    "seq", [SEQ_LAST, SEQ_LAST - 4, RING_SEQ_MAX + 1, RING_SEQ_JUMP_MAX + 2000]
)
def test_a_commit_token_cannot_use_up_the_ring_numbers(seq):
    node = LoneNode().enter(MembState.GATHER)
    node.put(node.commit_token(memb_index=1, ring_id=RingId(PEER, seq)))
    assert node.srp.state is MembState.GATHER
    assert forms_a_ring_again(node)


@pytest.mark.parametrize("seq", [SEQ_LAST, RING_SEQ_MAX, RING_SEQ_JUMP_MAX + 2000])
def test_a_join_cannot_use_up_the_ring_numbers(seq):
    node = LoneNode().enter(MembState.OPERATIONAL)
    node.put(node.join(7, (7,), ring_seq=seq))
    assert forms_a_ring_again(node)
    assert node.srp.ring_id.seq < RING_SEQ_JUMP_MAX


def test_an_old_cluster_takes_in_a_node_of_which_the_disk_is_new():
    node = LoneNode().enter(MembState.GATHER)
    node.put(node.commit_token(memb_index=1, ring_id=RingId(PEER, 1 << 38)))
    assert node.srp.state is MembState.COMMIT
