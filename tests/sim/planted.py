"""
Mutations of the core, each a plausible slip of the pen, put in place of the real code for one test.

A mutation is a list of (module or class, attribute, replacement).
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from corosync_tw.services import stack
from corosync_tw.services.hello import Capabilities
from corosync_tw.totem import commit, orf_token, recovery, ring, srp, transitions
from corosync_tw.totem.acceleration import Acceleration
from corosync_tw.totem.flow import FlowControl
from corosync_tw.totem.ordering import RingLog
from corosync_tw.totem.pg import Totempg
from corosync_tw.totem.pg_pack import Packer
from corosync_tw.totem.seqno import seq_add
from corosync_tw.totem.wire import MCAST_LEN_BYTES

Patch = tuple[Any, str, Any]
MUTATIONS: dict[str, Callable[[], list[Patch]]] = {}


def mutation(make: Callable[[], list[Patch]]) -> Callable[[], list[Patch]]:
    MUTATIONS[make.__name__] = make
    return make


@contextmanager
def planted(name: str, make: Callable[[], list[Patch]] | None = None) -> Iterator[None]:
    patches = (make or MUTATIONS[name])()
    originals = [(owner, attribute, getattr(owner, attribute)) for owner, attribute, _ in patches]
    try:
        for owner, attribute, replacement in patches:
            setattr(owner, attribute, replacement)
        yield
    finally:
        for owner, attribute, original in originals:
            setattr(owner, attribute, original)


class Everybody:
    def __contains__(self, nodeid: object) -> bool:
        return True


@mutation
def skip_the_obligation_set() -> list[Patch]:
    real = RingLog.take_remaining
    return [(RingLog, "take_remaining", lambda log, _obligations: real(log, Everybody()))]


@mutation
def deliver_one_early() -> list[Patch]:
    real = RingLog.take_deliverable

    def take(log, safe_to):
        run = real(log, safe_to)
        beyond_hole = seq_add(log.high_delivered, 2)
        message = log.get(beyond_hole)
        if log.high_delivered == log.my_aru and message is not None and message[0] is not None:
            log.high_delivered = beyond_hole
            run = [*run, message[0]]
        return run

    return [(RingLog, "take_deliverable", take)]


@mutation
def forget_retransmissions() -> list[Patch]:
    def answer(_ring, _log, token, _allowed):
        token.rtr_list = []
        return 0

    return [(orf_token, "_answer_rtr", answer)]


@mutation
def reuse_ring_ids_after_a_restart() -> list[Patch]:
    real = ring.Ring.__init__

    def init(self, params, source, _ring_seq, now_ns):
        real(self, params, source, 0, now_ns)

    return [(ring.Ring, "__init__", init)]


@mutation
def deliver_safe_as_agreed() -> list[Patch]:
    real = RingLog.take_deliverable
    return [
        (RingLog, "take_deliverable", lambda log, _safe_to: real(log, log.high_seq_received)),
    ]


@mutation
def accept_a_stale_token() -> list[Patch]:
    real = srp.on_orf_token

    def on_orf_token(ring, token, now_ns):
        if token.ring_id == ring.my_ring_id:
            ring.token.my_token_seq = seq_add(token.token_seq, -1)
        real(ring, token, now_ns)

    return [(srp, "on_orf_token", on_orf_token)]


@mutation
def drop_a_message_at_a_configuration_change() -> list[Patch]:
    real = RingLog.take_remaining
    return [(RingLog, "take_remaining", lambda log, obligations: real(log, obligations)[:-1])]


@mutation
def recover_nothing() -> list[Patch]:
    return [(recovery, "_seqs_to_originate", lambda _ring, _low: [])]


@mutation
def skip_high_ring_delivered() -> list[Patch]:
    real = recovery._marks

    def marks(ring, entries):
        low_ring_aru, _ = real(ring, entries)
        return low_ring_aru, ring.installed.high_delivered

    return [(recovery, "_marks", marks)]


@mutation
def ignore_the_window() -> list[Patch]:
    def allowance(self, params, _token, backlog_frames):
        self.my_cbl = backlog_frames
        return params.max_messages

    return [(FlowControl, "allowance", allowance)]


@mutation
def deliver_twice() -> list[Patch]:
    real = RingLog.take_deliverable

    def take(log, safe_to):
        run = real(log, safe_to)
        if len(run) > 2 and log.high_delivered == run[-1].seq and run[-1].seq % 5 == 0:
            log.high_delivered = seq_add(log.high_delivered, -1)
        return run

    return [(RingLog, "take_deliverable", take)]


@mutation
def claim_messages_that_are_not_there() -> list[Patch]:
    real = commit.write_own_entry

    def write(ring, token):
        index = token.memb_index
        real(ring, token)
        entry = token.memb_list[index]
        token.memb_list[index] = entry._replace(aru=ring.installed.high_seq_received)

    return [(commit, "write_own_entry", write)]


@mutation
def never_lower_the_aru() -> list[Patch]:
    real = orf_token._update_token_aru

    def update(ring, log, token, last_aru):
        real(ring, log, token, last_aru)
        if ring.forming is None:
            token.aru, token.aru_addr = token.seq, 0

    return [(orf_token, "_update_token_aru", update)]


@mutation
def deliver_the_rest_before_the_transitional_configuration() -> list[Patch]:
    real = RingLog.take_deliverable

    def enter(ring):
        old = ring.installed
        run = real(old, old.high_seq_received)
        transitions._deliver(ring, old, run)
        real_enter(ring)

    real_enter = transitions.enter_operational
    return [(orf_token, "enter_operational", enter)]


@mutation
def starve_one_node() -> list[Patch]:
    real = FlowControl.allowance

    def allowance(self, params, token, backlog_frames):
        allowed = real(self, params, token, backlog_frames)
        return 0 if params.my_id % 2 else allowed

    return [(FlowControl, "allowance", allowance)]


@mutation
def forget_the_promises_of_a_failed_recovery() -> list[Patch]:
    return [(srp.Srp, "ring_of_ours", lambda _self: None)]


# The accelerated ring, and windows that the members agree on.


@mutation
def ask_for_what_may_still_follow_the_token() -> list[Patch]:
    def askable_seq(_self, token_seq, _last_seq):
        return token_seq

    return [(Acceleration, "askable_seq", askable_seq)]


@mutation
def begin_to_accelerate_before_all_have_heard_of_it() -> list[Patch]:
    def note_visit(self, _safe_to):
        self.active = self._wanted

    return [(Acceleration, "note_visit", note_visit)]


@mutation
def accelerate_without_an_agreement() -> list[Patch]:
    real = Acceleration.agree
    return [(Acceleration, "agree", lambda self, _agreed, seq: real(self, True, seq))]


@mutation
def accelerate_in_recovery() -> list[Patch]:
    real = orf_token.behind_token_msgs

    def behind_token_msgs(ring):
        return 15 if ring.forming is not None else real(ring)

    return [(orf_token, "behind_token_msgs", behind_token_msgs)]


def _behind_counts() -> tuple[list[int], Patch]:
    """Remember how many messages follow the token of the visit under way."""
    real = orf_token.split
    counts = [0]

    def split(batches, behind_msgs):
        ahead, behind = real(batches, behind_msgs)
        counts[0] = sum(map(len, behind))
        return ahead, behind

    return counts, (orf_token, "split", split)


@mutation
def pass_the_token_before_its_last_messages_are_numbered() -> list[Patch]:
    real = orf_token.send_orf_token
    counts, patch = _behind_counts()

    def send(ring, token, now_ns, *, forward_token):
        token.seq = seq_add(token.seq, -counts[0])
        counts[0] = 0
        real(ring, token, now_ns, forward_token=forward_token)

    return [patch, (orf_token, "send_orf_token", send)]


@mutation
def count_only_what_precedes_the_token() -> list[Patch]:
    real = FlowControl.update_token
    counts, patch = _behind_counts()

    def update(self, token, transmitted):
        real(self, token, transmitted - counts[0])

    return [patch, (FlowControl, "update_token", update)]


@mutation
def count_what_was_not_sent() -> list[Patch]:
    real = FlowControl.update_token

    def update(self, token, transmitted):
        real(self, token, max(transmitted, min(self.my_cbl, 5)))

    return [(FlowControl, "update_token", update)]


@mutation
def forget_what_should_follow_the_token() -> list[Patch]:
    real = orf_token.split
    return [(orf_token, "split", lambda batches, count: (real(batches, count)[0], []))]


@mutation
def send_retransmissions_behind_the_token() -> list[Patch]:
    real_answer, real_pass = orf_token._answer_rtr, orf_token._pass_on
    kept = []

    def answer(ring, log, token, allowed):
        before = len(ring.effects)
        count = real_answer(ring, log, token, allowed)
        if count:
            kept.append(ring.effects[before:])
            del ring.effects[before:]
        return count

    def pass_on(ring, token, now_ns, behind, **more):
        real_pass(ring, token, now_ns, behind, **more)
        for effects in kept:
            ring.effects[-1:-1] = effects
        kept.clear()

    return [(orf_token, "_answer_rtr", answer), (orf_token, "_pass_on", pass_on)]


@mutation
def open_the_window_for_the_fastest() -> list[Patch]:
    real = Capabilities.agreement

    def agreement(self, members):
        agreed = real(self, members)
        most = max((hello.receive_msgs for hello in self._hellos.values()), default=0)
        return agreed._replace(window_size_msgs=agreed.window_size_msgs and most)

    return [(Capabilities, "agreement", agreement)]


# Above the ring: these need the whole stack.


@mutation
def continue_a_message_with_any_fragment() -> list[Patch]:
    real = Packer._cut
    ids_at = MCAST_LEN_BYTES + 4

    def cut(self, frames_max, header):
        run = real(self, frames_max, header)
        headers = bytearray(run.headers)
        for at in run.header_ends[:-1]:
            ids = slice(at + ids_at, at + ids_at + 2)
            headers[ids] = bytes(7 if fragment_id else 0 for fragment_id in headers[ids])
        run.headers = bytes(headers)
        return run

    def restart(self):
        """Keep on sending the rest to those who joined, as if they had the beginning."""

    return [(Packer, "_cut", cut), (Packer, "restart", restart)]


@mutation
def forget_the_half_message_of_a_leaver_too_early() -> list[Patch]:
    real = Totempg.configuration_change

    def change(self, change, *, stock_peers=False):
        real(self, change, stock_peers=True)

    return [(Totempg, "configuration_change", change)]


@mutation
def end_the_synchronization_at_once() -> list[Patch]:
    real = stack.Stack._on_configuration_change

    def on_change(self, change):
        real(self, change)
        if change.kind == 0:
            self.pg.trans_ack()

    return [(stack.Stack, "_on_configuration_change", on_change)]


@mutation
def trust_the_first_of_a_run() -> list[Patch]:
    real = srp.scan_run

    def scan(blob, stride, rep, ring_seq):
        found = real(blob, stride, rep, ring_seq)
        if found is None:
            return None
        nodeid, first_seq, _, guarantee = found
        return nodeid, first_seq, -(-len(blob) // stride), guarantee

    return [(srp, "scan_run", scan)]


@mutation
def deliver_a_run_from_its_beginning() -> list[Patch]:
    def whole(log, seq):
        item = log._items.get(seq)
        return item if item is not None else log._run_with(seq)[0]

    return [(RingLog, "_from", whole)]


NEEDS_STACK = {
    "begin_to_accelerate_before_all_have_heard_of_it",
    "continue_a_message_with_any_fragment",
    "forget_the_half_message_of_a_leaver_too_early",
    "end_the_synchronization_at_once",
}
