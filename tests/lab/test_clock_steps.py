"""The clock of three real nodes is set, and nothing but times of day follows it."""

import json
import re
import subprocess
import sys
from datetime import UTC, datetime
from itertools import pairwise

import pytest

from tests.lab.clock_story import HOUR_S, NOTICED
from tests.lab.machine import run

pytestmark = pytest.mark.lab
# Of a busy host; an idle one needs a minute.
TIMEOUT_S = 1200.0
NS = 10**9
# Until a node has noticed, on a busy host.
NOTICED_WITHIN_S = 60
# Nodes look at the clock one after the other, and clocks are placed by the token.
PLACED_WITHIN_NS = 2 * NS
STEP = re.compile(r"the clock of nodes? ([\d, ]+) was set by ([+-]\d+\.\d+) s")


@pytest.fixture(scope="module")
def told(tmp_path_factory):
    """Where the guest left what it saw; its nodes share one clock."""
    results = tmp_path_factory.mktemp("clock")
    outcome = run(
        "tests.lab.clock_story",
        results=results,
        timeout_s=TIMEOUT_S,
        environment={"TZ": "UTC"},
    )
    assert outcome.exit_status == 0, outcome.output
    return results


def seen(told):
    return json.loads((told / "seen.json").read_text())


def tool(told, name, *words):
    """Run a tool on all recordings, where no daemon is."""
    files = sorted(map(str, told.glob("n*/flight-*.rec")))
    command = [sys.executable, "-m", "corosync_tw.cli.main", name, *words]
    if name == "explain":
        command += ["--socket", str(told / "none"), "--file"]
    outcome = subprocess.run([*command, *files], capture_output=True, text=True, check=False)
    assert outcome.returncode == 0, outcome.stderr
    return outcome.stdout


def steps(explanation):
    """Give the steps that an explanation tells: nodes and whole seconds."""
    causes = [each for each in explanation["beside"] if each["cause"] == "clock_stepped"]
    assert [cause["confidence"] for cause in causes] == ["certain"]
    found = []
    for nodes, by in STEP.findall(causes[0]["text"]):
        assert abs(abs(float(by)) - HOUR_S) < 0.1
        found.append((list(map(int, nodes.split(", "))), round(float(by))))
    assert {each["node"] for each in causes[0]["evidence"]} == {
        n for nodes, _ in found for n in nodes
    }
    return found


def test_a_ring_does_not_follow_the_clock(told):
    for step in seen(told)["steps"][:2]:
        before, after = step["rings"]
        assert before == after
        assert len(after) == 3


def test_a_ring_forms_while_the_clock_is_set(told):
    log = (told / "n1.log").read_text()
    assert "Node 3 left the ring: token lost for 3000 ms" in log
    assert [
        line.split("Members")[1] for line in log.splitlines() if "QUORUM] Members[" in line
    ] == [
        "[3]: 1 2 3",
        "[2]: 1 2",
        "[3]: 1 2 3",
    ]


def test_times_of_the_log_follow_the_clock(told):
    for nodeid in (1, 2):
        log = (told / f"n{nodeid}.log").read_text()
        lines = [line for line in log.splitlines() if NOTICED in line]
        for step, line in zip(seen(told)["steps"], lines, strict=True):
            when = datetime.strptime(f"2000 {line[:19]}", "%Y %b %d %H:%M:%S.%f").replace(
                tzinfo=UTC
            )
            after = datetime.fromtimestamp(step["after_ns"] // NS, UTC).replace(year=2000)
            assert 0 <= (when - after).total_seconds() + 1 < NOTICED_WITHIN_S
            assert f"{step['by_s']:+}"[:3] in line


def test_explain_tells_the_step_when_it_is_asked_of_the_nodes(told):
    explanation = json.loads((told / "explain_after_forward").read_text())
    assert explanation["left"] == []
    assert explanation["recordings"] == [1, 2, 3]
    assert steps(explanation) == [([1, 2, 3], HOUR_S)]


def test_explain_tells_a_step_beside_the_cause(told):
    explanation = json.loads((told / "explain_after_return").read_text())
    assert [(each["node"], each["cause"]) for each in explanation["left"]] == [(3, "killed")]
    assert explanation["left"][0]["confidence"] == "certain"
    assert ([1, 2], -HOUR_S) in steps(explanation)
    # Node 3 began again at an earlier time than before.
    assert (
        tool(told, "explain", "3", "--json").count('"cause": "killed", "confidence": "certain"')
        == 1
    )


@pytest.mark.parametrize("which", ["before_ns", "after_ns"])
@pytest.mark.parametrize("number", [0, 1])
def test_explain_knows_the_time_before_and_after(told, number, which):
    step = seen(told)["steps"][number]
    when = datetime.fromtimestamp(step[which] / NS, UTC).isoformat()
    explanation = json.loads(tool(told, "explain", when, "--json"))
    assert ([1, 2, 3], step["by_s"]) in steps(explanation)


def test_the_doctor_finds_no_clock_that_is_off(told):
    found = json.loads((told / "doctor_after_forward").read_text())
    assert found["told"] == [1, 2, 3]
    assert not [each for each in found["findings"] if "clock" in each["text"]]


def test_fplay_shows_the_steps_in_their_order(told):
    records = [json.loads(line) for line in tool(told, "fplay", "--json").splitlines()]
    for earlier, later in pairwise(records):
        assert later["monotonic_ns"] > earlier["monotonic_ns"] - PLACED_WITHIN_NS
    stepped = [each for each in records if each["event"] == "clock_stepped"]
    signs = [(each["nodeid"], each["values"]["step"] > 0) for each in stepped]
    assert [sorted(signs[:3]), sorted(signs[3:6]), sorted(signs[6:])] == [
        [(1, True), (2, True), (3, True)],
        [(1, False), (2, False), (3, False)],
        [(1, False), (2, False)],
    ]
    for nodeid in (1, 2, 3):
        times = [each["time_ns"] for each in records if each["nodeid"] == nodeid]
        jumps = [round((b - a) / NS / HOUR_S) for a, b in pairwise(times)]
        assert [jump for jump in jumps if jump] == [1, -1, -1]


def test_the_page_of_fplay_shows_the_steps(told):
    page = tool(told, "fplay", "--html", "-")
    assert page.count("the wall clock was set by") >= 3
