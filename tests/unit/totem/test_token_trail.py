"""What a node tells of the token when it leaves its ring."""

from corosync_tw.totem.const import MembState
from corosync_tw.totem.effects import Trace
from corosync_tw.totem.trace import TraceCode
from tests.unit.totem.lone_node import LAST, LoneNode


def trails(effects):
    return [e.values for e in effects if isinstance(e, Trace) and e.code == TraceCode.TOKEN_TRAIL]


def test_a_token_that_was_passed_on_and_never_heard_of_again():
    node = LoneNode().enter(MembState.OPERATIONAL)
    token_seq = node.token_seq
    node.put(node.token(0))
    # Sent again after 714, 1428, 2142 and 2856 ms.
    assert trails(node.after(3100)) == [(token_seq, LAST, 4, 3000)]
    # Once: no ring was left since.
    assert trails(node.after(10_000)) == []


def test_only_repeats_of_the_last_token_count():
    node = LoneNode().enter(MembState.OPERATIONAL)
    node.put(node.token(0))
    node.after(800)
    token_seq = node.token_seq
    node.put(node.token(0))
    assert trails(node.put(node.join(LAST, ring_seq=1000))) == [(token_seq, LAST, 0, 0)]
