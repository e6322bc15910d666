"""corosync-tw top: rates of two looks, the screen at several sizes, and a daemon that goes."""

import io
from argparse import Namespace

import pytest
import pytest_twisted
from rich.console import Console
from twisted.internet import reactor

from corosync_tw.cli.main import main
from corosync_tw.cli.top import Top, look
from corosync_tw.cli.top_screen import screen
from corosync_tw.cli.top_view import Look, view
from corosync_tw.errors import CsError
from tests.unit.cli.test_tools import Tool

STATUS = {
    "nodeid": 2,
    "ring_rep": 1,
    "ring_seq": 0x2F4,
    "members": [1, 2],
    "quorate": True,
    "bad_links": [],
    "state": "operational",
    "sync_in_progress": False,
    "queue_level": 0.25,
}
ICMAP = {
    "totem.cluster_name": "demo",
    "totem.transport": "knet",
    "nodelist.node.0.nodeid": 1,
    "nodelist.node.0.name": "alpha",
    "nodelist.node.1.nodeid": 2,
    "nodelist.node.1.name": "beta",
    "nodelist.node.2.nodeid": 3,
    "runtime.members.1.status": "joined",
    "runtime.members.1.ip": "r(0) ip(10.0.0.1) ",
    "runtime.members.1.join_count": 2,
    "runtime.members.3.status": "left",
    "runtime.services.cpg.3.tx": 100,
}
STATS = {
    "stats.srp.mcast_tx": 1000,
    "stats.srp.mcast_retx": 7,
    "stats.srp.orf_token_rx": 50,
    "stats.srp.operational_token_lost": 1,
    "stats.pg.msg_reserved": 12,
    "stats.corosync_tw.window.size": 50,
    "stats.corosync_tw.transport.rx_bytes": 5_000_000,
    "stats.corosync_tw.process.cpu_us": 1_000_000,
    "stats.corosync_tw.token_rotation.count": 10,
    "stats.corosync_tw.token_rotation.sum_us": 5000,
    "stats.knet.handle.tx_crypt_packets": 9,
    "stats.knet.node1.link0.enabled": 1,
    "stats.knet.node1.link0.connected": 1,
    "stats.knet.node1.link0.mtu": 1397,
    "stats.knet.node1.link0.latency_ave": 340,
    "stats.knet.node1.link0.tx_total_bytes": 10,
    "stats.knet.node10.link1.enabled": 1,
    "stats.knet.node10.link1.connected": 0,
    "stats.ipcs.service2.77.0x1.procname": "corosync-cpgtool",
    "stats.ipcs.service2.77.0x1.requests": 5,
    "stats.ipcs.service2.77.0x1.queued": 3,
}
BEFORE = Look(10.0, STATUS, STATS, ICMAP)
NOW = Look(
    12.0,
    STATUS,
    STATS
    | {
        "stats.srp.mcast_tx": 3000,
        "stats.srp.orf_token_rx": 150,
        "stats.srp.mcast_retx": 4,
        "stats.corosync_tw.transport.rx_bytes": 8_000_000,
        "stats.corosync_tw.process.cpu_us": 1_500_000,
        "stats.corosync_tw.token_rotation.count": 30,
        "stats.corosync_tw.token_rotation.sum_us": 9000,
        "stats.ipcs.service2.77.0x1.requests": 25,
    },
    ICMAP | {"runtime.services.cpg.3.tx": 400},
)


def shown(made, width, height=200, **console_options):
    out = io.StringIO()
    console = Console(file=out, width=width, height=height, **console_options)
    console.print(screen(made, width, clock="12:00:00"))
    return out.getvalue()


def test_rates_are_those_between_two_looks():
    made = view(NOW, BEFORE)
    traffic = made["traffic"]
    assert traffic["messages_sent_per_s"] == 150
    assert traffic["frames_sent_per_s"] == 1000
    assert traffic["tokens_per_s"] == 50
    assert traffic["rotation_us"] == 200
    assert traffic["bytes_received_per_s"] == 1_500_000
    assert made["cpu"] == 0.25
    # It was cleared in between, and counts from there.
    assert traffic["frames_resent_per_s"] == 2
    # The daemon has no such counter.
    assert traffic["messages_delivered_per_s"] is None
    assert (made["ring_id"], made["name"], made["transport"]) == ("1.2f4", "beta", "knet")


def test_a_first_look_has_no_rates():
    made = view(NOW, None)
    assert (made["cpu"], made["interval_s"]) == (None, None)
    assert set(made["traffic"].values()) == {None}
    assert made["clients"][0]["requests_per_s"] is None


def test_members_links_and_clients():
    made = view(NOW, BEFORE)
    assert [(m["nodeid"], m["in_ring"], m["status"]) for m in made["members"]] == [
        (1, True, "joined"),
        (2, True, "never seen"),
        (3, False, "left"),
    ]
    assert [(link["nodeid"], link["link"], link["connected"]) for link in made["links"]] == [
        (1, 0, True),
        (10, 1, False),
    ]
    assert made["clients"] == [
        {
            "name": "corosync-cpgtool",
            "pid": 77,
            "service": "cpg",
            "requests_per_s": 10.0,
            "dispatched_per_s": None,
            "queued": 3,
            "flow_control": False,
        }
    ]
    assert made["troubles"]["operational_token_lost"] == 1


@pytest.mark.parametrize("width", [20, 40, 72, 80, 132])
def test_it_fits_any_width(width):
    text = shown(view(NOW, BEFORE), width)
    assert max(map(len, text.splitlines())) <= width
    assert "1.2f4" in text


def test_all_of_it_is_there_at_eighty_columns():
    text = shown(view(NOW, BEFORE), 80)
    for part in (
        "node 2 (beta)  cluster demo  knet  12:00:00  CPU 25.0%",
        "ring 1.2f4  operational  2 members  quorate",
        "1,000/s",
        "1.50 MB/s",
        "##........  25%",
        "corosync-cpgtool",
        "DOWN",
        "0.34 ms",
        "50/s, 0.20 ms",
        "operational token lost 1",
    ):
        assert part in text, part


def test_addresses_are_short_and_what_a_node_sends_itself_is_no_link():
    links = STATS | {
        key.replace("node1.", "node2."): value for key, value in STATS.items() if "node1." in key
    }
    evil = ICMAP | {"runtime.members.1.ip": "r(0) ip(10.0.0.1) r(1) ip(fd00::1) "}
    text = shown(view(Look(1.0, STATUS, links, evil), None), 80)
    assert " 10.0.0.1 fd00::1 " in text
    assert [line.split()[0] for line in text.splitlines() if " up " in line] == ["1"]


def test_blank_lines_part_the_tables_where_there_is_room():
    made = view(NOW, BEFORE)
    out = io.StringIO()
    Console(file=out, width=80).print(screen(made, 80, 32, clock="12:00:00"))
    lines = [line.rstrip() for line in out.getvalue().splitlines()]
    assert [line for line in lines if line] == [
        line.rstrip() for line in shown(made, 80).splitlines()
    ]
    assert lines.count("") == 5


def test_colour_says_nothing_alone(monkeypatch):
    made = view(NOW, BEFORE)
    plain = shown(made, 80)
    assert "\x1b" not in plain
    coloured = shown(made, 80, force_terminal=True, color_system="standard")
    assert "\x1b[31m" in coloured
    monkeypatch.setenv("NO_COLOR", "1")
    assert "\x1b[31m" not in shown(made, 80, force_terminal=True, color_system="standard")


def test_alarms_are_on_top():
    status = STATUS | {"quorate": False, "bad_links": [[1, 2]]}
    made = view(Look(1.0, status, STATS, ICMAP), None)
    out = io.StringIO()
    Console(file=out, width=80).print(screen(made, 80, lost="the daemon is gone, trying again"))
    lines = out.getvalue().splitlines()
    assert lines[2].startswith("! the daemon is gone, trying again; what is below is old")
    assert lines[3].startswith("! this node is not quorate")
    assert lines[4].startswith("! links that do not work: 1 to 2")
    assert lines[5].startswith("! not in the ring: 3")


def test_hostile_names_are_text():
    evil = ICMAP | {"runtime.members.1.ip": "[red]x[/]\x1b[2J"}
    text = shown(view(Look(1.0, STATUS, STATS, evil), None), 100)
    assert "[red]x[/]" in text
    assert "\x1b" not in text


@pytest.mark.parametrize("interval", ["0", "-1", "x", "nan", "1e9"])
def test_an_interval_has_limits(capsys, interval):
    with pytest.raises(SystemExit) as end:
        main(["top", "--interval", interval])
    assert end.value.code == 2
    assert "is no number of seconds from 0.1 to 3600" in capsys.readouterr().err


@pytest_twisted.ensureDeferred
async def test_without_a_daemon_it_says_what_to_do(tmp_path):
    tool = Tool("top", "--once", "--socket", str(tmp_path / "nobody"))
    assert await tool.ended == 1
    assert b"no daemon answers on" in tool.err
    assert tool.out == b""


class Answering:
    """A node that is looked at, and that may go."""

    def __init__(self, goes=False):
        self.goes = goes

    async def status(self):
        if self.goes:
            raise CsError("gone")
        return STATUS

    def stats(self):
        return self

    cmap = stats

    async def items(self, prefix):
        return {}


@pytest_twisted.ensureDeferred
async def test_one_view_takes_two_looks():
    args = Namespace(once=True, json=False, interval=0.001)
    out = io.StringIO()
    top = Top(reactor, args, Console(file=out, width=80))
    top._node = Answering()
    await top._step()
    assert out.getvalue() == ""
    await top._step()
    assert out.getvalue().startswith("corosync-tw top  node 2")


@pytest_twisted.ensureDeferred
async def test_a_look_has_a_moment():
    found = await look(Answering(), lambda: 7.5)
    assert (found.at_s, found.status, found.stats) == (7.5, STATUS, {})
