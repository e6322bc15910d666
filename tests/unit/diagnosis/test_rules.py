"""Each rule finds its fault, and nothing in a sound cluster."""

import json
from dataclasses import asdict, replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from corosync_tw.diagnosis.cluster import Cluster, Outsider, Reach
from corosync_tw.diagnosis.facts import Facts, decode_facts
from corosync_tw.diagnosis.finding import Severity, nodes_text
from corosync_tw.diagnosis.rules import diagnose
from corosync_tw.diagnosis.rules_agreement import CLOCK_OFFSET_NS_MAX
from corosync_tw.diagnosis.rules_host import FREE_BYTES_MIN, LOCKED_BYTES_MIN
from corosync_tw.errors import CsMessageError, CsNotSupported, CsTimeout, CsTryAgain

NOW_NS = 1_700_000_000_000_000_000
NOW_MS = NOW_NS // 1_000_000
S_NS = 1_000_000_000
SOUND = Facts(
    nodeid=1,
    host="one",
    versions={"corosync_tw": "1", "kernels": "compiled"},
    wall_ns=NOW_NS,
    ring=(1, 4),
    members=[1, 2],
    quorate=True,
    transport="udpu",
    frame_len_bytes_max=1500,
    token_timeout_ms=3000,
    configuration={"totem.token": 3000},
    key_digest="",
    nodes=[(1, "10.0.0.1", 5405), (2, "10.0.0.2", 5405)],
    links=[(0, "10.0.0.1", "OK")],
    mtu_bytes={"0": 1500},
    scheduler="rr",
    memory_lock_bytes_max=-1,
    pauses=[],
    counters={"mcast_tx": 100_000, "mcast_retx": 10},
    free_bytes={"/var/log": 1 << 40},
    complaints=[],
    key_file_modes={"/key": 0o400},
)


def cluster(second=None, **changes):
    facts = {1: SOUND, 2: replace(SOUND, nodeid=2, **(second or {}))}
    given = {"silent": {}, "outsiders": (), "bad_links": (), "asked_ns": NOW_NS}
    return Cluster(1, changes.pop("facts", facts), **given | {"answered_ns": NOW_NS} | changes)


def test_a_sound_cluster_has_no_findings():
    assert diagnose(cluster()) == []


@pytest.mark.parametrize(
    ("second", "severity", "nodeids", "words"),
    [
        ({"configuration": {"totem.token": 1000}}, Severity.WARNING, (), "1000 on node 2"),
        ({"configuration": {}}, Severity.WARNING, (), "totem.token is 3000 on node 1; not set"),
        ({"key_digest": "ab"}, Severity.FAULT, (), "no key on node 1; ab on node 2"),
        ({"versions": {"corosync_tw": "2"}}, Severity.NOTE, (), "1 on node 1; 2 on node 2"),
        (
            {"versions": {"corosync_tw": "1", "kernels": "plain"}},
            *(Severity.NOTE, (2,), "plain Python"),
        ),
        ({"mtu_bytes": {"0": 9000}}, Severity.WARNING, (), "MTU of link 0 is 1500 on node 1; 9000"),
        ({"wall_ns": NOW_NS + 5 * S_NS}, Severity.WARNING, (2,), "5.0 s ahead of node 1's"),
        ({"wall_ns": NOW_NS - 5 * S_NS}, Severity.WARNING, (2,), "5.0 s behind node 1's"),
        ({"pauses": [(NOW_MS, 900.0)]}, Severity.WARNING, (2,), "1 time in the last day"),
        (
            {"pauses": [(NOW_MS, 5.0), (NOW_MS - 1, 3000.0)]},
            *(Severity.FAULT, (2,), "2 times in the last day, for up to 3000 ms"),
        ),
        ({"key_file_modes": {"/key": 0o440}}, Severity.WARNING, (2,), "the key /key (mode 440)"),
        (
            {"complaints": [(NOW_MS, "rx: No key fits 10.0.0.1:5! See the keys.")]},
            *(Severity.FAULT, (2,), "warned lately: No key fits 10.0.0.1:5"),
        ),
        ({"complaints": [(NOW_MS, "Odd")]}, Severity.FAULT, (2,), "warned lately: Odd"),
        ({"scheduler": "other"}, Severity.NOTE, (2,), "without real-time priority"),
        ({"memory_lock_bytes_max": 8 << 20}, Severity.NOTE, (2,), "may lock 8 MB"),
        ({"free_bytes": {"/log": 5 << 20}}, Severity.WARNING, (2,), "only 5 MB are left in /log"),
        ({"links": [(1, "10.1.0.2", "FAULTY")]}, Severity.FAULT, (2,), "ring 1 (10.1.0.2)"),
        (
            {"links": [(0, "10.0.0.2", "Marking ringid 0 interface 10.0.0.2 FAULTY")]},
            *(Severity.FAULT, (2,), "is out of use: Marking ringid 0"),
        ),
        (
            {"counters": {"mcast_tx": 1000, "mcast_retx": 11}},
            *(Severity.WARNING, (2,), "11 of 1000 frames"),
        ),
        (
            {"counters": {"operational_token_lost": 1}},
            *(Severity.NOTE, (2,), "the token was lost 1 time since"),
        ),
        (
            {"counters": {"operational_token_lost": 10}},
            *(Severity.WARNING, (2,), "the token was lost 10 times"),
        ),
    ],
)
def test_what_one_node_tells_leads_to_one_finding(second, severity, nodeids, words):
    (finding,) = diagnose(cluster(second))
    assert (finding.severity, finding.nodeids) == (severity, nodeids)
    assert words in finding.text
    assert finding.remedy or severity is Severity.NOTE


def test_what_holds_for_several_nodes_is_said_once():
    alike = {"memory_lock_bytes_max": 8 << 20}
    found = diagnose(cluster(alike, facts={n: replace(SOUND, nodeid=n, **alike) for n in (1, 2)}))
    assert [(f.severity, f.nodeids) for f in found] == [(Severity.NOTE, (1, 2))]


def test_what_a_node_warned_of_some_time_ago_is_history():
    assert diagnose(cluster({"complaints": [(NOW_MS - 150_001, "a. b")]})) == []


def test_a_pause_of_another_day_is_history():
    assert diagnose(cluster({"pauses": [(NOW_MS - 24 * 3600 * 1000 - 1, 9000.0)]})) == []


def test_an_offset_within_the_time_that_the_answer_took_is_nobody_s_fault():
    late = cluster({"wall_ns": NOW_NS + 2 * S_NS}, answered_ns=NOW_NS + 4 * S_NS)
    assert diagnose(late) == []
    slow = {"wall_ns": NOW_NS + 6 * S_NS}
    assert [f.nodeids for f in diagnose(cluster(slow, answered_ns=NOW_NS + 4 * S_NS))] == [(2,)]


def test_few_retransmissions_are_no_loss():
    assert diagnose(cluster({"counters": {"mcast_tx": 999, "mcast_retx": 999}})) == []
    assert diagnose(cluster({"counters": {"mcast_tx": 1000, "mcast_retx": 10}})) == []


@pytest.mark.parametrize(
    ("reached", "words"),
    [
        ({"a": Reach.PORT_CLOSED, "b": Reach.NO_HOST}, "no daemon listens"),
        ({"a": Reach.NO_HOST}, "no host answers"),
        ({"a": Reach.NO_ROUTE}, "no route"),
        ({"a": Reach.NO_ROUTE, "b": Reach.NO_HOST}, "no host answers"),
        ({"a": Reach.NO_HOST, "b": Reach.NOTHING}, "a daemon that stands still"),
    ],
)
def test_what_the_port_of_a_missing_node_says(reached, words):
    (finding,) = diagnose(cluster(outsiders=(Outsider(3, reached),)))
    assert (finding.severity, finding.nodeids) == (Severity.FAULT, (3,))
    assert words in finding.text


def test_nodes_that_are_missing_alike_are_told_once():
    out = tuple(Outsider(n, {f"10.0.0.{n}": Reach.NO_HOST}) for n in (3, 4))
    (found,) = diagnose(cluster(outsiders=out))
    assert found.nodeids == (3, 4)
    assert found.text.endswith("(no host: 10.0.0.3, 10.0.0.4)")


def test_a_node_that_is_alone_with_multicast_is_told_of_multicast():
    alone = replace(SOUND, members=[1], transport="udp")
    out = (Outsider(2, {"a": Reach.NOTHING}),)
    found = diagnose(cluster(facts={1: alone}, outsiders=out))
    assert [f.severity for f in found] == [Severity.FAULT, Severity.WARNING]
    assert "multicast" in found[1].text
    unicast = replace(alone, transport="udpu")
    assert len(diagnose(cluster(facts={1: unicast}, outsiders=out))) == 1
    several = {1: replace(SOUND, transport="udp"), 2: replace(SOUND, nodeid=2, transport="udp")}
    out = (Outsider(3, {"a": Reach.NOTHING}),)
    assert len(diagnose(cluster(facts=several, outsiders=out))) == 1


def test_the_ring_s_own_faults_are_named():
    found = diagnose(cluster(bad_links=((2, 1),)))
    assert [(f.nodeids, f.text) for f in found] == [((2, 1), "node 1 hears nothing of node 2")]
    found = diagnose(cluster(facts={1: replace(SOUND, quorate=False)}))
    assert [f.severity for f in found] == [Severity.FAULT]


def knet(nodeid, *statuses):
    """Tell of links among nodes 1 to 3, with the status of each."""
    networks = range(len(statuses))
    nodes = [(n, f"10.{link}.0.{n}", 5405 + link) for link in networks for n in (1, 2, 3)]
    links = [(link, f"10.{link}.0.{nodeid}", statuses[link]) for link in networks]
    return replace(
        SOUND, nodeid=nodeid, transport="knet", members=[1, 2, 3], nodes=nodes, links=links
    )


def test_links_of_knet_that_are_down_are_told_once():
    facts = {1: knet(1, "n33", "n31"), 2: knet(2, "3n3", "3n1"), 3: knet(3, "33n", "11n")}
    (found,) = diagnose(cluster(facts=facts))
    assert (found.severity, found.nodeids) == (Severity.FAULT, (3,))
    assert found.text.startswith("its link 1 (10.1.0.3) to nodes 1, 2 is down")


def test_a_link_to_a_node_that_is_not_in_the_ring_is_down_with_it():
    facts = {n: replace(knet(n, "n31", "n31"), members=[1, 2]) for n in (1,)}
    assert diagnose(cluster(facts=facts)) == []


def test_a_status_without_its_nodes_is_no_finding():
    assert diagnose(cluster(facts={1: replace(knet(1, "n11"), nodes=[])})) == []


def test_members_that_tell_nothing():
    found = diagnose(cluster(silent={3: CsNotSupported("x"), 4: CsTimeout("no answer")}))
    assert [(f.severity, f.nodeids) for f in found] == [
        (Severity.WARNING, (4,)),
        (Severity.NOTE, (3,)),
    ]


def test_a_ring_that_takes_no_messages():
    stuck = CsTryAgain("messages do not come through now")
    (found,) = diagnose(cluster(facts={1: SOUND}, silent={2: stuck, 3: stuck}))
    assert (found.severity, found.nodeids) == (Severity.FAULT, (2, 3))
    assert "MTU" in found.remedy


def test_many_differing_keys_do_not_hide_the_rest():
    many = {f"totem.key{n}": n for n in range(20)}
    found = diagnose(cluster({"configuration": {"totem.token": 3000, **many}}))
    assert found[-1].text == "12 more keys differ"
    few = {f"totem.key{n}": n for n in range(8)}
    found = diagnose(cluster({"configuration": {"totem.token": 3000, **few}}))
    assert [f.severity for f in found] == [Severity.WARNING] * 8


@pytest.mark.parametrize(
    "sound",
    [
        {"free_bytes": {"/log": FREE_BYTES_MIN}},
        {"memory_lock_bytes_max": LOCKED_BYTES_MIN},
        {"mtu_bytes": {}},
        {"mtu_bytes": {"0": 1500, "1": 9000}},
        {"wall_ns": NOW_NS + CLOCK_OFFSET_NS_MAX},
        {"host": "two"},
    ],
)
def test_what_is_just_enough_is_no_finding(sound):
    assert diagnose(cluster(sound)) == []


def test_facts_are_believed_when_they_have_their_shape():
    told = asdict(SOUND)
    assert decode_facts(json.dumps(told | {"later": 1}).encode()) == SOUND
    for name in told:
        for broken in (None, 1.5):
            with pytest.raises(CsMessageError, match=name):
                decode_facts(json.dumps(told | {name: broken}).encode())


@pytest.mark.parametrize(
    "lie",
    [
        {"counters": {"mcast_tx": "many"}},
        {"free_bytes": {"/log": None}},
        {"links": [[0, "10.0.0.1"]]},
        {"links": [7]},
        {"pauses": [[1, "long"]]},
        {"nodes": [[1, 2, 3]]},
        {"ring": [1]},
        {"versions": {"corosync_tw": ["1"]}},
        {"configuration": {"totem.token": {}}},
        {"mtu_bytes": {"0": "long"}},
    ],
)
def test_a_lie_within_facts_is_seen_before_a_rule_falls_over_it(lie):
    (name,) = lie
    with pytest.raises(CsMessageError, match=name):
        decode_facts(json.dumps(asdict(SOUND) | lie).encode())


def test_facts_of_no_depth_that_a_program_can_go_down_to_are_no_facts():
    with pytest.raises(CsMessageError):
        decode_facts(b"[" * 1_000_000)


@given(st.binary(max_size=60))
def test_decoding_facts_is_total(data):
    with pytest.raises(CsMessageError):
        decode_facts(data)


def test_nodes_are_named():
    assert [nodes_text(n) for n in ((), (3,), (1, 2))] == ["cluster", "node 3", "nodes 1, 2"]
