"""
What is asked of the stock tools on a ring, and what they print, made comparable.

Every story begins with a whole ring of three nodes and leaves one behind.
"""

import difflib
import signal
import subprocess
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from tests.interop.netbed import Process, wait_until
from tests.interop.nodes import Client, Cluster, Node
from tests.interop.same_text import normalised, numbers, without

TOKEN_MS = 1000
WITHIN_S = 15.0
OBSERVED = 1
LEAVER = 3
KILLED = 2
# What no stock node has.
OUR_KEYS = ("runtime.corosync_tw.", "stats.corosync_tw.")

Texts = Mapping[str, str]

READING = (
    "corosync-quorumtool -s",
    "corosync-quorumtool -l",
    "corosync-quorumtool -p",
    "corosync-quorumtool -lp",
    "corosync-quorumtool -li",
    "corosync-quorumtool -la",
    "corosync-quorumtool -sH",
    "corosync-quorumtool -l -o i",
    "corosync-quorumtool -l -o a",
    "corosync-quorumtool -l -o n",
    "corosync-quorumtool -V",
    "corosync-cfgtool -s",
    "corosync-cfgtool -sb",
    "corosync-cfgtool -s -i 0",
    "corosync-cfgtool -n",
    "corosync-cfgtool -a 1",
    "corosync-cfgtool -a 2",
    "corosync-cfgtool -a 9",
    "corosync-cfgtool -k 9",
    "corosync-cpgtool",
    "corosync-cpgtool -d ;",
    "corosync-cpgtool -n",
    "corosync-cpgtool -e",
    "corosync-cmapctl",
    "corosync-cmapctl -b",
    "corosync-cmapctl totem. nodelist.",
    "corosync-cmapctl nosuch.",
    "corosync-cmapctl -g totem.cluster_name totem.token",
    "corosync-cmapctl -qg totem.cluster_name",
    "corosync-cmapctl -g nosuch.key",
    "corosync-cmapctl -m stats",
    "corosync-cmapctl -m stats stats.srp.memb",
    "corosync-cmapctl -m nosuch",
)

SETTING = (
    "corosync-cmapctl -s probe.key u32 7",
    "corosync-cmapctl -g probe.key",
    "corosync-cmapctl -s probe.key u32 7",
    "corosync-cmapctl -s probe.key u16 9",
    "corosync-cmapctl -s probe.key str text",
    "corosync-cmapctl -s probe.key i8 300",
    "corosync-cmapctl -s probe.key nosuch 3",
    "corosync-cmapctl -s probe.tree.i8 i8 -- -8",
    "corosync-cmapctl -s probe.tree.u8 u8 255",
    "corosync-cmapctl -s probe.tree.u64 u64 18446744073709551615",
    "corosync-cmapctl -s probe.tree.flt flt 1.5",
    "corosync-cmapctl -s probe.tree.dbl dbl 2.25",
    "corosync-cmapctl -s probe.tree.bin bin corosync.conf",
    "corosync-cmapctl -s probe.tree.empty str ",
    "corosync-cmapctl -b probe.",
    "corosync-cmapctl -d probe.key",
    "corosync-cmapctl -d probe.key",
    "corosync-cmapctl -g probe.key",
    "corosync-cmapctl -D probe.tree.u",
    "corosync-cmapctl probe.",
    "corosync-cmapctl -p good.keys",
    "corosync-cmapctl probe.",
    "corosync-cmapctl -p bad.keys",
    "corosync-cmapctl -D probe.",
    "corosync-cmapctl probe.",
    "corosync-cmapctl -s totem.version u32 3",
    "corosync-cmapctl -d runtime.config.totem.token",
    "corosync-cmapctl -s runtime.services.cfg.0.rx u64 1",
    "corosync-cmapctl -s a/b u8 1",
    "corosync-cmapctl -s ab$ u8 1",
    "corosync-cmapctl -s ab u8 1",
    "corosync-cmapctl -m stats -s stats.srp.mcast_tx u64 1",
    "corosync-cmapctl -m stats -d stats.srp.mcast_tx",
    "corosync-cmapctl -C ipc",
    "corosync-cmapctl -C totem",
    "corosync-cmapctl -C nosuch",
    "corosync-cfgtool -L",
    "corosync-cfgtool -R",
)

KEY_FILES = {
    "good.keys": "# a comment\n\nprobe.one u32 1\n  probe.two str two\nprobe.gone u8 1\n"
    "^probe.gone\n^probe.never\n^^probe.tree.\n",
    "bad.keys": "probe.three u8 3\nprobe.four u8\nprobe.five u8 5\n",
}

STATUS = "corosync-quorumtool -s"

# Each line finds the ring as the lines before it left it.
VOTING = (
    "corosync-quorumtool -e 0",
    "corosync-quorumtool -e x",
    "corosync-quorumtool -v x",
    "corosync-quorumtool -v 1 -n 9",
    "corosync-quorumtool -v 1 -n x",
    "corosync-quorumtool -e 2",
    "corosync-quorumtool -e 9",
    "corosync-quorumtool -f",
    "corosync-quorumtool -e 5",
    "corosync-quorumtool -s",
    "corosync-quorumtool -v 3",
    "corosync-quorumtool -s",
    "corosync-quorumtool -e 3",
    "corosync-quorumtool -v 1 -n 2",
    "corosync-quorumtool -v 1",
    "corosync-quorumtool -e 3",
    "corosync-quorumtool -s",
    "corosync-quorumtool -e 5",
    "corosync-quorumtool -v 2",
    "corosync-quorumtool -s",
    "corosync-cfgtool -R",
)

# Asked of a node that loses the others one by one.
PARTED = (
    "corosync-quorumtool -s",
    "corosync-quorumtool -lp",
    "corosync-cfgtool -s",
    "corosync-cfgtool -sb",
    "corosync-cfgtool -n",
    "corosync-cfgtool -a 3",
    "corosync-cpgtool",
    "corosync-cmapctl runtime.members. runtime.votequorum. nodelist.",
)


def told(node: Node, command: str) -> str:
    """Run a tool beside a node: its output without our own keys, its errors, its exit status."""
    argv = ["env", "-C", str(node.workdir), *command.split(" ")]
    try:
        outcome = node.machine.run(*argv, check=False, timeout_s=WITHIN_S)
    except subprocess.TimeoutExpired:
        return f"does not end within {WITHIN_S:.0f} s\n"
    output = without(outcome.stdout, lambda line: line.startswith(OUR_KEYS))
    text = f"{output}--- errors\n{outcome.stderr}--- exit status {outcome.returncode}\n"
    return normalised(text, str(node.workdir))


def asked(node: Node, commands: tuple[str, ...]) -> Texts:
    """Run tools one after the other; the answers are by place and command."""
    return {f"{place}: {line}": told(node, line) for place, line in enumerate(commands)}


# Counters that no daemon in a ring can leave at nought.
COUNTING = (
    "stats.srp.commit_entered",
    "stats.srp.gather_entered",
    "stats.srp.mcast_rx",
    "stats.srp.mcast_tx",
    "stats.srp.memb_commit_token_rx",
    "stats.srp.memb_commit_token_tx",
    "stats.srp.memb_join_rx",
    "stats.srp.memb_join_tx",
    "stats.srp.operational_entered",
    "stats.srp.orf_token_rx",
    "stats.srp.recovery_entered",
    "runtime.services.cpg.0.rx",
    "runtime.services.cpg.0.tx",
    "runtime.services.cpg.5.rx",
    "runtime.services.cpg.5.tx",
    "runtime.services.votequorum.0.rx",
    "runtime.services.votequorum.0.tx",
    "runtime.members.1.join_count",
    "stats.ipcs.global.active",
    "stats.ipcs.global.closed",
)


def counting(cluster: Cluster) -> Texts:
    """Look which counters have counted, beside each node."""
    with members(cluster):
        texts = {}
        for nodeid, node in cluster.nodes.items():
            listings = [
                node.machine.run("corosync-cmapctl", "-m", name).stdout
                for name in ("icmap", "stats")
            ]
            found = numbers("".join(listings), COUNTING)
            counted = {key: found[key] > 0 if key in found else None for key in COUNTING}
            texts[f"n{nodeid} counters"] = "".join(f"{k} {v}\n" for k, v in counted.items())
        return texts


@contextmanager
def members(cluster: Cluster) -> Iterator[list[Client]]:
    """Hold a process of two nodes in a group."""
    clients = [
        cluster.client(nodeid, f"tools-{nodeid}", count=0, rate=0, members=2)
        for nodeid in (OBSERVED, LEAVER)
    ]
    cluster.wait_members(clients, len(clients), WITHIN_S)
    yield clients
    for client in clients:
        assert client.finish() == 0


def reading(cluster: Cluster) -> Texts:
    """Ask what changes nothing, beside each node."""
    texts = {}
    with members(cluster):
        for nodeid, node in cluster.nodes.items():
            answers = asked(node, READING)
            texts |= {f"n{nodeid} {command}": text for command, text in answers.items()}
    return texts


def setting(cluster: Cluster) -> Texts:
    """Write keys, wrongly too, while others follow them."""
    node = cluster.nodes[OBSERVED]
    for name, text in KEY_FILES.items():
        (node.workdir / name).write_text(text)
    followers = {
        words: Process(
            node.machine,
            ["stdbuf", "-oL", "corosync-cmapctl", *words.split()],
            node.workdir / f"follow{words.split()[0]}.log",
            node.workdir,
        )
        for words in ("-t probe.key", "-T probe.tree.")
    }
    for follower in followers.values():
        wait_until("tracking", lambda log=follower.log: "Type" in log.read_text(), WITHIN_S)
    texts = dict(asked(node, SETTING))
    for words, follower in followers.items():
        follower.write_line("q")
        status = follower.wait(WITHIN_S)
        texts[f"corosync-cmapctl {words}"] = f"{follower.log.read_text()}--- exit status {status}\n"
    return texts


def voting(cluster: Cluster) -> Texts:
    """Change votes, wrongly too, and at last have the file's back."""
    node = cluster.nodes[OBSERVED]
    texts = {}
    for place, line in enumerate(VOTING):
        texts[f"{place}: {line}"] = told(node, line)
        _let_changes_arrive(cluster)

    def reloaded() -> bool:
        said = [told(each, STATUS) for each in cluster.nodes.values()]
        return all("Highest expected: 3\nTotal votes:      3\n" in text for text in said)

    wait_until("the file's votes", reloaded, WITHIN_S)
    return {**texts, "reloaded": told(node, STATUS)}


def _let_changes_arrive(cluster: Cluster) -> None:
    """Join a group: the ring delivers that after the changes of votes that a tool asked for."""
    client = cluster.client(OBSERVED, "barrier", count=0, rate=0, members=1)
    cluster.wait_members([client], 1, WITHIN_S)
    assert client.finish() == 0


def following(cluster: Cluster) -> Texts:
    """Let corosync-notifyd tell of a client, and of a node that leaves and returns."""
    node = cluster.nodes[OBSERVED]
    argv = ["stdbuf", "-oL", "corosync-notifyd", "-f", "-o"]
    notifyd = Process(node.machine, argv, node.workdir / "notifyd.log", node.workdir)
    said = notifyd.log.read_text
    leaver = cluster.nodes[LEAVER]
    stayers = [nodeid for nodeid in cluster.nodes if nodeid != LEAVER]
    wait_until("quorum told", lambda: "quorate" in said(), WITHIN_S)
    told(node, "corosync-cmapctl -g totem.version")
    wait_until("a client told", lambda: "cmapct is now disconnected" in said(), WITHIN_S)
    assert leaver.leave() == 0
    wait_until("a leave told", lambda: " left" in said(), WITHIN_S)
    leaver.start()
    wait_until("a return told", lambda: said().count(" joined"), WITHIN_S)
    # Two nodes are asked elsewhere: the questions are connections that notifyd would tell of.
    elsewhere = [nodeid for nodeid in stayers if nodeid != OBSERVED]
    cluster.wait_quorate(elsewhere, members=cluster.nodes)
    notifyd.signal(signal.SIGTERM)
    status = notifyd.wait(WITHIN_S)
    text = normalised(said(), str(node.workdir))
    told_text = without(text, lambda line: line.startswith("[debug]"))
    libqb = sorted(set(text.splitlines()) - set(told_text.splitlines()))
    return {"what it tells": told_text, "libqb": "\n".join(libqb), "status": str(status)}


def parting(cluster: Cluster) -> Texts:
    """Let one node shut down and another be killed, until the last has no quorum."""
    node, leaver, killed = (cluster.nodes[nodeid] for nodeid in (OBSERVED, LEAVER, KILLED))
    texts = {"shut down": told(leaver, "corosync-cfgtool -H")}
    texts["its exit"] = f"{leaver.running.wait(WITHIN_S)}\n"
    cluster.wait_quorate([OBSERVED, KILLED])
    texts |= {f"one left: {line}": text for line, text in asked(node, PARTED).items()}
    killed.sigkill()
    wait_until("no quorum", lambda: "Quorate:          No" in told(node, PARTED[0]), WITHIN_S)
    texts |= {f"one killed: {line}": text for line, text in asked(node, PARTED).items()}
    leaver.start()
    killed.start()
    cluster.wait_quorate()
    return texts


def differences(stock: Texts, other: Texts) -> str:
    """Show every answer that differs, as a difference; empty when all are the same."""
    shown = []
    for question in {**stock, **other}:
        texts = (stock.get(question, "no answer\n"), other.get(question, "no answer\n"))
        if texts[0] != texts[1]:
            lines = [text.splitlines(keepends=True) for text in texts]
            diff = difflib.unified_diff(*lines, "stock", "other", n=1)
            shown.append(f"$ {question}\n{''.join(diff)}")
    return "\n".join(shown)
