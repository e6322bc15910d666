"""The short way of a token that brings nothing must do what the long way does."""

from dataclasses import asdict
from unittest import mock

from hypothesis import example, given, settings
from hypothesis import strategies as st

from corosync_tw.totem import srp as srp_module
from corosync_tw.totem.const import MembState
from corosync_tw.totem.effects import SendToken, Trace
from corosync_tw.totem.seqno import seq_add
from tests.unit.totem.lone_node import LAST, ME, MS, PEER, LoneNode

WORDS = st.one_of(st.just(0), st.integers(0, 40), st.integers(0, 0xFFFFFFFF))

TOKENS = st.fixed_dictionaries(
    {
        "news": st.integers(0, 3),  # messages before the token
        "lost": st.booleans(),  # of which the last does not arrive
        "aru_lag": st.one_of(st.just(0), st.integers(0, 5)),
        "aru_addr": st.sampled_from((0, PEER, ME, LAST)),
        "fcc": WORDS,
        "backlog": WORDS,
        "flg": st.sampled_from((0, 0, 0, 1)),
        "token_seq": st.sampled_from((None, None, None, 0, 1)),
        "ours": st.sampled_from((0, 0, 1, 30)),  # messages that wait here
        "safe": st.booleans(),
        "wait_ms": st.sampled_from((0, 0, 1, 50, 300)),
    }
)


def snapshot(node: LoneNode) -> list[object]:
    ring = node.srp._ring
    log, flow, window = ring.installed, ring.flow, ring.flow.window
    return [
        ring.state,
        asdict(ring.token),
        asdict(ring.stats),
        ring.deadlines._at,
        [getattr(flow, name) for name in ("my_cbl", "my_pbl", "my_trc")],
        [getattr(window, name) for name in window.__slots__],
        [getattr(ring.acceleration, name) for name in ring.acceleration.__slots__],
        [log.my_aru, log.high_seq_received, log.high_delivered, log.last_released, len(log)],
    ]


def step(node: LoneNode, seq: int, what: dict) -> tuple[int, list[object]]:
    frames = []
    for _ in range(what["news"]):
        seq = seq_add(seq, 1)
        frames.append(node.mcast(seq, b"m", safe=what["safe"]))
    if what["lost"]:
        frames = frames[:-1]
    node.send(*[b"own"] * what["ours"])
    effects = node.after(what["wait_ms"])
    token = node.token(
        seq,
        seq_add(seq, -what["aru_lag"]),
        aru_addr=what["aru_addr"],
        retrans_flg=what["flg"],
        token_seq=what["token_seq"],
        fcc=what["fcc"],
        backlog=what["backlog"],
    )
    effects += node.put(*frames, token)
    return seq_add(seq, what["ours"]), effects


PLAIN = {
    "news": 0, "lost": False, "aru_lag": 0, "aru_addr": 0, "fcc": 0, "backlog": 0, "flg": 0,
    "token_seq": None, "ours": 0, "safe": False, "wait_ms": 0,
}  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(st.lists(TOKENS, min_size=1, max_size=40))
@example([PLAIN] * 40)
@example([{**PLAIN, "news": 1, "aru_lag": 1, "aru_addr": LAST}] * 40)
def test_both_ways_lead_to_the_same(steps):
    short = LoneNode().enter(MembState.OPERATIONAL)
    long = LoneNode().enter(MembState.OPERATIONAL)
    seqs = [short.srp._ring.installed.my_aru] * 2
    for what in steps:
        seqs[0], taken_short = step(short, seqs[0], what)
        with mock.patch.object(srp_module, "QUIET_LEN_BYTES", -1):
            seqs[1], taken_long = step(long, seqs[1], what)
        assert taken_short == taken_long
        assert snapshot(short) == snapshot(long)
        if short.srp.state is not MembState.OPERATIONAL:
            return


def test_a_token_that_brings_nothing_takes_the_short_way():
    node = LoneNode().enter(MembState.OPERATIONAL)
    seq = node.srp._ring.installed.my_aru
    with mock.patch.object(srp_module, "on_orf_token", side_effect=AssertionError):
        effects = node.put(node.mcast(seq_add(seq, 1)), node.token(seq_add(seq, 1)))
    assert [e for e in effects if isinstance(e, SendToken)]


def test_visits_are_traced_only_when_asked_for():
    node = LoneNode().enter(MembState.OPERATIONAL)
    seq = node.srp._ring.installed.my_aru
    assert any(isinstance(e, Trace) for e in node.put(node.token(seq)))
    node.srp.trace_visits(False)
    node.now += MS
    assert not any(isinstance(e, Trace) for e in node.put(node.token(seq)))
    node.send(b"m")
    assert not any(isinstance(e, Trace) for e in node.put(node.token(seq)))
