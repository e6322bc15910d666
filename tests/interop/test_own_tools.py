"""Our tools print beside any daemon what the stock tools print beside it."""

import contextlib
import json
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.interop import own_tools, tool_stories
from tests.interop.netbed import NetBed, Process, require, wait_until
from tests.interop.nodes import Cluster, StockNode

pytestmark = pytest.mark.interop

WITHIN_S = 15.0
SHM, SOCKET, FILES = 1, 2, 3
NO_DAEMON = 4
ROOT = Path(__file__).resolve().parents[2]
AS_NOBODY = """
import os
from corosync_tw.client.qb.cmap import connect_cmap
from corosync_tw.errors import CsError
os.setgid(65534)
os.setuid(65534)
try:
    connect_cmap()
except CsError as fault:
    print(fault.name)
"""
IDLE = (
    "corosync-quorumtool -s",
    "corosync-quorumtool -m",
    "corosync-cfgtool -s",
    "corosync-cfgtool -R",
    "corosync-cfgtool -L",
    "corosync-cfgtool -H",
    "corosync-cfgtool -k 1",
    "corosync-cfgtool -a 1",
    "corosync-cpgtool",
    "corosync-cmapctl",
    "corosync-cmapctl -C all",
    "corosync-cmapctl -t key",
)


# What our daemon answers is compared by other tests, with stock tools; here it is the transports.
BESIDE_BOTH = pytest.mark.parametrize("bed", ["stock", "ours"], indirect=True)
BESIDE_STOCK = pytest.mark.parametrize("bed", ["stock"], indirect=True)


class Bed:
    """A ring, a machine without a daemon, and the directory of our tools."""

    def __init__(self, bed, cluster, tools, workdir):
        self.cluster, self.tools = cluster, tools
        self.idle = StockNode(bed.machines[NO_DAEMON], NO_DAEMON, workdir)
        self.nodes = {**cluster.nodes, NO_DAEMON: self.idle}
        own_tools.prepare(self.nodes.values())

    def compare(self, nodeid, commands):
        told = own_tools.differences(self.nodes[nodeid], commands, self.tools)
        assert not told, "\n".join(told)

    def json(self, nodeid, *command):
        name, *options = command
        outcome = self.nodes[nodeid].machine.run(f"{self.tools}/{name}", "--json", *options)
        return json.loads(outcome.stdout)

    def lasting(self, nodeid, name, *options):
        """Start a tool that stays, of stock and of ours; its output, by who."""
        node = self.nodes[nodeid]
        commands = {
            "stock": ["stdbuf", "-oL", name, *options],
            "ours": [f"{self.tools}/{name}", *options],
        }
        return {
            who: Process(
                node.machine, argv, node.workdir / f"{who}-{name}{options[0]}", node.workdir
            )
            for who, argv in commands.items()
        }


@pytest.fixture(scope="module")
def bed(request, tmp_path_factory):
    require("corosync-quorumtool", "corosync-cpgtool", "corosync-keygen", "qb-blackbox", "stdbuf")
    workdir = tmp_path_factory.mktemp("tools")
    command = [sys.executable, "-m", "corosync_tw.cli.main", "tools", "--install", str(workdir)]
    subprocess.run(command, check=True, cwd=ROOT, capture_output=True)
    nodeids = [SHM, SOCKET, FILES]
    kinds = ([], nodeids) if request.param == "ours" else (nodeids, [])
    with (
        NetBed([*nodeids, NO_DAEMON]) as bed,
        Cluster(bed.machines, *kinds, workdir, token_ms=tool_stories.TOKEN_MS) as cluster,
    ):
        conf = cluster.nodes[SOCKET].conf
        conf.write_text(conf.read_text().replace("system {", "system {\n    qb_ipc_type: socket"))
        bed.machines[FILES].force_filesystem_sockets(workdir)
        cluster.start()
        cluster.wait_quorate()
        yield Bed(bed, cluster, workdir, workdir)
        cluster.assert_sound()


@BESIDE_BOTH
def test_reading(bed):
    with tool_stories.members(bed.cluster):
        bed.compare(SHM, tool_stories.READING)


@BESIDE_STOCK
def test_options(bed):
    bed.compare(SHM, own_tools.OPTIONS)


@BESIDE_STOCK
def test_help_is_stock_s_and_a_line_of_ours(bed):
    node = bed.nodes[SHM]
    stock = own_tools.answers(node, own_tools.LONGER, None)
    ours = own_tools.answers(node, own_tools.LONGER, bed.tools)
    for command, theirs, mine in zip(own_tools.LONGER, stock, ours, strict=True):
        assert mine.startswith(theirs.partition("--- errors")[0].rstrip("\n")), command
        assert mine.partition("--- errors")[2] == theirs.partition("--- errors")[2]


@BESIDE_STOCK
def test_setting(bed):
    bed.compare(SHM, tool_stories.SETTING)


@BESIDE_BOTH
@pytest.mark.parametrize("nodeid", [SOCKET, FILES])
def test_other_transports(bed, nodeid):
    bed.compare(nodeid, tool_stories.READING[::6])
    changes = bed.lasting(nodeid, "corosync-cmapctl", "-T", "probe.")
    _finish_following(bed, nodeid, changes)


@BESIDE_BOTH
def test_following_keys(bed):
    _finish_following(bed, SHM, bed.lasting(SHM, "corosync-cmapctl", "-t", "probe.key"))
    _finish_following(bed, SHM, bed.lasting(SHM, "corosync-cmapctl", "-bT", "probe."))


def _finish_following(bed, nodeid, followers):
    for follower in followers.values():
        wait_until("tracking", lambda log=follower.log: "Type" in log.read_text(), WITHIN_S)
    own_tools.answers(
        bed.nodes[nodeid],
        (
            "corosync-cmapctl -s probe.key u32 7",
            "corosync-cmapctl -s probe.key str seven",
            "corosync-cmapctl -s probe.bytes bin bytes.bin",
            "corosync-cmapctl -D probe.",
        ),
        None,
    )
    _compare_ends(followers, lambda text: "delete> probe.key" in text)


def _compare_ends(processes, is_whole):
    for process in processes.values():
        wait_until("output", lambda log=process.log: is_whole(log.read_text()), WITHIN_S)
        with contextlib.suppress(BrokenPipeError):
            process.write_line("q")
    statuses = {who: process.wait(WITHIN_S) for who, process in processes.items()}
    texts = {who: process.log.read_text() for who, process in processes.items()}
    assert set(texts.values()) == {texts["stock"]}
    assert set(statuses.values()) == {statuses["stock"]}


@BESIDE_BOTH
def test_monitoring_quorum(bed):
    monitors = bed.lasting(SHM, "corosync-quorumtool", "-m")
    for monitor in monitors.values():
        wait_until("table", lambda log=monitor.log: "n3" in log.read_text(), WITHIN_S)
    own_tools.answers(
        bed.nodes[SHM], ("corosync-quorumtool -e 4", "corosync-quorumtool -e 3"), None
    )
    for monitor in monitors.values():
        monitor.kill()
    texts = [
        tool_stories.normalised(monitor.log.read_text()).partition("(local)")[0]
        for monitor in monitors.values()
    ]
    assert texts[0] == texts[1]


@BESIDE_STOCK
def test_voting(bed):
    bed.compare(SHM, tool_stories.VOTING)


@BESIDE_BOTH
def test_blackbox(bed):
    """Stock's reader and ours find the same messages in a dump, whoever wrote it."""
    node = bed.nodes[SHM]
    ours = node.machine.run(str(bed.tools / "corosync-blackbox"))
    dump = node.state_dir / "fdata"
    assert ours.stdout.splitlines()[0] == f"Dumping the contents of {dump}"
    stock = node.machine.run("qb-blackbox", str(dump))
    assert messages_of(ours.stdout) == messages_of(stock.stdout)
    for said in ("A new membership (1.", "entering GATHER state from "):
        assert any(said in line for line in messages_of(stock.stdout)), said
    assert re.fullmatch(r"fdata-\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d-\d+", dump.readlink().name)
    keys = bed.json(SHM, "corosync-cmapctl", "runtime.blackbox.")["keys"]
    assert [key["key"] for key in keys] == [
        "runtime.blackbox.dump_flight_data",
        "runtime.blackbox.dump_state",
    ]
    document = bed.json(SHM, "corosync-blackbox", str(dump))
    assert document["damage"] == []
    plain = [message for message in document["messages"] if "%" not in message["text"]]
    assert len(plain) == len(messages_of(stock.stdout))


def messages_of(text):
    """The lines of messages; libqb loses its way behind a per cent sign of a format."""
    lines = re.findall(r"^\w+ +\w{3} \d\d [\d:.]+ \w+\(\d+\):\d+: .*$", text, re.MULTILINE)
    return [line for line in lines if "%" not in line]


@BESIDE_STOCK
def test_without_a_daemon(bed):
    bed.compare(NO_DAEMON, IDLE)


@BESIDE_STOCK
def test_a_stranger_is_refused(bed):
    told = bed.nodes[SHM].machine.run("env", f"PYTHONPATH={ROOT}", sys.executable, "-c", AS_NOBODY)
    assert told.stdout == "CS_ERR_ACCESS\n"


@BESIDE_BOTH
def test_json_says_what_the_text_says(bed):
    status = bed.json(SHM, "corosync-quorumtool", "-s")
    assert status["quorate"]
    assert status["provider"] == "corosync_votequorum"
    assert status["votequorum"]["quorum"] == 2
    assert [(m["nodeid"], m["name"], m["votes"], m["local"]) for m in status["members"]] == [
        (1, "n1", 1, True),
        (2, "n2", 1, False),
        (3, "n3", 1, False),
    ]
    assert bed.json(SHM, "corosync-quorumtool", "-l")["members"] == status["members"]
    nodes = bed.json(SHM, "corosync-cfgtool", "-n")
    assert nodes["transport"] == "udpu"
    assert [(n["nodeid"], n["reachable"]) for n in nodes["nodes"]] == [(2, True), (3, True)]
    links = bed.json(SHM, "corosync-cfgtool", "-s")["links"]
    assert [end["state"] for end in links[0]["nodes"]] == ["localhost", "connected", "connected"]
    assert bed.json(SHM, "corosync-cfgtool", "-a", "2")["addresses"] == ["10.77.5.2"]
    keys = bed.json(SHM, "corosync-cmapctl", "-g", "totem.version")["keys"]
    assert keys == [{"key": "totem.version", "type": "u32", "value": 2}]
    assert bed.json(SHM, "corosync-cpgtool") == {"members": []}


@BESIDE_BOTH
def test_a_daemon_that_dies_ends_the_followers(bed):
    followers = bed.lasting(SHM, "corosync-cmapctl", "-Tq", "probe.")
    # Over sockets the stock tool does not notice, and stays.
    followers["ours, sockets"] = bed.lasting(SOCKET, "corosync-cmapctl", "-Tq", "probe.")["ours"]
    for follower in followers.values():
        wait_until("tracking", lambda log=follower.log: "Type" in log.read_text(), WITHIN_S)
    for nodeid in (SHM, SOCKET):
        bed.cluster.nodes[nodeid].sigkill()
    _compare_ends(followers, lambda text: "Dispatch error" in text)
