"""
Cluster nodes on the machines of a bed, stock corosync and ours, and their clients.

Both kinds read the same corosync.conf.
"""

import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Collection, Iterable, Mapping, Sequence
from pathlib import Path
from typing import ClassVar, Self

from tests.interop.netbed import BedError, Machine, Process, require, wait_until
from tests.interop.order import STRADDLING_MAX

HERE = Path(__file__).resolve().parent
CLIENTS = HERE / "clients"
LIBRARIES = frozenset({"cfg", "cmap", "cpg", "quorum", "sam", "votequorum"})


def corosync_conf(
    addresses: Mapping[int, Sequence[str]],
    state_dir: Path,
    *,
    transport: str = "udpu",
    token_ms: int = 1000,
    totem_extra: str = "",
    logging_extra: str = "",
    run_dir: Path | None = None,
    ipc_type: str = "native",
) -> str:
    """
    Write the configuration of one node; ``addresses`` is by nodeid, one on each network.

    A stock daemon takes no notice of ``run_dir``.
    """
    nodes = "".join(
        f"    node {{\n        nodeid: {nodeid}\n        name: n{nodeid}\n"
        + "".join(f"        ring{at}_addr: {one}\n" for at, one in enumerate(on_networks))
        + "    }\n"
        for nodeid, on_networks in addresses.items()
    )
    crypto = "    crypto_cipher: none\n    crypto_hash: none\n"
    interface = ""
    if transport == "udp":
        interface = (
            "    interface {\n        mcastaddr: 239.192.77.5\n        mcastport: 5405\n    }\n"
        )
    return (
        "totem {\n    version: 2\n    cluster_name: cti\n"
        f"    transport: {transport}\n    token: {token_ms}\n    token_coefficient: 0\n"
        f"    token_retransmits_before_loss_const: 10\n{crypto}{totem_extra}{interface}}}\n"
        f"nodelist {{\n{nodes}}}\n"
        "quorum {\n    provider: corosync_votequorum\n}\n"
        f"system {{\n    state_dir: {state_dir}\n    run_dir: {run_dir or state_dir}\n"
        f"    sched_rr: no\n    qb_ipc_type: {ipc_type}\n}}\n"
        "logging {\n    to_stderr: yes\n    to_syslog: no\n    timestamp: hires\n"
        f"{logging_extra}}}\n"
    )


class Node:
    """
    One daemon; subclasses know how it is started and asked.

    :ivar address: its machine's.
    :ivar env: what its daemon finds in the environment beside ours.
    """

    kind = ""

    def __init__(self, machine: Machine, nodeid: int, workdir: Path) -> None:
        self.machine = machine
        self.nodeid = nodeid
        self.workdir = workdir / f"n{nodeid}"
        self.state_dir = self.workdir / "state"
        self.run_dir = self.workdir / "run"
        self.state_dir.mkdir(parents=True, exist_ok=True)
        self.conf = self.workdir / "corosync.conf"
        self.log = self.workdir / "daemon.log"
        self.process: Process | None = None
        self.env: dict[str, str] = {}

    def argv(self) -> list[str]:
        raise AssertionError(self.kind)

    def client_argv(self, *arguments: str) -> list[str]:
        return [str(built(CLIENTS / "order_client.c")), *arguments]

    def start(self) -> None:
        assert self.process is None or self.process.exit_status is not None
        self.process = Process(self.machine, self.argv(), self.log, self.workdir, self.env)

    @property
    def running(self) -> Process:
        assert self.process is not None
        return self.process

    def sigkill(self) -> None:
        self.running.kill()

    def freeze(self) -> None:
        self.running.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        self.running.signal(signal.SIGCONT)

    def leave(self, timeout_s: float = 15.0) -> int:
        """Leave the ring by SIGTERM; give the exit status."""
        self.running.signal(signal.SIGTERM)
        return self.running.wait(timeout_s)

    def quorate_members(self) -> list[int]:
        """List the members of the ring as the stock quorumtool tells them; none: no quorum."""
        said = self.machine.run("corosync-quorumtool", "-si", check=False).stdout
        if not re.search(r"^Quorate: +Yes$", said, re.MULTILINE):
            return []
        _, _, table = said.partition("Membership information\n")
        return [int(word) for word in re.findall(r"^ +([0-9]+) ", table, re.MULTILINE)]

    def log_text(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def rss_bytes(self) -> int:
        """Resident memory now."""
        text = Path(f"/proc/{self.running.pid}/statm").read_text()
        return int(text.split()[1]) * 4096

    def cpu_seconds(self) -> float:
        """User and system time since the start."""
        fields = Path(f"/proc/{self.running.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / 100.0


class StockNode(Node):
    """The distribution's corosync."""

    kind = "stock"

    def argv(self) -> list[str]:
        return ["corosync", "-f", "-c", str(self.conf)]


class OurNode(Node):
    """
    corosync_tw under twistd.

    :ivar pb_clients: its order clients speak Perspective Broker, not libcpg's protocol.
    """

    kind = "ours"
    pb_clients = False

    @property
    def socket(self) -> Path:
        return self.run_dir / "corosync_tw.sock"

    def argv(self) -> list[str]:
        return [
            str(Path(sys.executable).parent / "twistd"),
            "-n",
            "--pidfile=",
            "corosync",
            "-c",
            str(self.conf),
        ]

    def client_argv(self, *arguments: str) -> list[str]:
        if not self.pb_clients:
            return super().client_argv(*arguments)
        return [sys.executable, str(CLIENTS / "pb_client.py"), str(self.socket), *arguments]


def built(source: Path, *, shared: bool = False) -> Path:
    """
    Compile a C client and give its path; it is built anew when it or a header is newer.

    The headers of Corosync that it includes say which libraries it is linked to.

    :param shared: it is no client but a library to be loaded into a program.
    """
    require("gcc", "corosync")
    name = f"{source.stem}.so" if shared else source.stem
    binary = HERE.parent.parent / "build" / "clients" / name
    newest = max(path.stat().st_mtime for path in (source, *source.parent.glob("*.h")))
    if binary.exists() and binary.stat().st_mtime >= newest:
        return binary
    binary.parent.mkdir(parents=True, exist_ok=True)
    options = ["-std=gnu11", "-O2", "-Wall", "-Wextra"]
    kind = ["-shared", "-fPIC"] if shared else ["-pthread", "-Wl,--as-needed", *libraries(source)]
    fresh = binary.with_name(f"{name}.{os.getpid()}.{threading.get_native_id()}")
    command = ["gcc", *options, "-o", str(fresh), str(source), *kind]
    outcome = subprocess.run(command, capture_output=True, text=True, check=False)
    if outcome.returncode:
        raise BedError(
            f"cannot build {source.name} (`make deps` installs the libraries):\n{outcome.stderr}"
        )
    fresh.rename(binary)
    return binary


def libraries(source: Path) -> list[str]:
    """Name the linker options for the headers of Corosync that a source includes."""
    text = source.read_text()
    headers = re.findall(r"^#include <corosync/(\w+)\.h>", text, re.MULTILINE)
    libqb = ["-lqb"] if "#include <qb/" in text else []
    return [f"-l{name}" for name in headers if name in LIBRARIES] + ["-lcorosync_common"] + libqb


class Client:
    """An order client beside a node; what it was delivered is in ``out``."""

    def __init__(
        self, node: Node, label: str, *, count: int, rate: int, members: int, group: str = "order"
    ) -> None:
        self.node = node
        self.label = label
        self.count = count
        self.out = node.workdir / f"client-{label}.txt"
        arguments = (group, str(count), str(rate), str(members), str(self.out))
        self.process = Process(
            node.machine,
            node.client_argv(*arguments),
            node.workdir / f"client-{label}.log",
            node.workdir,
        )

    def lines(self) -> list[str]:
        """Whole lines written so far."""
        if not self.out.exists():
            return []
        return self.out.read_text().rpartition("\n")[0].splitlines()

    def delivered(self) -> int:
        return sum(line.startswith("D") for line in self.lines())

    def members(self) -> int:
        """Count the members of the group in the last configuration change."""
        changes = [line for line in self.lines() if line.startswith("C")]
        return len(changes[-1].split()[1].split(",")) if changes else 0

    def finish(self, timeout_s: float = 20.0) -> int:
        """Leave the group; give the exit status."""
        self.process.close_stdin()
        return self.process.wait(timeout_s)


class Cluster:
    """
    Nodes of one ring.

    :ivar nodes: by nodeid; the nodeid is also the last part of the address.
    :ivar straddling_max: messages that a newcomer may lack, see ``order.check_same_tail``.
    """

    straddling_max = STRADDLING_MAX

    KINDS: ClassVar[Mapping[str, type[Node]]] = {cls.kind: cls for cls in (StockNode, OurNode)}

    def __init__(
        self,
        machines: Mapping[int, Machine],
        stock: list[int],
        ours: list[int],
        workdir: Path,
        *,
        pb_clients: Collection[int] = (),
        **conf: object,
    ) -> None:
        """
        Write the configurations of a ring.

        :param pb_clients: nodes of ours whose order clients speak Perspective Broker.
        """
        self.nodes: dict[int, Node] = {}
        for nodeid in sorted([*stock, *ours]):
            cls = self.KINDS["stock" if nodeid in stock else "ours"]
            self.nodes[nodeid] = node = cls(machines[nodeid], nodeid, workdir)
            if isinstance(node, OurNode):
                node.pb_clients = nodeid in pb_clients
        addresses = {nodeid: machines[nodeid].addresses for nodeid in self.nodes}
        for node in self.nodes.values():
            text = corosync_conf(addresses, node.state_dir, run_dir=node.run_dir, **conf)  # type: ignore[arg-type]
            node.conf.write_text(text)
        self.workdir = workdir
        self.clients: list[Client] = []

    def replace(self, nodeid: int, kind: str) -> Node:
        """Put the other daemon on a machine where none runs; its configuration stays as it is."""
        old = self.nodes[nodeid]
        assert old.process is None or old.process.exit_status is not None
        self.nodes[nodeid] = self.KINDS[kind](old.machine, nodeid, self.workdir)
        return self.nodes[nodeid]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for client in self.clients:
            client.process.kill()
        for node in self.nodes.values():
            if node.process is not None:
                node.process.kill()

    def start(self) -> None:
        for node in self.nodes.values():
            node.start()

    def wait_quorate(
        self,
        nodeids: Iterable[int] = (),
        timeout_s: float = 90.0,
        *,
        members: Iterable[int] = (),
    ) -> float:
        """
        Wait until the stock quorumtool, beside these nodes, finds one quorate ring.

        :param nodeids: who is asked; all by default.
        :param members: who must be in the ring; by default those who are asked.
        """
        asked = sorted(nodeids) or sorted(self.nodes)
        wanted = sorted(members) or asked

        def agreed() -> bool:
            return all(self.nodes[nodeid].quorate_members() == wanted for nodeid in asked)

        try:
            return wait_until(f"a quorate ring of nodes {wanted}", agreed, timeout_s, 0.1)
        except AssertionError as error:
            raise AssertionError(f"{error}\n{self.tail_logs()}") from None

    def client(self, nodeid: int, label: str, *, count: int, rate: int, members: int) -> Client:
        """Start an order client beside a node."""
        client = Client(self.nodes[nodeid], label, count=count, rate=rate, members=members)
        self.clients.append(client)
        return client

    def wait_members(self, clients: list[Client], members: int, timeout_s: float) -> float:
        """Wait until each of the clients sees so many members in the group."""
        what = f"{members} members in the group"
        try:
            return wait_until(what, lambda: all(c.members() == members for c in clients), timeout_s)
        except AssertionError as error:
            seen = ", ".join(f"{c.label}: {c.members()}" for c in clients)
            raise AssertionError(f"{error}; seen: {seen}\n{self.tail_logs()}") from None

    def wait_delivered(self, clients: list[Client], count: int, timeout_s: float) -> float:
        """Wait until each of the clients was delivered at least so many messages."""
        try:
            return wait_until(
                "delivery", lambda: all(c.delivered() >= count for c in clients), timeout_s, 0.2
            )
        except AssertionError as error:
            seen = ", ".join(f"{c.label}: {c.delivered()} of {count}" for c in clients)
            raise AssertionError(f"{error}; seen: {seen}\n{self.tail_logs()}") from None

    def tail_logs(self, lines: int = 12) -> str:
        """The last words of each daemon, for a failure's text."""
        tails = []
        for node in self.nodes.values():
            status = node.process.exit_status if node.process else "not started"
            tail = "\n".join(node.log_text().splitlines()[-lines:])
            tails.append(f"--- n{node.nodeid} {node.kind}, exit status {status}\n{tail}")
        return "\n".join(tails)

    def assert_alive(self, nodeids: list[int]) -> None:
        """No daemon of these may have ended; none at all may ever have aborted or raised."""
        for nodeid in nodeids:
            assert self.nodes[nodeid].running.exit_status is None, (
                f"n{nodeid} ended\n{self.tail_logs()}"
            )
        self.assert_sound()

    def assert_sound(self) -> None:
        """No daemon may ever have aborted or raised."""
        for node in self.nodes.values():
            assert "Assertion" not in node.log_text(), f"n{node.nodeid} aborted\n{self.tail_logs()}"
            assert "Traceback" not in node.log_text(), f"n{node.nodeid} raised\n{self.tail_logs()}"
