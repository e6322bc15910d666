"""How late a token is said to be."""

from corosync_tw.totem.deadlines import Deadline
from corosync_tw.totem.effects import Trace
from corosync_tw.totem.trace import TraceCode

from .lone_node import MS, LoneNode


def late_ms(node, now_ns):
    node.srp.start(now_ns)
    node.srp._ring.deadlines.cancel_all()
    node.srp._ring.deadlines.set(Deadline.TOKEN_WARNING, now_ns)
    node.srp.advance(now_ns)
    (late,) = [
        effect.values
        for effect in node.srp.poll()
        if isinstance(effect, Trace) and effect.code == TraceCode.TOKEN_LATE
    ]
    return late[0]


def test_a_first_token_is_late_since_its_timer_was_started():
    node = LoneNode(token_timeout_ns=1000 * MS, token_warning_percent=75)
    assert late_ms(node, 50_000_000 * MS) == 750


def test_a_token_is_late_since_the_last_one():
    node = LoneNode(token_timeout_ns=1000 * MS, token_warning_percent=75)
    node.srp._ring.stats.token_last_received_ns = 49_999_000 * MS
    assert late_ms(node, 50_000_000 * MS) == 1000
