"""On real nodes the guide's programs do what it says, and the manual has every key."""

import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import pytest

from tests.unit.manual import key_patterns

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = ROOT / "docs" / "examples"
TWISTD = "from twisted.scripts.twistd import run; run()"
TOOL = (sys.executable, "-m", "corosync_tw.cli.main")
TIME_LIMIT_S = 60
LIST_KEYS = """
import json, sys
from twisted.internet.defer import Deferred
from twisted.internet.task import react
from corosync_tw.client.node import connect
async def main(reactor):
    node = await connect(reactor, sys.argv[1])
    print(json.dumps([*await node.cmap().items(), *await node.stats().items()]))
react(lambda reactor: Deferred.fromCoroutine(main(reactor)))
"""


class Nodes:
    """Three nodes of the demonstration, each a process."""

    def __init__(self, directory):
        self.directory = directory
        self.environ = {**os.environ, "PYTHONPATH": str(ROOT)}
        # Beside a demonstration, which another test may run.
        for path in (ROOT / "conf" / "demo").glob("*.conf"):
            (directory / path.name).write_text(path.read_text().replace("127.7.1.", "127.7.9."))
        self.processes = [self._started(number) for number in (1, 2, 3)]

    def _started(self, number):
        command = [sys.executable, "-c", TWISTD, "-n", "corosync", "-c", f"node{number}.conf"]
        return subprocess.Popen(
            command, cwd=self.directory, env=self.environ,
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def socket(self, number):
        return str(self.directory / "var" / f"node{number}" / "corosync_tw.sock")

    def spawn(self, *command):
        return subprocess.Popen(
            command, cwd=ROOT, env=self.environ, stdout=subprocess.PIPE, text=True
        )

    def said(self, *command):
        process = self.spawn(*command)
        said, _ = process.communicate(timeout=TIME_LIMIT_S)
        assert process.returncode == 0, said
        return said.splitlines()

    def example(self, name, *args, node=1):
        program = str(EXAMPLES / f"{name}.py")
        return self.said(sys.executable, program, self.socket(node), *args)

    def form(self):
        deadline_s = time.monotonic() + TIME_LIMIT_S
        command = (*TOOL, "status", "--json", "--socket", self.socket(1))
        while time.monotonic() < deadline_s:
            process = self.spawn(*command)
            said, _ = process.communicate(timeout=TIME_LIMIT_S)
            if process.returncode == 0:
                status = json.loads(said)
                if status["members"] == [1, 2, 3] and not status["sync_in_progress"]:
                    return
        pytest.fail("the nodes did not form a ring")

    def stop(self):
        for process in self.processes:
            process.terminate()
        for process in self.processes:
            process.wait(TIME_LIMIT_S)


@pytest.fixture(scope="module")
def nodes():
    with tempfile.TemporaryDirectory(prefix="examples-") as directory:
        nodes = Nodes(Path(directory))
        try:
            nodes.form()
            yield nodes
        finally:
            nodes.stop()


def test_there_is_no_other_example():
    assert {path.stem for path in EXAMPLES.glob("*.py")} == {
        "cfg", "cmap", "cpg", "quorum", "votequorum"
    }  # fmt: skip


def test_cpg(nodes):
    first, *messages = nodes.example("cpg", "chat", "hello", "world", node=2)
    assert re.fullmatch(r"members: 2:\d+", first)
    assert messages[:2] == ["node 2: hello", "node 2: world"]


def test_cmap(nodes):
    said = nodes.example("cmap")
    assert said[:4] == [
        "cluster: demo",
        "runtime.members.1.status joined",
        "runtime.members.2.status joined",
        "runtime.members.3.status joined",
    ]
    assert said[4] == "ADD example.greeting hello"
    assert re.fullmatch(r"tokens received: [1-9]\d*", said[5])


def test_votequorum(nodes):
    assert nodes.example("votequorum") == [
        *(f"node {number}: 1 of 3 votes, 2 needed" for number in (1, 2, 3)),
        "expected votes are 5",
    ]


def test_cfg(nodes):
    said = nodes.example("cfg", node=3)
    assert said == [
        "link 0: 127.7.9.3 OK",
        *(f"node {number}: 127.7.9.{number}" for number in (1, 2, 3)),
        "all nodes read their files again",
        "no shutdown: somebody is busy",
    ]


def test_every_key_of_a_node_is_in_the_manual(nodes):
    keys = json.loads(nodes.said(sys.executable, "-c", LIST_KEYS, nodes.socket(1))[-1])
    patterns = key_patterns().values()
    missing = [key for key in keys if not any(one.fullmatch(key) for one in patterns)]
    assert missing == [], "describe these in man/corosync_tw_cmap_keys.7"


def test_quorum(nodes):
    program = nodes.spawn(sys.executable, str(EXAMPLES / "quorum.py"), nodes.socket(1), "1")
    assert program.stdout.readline() == "may go on 1 2 3\n"
    nodes.processes[2].send_signal(signal.SIGTERM)
    said, _ = program.communicate(timeout=TIME_LIMIT_S)
    assert said == "may go on 1 2\n"
    assert program.returncode == 0
